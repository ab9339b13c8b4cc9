//! `/v1/purchase-orders`.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use millwright_core::{Error, ErrorCode};
use millwright_records::create;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::records::{self, RecordList};
use crate::{
    App,
    data_answer::{DataAnswer, synced_at},
    error::Answer,
    extract::{DataScope, JsonBody, Params, TextPath, Writer},
    page::Page,
};

const ENTITY: &str = "purchase-orders";

/// A record to write: what may stand in it is checked against the connection's connector.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct RecordBody(Map<String, Value>);

/// List purchase orders
#[utoipa::path(
    get,
    path = "/v1/purchase-orders",
    operation_id = "list_purchase_orders",
    tag = crate::openapi::DATA,
    params(RecordList),
    responses((
        status = 200,
        description = "A page of purchase orders.",
        body = ref("#/components/schemas/PurchaseOrderPage")
    ))
)]
pub(crate) async fn list_purchase_orders(
    DataScope(connection): DataScope,
    State(app): State<App>,
    Params(list): Params<RecordList>,
) -> Answer<DataAnswer<Page<Value>>> {
    records::list(&app, &connection, ENTITY, &list).await
}

/// Get a purchase order
#[utoipa::path(
    get,
    path = "/v1/purchase-orders/{key}",
    operation_id = "get_purchase_order",
    tag = crate::openapi::DATA,
    params(("key" = String, Path, description = "The order's key.")),
    responses((
        status = 200,
        description = "The purchase order.",
        body = ref("#/components/schemas/PurchaseOrder")
    ))
)]
pub(crate) async fn get_purchase_order(
    DataScope(connection): DataScope,
    State(app): State<App>,
    TextPath(key): TextPath,
) -> Answer<DataAnswer<Value>> {
    records::get(&app, &connection, ENTITY, &key).await
}

/// Create a purchase order
///
/// Makes a draft with its lines in the connected system and answers with the order as the system has
/// it then. Every rule that is known is checked before anything is sent.
#[utoipa::path(
    post,
    path = "/v1/purchase-orders",
    operation_id = "create_purchase_order",
    tag = crate::openapi::DATA,
    request_body = ref("#/components/schemas/PurchaseOrderInput"),
    responses((
        status = 201,
        description = "The purchase order.",
        body = ref("#/components/schemas/PurchaseOrder")
    ))
)]
pub(crate) async fn create_purchase_order(
    _: Writer,
    DataScope(connection): DataScope,
    State(app): State<App>,
    JsonBody(RecordBody(body)): JsonBody<RecordBody>,
) -> Answer<Response> {
    let created = create(&app.connections(), &connection, ENTITY, &body).await;
    let record = created.map_err(what_else_is_allowed)?.record;
    let synced_at = synced_at(&app.store, &connection, ENTITY).await.unwrap_or_default();
    Ok((StatusCode::CREATED, DataAnswer::new(&connection, synced_at, record)).into_response())
}

/// Where the connector cannot create, reading is what is left (RFC 9110, 15.5.6).
fn what_else_is_allowed(mut error: Error) -> Error {
    if error.code == ErrorCode::OperationNotSupported && error.allow.is_none() {
        error.allow = Some("GET,HEAD".to_owned());
    }
    error
}
