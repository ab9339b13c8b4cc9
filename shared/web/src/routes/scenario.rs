//! `/v1/connections/{id}/scenario`: how a sandbox behaves.

use axum::{Json, extract::State};
use millwright_connection::{Connection, find_connection};
use millwright_connector::{Sandbox, Scenario as Own, manifest::Protocol};
use millwright_core::{ConnectionId, Error, ErrorCode, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, JsonBody},
};

/// How a sandbox behaves.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScenarioName {
    /// As it should.
    Ok,
    /// Every call fails as if nobody answered.
    Outage,
    /// Every call is refused as if the credentials had expired.
    Expired,
}

/// A sandbox' scenario.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// How it behaves from now on.
    name: ScenarioName,
}

/// Tell a sandbox how to behave
///
/// Only for connections of the connector `sandbox`.
#[utoipa::path(
    put,
    path = "/v1/connections/{id}/scenario",
    operation_id = "set_scenario",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    request_body = Scenario,
    responses((status = 200, description = "The scenario.", body = Scenario))
)]
pub(crate) async fn put_scenario(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
    JsonBody(scenario): JsonBody<Scenario>,
) -> Answer<Json<Scenario>> {
    let connection = find_connection(&app.store, &caller.workspace, &id).await?.doc;
    connection.status().allow_information()?;
    require_sandbox(&app, &connection)?;
    let sandbox = Sandbox::new(app.store.clone(), connection.workspace, connection.id);
    let name = match scenario.name {
        ScenarioName::Ok => Own::Ok,
        ScenarioName::Outage => Own::Outage,
        ScenarioName::Expired => Own::Expired,
    };
    sandbox.set_scenario(name).await?;
    Ok(Json(scenario))
}

fn require_sandbox(app: &App, connection: &Connection) -> Result<()> {
    let manifest = app.engine.catalog().get(&connection.connector_id);
    if manifest.is_some_and(|manifest| matches!(manifest.protocol, Protocol::Sandbox)) {
        return Ok(());
    }
    let message = "only a sandbox has scenarios";
    let mut error = Error::new(ErrorCode::OperationNotSupported, message);
    // An empty list is a list (RFC 9110, 10.2.1): nothing can be done here.
    error.allow = Some(String::new());
    Err(error)
}
