//! `/v1/webhook-endpoints`.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_connection::{Connection, connection_key};
use millwright_core::{ConnectionId, EndpointId, Result, WorkspaceId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    webhook_endpoint_request::{EndpointPatch, EndpointRequest},
    webhook_endpoint_view::WebhookEndpoint,
};
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, JsonBody, MergePatch, Params, Reader},
    page::{Limit, Page, cursor_text},
};

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
    let mut endpoints = Vec::new();
    for own in page.data {
        endpoints.push(WebhookEndpoint::shown(&app, &caller, own).await?);
    }
    Ok(Json(Page::new(endpoints, page.next_cursor)))
}

/// Make a webhook endpoint
///
/// Its signing secret is at `GET /v1/webhook-endpoints/{id}/secret`. A URL is refused here that no
/// delivery could be made to: one that is not `https`, or that leads to an address which is not public.
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
    let known = known_connections(&app, &caller.workspace, request.connection_ids()).await?;
    let new = request.into_new(known);
    let own = app.webhooks().create_endpoint(&caller.workspace, new).await?;
    Ok((StatusCode::CREATED, Json(WebhookEndpoint::shown(&app, &caller, own).await?)))
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
    let own = app.webhooks().get_endpoint(&caller.workspace, &id).await?;
    Ok(Json(WebhookEndpoint::shown(&app, &caller, own).await?))
}

/// Change a webhook endpoint
///
/// A JSON merge patch: what is not given stays, null is what a new endpoint has when the field is not
/// given, `filter`, `headers` and `metadata` are merged member by member, lists are replaced. The next
/// attempt of every delivery is made by the new settings.
#[utoipa::path(
    patch,
    path = "/v1/webhook-endpoints/{id}",
    operation_id = "update_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    request_body(content(
        (EndpointPatch = "application/json"),
        (EndpointPatch = "application/merge-patch+json"),
    )),
    responses((status = 200, description = "The changed endpoint.", body = WebhookEndpoint))
)]
pub(crate) async fn update(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
    MergePatch(patch): MergePatch<EndpointPatch>,
) -> Answer<Json<WebhookEndpoint>> {
    let known = known_connections(&app, &caller.workspace, patch.connection_ids()).await?;
    let change = patch.into_change(known);
    let own = app.webhooks().update_endpoint(&caller.workspace, &id, &change).await?;
    Ok(Json(WebhookEndpoint::shown(&app, &caller, own).await?))
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
