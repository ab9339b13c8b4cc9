//! A webhook message as answers show it.

use millwright_core::{ConnectionId, EndpointId, Error, MessageId, Result, ScheduleTime};
use millwright_event::{Message, body_bytes};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::App;

/// How far a message is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageStatus {
    /// It is safe, and has yet to be handed to its endpoints.
    Accepted,
    /// It has a delivery for each of its endpoints.
    FannedOut,
}

/// An event that is told.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookMessage {
    /// Its id; also the `webhook-id` on the wire.
    #[schema(value_type = String, example = "msg_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: MessageId,
    /// Its event type.
    #[serde(rename = "type")]
    event_type: String,
    /// When it happened: the `timestamp` of its body.
    #[schema(format = DateTime)]
    timestamp: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    created_at: String,
    /// How far it is.
    status: MessageStatus,
    /// The connection it is about, if it is about one.
    #[schema(required, value_type = Option<String>)]
    connection_id: Option<ConnectionId>,
    /// The customer it is about, if it is about one.
    #[schema(required)]
    customer_id: Option<String>,
    /// The endpoints it goes to.
    #[schema(value_type = Vec<String>)]
    endpoint_ids: Vec<EndpointId>,
    /// When it ceases to be tried, whatever schedule its deliveries have.
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    /// When it was aborted, if it was.
    #[schema(required, format = DateTime)]
    aborted_at: Option<String>,
    /// Whether its content was removed.
    expunged: bool,
    /// Until when it is kept.
    #[schema(format = DateTime)]
    kept_until: String,
    /// What it tells, as it was given. Not in lists, and not after its content was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>, nullable = false)]
    data: Option<Box<RawValue>>,
}

impl From<Message> for WebhookMessage {
    fn from(own: Message) -> Self {
        let status = match own.endpoints {
            Some(_) => MessageStatus::FannedOut,
            None => MessageStatus::Accepted,
        };
        Self {
            expunged: own.is_expunged(),
            kept_until: own.kept_until().iso(),
            id: own.id,
            event_type: own.event_type,
            timestamp: own.timestamp.iso(),
            created_at: own.created_at.iso(),
            status,
            connection_id: own.scope.connection_id,
            customer_id: own.scope.customer_id,
            endpoint_ids: own.endpoints.unwrap_or_default(),
            expires_at: own.abort_at.map(ScheduleTime::iso),
            aborted_at: own.aborted_at.map(ScheduleTime::iso),
            data: None,
        }
    }
}

/// The part of a body that answers show.
#[derive(Deserialize)]
struct Told {
    data: Box<RawValue>,
}

impl WebhookMessage {
    /// The message with what it tells.
    pub(crate) fn telling(message: Message, data: Box<RawValue>) -> Self {
        Self { data: Some(data), ..message.into() }
    }

    /// The message with what it tells, out of its rendered body, unless that was removed.
    pub(crate) async fn with_data(app: &App, message: Message) -> Result<Self> {
        if message.is_expunged() {
            return Ok(message.into());
        }
        let body = body_bytes(&app.blob, &message).await?;
        let told: Told = serde_json::from_slice(&body).map_err(Error::internal)?;
        Ok(Self::telling(message, told.data))
    }
}
