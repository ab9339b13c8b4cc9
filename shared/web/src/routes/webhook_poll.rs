//! `/v1/webhook-endpoints/{id}/poll`.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use millwright_core::{EndpointId, MessageId};
use millwright_webhook::{self as webhook, PollRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::changes::Wait;
use crate::{
    App,
    error::Answer,
    extract::{IdPath, Params, Reader},
    page::{Limit, cursor_text},
};

/// What to fetch.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PollQuery {
    /// `next_cursor` of the page before: it acknowledges the messages of that page. Without it, all that
    /// are not acknowledged come again.
    cursor: Option<String>,
    /// The most messages in the answer.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit<100>,
    /// How many seconds to wait for a message when there is none.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 0, maximum = 20, default = 0)]
    wait: Wait,
}

/// A message as it would have been sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolledMessage {
    /// Its id, the same as `webhook-id`: what to know it by when it comes again.
    #[schema(value_type = String)]
    id: MessageId,
    /// Its type.
    event_type: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    created_at: String,
    /// The headers that it would have been sent with, in lower case, signatures included. They are made
    /// anew each time it is fetched.
    headers: BTreeMap<String, String>,
    /// Its body, byte for byte: what the signatures are over.
    body: String,
}

/// Messages that have not been acknowledged.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolledMessages {
    /// The messages, oldest first.
    data: Vec<PolledMessage>,
    /// Acknowledges exactly these messages when it comes as `cursor`; never null.
    next_cursor: String,
    /// Whether there are more at once.
    has_more: bool,
}

impl From<webhook::PolledMessage> for PolledMessage {
    fn from(own: webhook::PolledMessage) -> Self {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
        let headers = own.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        Self {
            id: own.id,
            event_type: own.event_type,
            created_at: own.created_at.iso(),
            headers: headers.collect(),
            body: own.body,
        }
    }
}

/// Fetch messages
///
/// For an endpoint that is polled: answers with the oldest messages that have not been acknowledged.
/// Coming back with `next_cursor` acknowledges the page it came with and fetches the next. Whoever lost
/// it comes without: what was not acknowledged comes again, and nothing is passed over.
#[utoipa::path(
    get,
    path = "/v1/webhook-endpoints/{id}/poll",
    operation_id = "poll_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id."), PollQuery),
    responses((status = 200, description = "Messages.", body = PolledMessages))
)]
pub(crate) async fn poll(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
    Params(query): Params<PollQuery>,
) -> Answer<Json<PolledMessages>> {
    let asked = PollRequest {
        cursor: cursor_text(query.cursor.as_deref()),
        limit: query.limit.get(),
        wait: query.wait.duration(),
    };
    let page = app.webhooks().poll(&caller.workspace, &id, asked).await?;
    Ok(Json(PolledMessages {
        data: page.messages.into_iter().map(PolledMessage::from).collect(),
        next_cursor: page.next_cursor,
        has_more: page.has_more,
    }))
}
