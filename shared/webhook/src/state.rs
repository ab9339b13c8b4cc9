//! What happens next with a delivery, or how it ended.

use millwright_core::{ScheduleTime, WallTime};
use serde::{Deserialize, Serialize};

/// What happens next, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The first attempt is on the queue.
    Pending,
    /// Nobody works on it until its time comes.
    Waiting(Waiting),
    /// Somebody is making an attempt.
    Attempting(Claim),
    /// An attempt was answered with a 2xx.
    Delivered {
        /// When.
        at: ScheduleTime,
    },
    /// All automatic attempts have failed.
    Failed {
        /// When the last of them did.
        at: ScheduleTime,
    },
    /// Its endpoint is paused or disabled, or was when its time came.
    Held(Held),
    /// Its endpoint is polled: whoever polls may fetch it.
    Offered {
        /// Since when.
        since: ScheduleTime,
    },
    /// It will not be tried.
    Aborted {
        /// Since when.
        at: ScheduleTime,
        /// Why.
        reason: AbortReason,
    },
}

/// A delivery that is kept until its endpoint goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Since when.
    pub since: ScheduleTime,
    /// What its next attempt is made for.
    pub plan: Plan,
}

/// Why a delivery was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbortReason {
    /// Its endpoint was deleted.
    EndpointDeleted,
    /// Somebody aborted it.
    ByHand,
    /// Somebody aborted the message, or its content was removed.
    MessageAborted,
    /// The message's own time was up.
    Expired,
    /// The receiver asked for it with the header `webhook-delivery: abort-message`.
    Refused,
}

/// A wait for the next attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// When the attempt is to be made; never earlier.
    pub at: ScheduleTime,
    /// When the wait began: it decides who carries it.
    pub since: ScheduleTime,
    /// What it is made for.
    pub plan: Plan,
}

/// What an attempt is made for, and so what its failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// The schedule: a failure leads to the next of its attempts, or to the end.
    Automatic,
    /// Somebody asked for it: a failure leads back to where it was asked from.
    Manual(Fallback),
}

/// Where a failed manual attempt leads back to. Manual attempts use up none of the automatic ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// To the wait for the automatic attempt of this time.
    WaitUntil(ScheduleTime),
    /// To having failed at this time.
    FailedAt(ScheduleTime),
}

/// Somebody's right to make an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What the attempt is made for.
    pub plan: Plan,
    /// When it began, on the schedule clock.
    pub started_at: ScheduleTime,
    /// When whoever makes it has surely ended or died, on the wall clock, as functions' timeouts
    /// run.
    pub until: WallTime,
    /// Chosen by chance by whoever makes it: tells two who claim in the same moment apart.
    pub holder: String,
}
