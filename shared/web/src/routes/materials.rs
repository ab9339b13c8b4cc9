//! `/v1/materials`.

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

const ENTITY: &str = "materials";

/// List materials
#[utoipa::path(
    get,
    path = "/v1/materials",
    operation_id = "list_materials",
    tag = crate::openapi::DATA,
    params(RecordList),
    responses((
        status = 200,
        description = "A page of materials.",
        body = ref("#/components/schemas/MaterialPage")
    ))
)]
pub(crate) async fn list_materials(
    DataScope(connection): DataScope,
    State(app): State<App>,
    Params(list): Params<RecordList>,
) -> Answer<DataAnswer<Page<Value>>> {
    records::list(&app, &connection, ENTITY, &list).await
}

/// Get a material
#[utoipa::path(
    get,
    path = "/v1/materials/{key}",
    operation_id = "get_material",
    tag = crate::openapi::DATA,
    params(("key" = String, Path, description = "The material's key.")),
    responses((
        status = 200,
        description = "The material.",
        body = ref("#/components/schemas/Material")
    ))
)]
pub(crate) async fn get_material(
    DataScope(connection): DataScope,
    State(app): State<App>,
    TextPath(key): TextPath,
) -> Answer<DataAnswer<Value>> {
    records::get(&app, &connection, ENTITY, &key).await
}
