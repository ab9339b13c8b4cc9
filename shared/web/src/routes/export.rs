//! `/v1/export`: a connection's records as files; and where those are fetched on one machine.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use millwright_core::JobId;
use millwright_sync::{ExportRequest, export_records, find_export};
use serde::Deserialize;
use utoipa::ToSchema;

use super::jobs::Job;
use crate::{
    App,
    data_answer::{DataAnswer, all_synced_at},
    error::Answer,
    extract::{DataScope, IdPath, InformationScope, OptionalJsonBody, Reader, TextPath, Writer},
};

/// The type of lines of JSON.
const NDJSON: &str = "application/x-ndjson";

/// What to export.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExportRequest)]
pub(crate) struct Export {
    /// The entities; all of the connection's when not given.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100, example = json!(["purchase-orders"]))]
    entities: Option<Vec<String>>,
    /// Whether records too that are gone, as far as they are kept.
    #[serde(default)]
    #[schema(default = false)]
    include_deleted: bool,
}

/// Export records
///
/// Starts a job that writes the records into files of one JSON document a line, as lists show them.
/// Each file is a moment's picture of its own records; what changes meanwhile is in `/v1/changes`. The
/// job names the files, with links that hold for an hour; they are kept for seven days.
#[utoipa::path(
    post,
    path = "/v1/export",
    operation_id = "export_records",
    tag = crate::openapi::DATA,
    request_body = Option<Export>,
    responses((status = 202, description = "The job that does it.", body = Job))
)]
pub(crate) async fn start(
    _: Writer,
    DataScope(connection): DataScope,
    State(app): State<App>,
    OptionalJsonBody(request): OptionalJsonBody<Export>,
) -> Answer<Response> {
    let request = ExportRequest { entities: request.entities, deleted: request.include_deleted };
    let context = app.connections();
    let job = export_records(&context, &connection, request).await?;
    let synced_at = all_synced_at(&app.store, &connection).await?;
    let answer = DataAnswer::new(&connection, synced_at, Job::of(&app, job).await?);
    Ok((StatusCode::ACCEPTED, answer).into_response())
}

/// Get an export
///
/// The same as `GET /v1/jobs/{id}`, for holders of a connection token too.
#[utoipa::path(
    get,
    path = "/v1/export/{id}",
    operation_id = "get_export",
    tag = crate::openapi::DATA,
    params(("id" = String, Path, description = "The job's id.")),
    responses((status = 200, description = "The job.", body = Job))
)]
pub(crate) async fn get(
    _: Reader,
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    IdPath(id): IdPath<JobId>,
) -> Answer<DataAnswer<Job>> {
    let job = find_export(&app.connections(), &connection, &id).await?;
    let synced_at = all_synced_at(&app.store, &connection).await?;
    Ok(DataAnswer::new(&connection, synced_at, Job::of(&app, job).await?))
}

/// Fetch a file
///
/// Where the links of exports lead when Millwright runs on one machine; on AWS they lead to the bucket.
/// The link itself is the right to it.
#[utoipa::path(
    get,
    path = "/files/{token}",
    operation_id = "get_file",
    tag = "Jobs",
    params(("token" = String, Path, description = "What the link ends with.")),
    responses((
        status = 200,
        description = "The file.",
        body = String,
        content_type = "application/x-ndjson",
    )),
    security(())
)]
pub(crate) async fn file(State(app): State<App>, TextPath(token): TextPath) -> Answer<Response> {
    let body = app.blob.open_link(&token, app.store.clock().wall()).await?;
    let headers = [
        (header::CONTENT_TYPE, NDJSON),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, Body::from(body)).into_response())
}
