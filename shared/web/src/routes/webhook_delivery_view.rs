//! Deliveries and attempts as answers show them.

use millwright_core::{DeliveryId, EndpointId, MessageId, ScheduleTime};
use millwright_webhook::{self as webhook, AttemptEnd};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a delivery is.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryStatus {
    /// The first attempt has not ended yet.
    Pending,
    /// An attempt has failed; the next one is planned or running.
    Waiting,
    /// Its endpoint is paused or disabled.
    Held,
    /// It has arrived.
    Delivered,
    /// All automatic attempts have failed.
    Failed,
    /// It will not be tried any more.
    Aborted,
}

/// A message on its way to one endpoint.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookDelivery {
    /// Its id.
    #[schema(value_type = String)]
    id: DeliveryId,
    /// The endpoint it goes to.
    #[schema(value_type = String)]
    endpoint_id: EndpointId,
    /// The message.
    #[schema(value_type = String)]
    message_id: MessageId,
    /// The message's type.
    event_type: String,
    /// How it is.
    status: DeliveryStatus,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// How many attempts have ended.
    attempt_count: usize,
    /// When the last attempt began.
    #[schema(required, format = DateTime)]
    last_attempt_at: Option<String>,
    /// When the next attempt is to be made.
    #[schema(required, format = DateTime)]
    next_attempt_at: Option<String>,
    /// Since when it is held: its endpoint is paused or disabled. It goes on with its endpoint.
    #[schema(required, format = DateTime)]
    held_since: Option<String>,
    /// When it was delivered, failed or aborted.
    #[schema(required, format = DateTime)]
    ended_at: Option<String>,
    /// Why it was aborted.
    #[schema(required)]
    abort_reason: Option<AbortReason>,
}

/// Why a delivery was given up.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AbortReason {
    /// Its endpoint was deleted.
    EndpointDeleted,
    /// Somebody aborted the delivery.
    ByHand,
    /// Somebody aborted the message, or its content was removed.
    MessageAborted,
    /// The message's own time was up.
    Expired,
    /// The receiver asked for it with the header `webhook-delivery: abort-message`.
    Refused,
}

/// What caused an attempt.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AttemptTrigger {
    /// The schedule.
    Automatic,
    /// Somebody asked for it.
    Manual,
    /// The connection of the attempt before broke at once, and it was tried again at once.
    Reconnect,
    /// Whoever polls the endpoint fetched the message.
    Poll,
}

/// How an attempt ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AttemptOutcome {
    /// With a 2xx within the time; or it was fetched.
    Delivered,
    /// With anything else.
    Failed,
    /// Nobody knows: whoever made it died. It may have arrived.
    Unknown,
}

/// A header of an answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnswerHeader {
    /// Its name.
    name: String,
    /// Its value.
    value: String,
}

/// One HTTP try.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryAttempt {
    /// Its number, from 1.
    number: u32,
    /// What caused it.
    trigger: AttemptTrigger,
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    /// How it ended.
    outcome: AttemptOutcome,
    /// The HTTP status of the answer, if there was one.
    #[schema(required)]
    status: Option<u16>,
    /// How many milliseconds it took.
    #[schema(required)]
    latency_ms: Option<u64>,
    /// What kind of failure it was: `status` for an answer that is not a 2xx, else one such as
    /// `timeout`, `connect`, `dns`, `tls` or `blocked_address`.
    #[schema(required)]
    error_class: Option<&'static str>,
    /// The failure in words.
    #[schema(required)]
    error: Option<String>,
    /// The first headers of the answer.
    response_headers: Vec<AnswerHeader>,
    /// The beginning of the answer's body.
    #[schema(required)]
    response_body: Option<String>,
}

/// A delivery's attempts.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptList {
    /// The attempts that have ended, in their order.
    pub(super) data: Vec<DeliveryAttempt>,
    /// Always null: all of them are here.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
    /// Always false.
    pub(super) has_more: bool,
}

