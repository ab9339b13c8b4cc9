//! `/v1/connections`.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_access::{AuditAction, AuditOutcome, Audited, audit_begin};
use millwright_connection::{ConnectionFilter, NewConnection, find_connection, list_connections};
use millwright_connector::{Catalog, Manifest};
use millwright_core::{ConnectionId, Error, ErrorCode, FieldError, Result, SecretString};
use millwright_sync::{METADATA_MAX, SyncSettings, connect_with, erase_connection};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{
    audit_log::{end_entry, in_log},
    connection_view::{Connection, ConnectionStatus, Customer},
    jobs::Job,
    sync_settings::SyncSettingsRequest,
};
use crate::{
    App,
    error::Answer,
    extract::{Admin, AnyJson, IdPath, Params, Reader},
    idempotency::SameAs,
    page::{Limit, Page, position},
};

const LIST: &str = "connections";

/// The connection to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionRequest {
    /// The kind of system: one of `GET /v1/connectors`.
    #[schema(min_length = 1, max_length = 100, example = "tryton")]
    connector_id: String,
    /// Its name; the system's own when not given.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// The customer it belongs to.
    #[serde(default)]
    customer: Option<Customer>,
    /// The workspace's own notes on it: at most 16 KB.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// The connector's settings, as its form says.
    #[serde(default)]
    settings: Map<String, Value>,
    /// The connector's credentials, as its form says. They are kept encrypted and never shown.
    #[serde(default)]
    credentials: BTreeMap<String, String>,
    /// When entities are read and how much of them, by entity: as at
    /// `/v1/connections/{id}/syncs/{entity}`. They hold from the first load on.
    #[serde(default)]
    syncs: BTreeMap<String, SyncSettingsRequest>,
}

/// Which connections to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConnectionList {
    /// Only those in this status.
    #[param(inline)]
    status: Option<ConnectionStatus>,
    /// Only those of this customer.
    customer_id: Option<String>,
    /// Only those of this kind of system.
    connector_id: Option<String>,
    /// Only those whose name begins so, whatever the case.
    q: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most connections in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
}

/// List connections
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/v1/connections",
    operation_id = "list_connections",
    tag = "Connections",
    params(ConnectionList),
    responses((status = 200, description = "A page of connections.", body = Page<Connection>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    Params(list): Params<ConnectionList>,
) -> Answer<Json<Page<Connection>>> {
    let after: Option<ConnectionId> = position(LIST, list.cursor.as_deref())?;
    let filter = ConnectionFilter {
        status: list.status.map(Into::into),
        customer_id: list.customer_id,
        connector_id: list.connector_id,
        name_prefix: list.q,
    };
    let limit = list.limit.get();
    let (found, next) =
        list_connections(&app.store, &caller.workspace, &filter, after.as_ref(), limit).await?;
    let mut connections = Vec::with_capacity(found.len());
    for own in found {
        connections.push(Connection::of(&app, own).await?);
    }
    Ok(Json(Page::at(LIST, connections, next)?))
}

/// Get a connection
#[utoipa::path(
    get,
    path = "/v1/connections/{id}",
    operation_id = "get_connection",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The connection.", body = Connection))
)]
pub(crate) async fn get(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
) -> Answer<Json<Connection>> {
    let row = find_connection(&app.store, &caller.workspace, &id).await?;
    Ok(Json(Connection::of(&app, row.doc).await?))
}

/// Connect a system
///
/// The credentials are tried at once: a connection that does not work is not made. Its first load
/// starts by itself. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/connections",
    operation_id = "create_connection",
    tag = "Connections",
    request_body = ConnectionRequest,
    responses((status = 201, description = "The connection.", body = Connection))
)]
pub(crate) async fn create(
    caller: Admin,
    State(app): State<App>,
    same_as: SameAs,
    body: AnyJson,
) -> Answer<(StatusCode, Json<Connection>)> {
    let faults = faults(app.engine.catalog(), &body.0);
    let mut request: ConnectionRequest = body.checked(faults)?;
    let syncs = settings_of(std::mem::take(&mut request.syncs))?;
    let context = app.connections();
    let audited = about(AuditAction::ConnectionCreated, None);
    let mut entry = audit_begin(&app.store, &caller, app.settings.audit_kept(), audited).await?;
    let id = same_as.connection(&caller.workspace);
    let made = connect_with(&context, &caller.workspace, id, request.into(), &syncs).await;
    let outcome = match &made {
        Ok(made) => {
            entry.doc.connection = Some(made.id.clone());
            AuditOutcome::Done(None)
        }
        Err(error) => AuditOutcome::Failed(error.code),
    };
    end_entry(&app, entry, outcome).await;
    let made = made?;
    Ok((StatusCode::CREATED, Json(Connection::of(&app, made).await?)))
}

