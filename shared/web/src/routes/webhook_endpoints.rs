//! `/v1/webhook-endpoints`.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_connection::{Connection, connection_key};
use millwright_core::{ConnectionId, EndpointId, Result, SecretString, WorkspaceId};
use millwright_webhook::{self as webhook, NewEndpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::webhook_secrets::SignatureScheme;
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, JsonBody, Params, Reader},
    page::{Limit, Page, cursor_text},
};

/// The endpoint to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointRequest {
    /// Where messages are sent to.
    #[schema(min_length = 1, max_length = 2048, example = "https://example.com/webhooks")]
    url: String,
    /// The event types it gets: `purchase_orders.inserted`, `purchase_orders.*` or `*`. All when not
    /// given.
    #[serde(default)]
    #[schema(max_items = 100)]
    event_types: Vec<String>,
    /// The connections it gets events about. All when not given.
    #[serde(default)]
    #[schema(max_items = 100)]
    connection_ids: Vec<String>,
    /// The customers it gets events about. All when not given.
    #[serde(default)]
    #[schema(max_items = 100)]
    customer_ids: Vec<String>,
    /// The workspace's own notes on it.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// How many seconds the whole exchange may take.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 30, default = 10)]
    timeout_seconds: u8,
    /// Whether it also gets the records that a first load brings.
    #[serde(default)]
    initial_load: bool,
    /// How messages are signed.
    #[serde(default)]
    #[schema(inline)]
    signature: SignatureScheme,
    /// Whether `X-Webhook-Signature` is sent too: the base64 of an HMAC-SHA256 of the body alone, keyed
    /// with the text of the newest secret. For receivers that were written for it, and not with `v1a`.
    #[serde(default)]
    body_signature: bool,
    /// A secret of your own: `whsec_` and the base64 of 24 to 64 bytes, or for `v1a` `whsk_` and the
    /// base64 of seed and public key. A new one is made when not given.
    #[serde(default)]
    #[schema(max_length = 200)]
    secret: Option<String>,
}

fn ten() -> u8 {
    10
}

/// Whether an endpoint gets deliveries.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndpointStatus {
    /// It does.
    Enabled,
    /// They are held, and made when it goes on.
    Paused,
    /// They are held, and made only when somebody asks for it.
    Disabled,
}

/// A webhook URL.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEndpoint {
    /// Its id.
    #[schema(value_type = String, example = "ep_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: EndpointId,
    /// Where messages are sent to.
    url: String,
    /// The event types it gets.
    event_types: Vec<String>,
    /// The connections it gets events about; all when empty.
    #[schema(value_type = Vec<String>)]
    connection_ids: Vec<ConnectionId>,
    /// The customers it gets events about; all when empty.
    customer_ids: Vec<String>,
    /// The workspace's own notes on it.
    metadata: Map<String, Value>,
    /// How many seconds the whole exchange may take.
    timeout_seconds: u8,
    /// Whether it also gets the records that a first load brings.
    initial_load: bool,
    /// How messages are signed.
    signature: SignatureScheme,
    /// Whether `X-Webhook-Signature` is sent too.
    body_signature: bool,
    /// Whether it gets deliveries.
    status: EndpointStatus,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// A page of a list of webhook things.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EndpointList {
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most endpoints in the page.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit<100>,
}

impl EndpointRequest {
    fn into_new(self, known_connections: BTreeSet<ConnectionId>) -> NewEndpoint {
        NewEndpoint {
            url: Some(self.url),
            event_types: self.event_types,
            connection_ids: self.connection_ids,
            known_connections,
            customer_ids: self.customer_ids,
            metadata: self.metadata,
            timeout_seconds: Some(self.timeout_seconds.into()),
            initial_load: self.initial_load,
            signing: webhook::Signing {
                scheme: self.signature.into(),
                body_signature: self.body_signature,
            },
            secret: self.secret.map(SecretString::from),
            ..NewEndpoint::default()
        }
    }
}

