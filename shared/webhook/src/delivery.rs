//! A delivery: one message to one endpoint, with everything that was tried.

use millwright_core::{
    DeliveryId, EndpointId, MessageId, QueueName, Result, ScheduleTime, WallTime, Work, WorkspaceId,
};
use millwright_event::Message;
use millwright_store::{Document, Due, FailedMark};
use serde::{Deserialize, Serialize};

use crate::{
    attempt_log::Attempt,
    keys::{failed_of, held_of, offered_of},
    state::{AbortReason, State},
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
    /// When the message's own time is up: no attempt is begun from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_at: Option<ScheduleTime>,
    /// Whether its message's content was removed: what receivers answer, which may repeat it, is not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expunged: bool,
    /// When its row ceases to be.
    pub expires_at: WallTime,
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
            abort_at: message.abort_at,
            expunged: false,
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

    /// Who makes an attempt, while one is being made.
    pub(crate) fn holder(&self) -> Option<String> {
        match &self.state {
            State::Attempting(claim) => Some(claim.holder.clone()),
            _ => None,
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

    /// Since when it is held back, while it is.
    #[must_use]
    pub fn held_since(&self) -> Option<ScheduleTime> {
        match &self.state {
            State::Held(held) => Some(held.since),
            _ => None,
        }
    }

    /// Why it was given up, if it was.
    #[must_use]
    pub fn abort_reason(&self) -> Option<AbortReason> {
        match self.state {
            State::Aborted { reason, .. } => Some(reason),
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

    /// What has come to rest and may be asked for again is listed: what has failed, is held, and is
    /// offered, each under a name of its own.
    fn failed(&self) -> Option<FailedMark> {
        let (of, at) = match &self.state {
            State::Failed { at } => (failed_of(&self.workspace, &self.endpoint), *at),
            State::Held(held) => (held_of(&self.workspace, &self.endpoint), held.since),
            State::Offered { since } => (offered_of(&self.workspace, &self.endpoint), *since),
            _ => return None,
        };
        Some(FailedMark { of, at })
    }

    fn expires_at(&self) -> Option<WallTime> {
        Some(self.expires_at)
    }
}
