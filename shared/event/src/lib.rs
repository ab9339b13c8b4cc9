//! What happened, and how it is published once.
//!
//! A message is rendered once, to the bytes that every receiver gets on every attempt. Two ways lead to
//! its endpoints. What follows from a change of state is written as a row in the change's own
//! transaction ([`Message::as_write`]) and announced afterwards; a lost announcement is found by the
//! sweep. What a caller sends ([`accept`]) is acknowledged when the queue holds it.

mod message;
mod publish;

pub use message::{
    Body, FirstAttempt, MESSAGE_RETENTION, Message, NewMessage, Scope, Stopped, event_data,
    message_key,
};
pub use publish::{
    FanoutTask, accept, announce, body_bytes, fanout_work, feed_work, full_body_bytes, publish,
};