impl From<&webhook::Delivery> for WebhookDelivery {
    fn from(own: &webhook::Delivery) -> Self {
        let ended_at = match own.state {
            webhook::State::Delivered { at }
            | webhook::State::Failed { at }
            | webhook::State::Aborted { at, .. } => Some(at.iso()),
            _ => None,
        };
        Self {
            id: own.id(),
            endpoint_id: own.endpoint.clone(),
            message_id: own.message.clone(),
            event_type: own.event_type.clone(),
            status: own.status().into(),
            created_at: own.created_at.iso(),
            attempt_count: own.attempts.len(),
            last_attempt_at: own.attempts.last().map(|attempt| attempt.at.iso()),
            next_attempt_at: own.next_attempt_at().map(ScheduleTime::iso),
            held_since: own.held_since().map(ScheduleTime::iso),
            ended_at,
            abort_reason: own.abort_reason().map(Into::into),
        }
    }
}

impl From<webhook::AbortReason> for AbortReason {
    fn from(own: webhook::AbortReason) -> Self {
        match own {
            webhook::AbortReason::EndpointDeleted => Self::EndpointDeleted,
            webhook::AbortReason::ByHand => Self::ByHand,
            webhook::AbortReason::MessageAborted => Self::MessageAborted,
            webhook::AbortReason::Expired => Self::Expired,
            webhook::AbortReason::Refused => Self::Refused,
        }
    }
}

impl From<webhook::Attempt> for DeliveryAttempt {
    fn from(own: webhook::Attempt) -> Self {
        let (outcome, error_class) = (own.end.outcome().into(), own.end.error_class());
        let (status, latency_ms, error, headers, body) = match own.end {
            AttemptEnd::Answered(answer) => {
                let webhook::Answer { status, latency_ms, headers, body, .. } = answer;
                (Some(status), Some(latency_ms), None, headers, Some(body))
            }
            AttemptEnd::Unanswered { message, latency_ms, .. } => {
                (None, Some(latency_ms), Some(message), Vec::new(), None)
            }
            AttemptEnd::Unknown | AttemptEnd::Acknowledged => (None, None, None, Vec::new(), None),
        };
        let header = |(name, value)| AnswerHeader { name, value };
        Self {
            number: own.number,
            trigger: own.trigger.into(),
            at: own.at.iso(),
            outcome,
            status,
            latency_ms,
            error_class,
            error,
            response_headers: headers.into_iter().map(header).collect(),
            response_body: body,
        }
    }
}

impl From<webhook::Trigger> for AttemptTrigger {
    fn from(own: webhook::Trigger) -> Self {
        match own {
            webhook::Trigger::Automatic => Self::Automatic,
            webhook::Trigger::Manual => Self::Manual,
            webhook::Trigger::Reconnect => Self::Reconnect,
            webhook::Trigger::Poll => Self::Poll,
        }
    }
}

impl From<webhook::Outcome> for AttemptOutcome {
    fn from(own: webhook::Outcome) -> Self {
        match own {
            webhook::Outcome::Delivered => Self::Delivered,
            webhook::Outcome::Failed => Self::Failed,
            webhook::Outcome::Unknown => Self::Unknown,
        }
    }
}

impl From<webhook::DeliveryStatus> for DeliveryStatus {
    fn from(own: webhook::DeliveryStatus) -> Self {
        match own {
            webhook::DeliveryStatus::Pending => Self::Pending,
            webhook::DeliveryStatus::Waiting => Self::Waiting,
            webhook::DeliveryStatus::Held => Self::Held,
            webhook::DeliveryStatus::Delivered => Self::Delivered,
            webhook::DeliveryStatus::Failed => Self::Failed,
            webhook::DeliveryStatus::Aborted => Self::Aborted,
        }
    }
}

impl From<DeliveryStatus> for webhook::DeliveryStatus {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Pending => Self::Pending,
            DeliveryStatus::Waiting => Self::Waiting,
            DeliveryStatus::Held => Self::Held,
            DeliveryStatus::Delivered => Self::Delivered,
            DeliveryStatus::Failed => Self::Failed,
            DeliveryStatus::Aborted => Self::Aborted,
        }
    }
}
