//! `/v1/connections/{id}/...`: what a workspace does with a connection while it lives.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use millwright_access::{AuditAction, Audited};
use millwright_connection::{self as connection, find_connection, keep_reconnect};
use millwright_core::{ConnectionId, Result, SecretString};
use millwright_sync::{self as sync, ConnectionPatch, update_connection};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{audit_log::in_log, connection_view::Connection};
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, MergePatch, OptionalJsonBody},
};

/// What is to be changed of a connection: what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionChange {
    /// Its name.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// The customer it belongs to; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<CustomerChange>)]
    customer: Option<Value>,
    /// The workspace's own notes on it, member by member: at most 16 KB in all. Null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Map<String, Value>>)]
    metadata: Option<Value>,
    /// The connector's settings, as its form says, member by member. They are tried with the stored
    /// credentials and must lead to the same system.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Map<String, Value>>)]
    settings: Option<Value>,
}

/// What is to be changed of a connection's customer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is merged as JSON; this is its schema")]
pub(crate) struct CustomerChange {
    /// The workspace's own id of the customer.
    #[schema(min_length = 1, max_length = 256, nullable = false)]
    id: Option<String>,
    /// The customer's name.
    #[schema(max_length = 256)]
    name: Option<String>,
}

/// `null` is a value here: it takes away.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The new credentials of a connection. Without a body nothing is reconnected: the answer has the
/// address where somebody can log in again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReconnectRequest {
    /// The connector's settings, as its form says; those it has when not given.
    #[serde(default)]
    settings: Option<Map<String, Value>>,
    /// The connector's credentials, as its form says. They are kept encrypted and never shown.
    #[serde(default)]
    credentials: Option<BTreeMap<String, String>>,
}

/// Change a connection
///
/// A JSON merge patch (RFC 7396). Other settings are tried at once and must lead to the same system. It
/// is in the audit log.
#[utoipa::path(
    patch,
    path = "/v1/connections/{id}",
    operation_id = "update_connection",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    request_body(
        content((ConnectionChange = "application/json"), (ConnectionChange = "application/merge-patch+json")),
        description = "What is to be changed.",
    ),
    responses((status = 200, description = "The connection.", body = Connection))
)]
pub(crate) async fn update(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
    MergePatch(change): MergePatch<ConnectionChange>,
) -> Answer<Json<Connection>> {
    let patch = ConnectionPatch {
        name: change.name,
        customer: change.customer,
        metadata: change.metadata,
        settings: change.settings,
    };
    let context = app.connections();
    let updating = update_connection(&context, &caller.workspace, &id, &patch);
    audited(&app, &caller, AuditAction::ConnectionUpdated, &id, updating).await
}

/// Check a connection
///
/// Its system is asked at once whether it is well, and the connection's status follows from the answer;
/// a bad one counts when a second is the same.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/check",
    operation_id = "check_connection",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The connection.", body = Connection))
)]
pub(crate) async fn check(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
) -> Answer<Json<Connection>> {
    let own = sync::check(&app.connections(), &caller.workspace, &id).await?;
    Ok(Json(Connection::of(&app, own).await?))
}

/// Pause a connection
///
/// Its syncs rest and nothing is sent to its system; calls about its data answer
/// `CONNECTION_INACTIVE`. It keeps its credits. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/pause",
    operation_id = "pause_connection",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The paused connection.", body = Connection))
)]
pub(crate) async fn pause(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
) -> Answer<Json<Connection>> {
    let context = app.connections();
    let pausing = connection::pause(&context, &caller.workspace, &id);
    audited(&app, &caller, AuditAction::ConnectionPaused, &id, pausing).await
}

/// Resume a connection
///
/// Its system is asked first, and the connection is in the state that follows from the answer; its
/// syncs go on. One that is short of credits takes them, if there are enough by now. It is in the
/// audit log.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/resume",
    operation_id = "resume_connection",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The connection.", body = Connection))
)]
pub(crate) async fn resume(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
) -> Answer<Json<Connection>> {
    let context = app.connections();
    let resuming = sync::resume(&context, &caller.workspace, &id);
    audited(&app, &caller, AuditAction::ConnectionResumed, &id, resuming).await
}

/// Reconnect a system
///
/// With credentials: they are tried at once and must lead to the same system. The connection keeps its
/// id, its records' keys, its tokens and its history, and goes on by itself; one that was disconnected
/// is connected again. Without a body: the answer's `reconnect_url` is where the system's user can do so,
/// until it has been done. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/reconnect",
    operation_id = "reconnect_connection",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    request_body = Option<ReconnectRequest>,
    responses((status = 200, description = "The connection.", body = Connection))
)]
pub(crate) async fn reconnect(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
    OptionalJsonBody(request): OptionalJsonBody<ReconnectRequest>,
) -> Answer<Json<Connection>> {
    let context = app.connections();
    let reconnecting = async {
        let ReconnectRequest { settings, credentials } = request;
        if settings.is_none() && credentials.is_none() {
            return keep_reconnect(&context, &caller.workspace, &id).await;
        }
        let secret = |(name, text)| (name, SecretString::from(text));
        let credentials = credentials.unwrap_or_default().into_iter().map(secret).collect();
        sync::reconnect(&context, &caller.workspace, &id, settings, credentials).await
    };
    audited(&app, &caller, AuditAction::ConnectionReconnected, &id, reconnecting).await
}

/// Disconnect a system
///
/// Stops its syncs, destroys its credentials and gives its credits back. Its history stays; it can be
/// reconnected. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/disconnect",
    operation_id = "disconnect_connection",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The disconnected connection.", body = Connection))
)]
pub(crate) async fn disconnect(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
) -> Answer<Json<Connection>> {
    let context = app.connections();
    let disconnecting = connection::disconnect(&context, &caller.workspace, &id);
    audited(&app, &caller, AuditAction::ConnectionDisconnected, &id, disconnecting).await
}

/// Does something to a connection, which is in the log from before it begins. What another workspace's
/// is, is in nobody's log.
async fn audited(
    app: &App,
    caller: &Admin,
    action: AuditAction,
    id: &ConnectionId,
    work: impl Future<Output = Result<connection::Connection>>,
) -> Answer<Json<Connection>> {
    find_connection(&app.store, &caller.workspace, id).await?;
    let audited = Audited { action, connection: Some(id.clone()), target: None, call: None };
    let own = in_log(app, caller, audited, work).await?;
    Ok(Json(Connection::of(app, own).await?))
}
