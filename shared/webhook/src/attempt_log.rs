//! What is kept of an attempt.

use millwright_core::ScheduleTime;
use millwright_outbound::FailureClass;
use serde::{Deserialize, Serialize};

use crate::wish::Wish;

/// An attempt that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// What caused it.
    pub trigger: Trigger,
    /// When it began, on the schedule clock.
    pub at: ScheduleTime,
    /// How it ended.
    pub end: AttemptEnd,
}

/// What caused an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The schedule.
    Automatic,
    /// A person or a program asked for it.
    Manual,
    /// The connection of the attempt before broke at once: it was tried again at once.
    Reconnect,
    /// Whoever polls the endpoint fetched the message.
    Poll,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// With an answer.
    Answered(Answer),
    /// Without one.
    Unanswered {
        /// The kind of failure.
        class: FailureClass,
        /// The same in words.
        message: String,
        /// How long it took, in milliseconds of the wall clock.
        latency_ms: u64,
    },
    /// Nobody knows: whoever made it died. It counts as an attempt, for it may have arrived.
    Unknown,
    /// Whoever polled said that they have it.
    Acknowledged,
}

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long the whole exchange took, in milliseconds of the wall clock.
    pub latency_ms: u64,
    /// The first of its headers.
    pub headers: Vec<(String, String)>,
    /// The beginning of its body.
    pub body: String,
    /// What else it asks for.
    #[serde(default, skip_serializing_if = "Wish::is_none")]
    pub wish: Wish,
}

/// An attempt's outcome in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A 2xx within the time; or it was fetched.
    Delivered,
    /// Anything else.
    Failed,
    /// Nobody knows.
    Unknown,
}

impl AttemptEnd {
    /// The outcome in one word.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Acknowledged => Outcome::Delivered,
            Self::Answered(answer) if (200..300).contains(&answer.status) => Outcome::Delivered,
            Self::Answered(_) | Self::Unanswered { .. } => Outcome::Failed,
            Self::Unknown => Outcome::Unknown,
        }
    }

    /// The error class, where there was an error: `status` for an answer that is not a 2xx.
    #[must_use]
    pub fn error_class(&self) -> Option<&'static str> {
        match self {
            Self::Unanswered { class, .. } => Some(class.as_str()),
            Self::Answered(_) if self.outcome() == Outcome::Failed => Some("status"),
            Self::Answered(_) | Self::Unknown | Self::Acknowledged => None,
        }
    }

    /// What the receiver asked for.
    #[must_use]
    pub fn wish(&self) -> Wish {
        match self {
            Self::Answered(answer) => answer.wish,
            Self::Unanswered { .. } | Self::Unknown | Self::Acknowledged => Wish::None,
        }
    }
}
