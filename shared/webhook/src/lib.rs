//! Webhooks: endpoints, and the delivery of messages to them.
//!
//! [`Webhooks`] has one operation per file. What an operation decides is in pure code: when to try
//! again in [`RetrySchedule`], what a delivery allows and what follows from an attempt in `decide`.
//!
//! A message is fanned out to the endpoints that want it; each gets a [`Delivery`] of its own with
//! all its attempts inside. A delivery that fails is an outcome, not an error: it is recorded, and
//! the queue message that caused the attempt ends. Whoever makes an attempt claims it first in the
//! row, so that copies of a task, which queues make, end as one attempt.

mod abort;
mod accept;
mod admit;
mod attempt;
mod attempt_log;
mod body_filter;
mod body_sweep;
mod choose;
mod create_endpoint;
mod decide;
mod delivery;
mod delivery_list;
mod end_message;
mod endpoint;
mod endpoints;
mod event_types;
#[cfg(test)]
mod examples;
mod failed_list;
mod fanout;
mod first;
mod forget_connection;
mod gate;
mod health;
mod instead;
mod jobs;
mod keys;
mod lasting;
mod message_list;
mod new_endpoint;
mod note_outcome;
mod own_headers;
mod pattern;
mod poll;
mod post;
mod pulse;
mod rate;
mod reseal;
mod retention;
mod retry;
mod rotate_secret;
mod schedule;
mod secrets;
mod set_status;
mod sign;
mod signing_key;
mod state;
mod stats;
mod status;
mod tell;
mod test_endpoint;
mod update_endpoint;
mod verify;
mod webhooks;
mod window;
mod wish;

pub use accept::{Accepted, OwnMessage};
pub use admit::{Admission, Pass};
pub use attempt_log::{Answer, Attempt, AttemptEnd, Outcome, Trigger};
pub use body_filter::BodyFilter;
pub use delivery::{AttemptTask, Delivery};
pub use delivery_list::DeliveryFilter;
pub use endpoint::{DisabledReason, ENDPOINTS_MAX, Endpoint, EndpointStatus, Payload};
pub use event_types::{
    EventType, NewEventType, Registered, TEST_PING, is_told_by_millwright, told_event_types,
};
pub use gate::Gate;
pub use health::{Circuit, Health};
pub use jobs::JobEnd;
pub use lasting::DISABLE_AFTER;
pub use message_list::MessageFilter;
pub use new_endpoint::NewEndpoint;
pub use own_headers::OwnHeaders;
pub use pattern::{EventPattern, is_event_type};
pub use poll::{PollPage, PollRequest, PolledMessage};
pub use reseal::reseal_endpoints;
pub use rotate_secret::{OVERLAP_MAX, Rotation};
pub use schedule::{Jitter, RetrySchedule};
pub use secrets::ShownSecret;
pub use set_status::StatusChange;
pub use sign::{Scheme, Signer, Signing};
pub use state::{AbortReason, Claim, Fallback, Held, Plan, State, Waiting};
pub use stats::{EXAMINED_MAX as STATS_EXAMINED_MAX, EndpointStats};
pub use status::DeliveryStatus;
pub use update_endpoint::EndpointChange;
pub use verify::Verifier;
pub use webhooks::{Handled, Listed, Webhooks};
pub use wish::Wish;
