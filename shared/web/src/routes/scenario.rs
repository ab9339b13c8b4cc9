//! `/v1/connections/{id}/scenario`: how a sandbox behaves.

use std::sync::Arc;

use axum::{Json, extract::State};
use millwright_connection::{Connection, find_connection};
use millwright_connector::{Manifest, SandboxControl, ScenarioRequest, manifest::Protocol};
use millwright_core::{ConnectionId, Error, ErrorCode, Result, WorkspaceId};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    App,
    error::Answer,
    extract::{Admin, AnyJson, IdPath, Reader},
};

/// How a sandbox behaves: by the name of a scenario, or by rules.
///
/// Some names may end with a number of seconds (`slow-5s`, `outage-60s`, `ratelimit-60s`,
/// `changes-30s`); three digits are the HTTP status of every answer (`500`).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the connector reads it; this is its schema")]
pub(crate) struct Scenario {
    /// The scenario's name.
    #[schema(example = "outage-60s")]
    name: Option<String>,
    /// With the name `outage`: when it begins. At once, when not given.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// With the name `outage`: when it ends. With another scenario, when not given.
    #[schema(format = DateTime)]
    to: Option<String>,
    /// The rules: the first that answers a call counts.
    #[schema(min_items = 1, max_items = 20)]
    rules: Option<Vec<ScenarioRule>>,
}

/// A rule over the calls that are made to a sandbox.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the connector reads it; this is its schema")]
pub(crate) struct ScenarioRule {
    /// Which calls; all of them, when not given.
    #[serde(rename = "match")]
    which: Option<ScenarioMatch>,
    /// What they are answered with.
    respond: ScenarioResponse,
    /// How many calls it answers: all of them when not given, or one where `nth` is.
    #[schema(minimum = 1, maximum = 1_000_000)]
    times: Option<u64>,
}

/// Which calls: everything that is given must fit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the connector reads it; this is its schema")]
pub(crate) struct ScenarioMatch {
    /// Those about this entity.
    #[schema(example = "purchase-orders")]
    entity: Option<String>,
    /// Those that do this: `probe`, `read`, `list`, `get`, `write`, `create`, `update`, `delete`,
    /// `action`, or an action's name.
    #[schema(example = "create")]
    operation: Option<String>,
    /// From this one on of those that fit otherwise.
    #[schema(minimum = 1, maximum = 1_000_000)]
    nth: Option<u64>,
}

/// An answer. What it means is found out as for any system: by the connector's error rules, then by
/// its status.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the connector reads it; this is its schema")]
pub(crate) struct ScenarioResponse {
    /// Its HTTP status.
    #[schema(minimum = 200, maximum = 599)]
    status: Option<u16>,
    /// Its headers.
    headers: Option<Map<String, Value>>,
    /// Its body, at most 16 KB: a text as it is, anything else as JSON. Without one, an answer of
    /// success is the sandbox' own.
    body: Option<Value>,
    /// How long it takes, in milliseconds.
    #[schema(minimum = 0, maximum = 60_000)]
    delay_ms: Option<u64>,
}

/// How a sandbox behaves
///
/// Only for connections of the connector `sandbox`.
#[utoipa::path(
    get,
    path = "/v1/connections/{id}/scenario",
    operation_id = "get_scenario",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "What it was told; `ok` when nothing.", body = Scenario))
)]
pub(crate) async fn get_scenario(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
) -> Answer<Json<Value>> {
    let (control, _) = control(&app, &caller.workspace, &id).await?;
    Ok(Json(control.told().await?.to_json()))
}

/// Tell a sandbox how to behave
///
/// From now on, until it is told otherwise. Only for connections of the connector `sandbox`. For a
/// single call about its data, send the name in the header `Millwright-Scenario` instead.
#[utoipa::path(
    put,
    path = "/v1/connections/{id}/scenario",
    operation_id = "set_scenario",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    request_body = Scenario,
    responses((status = 200, description = "What it was told.", body = Scenario))
)]
pub(crate) async fn put_scenario(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
    body: AnyJson,
) -> Answer<Json<Value>> {
    let (control, manifest) = control(&app, &caller.workspace, &id).await?;
    let read = ScenarioRequest::read(&body.0, &manifest);
    let faults = read.as_ref().err().cloned().unwrap_or_default();
    body.checked::<Scenario>(faults)?;
    let request = read.map_err(|_| Error::internal("a scenario with faults passed the check"))?;
    Ok(Json(control.tell(request).await?.to_json()))
}

/// The sandbox of a connection, if it is one.
async fn control(
    app: &App,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<(SandboxControl, Arc<Manifest>)> {
    let connection = find_connection(&app.store, workspace, id).await?.doc;
    connection.status().allow_information()?;
    let manifest = sandbox_manifest(app, &connection).ok_or_else(no_sandbox)?;
    Ok((SandboxControl::new(app.store.clone(), workspace, id), manifest))
}

/// The connection's manifest, if it is a sandbox.
pub(crate) fn sandbox_manifest(app: &App, connection: &Connection) -> Option<Arc<Manifest>> {
    let manifest = app.engine.catalog().get(connection.connector_id.as_deref()?)?;
    matches!(manifest.protocol, Protocol::Sandbox).then(|| Arc::clone(manifest))
}

fn no_sandbox() -> Error {
    let message = "only a sandbox has scenarios";
    let mut error = Error::new(ErrorCode::OperationNotSupported, message);
    // An empty list is a list (RFC 9110, 10.2.1): nothing can be done here.
    error.allow = Some(String::new());
    error
}
