//! A delivery: one message to one endpoint, with everything that was tried.

use millwright_core::{
    DeliveryId, EndpointId, MessageId, QueueName, Result, ScheduleTime, WallTime, Work, WorkspaceId,
};
use millwright_event::Message;
use millwright_store::{Document, Due, FailedMark};
use serde::{Deserialize, Serialize};

use crate::{
    attempt_log::Attempt,
    keys::{failed_of, offered_of},
    status::DeliveryStatus,
};

/// What the delivery and retry queues carry: make this attempt of this delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct AttemptTask {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The number of the attempt. A task whose attempt has been made, or replaced, is dropped.
    pub number: u32,
}

impl AttemptTask {
    /// The task as a queue's work: fair among endpoints.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(crate) fn work(&self) -> Result<Work> {
        Work::new(self.delivery.endpoint.as_str(), self)
    }
}

/// One message to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// What goes.
    pub message: MessageId,
    /// The message's type.
    pub event_type: String,
    /// When it was made, on the schedule clock.
    pub created_at: ScheduleTime,
    /// When its first attempt began, if one has.
    pub first_attempt_at: Option<ScheduleTime>,
    /// What happens next, or how it ended.
    pub state: State,
    /// The attempts that are over, in order; number 1 first.
    pub attempts: Vec<Attempt>,
    /// When its row ceases to be.
    pub expires_at: WallTime,
}

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

impl Delivery {
    /// A delivery of `message` whose first attempt has yet to be made.
    #[must_use]
    pub fn new(message: &Message, endpoint: &EndpointId) -> Self {
        Self {
            workspace: message.workspace.clone(),
            endpoint: endpoint.clone(),
            message: message.id.clone(),
            event_type: message.event_type.clone(),
            created_at: message.created_at,
            first_attempt_at: None,
            state: State::Pending,
            attempts: Vec::new(),
            // Its body must outlive it, or a retry by hand would have nothing to send.
            expires_at: message.kept_until(),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> DeliveryId {
        DeliveryId { endpoint: self.endpoint.clone(), message: self.message.clone() }
    }

    /// Its status as the API shows it.
    #[must_use]
    pub fn status(&self) -> DeliveryStatus {
        match self.state {
            State::Waiting(_) | State::Attempting(_) if !self.attempts.is_empty() => {
                DeliveryStatus::Waiting
            }
            State::Pending | State::Waiting(_) | State::Attempting(_) | State::Offered { .. } => {
                DeliveryStatus::Pending
            }
            State::Held(_) => DeliveryStatus::Held,
            State::Delivered { .. } => DeliveryStatus::Delivered,
            State::Failed { .. } => DeliveryStatus::Failed,
            State::Aborted { .. } => DeliveryStatus::Aborted,
        }
    }

    /// When the next attempt is to be made, while it waits for one.
    #[must_use]
    pub fn next_attempt_at(&self) -> Option<ScheduleTime> {
        match &self.state {
            State::Waiting(waiting) => Some(waiting.at),
            _ => None,
        }
    }

    /// The number of the attempt that is being made or comes next.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        u32::try_from(self.attempts.len()).map_or(u32::MAX, |made| made.saturating_add(1))
    }

    /// The task for the next attempt.
    #[must_use]
    pub(crate) fn task(&self) -> AttemptTask {
        AttemptTask {
            delivery: self.id(),
            workspace: self.workspace.clone(),
            number: self.next_number(),
        }
    }
}

impl Document for Delivery {
    /// Only a wait is looked after by the sweep. An attempt that is pending or being made is
    /// carried by its queue message, which is not let go before the outcome is recorded; so a first
    /// try that succeeds never touches the index.
    fn due(&self) -> Option<Due> {
        let State::Waiting(waiting) = &self.state else { return None };
        let work = self.task().work().ok()?;
        Some(Due::at(QueueName::Retry, waiting.since, waiting.at, work))
    }

    fn failed(&self) -> Option<FailedMark> {
        let (workspace, endpoint) = (&self.workspace, &self.endpoint);
        match self.state {
            State::Failed { at } => Some(FailedMark { of: failed_of(workspace, endpoint), at }),
            State::Offered { since } => {
                Some(FailedMark { of: offered_of(workspace, endpoint), at: since })
            }
            _ => None,
        }
    }

    fn expires_at(&self) -> Option<WallTime> {
        Some(self.expires_at)
    }
}
