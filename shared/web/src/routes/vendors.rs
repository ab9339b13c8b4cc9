//! `/v1/vendors`.

use axum::extract::State;
use serde_json::Value;

use super::records::{self, RecordList};
use crate::{
    App,
    data_answer::DataAnswer,
    error::Answer,
    extract::{DataScope, Params, TextPath},
    page::Page,
};

const ENTITY: &str = "vendors";

/// List vendors
#[utoipa::path(
    get,
    path = "/v1/vendors",
    operation_id = "list_vendors",
    tag = crate::openapi::DATA,
    params(RecordList),
    responses((
        status = 200,
        description = "A page of vendors.",
        body = ref("#/components/schemas/VendorPage")
    ))
)]
pub(crate) async fn list_vendors(
    DataScope(connection): DataScope,
    State(app): State<App>,
    Params(list): Params<RecordList>,
) -> Answer<DataAnswer<Page<Value>>> {
    records::list(&app, &connection, ENTITY, &list).await
}

/// Get a vendor
#[utoipa::path(
    get,
    path = "/v1/vendors/{key}",
    operation_id = "get_vendor",
    tag = crate::openapi::DATA,
    params(("key" = String, Path, description = "The vendor's key.")),
    responses((
        status = 200,
        description = "The vendor.",
        body = ref("#/components/schemas/Vendor")
    ))
)]
pub(crate) async fn get_vendor(
    DataScope(connection): DataScope,
    State(app): State<App>,
    TextPath(key): TextPath,
) -> Answer<DataAnswer<Value>> {
    records::get(&app, &connection, ENTITY, &key).await
}
