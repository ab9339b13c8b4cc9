//! `/v1/webhook-messages`.

use std::time::Duration;

use axum::{Json, extract::State, response::IntoResponse};
use http::{HeaderMap, HeaderValue, StatusCode};
use millwright_connection::{Connection, find_connection};
use millwright_core::{ConnectionId, Error, ErrorCode, FieldError, MessageId, Result, WorkspaceId};
use millwright_webhook::{MessageFilter, OwnMessage, is_event_type, is_told_by_millwright};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::webhook_message_view::WebhookMessage;
use crate::{
    App,
    error::Answer,
    extract::{Admin, ExactJson, IdPath, Moment, Params, Reader, Writer},
    idempotency::{IDEMPOTENT_REPLAYED, KeyHash},
    page::{Limit, Page, cursor_text},
};

/// The message to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageRequest {
    /// Its event type: parts of letters, digits and underscores with full stops between. The first
    /// part must not be one of Millwright's own, such as `connection` or `purchase_orders`. It need not
    /// be registered.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 128, example = "invoice.paid")]
    event_type: String,
    /// What it tells: any JSON. Receivers get it as it was given, byte for byte.
    #[schema(required, value_type = serde_json::Value)]
    data: Box<RawValue>,
    /// The caller's own name for the event. As long as messages are kept, the same name with the same
    /// content is the same message, and is sent once.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    event_id: Option<String>,
    /// The connection it is about: endpoints choose by it.
    #[serde(default)]
    #[schema(example = "conn_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    connection_id: Option<String>,
    /// The customer it is about: endpoints choose by it. The connection's when not given.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    customer_id: Option<String>,
    /// For how many seconds it is worth sending: what has not arrived by then is aborted.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2_592_000)]
    ttl_seconds: Option<u32>,
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

/// Send a message
///
/// Goes to every endpoint that wants it. Answers once the message is safe; it can be read within a
/// second. With an `Idempotency-Key` or an `event_id` it is taken in once, however often it is sent: the
/// answer is the same again, with `Idempotent-Replayed: true`.
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
    KeyHash(idempotency): KeyHash,
    ExactJson(request): ExactJson<MessageRequest>,
) -> Answer<impl IntoResponse> {
    request.check_type()?;
    let connection = request.connection(&app, &caller.workspace).await?;
    let own_customer = connection.as_ref().and_then(|one| one.customer.as_ref());
    let new = OwnMessage {
        event_type: &request.event_type,
        data: &request.data,
        event_id: request.event_id.as_deref(),
        idempotency: idempotency.as_deref(),
        customer: request.customer_id.as_deref().or(own_customer.map(|own| own.id.as_str())),
        connection: connection.as_ref().map(|connection| connection.id.clone()),
        ttl: request.ttl_seconds.map(|seconds| Duration::from_secs(seconds.into())),
    };
    let accepted = app.webhooks().accept_message(&caller.workspace, new).await?;
    let mut headers = HeaderMap::new();
    if accepted.again {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    let answer = WebhookMessage::telling(accepted.message, request.data);
    Ok((StatusCode::ACCEPTED, headers, Json(answer)))
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
    Ok(Json(WebhookMessage::with_data(&app, message).await?))
}

/// Abort a message
///
/// What has not arrived of it will not be tried any more: those deliveries end as `aborted`. An attempt
/// that is being made goes on.
#[utoipa::path(
    post,
    path = "/v1/webhook-messages/{id}/abort",
    operation_id = "abort_webhook_message",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The message's id.")),
    responses((status = 200, description = "The message.", body = WebhookMessage))
)]
pub(crate) async fn abort(
    caller: Writer,
    State(app): State<App>,
    IdPath(id): IdPath<MessageId>,
) -> Answer<Json<WebhookMessage>> {
    let message = app.webhooks().abort_message(&caller.workspace, &id).await?;
    Ok(Json(message.into()))
}

/// Remove a message's content
///
/// Its content goes for good, and what receivers answered to it, which may repeat it. That it was sent,
/// when, where and with what outcome stays. What has not arrived is aborted.
#[utoipa::path(
    post,
    path = "/v1/webhook-messages/{id}/expunge",
    operation_id = "expunge_webhook_message",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The message's id.")),
    responses((status = 200, description = "The message.", body = WebhookMessage))
)]
pub(crate) async fn expunge(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<MessageId>,
) -> Answer<Json<WebhookMessage>> {
    let message = app.webhooks().expunge_message(&caller.workspace, &id).await?;
    Ok(Json(message.into()))
}

impl MessageRequest {
    fn check_type(&self) -> Result<()> {
        let message = if !is_event_type(&self.event_type) {
            "must be parts of letters, digits and underscores with full stops between"
        } else if is_told_by_millwright(&self.event_type) {
            "must not begin like an event of Millwright's own, such as connection. or sync."
        } else {
            return Ok(());
        };
        Err(fault("type", ErrorCode::ValidationFailed, message))
    }

    /// The workspace's connection that is named, in any status.
    async fn connection(&self, app: &App, workspace: &WorkspaceId) -> Result<Option<Connection>> {
        let Some(text) = &self.connection_id else { return Ok(None) };
        let unknown = || {
            let message = "there is no such connection in this workspace";
            fault("connection_id", ErrorCode::ReferenceNotFound, message)
        };
        let id: ConnectionId = text.parse().map_err(|_| unknown())?;
        match find_connection(&app.store, workspace, &id).await {
            Ok(row) => Ok(Some(row.doc)),
            Err(error) if error.code == ErrorCode::NotFound => Err(unknown()),
            Err(error) => Err(error),
        }
    }
}

fn fault(path: &str, code: ErrorCode, message: &str) -> Error {
    let mut error = Error::new(code, format!("{path}: {message}"));
    error.fields = vec![FieldError::new(path, code, message)];
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_tells_an_event_in_millwrights_name() {
        let check = |event_type: &str| {
            let body = serde_json::json!({ "type": event_type, "data": null }).to_string();
            serde_json::from_str::<MessageRequest>(&body).unwrap().check_type()
        };
        for own in ["connection.created", "test.ping", "purchase_orders.inserted", "a b"] {
            let refused = check(own).unwrap_err();
            assert_eq!(refused.code, ErrorCode::ValidationFailed, "{own}");
            assert_eq!(refused.fields[0].path, "type");
        }
        for fine in ["invoice.paid", "connections.x", "my.connection.created", "test"] {
            assert!(check(fine).is_ok(), "{fine}");
        }
    }
}
