//! The sync engine: planning, pulling, comparing, committing.
//!
//! Each entity of a connection has one row of sync state. A *pass* reads everything that may have
//! changed since the last one began; it is worked in *slices*, each one invocation, under a lease with
//! a fence. Every page is committed together with the pass's position, so a slice that is killed
//! leaves a pass that goes on where it stood. When all pages are in, what they have not shown, or a listing
//! of ids has not, is told as gone.

mod check;
mod compare;
mod connect;
mod end;
mod erase;
mod hints;
mod plan;
mod poison;
mod prints;
mod pull;
mod reconnect;
mod remap;
mod request;
mod resume;
mod rotate;
mod sift;
mod slice;
mod state;
mod status;
mod update;
mod vanish;
mod wake;

pub use check::{CheckEnd, check_connection};
pub use connect::{connect, connect_as};
pub use erase::{EraseEnd, erase_connection, run_erase};
pub use hints::{HintTask, HintsEnd, accept_hints, run_hints};
pub use reconnect::reconnect;
pub use remap::{Remapped, change_overlay};
pub use request::{RequestedSync, request_sync};
pub use resume::{check, resume};
pub use rotate::{RotationEnd, RotationTask, rotate_secrets, rotation, run_rotation};
pub use slice::{SliceEnd, SliceLimits, run_slice};
pub use state::{
    Counts, Mode, NextRun, Remap, RemapStage, Skipped, SliceTask, SyncState, SyncStatus, Trigger,
    Vanished, sync_key,
};
pub use status::sync_states;
pub use update::{ConnectionPatch, METADATA_MAX, update_connection};
