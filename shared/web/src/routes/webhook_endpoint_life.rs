//! Enabling, pausing, disabling and testing webhook endpoints.

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_core::EndpointId;
use millwright_webhook::{DisabledReason, EndpointStatus, StatusChange};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{webhook_endpoint_view::WebhookEndpoint, webhook_message_view::WebhookMessage};
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, OptionalJsonBody},
};

async fn changed(
    app: &App,
    caller: &Admin,
    id: &EndpointId,
    change: StatusChange,
) -> Answer<Json<WebhookEndpoint>> {
    let (before, own) = app.webhooks().set_status(&caller.workspace, id, change).await?;
    // Asked for again, it is done again: the call before may have broken off in between.
    let paused = matches!(before.status, EndpointStatus::Paused { .. });
    if own.is_enabled() && (paused || change == StatusChange::Resume) {
        app.webhooks().release(&caller.workspace, id).await?;
    }
    Ok(Json(WebhookEndpoint::shown(app, caller, own).await?))
}

/// Enable a webhook endpoint
///
/// New messages are sent to it again. What was held while it was paused is sent; what was held while it
/// was disabled is kept, to be replayed by hand.
#[utoipa::path(
    post,
    path = "/v1/webhook-endpoints/{id}/enable",
    operation_id = "enable_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    responses((status = 200, description = "The endpoint.", body = WebhookEndpoint))
)]
pub(crate) async fn enable(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
) -> Answer<Json<WebhookEndpoint>> {
    changed(&app, &caller, &id, StatusChange::Enable).await
}

/// Resume a paused webhook endpoint
///
/// What was held in the meantime is sent. One that is disabled must be enabled instead.
#[utoipa::path(
    post,
    path = "/v1/webhook-endpoints/{id}/resume",
    operation_id = "resume_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    responses((status = 200, description = "The endpoint.", body = WebhookEndpoint))
)]
pub(crate) async fn resume(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
) -> Answer<Json<WebhookEndpoint>> {
    changed(&app, &caller, &id, StatusChange::Resume).await
}

/// Pause a webhook endpoint
///
/// Messages for it are held until it is resumed; then they are sent.
#[utoipa::path(
    post,
    path = "/v1/webhook-endpoints/{id}/pause",
    operation_id = "pause_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    responses((status = 200, description = "The endpoint.", body = WebhookEndpoint))
)]
pub(crate) async fn pause(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
) -> Answer<Json<WebhookEndpoint>> {
    changed(&app, &caller, &id, StatusChange::Pause).await
}

/// Disable a webhook endpoint
///
/// Messages for it are held; after it has been enabled they can be replayed by hand.
#[utoipa::path(
    post,
    path = "/v1/webhook-endpoints/{id}/disable",
    operation_id = "disable_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    responses((status = 200, description = "The endpoint.", body = WebhookEndpoint))
)]
pub(crate) async fn disable(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
) -> Answer<Json<WebhookEndpoint>> {
    changed(&app, &caller, &id, StatusChange::Disable(DisabledReason::ByHand)).await
}

/// What to test an endpoint with.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestRequest {
    /// The event type to send an example of: one of `GET /v1/event-types` that has an example.
    #[serde(rename = "type", default)]
    #[schema(nullable = false, min_length = 1, max_length = 128, default = "test.ping")]
    event_type: Option<String>,
}

/// Test a webhook endpoint
///
/// Sends `test.ping`, or the example of another event type, to this endpoint alone, whatever it
/// filters. Its URL is checked first as it is on every delivery. What came of it is in the message's
/// delivery.
#[utoipa::path(
    post,
    path = "/v1/webhook-endpoints/{id}/test",
    operation_id = "test_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    request_body = Option<TestRequest>,
    responses((status = 202, description = "The message.", body = WebhookMessage))
)]
pub(crate) async fn test(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
    OptionalJsonBody(request): OptionalJsonBody<TestRequest>,
) -> Answer<(StatusCode, Json<WebhookMessage>)> {
    let event_type = request.event_type.as_deref();
    let message = app.webhooks().test_endpoint(&caller.workspace, &id, event_type).await?;
    Ok((StatusCode::ACCEPTED, Json(WebhookMessage::with_data(&app, message).await?)))
}
