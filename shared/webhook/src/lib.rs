//! Webhooks: endpoints, and the delivery of messages to them.
//!
//! [`Webhooks`] has one operation per file. What an operation decides is in pure code: when to try
//! again in [`RetrySchedule`], what a delivery allows and what follows from an attempt in `decide`.
//!
//! A message is fanned out to the endpoints that want it; each gets a [`Delivery`] of its own with all
//! its attempts inside. A delivery that fails is an outcome, not an error: it is recorded, and the
//! queue message that caused the attempt ends. Whoever makes an attempt claims it first in the row, so
//! that copies of a task, which queues make, end as one attempt.

mod attempt;
mod create_endpoint;
mod decide;
mod delivery;
mod delivery_list;
mod endpoint;
mod endpoints;
mod failed_list;
mod fanout;
mod keys;
mod message_list;
mod pattern;
mod post;
mod retry;
mod schedule;
mod sign;
mod webhooks;
mod window;

pub use delivery::{
    Answer, Attempt, AttemptEnd, AttemptTask, Claim, Delivery, DeliveryStatus, Fallback, Outcome,
    Plan, State, Trigger, Waiting,
};
pub use delivery_list::DeliveryFilter;
pub use endpoint::{ENDPOINTS_MAX, Endpoint, EndpointStatus, NewEndpoint};
pub use message_list::MessageFilter;
pub use pattern::{EventPattern, is_event_type};
pub use schedule::{Jitter, RetrySchedule};
pub use webhooks::{Handled, Listed, Webhooks};
