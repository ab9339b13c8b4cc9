//! `/v1/webhook-messages`.

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_core::{ConnectionId, EndpointId, Error, ErrorCode, FieldError, MessageId, Result};
use millwright_entities::Entity;
use millwright_event::{Message, NewMessage, Scope, accept, body_bytes};
use millwright_webhook::{MessageFilter, is_event_type};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    App,
    error::Answer,
    extract::{IdPath, JsonBody, Moment, Params, Reader, Writer},
    page::{Limit, Page, cursor_text},
};

/// The message to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageRequest {
    /// Its event type: parts of letters, digits and underscores with full stops between. The first
    /// part must not be one of Millwright's own, such as `connection` or `purchase_orders`.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 128, example = "invoice.paid")]
    event_type: String,
    /// What it tells: any JSON.
    #[schema(required)]
    data: Value,
}

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
    /// The endpoints it goes to.
    #[schema(value_type = Vec<String>)]
    endpoint_ids: Vec<EndpointId>,
    /// What it tells. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    data: Option<Value>,
}

/// Which messages to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessageList {
    /// Only those of this type.
    event_type: Option<String>,
    /// Only those accepted at this time or later.
    #[param(value_type = String, required = false, format = DateTime)]
    since: Option<Moment>,
    /// Only those accepted before this time.
    #[param(value_type = String, required = false, format = DateTime)]
    until: Option<Moment>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most messages in the page.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit<100>,
}

impl From<Message> for WebhookMessage {
    fn from(own: Message) -> Self {
        let status = match own.endpoints {
            Some(_) => MessageStatus::FannedOut,
            None => MessageStatus::Accepted,
        };
        Self {
            id: own.id,
            event_type: own.event_type,
            timestamp: own.timestamp.iso(),
            created_at: own.created_at.iso(),
            status,
            connection_id: own.scope.connection_id,
            endpoint_ids: own.endpoints.unwrap_or_default(),
            data: None,
        }
    }
}

/// Send a message
///
/// Goes to every endpoint that wants its type. Answers once the message is safe; it can be read within
/// a second.
#[utoipa::path(
    post,
    path = "/v1/webhook-messages",
    operation_id = "create_webhook_message",
    tag = "Webhooks",
    request_body = MessageRequest,
    responses((status = 202, description = "The message.", body = WebhookMessage))
)]
pub(crate) async fn create(
    caller: Writer,
    State(app): State<App>,
    JsonBody(request): JsonBody<MessageRequest>,
) -> Answer<(StatusCode, Json<WebhookMessage>)> {
    request.check()?;
    let new = NewMessage {
        workspace: &caller.workspace,
        id: MessageId::new_at(app.clock().schedule().millis()),
        event_type: &request.event_type,
        data: &request.data,
        scope: Scope::default(),
    };
    let message = Message::render(&app.blob, app.clock(), new).await?;
    accept(&app.queue, &message).await?;
    let answer = WebhookMessage { data: Some(request.data), ..message.into() };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// List messages
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/webhook-messages",
    operation_id = "list_webhook_messages",
    tag = "Webhooks",
    params(MessageList),
    responses((status = 200, description = "A page of messages.", body = Page<WebhookMessage>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    Params(list): Params<MessageList>,
) -> Answer<Json<Page<WebhookMessage>>> {
    let filter = MessageFilter {
        event_type: list.event_type,
        since: list.since.map(Moment::schedule),
        until: list.until.map(Moment::schedule),
    };
    let cursor = cursor_text(list.cursor.as_deref());
    let limit = list.limit.get();
    let page = app.webhooks().list_messages(&caller.workspace, &filter, cursor, limit).await?;
    let messages = page.data.into_iter().map(WebhookMessage::from).collect();
    Ok(Json(Page::new(messages, page.next_cursor)))
}

/// Get a message
#[utoipa::path(
    get,
    path = "/v1/webhook-messages/{id}",
    operation_id = "get_webhook_message",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The message's id.")),
    responses((status = 200, description = "The message.", body = WebhookMessage))
)]
pub(crate) async fn get(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<MessageId>,
) -> Answer<Json<WebhookMessage>> {
    let message = app.webhooks().get_message(&caller.workspace, &id).await?;
    let data = data_of(&app, &message).await?;
    Ok(Json(WebhookMessage { data: Some(data), ..message.into() }))
}

/// What a message tells, out of its rendered body.
async fn data_of(app: &App, message: &Message) -> Result<Value> {
    let body = body_bytes(&app.blob, message).await?;
    let mut body: Value = serde_json::from_slice(&body).map_err(Error::internal)?;
    Ok(body["data"].take())
}

/// The families of events that Millwright itself tells, beside those of the entities.
const OWN_FAMILIES: [&str; 6] = ["connection", "sync", "issue", "endpoint", "delivery", "test"];

impl MessageRequest {
    fn check(&self) -> Result<()> {
        let message = if !is_event_type(&self.event_type) {
            "must be parts of letters, digits and underscores with full stops between"
        } else if is_own(&self.event_type) {
            "must not begin like an event of Millwright's own, such as connection. or sync."
        } else {
            return Ok(());
        };
        let field = FieldError::new("type", ErrorCode::ValidationFailed, message);
        Error::from_fields(vec![field]).map_or(Ok(()), Err)
    }
}

/// Whether receivers would take an event of this type for one that Millwright has noticed.
fn is_own(event_type: &str) -> bool {
    let Some((family, _)) = event_type.split_once('.') else { return false };
    let of_entity = Entity::ALL.iter().any(|entity| entity.event_name == family);
    of_entity || OWN_FAMILIES.contains(&family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_tells_an_event_in_millwrights_name() {
        let check = |event_type: &str| {
            let event_type = event_type.to_owned();
            MessageRequest { event_type, data: Value::Null }.check()
        };
        for own in ["connection.created", "test.ping", "purchase_orders.inserted", "sync.a.b"] {
            let refused = check(own).unwrap_err();
            assert_eq!(refused.code, ErrorCode::ValidationFailed, "{own}");
            assert_eq!(refused.fields[0].path, "type");
        }
        for fine in ["invoice.paid", "connections.x", "my.connection.created", "test"] {
            assert!(check(fine).is_ok(), "{fine}");
        }
    }
}
