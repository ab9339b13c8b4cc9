//! `/v1/webhook-deliveries`.

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_core::{DeliveryId, EndpointId};
use millwright_webhook::DeliveryFilter;
use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;

use super::webhook_delivery_view::{AttemptList, DeliveryAttempt, DeliveryStatus, WebhookDelivery};

use crate::{
    App,
    error::Answer,
    extract::{IdPath, Moment, Params, Reader, Writer},
    page::{Limit, Page, cursor_text},
};

/// Which deliveries to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryList {
    /// Only those in this status.
    #[param(inline)]
    status: Option<DeliveryStatus>,
    /// Only those to this endpoint.
    #[serde(default, deserialize_with = "endpoint_id")]
    #[param(value_type = String, required = false)]
    endpoint_id: Option<EndpointId>,
    /// Only those of messages of this type.
    event_type: Option<String>,
    /// Only those made at this time or later.
    #[param(value_type = String, required = false, format = DateTime)]
    since: Option<Moment>,
    /// Only those made before this time.
    #[param(value_type = String, required = false, format = DateTime)]
    until: Option<Moment>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most deliveries in the page.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit<100>,
}

/// An id in words that say which kind is wanted.
fn endpoint_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EndpointId>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|_| de::Error::custom("is not an endpoint's id"))
}

/// List deliveries
///
/// Newest first; failed ones, asked for by `status=failed`, by when they failed.
#[utoipa::path(
    get,
    path = "/v1/webhook-deliveries",
    operation_id = "list_webhook_deliveries",
    tag = "Webhooks",
    params(DeliveryList),
    responses((status = 200, description = "A page of deliveries.", body = Page<WebhookDelivery>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    Params(list): Params<DeliveryList>,
) -> Answer<Json<Page<WebhookDelivery>>> {
    let filter = DeliveryFilter {
        endpoint_id: list.endpoint_id,
        status: list.status.map(Into::into),
        event_type: list.event_type,
        since: list.since.map(Moment::schedule),
        until: list.until.map(Moment::schedule),
    };
    let cursor = cursor_text(list.cursor.as_deref());
    let limit = list.limit.get();
    let page = app.webhooks().list_deliveries(&caller.workspace, &filter, cursor, limit).await?;
    let deliveries = page.data.iter().map(WebhookDelivery::from).collect();
    Ok(Json(Page::new(deliveries, page.next_cursor)))
}

/// Get a delivery
#[utoipa::path(
    get,
    path = "/v1/webhook-deliveries/{id}",
    operation_id = "get_webhook_delivery",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The delivery.", body = WebhookDelivery))
)]
pub(crate) async fn get(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<DeliveryId>,
) -> Answer<Json<WebhookDelivery>> {
    let delivery = app.webhooks().get_delivery(&caller.workspace, &id).await?;
    Ok(Json((&delivery).into()))
}

/// List a delivery's attempts
#[utoipa::path(
    get,
    path = "/v1/webhook-deliveries/{id}/attempts",
    operation_id = "list_webhook_delivery_attempts",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses((status = 200, description = "All of its attempts.", body = AttemptList))
)]
pub(crate) async fn list_attempts(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<DeliveryId>,
) -> Answer<Json<AttemptList>> {
    let delivery = app.webhooks().get_delivery(&caller.workspace, &id).await?;
    let data = delivery.attempts.into_iter().map(DeliveryAttempt::from).collect();
    Ok(Json(AttemptList { data, next_cursor: None, has_more: false }))
}

/// Try a delivery again
///
/// Plans an attempt at once of a delivery that has failed or waits.
#[utoipa::path(
    post,
    path = "/v1/webhook-deliveries/{id}/retry",
    operation_id = "retry_webhook_delivery",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses((status = 202, description = "The delivery.", body = WebhookDelivery))
)]
pub(crate) async fn retry(
    caller: Writer,
    State(app): State<App>,
    IdPath(id): IdPath<DeliveryId>,
) -> Answer<(StatusCode, Json<WebhookDelivery>)> {
    let delivery = app.webhooks().retry_delivery(&caller.workspace, &id).await?;
    Ok((StatusCode::ACCEPTED, Json((&delivery).into())))
}

/// Give a delivery up
///
/// Nothing more is tried of a delivery that waits, is held or is on offer. Its message's other deliveries
/// go on.
#[utoipa::path(
    post,
    path = "/v1/webhook-deliveries/{id}/abort",
    operation_id = "abort_webhook_delivery",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The delivery.", body = WebhookDelivery))
)]
pub(crate) async fn abort(
    caller: Writer,
    State(app): State<App>,
    IdPath(id): IdPath<DeliveryId>,
) -> Answer<Json<WebhookDelivery>> {
    let delivery = app.webhooks().abort_delivery(&caller.workspace, &id).await?;
    Ok(Json((&delivery).into()))
}
