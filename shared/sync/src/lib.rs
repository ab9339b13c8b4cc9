//! The sync engine: planning, pulling, comparing, committing.
//!
//! Each entity of a connection has one row of sync state. A *pass* reads everything that may have
//! changed since the last one began; it is worked in *slices*, each one invocation, under a lease with
//! a fence. Every page is committed together with the pass's position, so a slice that is killed
//! leaves a pass that goes on where it stood. When all pages are in, what they have not shown, or a listing
//! of ids has not, is told as gone.

mod ahead;
mod cancel;
mod check;
mod compare;
mod connect;
mod end;
mod erase;
mod export;
mod held;
mod hints;
mod order;
mod plan;
mod poison;
mod prints;
mod pull;
mod reconnect;
mod remap;
mod request;
mod resume;
mod rotate;
mod run;
mod schedule;
mod settings;
mod sift;
mod slice;
mod state;
mod status;
mod untold;
mod update;
mod vanish;
mod wake;

pub use cancel::cancel_run;
pub use check::{CheckEnd, check_connection};
pub use connect::{connect, connect_as, connect_with};
pub use erase::{EraseEnd, erase_connection, run_erase};
pub use export::{
    EXPORT_KEPT, EXPORT_LINK, ExportEnd, ExportFile, ExportRequest, export_files, export_records,
    find_export, run_export, tidy_export,
};
pub use hints::{HintTask, HintsEnd, accept_hints, run_hints};
pub use reconnect::reconnect;
pub use remap::{Remapped, change_overlay};
pub use request::{RequestedSync, request_sync};
pub use resume::{check, resume};
pub use rotate::{RotationEnd, RotationTask, rotate_secrets, rotation, run_rotation};
pub use run::{RunFilter, Stage, SyncRun, find_run, list_runs};
pub use schedule::{Rhythm, SPREAD, SyncSettings};
pub use settings::{change_settings, find_sync};
pub use slice::{SliceEnd, SliceLimits, run_slice};
pub use state::{
    Counts, Mode, NextRun, Remap, RemapStage, Skipped, SliceTask, SyncState, SyncStatus, Trigger,
    Vanished, sync_key,
};
pub use status::sync_states;
pub use update::{ConnectionPatch, METADATA_MAX, update_connection};
