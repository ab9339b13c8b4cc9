//! Connections: one customer's instance of a system, its credentials and its health.
//!
//! Three facts are stored (`admin`, `health`, `load`); the status everybody sees is derived from them.
//! Every change of it is written together with the event that tells of it.

mod backoff;
mod cause;
mod change;
mod context;
mod credentials;
mod disconnect;
mod events;
mod facts;
mod find;
mod hear;
mod history;
mod hook;
mod model;
mod native;
mod observe;
mod overlays;
mod patience;
mod prepare;
mod reconnect_url;
mod tell;
#[cfg(test)]
mod testing;
mod watch;

pub use backoff::outage_backoff;
pub use cause::{Cause, CauseText};
pub use change::{Now, change, commit_change};
pub use context::ConnectionContext;
pub use credentials::{open_system, open_system_with, secret_key};
pub use disconnect::{disconnect, disconnect_if};
pub use facts::{Admin, Facts, Health, Load, Status};
pub use find::{ConnectionFilter, find_connection, list_connections};
pub use hear::{note_answer, note_failure, note_failure_within};
pub use history::{ConnectionEvent, Occasion, Trigger, first_event, list_events};
pub use hook::{find_by_hook, forget_hook, hook_secret, rotate_hook};
pub use model::{Connection, Customer, connection_key, connection_pk};
pub use native::call_native;
pub use observe::{Noticed, Observation, observe};
pub use overlays::{OverlayDoc, find_overlay, overlay_key};
pub use patience::Patience;
pub use prepare::{NewConnection, Prepared, prepare};
pub use reconnect_url::{
    ReconnectSecret, Reconnecting, find_reconnect, forget_reconnect, new_reconnect, reconnect_url,
};
pub use watch::{ConnectionTask, HealthTiming, Watch};