/// Delete a connection
///
/// Disconnects it and starts a job that erases everything that belongs to it. It is in the audit log.
#[utoipa::path(
    delete,
    path = "/v1/connections/{id}",
    operation_id = "delete_connection",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    responses((status = 202, description = "The job that erases it.", body = Job))
)]
pub(crate) async fn delete(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
) -> Answer<(StatusCode, Json<Job>)> {
    find_connection(&app.store, &caller.workspace, &id).await?;
    let context = app.connections();
    let erasing = erase_connection(&context, &caller.workspace, &id);
    let audited = about(AuditAction::ConnectionDeleted, Some(&id));
    let job = in_log(&app, &caller, audited, erasing).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// The settings of syncs as the engine takes them; what is faulty is told by its place in the body.
fn settings_of(
    given: BTreeMap<String, SyncSettingsRequest>,
) -> Result<BTreeMap<String, SyncSettings>> {
    let (mut settings, mut faults) = (BTreeMap::new(), Vec::new());
    for (entity, own) in given {
        match own.settings() {
            Ok(own) => drop(settings.insert(entity, own)),
            Err(error) => faults.extend(error.fields.into_iter().map(|fault| FieldError {
                path: format!("syncs.{entity}.{}", fault.path),
                ..fault
            })),
        }
    }
    Error::from_fields(faults).map_or(Ok(settings), Err)
}

fn about(action: AuditAction, connection: Option<&ConnectionId>) -> Audited {
    Audited { action, connection: connection.cloned(), target: None, call: None }
}

/// What is wrong with a request beyond what its schema says.
fn faults(catalog: &Catalog, body: &Value) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if body.get("metadata").is_some_and(|own| own.to_string().len() > METADATA_MAX) {
        let message = "must have at most 16 KB as JSON";
        faults.push(FieldError::new("metadata", ErrorCode::ValidationFailed, message));
    }
    let connector = body.get("connector_id").and_then(Value::as_str).filter(|id| !id.is_empty());
    match connector.map(|id| catalog.get(id)) {
        Some(Some(manifest)) => faults.extend(form_faults(manifest, body)),
        Some(None) => {
            let message = "there is no such connector; /v1/connectors lists them";
            faults.push(FieldError::new("connector_id", ErrorCode::ValidationFailed, message));
        }
        None => {}
    }
    faults
}

/// What the connector's forms say, as far as they are there to be read.
fn form_faults(manifest: &Manifest, body: &Value) -> Vec<FieldError> {
    let form = |name| match body.get(name) {
        None => Some(Map::new()),
        Some(Value::Object(filled)) => Some(filled.clone()),
        Some(_) => None,
    };
    let settings = form("settings").map(|filled| manifest.settings.check("settings", &filled));
    let (settings, faults) = settings.unwrap_or_default();
    // What is no text is told by the schema; here it is as good as blank.
    let secret = |(name, value): (String, Value)| {
        (name, SecretString::from(value.as_str().unwrap_or_default()))
    };
    let credentials = form("credentials").map(|filled| {
        let filled = filled.into_iter().map(secret).collect();
        manifest.credentials.check_secrets("credentials", &filled, &settings).1
    });
    faults.into_iter().chain(credentials.into_iter().flatten()).collect()
}

impl From<ConnectionRequest> for NewConnection {
    fn from(request: ConnectionRequest) -> Self {
        let secret = |(name, text)| (name, SecretString::from(text));
        Self {
            connector_id: request.connector_id,
            name: request.name,
            customer: request.customer.map(Into::into),
            metadata: request.metadata,
            settings: request.settings,
            credentials: request.credentials.into_iter().map(secret).collect(),
            application_id: None,
            pending: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(body: Value) -> Vec<String> {
        let faults = faults(&Catalog::builtin(), &body);
        let error = AnyJson(body).checked::<ConnectionRequest>(faults).map(drop).unwrap_err();
        error.fields.into_iter().map(|field| field.path).collect()
    }

    #[test]
    fn faults_of_body_settings_and_credentials_are_told_together() {
        let told = paths(json!({
            "connector_id": "tryton",
            "colour": "blue",
            "customer": "x",
            "settings": { "url": "no address" },
            "credentials": { "pin": "1" },
            "metadata": { "long": "x".repeat(METADATA_MAX) },
        }));
        for path in ["colour", "customer", "settings.url", "credentials.pin", "metadata"] {
            assert!(told.iter().any(|own| own == path), "{path} is not among {told:?}");
        }
    }

    #[test]
    fn an_unknown_connector_is_told_with_the_rest() {
        assert_eq!(paths(json!({ "connector_id": "x", "a": 1 })), ["a", "connector_id"]);
        assert_eq!(paths(json!({})), ["connector_id"]);
        assert_eq!(paths(json!("x")), ["body"]);
    }
}
