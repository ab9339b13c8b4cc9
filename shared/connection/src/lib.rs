//! Connections: one customer's instance of a system, its credentials and its health.
//!
//! Three facts are stored (`admin`, `health`, `load`); the status everybody sees is derived from them.
//! Every change of it is written together with the event that tells of it.

mod backoff;
mod cause;
mod change;
mod context;
mod credentials;
mod credits;
mod disconnect;
mod events;
mod facts;
mod find;
mod hear;
#[cfg(test)]
mod histories;
mod history;
mod hook;
mod issues;
mod keep_reconnect;
pub mod link;
mod look;
mod lookups;
mod model;
mod native;
pub mod oauth;
mod observe;
mod overlays;
mod patience;
mod pause;
mod pending;
mod prepare;
mod reconnect_url;
mod refusal;
mod reseal;
mod revise;
mod tell;
#[cfg(test)]
mod testing;
mod watch;

pub use backoff::outage_backoff;
pub use cause::{Cause, CauseText};
pub use change::{Now, change, commit_change};
pub use context::ConnectionContext;
pub use credentials::{open_system, open_system_with, secret_key};
pub use credits::{Credits, count_credits, credits_key, credits_of, get_credits, set_credits};
pub use disconnect::{disconnect, disconnect_for_good, disconnect_if};
pub use facts::{Admin, Facts, Health, Load, Status};
pub use find::{ConnectionFilter, find_connection, list_connections};
pub use hear::{
    Agreed, agree, may_be_health, note_answer, note_failure, note_failure_within, probe_verdict,
};
pub use history::{ConnectionEvent, Occasion, Trigger, first_event, list_events};
pub use hook::{find_by_hook, forget_hook, hook_secret, rotate_hook};
pub use issues::{
    Issue, IssueChanges, IssueFilter, IssuePlace, IssueState, Problem, ProblemKind, close_issues,
    find_issue, forget_issues, list_issues, mute_issue, raise_issue, settle_issue,
};
pub use keep_reconnect::keep_reconnect;
pub use look::{look, look_within};
pub use lookups::{forget_lookups, idempotency_pk, list_lookup, list_lookup_until, unlist_lookup};
pub use model::{Connection, Customer, connection_key, connection_pk};
pub use native::call_native;
pub use observe::{Noticed, Observation, conclude_check, observe, observe_known, take_note};
pub use overlays::{OverlayDoc, find_overlay, overlay_key};
pub use patience::Patience;
pub use pause::pause;
pub use pending::{NewPending, pending};
pub use prepare::{NewConnection, Prepared, created_event, prepare, try_again, try_settings};
pub use reconnect_url::{
    ReconnectSecret, Reconnecting, find_reconnect, forget_reconnect, new_reconnect, reconnect_url,
    spend_reconnect, spent_reconnect,
};
pub use refusal::{allow_data, allow_stale_data};
pub use reseal::{Resealed, reseal_connections};
pub use revise::{Along, Revised, revise};
pub use watch::{ConnectionTask, Duties, HealthTiming, Watch};