/// Those of the ids that are connections of the workspace, in any status.
async fn known_connections(
    app: &App,
    workspace: &WorkspaceId,
    texts: &[String],
) -> Result<BTreeSet<ConnectionId>> {
    // A set: the table refuses to be asked for one row twice.
    let ids: BTreeSet<ConnectionId> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    let keys: Vec<_> = ids.iter().map(|id| connection_key(workspace, id)).collect();
    let rows = app.store.get_docs::<Connection>(&keys).await?;
    Ok(rows.into_iter().map(|row| row.doc.id).collect())
}

impl From<webhook::Endpoint> for WebhookEndpoint {
    fn from(own: webhook::Endpoint) -> Self {
        let status = match own.status {
            webhook::EndpointStatus::Enabled => EndpointStatus::Enabled,
            webhook::EndpointStatus::Paused { .. } => EndpointStatus::Paused,
            webhook::EndpointStatus::Disabled { .. } => EndpointStatus::Disabled,
        };
        Self {
            id: own.id,
            url: own.url.unwrap_or_default(),
            event_types: own.event_types.iter().map(|own| own.as_str().to_owned()).collect(),
            connection_ids: own.connection_ids,
            customer_ids: own.customer_ids,
            metadata: own.metadata,
            timeout_seconds: own.timeout_seconds,
            initial_load: own.initial_load,
            signature: own.signing.scheme.into(),
            body_signature: own.signing.body_signature,
            status,
            created_at: own.created_at.iso(),
        }
    }
}

/// List webhook endpoints
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/webhook-endpoints",
    operation_id = "list_webhook_endpoints",
    tag = "Webhooks",
    params(EndpointList),
    responses((status = 200, description = "A page of endpoints.", body = Page<WebhookEndpoint>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    Params(list): Params<EndpointList>,
) -> Answer<Json<Page<WebhookEndpoint>>> {
    let cursor = cursor_text(list.cursor.as_deref());
    let page = app.webhooks().list_endpoints(&caller.workspace, cursor, list.limit.get()).await?;
    let endpoints = page.data.into_iter().map(WebhookEndpoint::from).collect();
    Ok(Json(Page::new(endpoints, page.next_cursor)))
}

/// Make a webhook endpoint
///
/// Its signing secret is at `GET /v1/webhook-endpoints/{id}/secret`.
#[utoipa::path(
    post,
    path = "/v1/webhook-endpoints",
    operation_id = "create_webhook_endpoint",
    tag = "Webhooks",
    request_body = EndpointRequest,
    responses((status = 201, description = "The endpoint.", body = WebhookEndpoint))
)]
pub(crate) async fn create(
    caller: Admin,
    State(app): State<App>,
    JsonBody(request): JsonBody<EndpointRequest>,
) -> Answer<(StatusCode, Json<WebhookEndpoint>)> {
    let known = known_connections(&app, &caller.workspace, &request.connection_ids).await?;
    let new = request.into_new(known);
    let endpoint = app.webhooks().create_endpoint(&caller.workspace, new).await?;
    Ok((StatusCode::CREATED, Json(endpoint.into())))
}

/// Get a webhook endpoint
#[utoipa::path(
    get,
    path = "/v1/webhook-endpoints/{id}",
    operation_id = "get_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    responses((status = 200, description = "The endpoint.", body = WebhookEndpoint))
)]
pub(crate) async fn get(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
) -> Answer<Json<WebhookEndpoint>> {
    let endpoint = app.webhooks().get_endpoint(&caller.workspace, &id).await?;
    Ok(Json(endpoint.into()))
}

/// Delete a webhook endpoint
///
/// Its deliveries can still be read; those not yet made end as aborted.
#[utoipa::path(
    delete,
    path = "/v1/webhook-endpoints/{id}",
    operation_id = "delete_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    responses((status = 204, description = "It is deleted."))
)]
pub(crate) async fn delete(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
) -> Answer<StatusCode> {
    app.webhooks().delete_endpoint(&caller.workspace, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
