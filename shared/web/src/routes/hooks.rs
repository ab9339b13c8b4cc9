//! `/hooks/{secret}`: systems' own webhooks; and where admins find the address.

use axum::{Json, body::Body, extract::State};
use http::{HeaderMap, StatusCode};
use millwright_access::{AuditAction, Audited};
use millwright_connection::{
    self as connection, find_by_hook, find_connection, hook_secret, open_system, rotate_hook,
};
use millwright_connector::{Hint, SystemError, SystemErrorClass};
use millwright_core::{ConnectionId, Error, ErrorCode, ExposeSecret, Result, SecretString};
use millwright_sync::accept_hints;
use serde::Serialize;
use utoipa::ToSchema;

use super::{audit_log::in_log, records::manifest_of};
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, TextPath, read_body},
};

/// Where a connection's system sends its own webhooks.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectionHook {
    /// The address. It has a secret in it: show it to nobody but the system.
    #[schema(example = "https://api.example.com/hooks/4fJ...")]
    url: String,
    /// The entities that the system can tell of.
    entities: Vec<String>,
}

/// Get the address of a connection's webhooks
///
/// For the system's own settings: what it tells of is read again at once and not at the next sync. What
/// the system signs with is among the connection's credentials. Being shown it is in the audit log.
#[utoipa::path(
    get,
    path = "/v1/connections/{id}/hook",
    operation_id = "get_connection_hook",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The address.", body = ConnectionHook))
)]
pub(crate) async fn get_hook(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
) -> Answer<Json<ConnectionHook>> {
    Ok(Json(hook(&app, &caller, &id, AuditAction::HookShown).await?))
}

/// Make a new address of a connection's webhooks
///
/// The one before is dead at once.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/hook/rotate",
    operation_id = "rotate_connection_hook",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The new address.", body = ConnectionHook))
)]
pub(crate) async fn rotate(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
) -> Answer<Json<ConnectionHook>> {
    Ok(Json(hook(&app, &caller, &id, AuditAction::HookRotated).await?))
}

async fn hook(
    app: &App,
    caller: &Admin,
    id: &ConnectionId,
    action: AuditAction,
) -> Result<ConnectionHook> {
    let connection = find_connection(&app.store, &caller.workspace, id).await?.doc;
    connection.status().allow_information()?;
    let entities = told_of(app, &connection)?;
    let audited = Audited { action, connection: Some(id.clone()), target: None, call: None };
    let context = app.connections();
    let secret: SecretString = in_log(app, caller, audited, async {
        match action {
            AuditAction::HookRotated => rotate_hook(&context, &connection).await,
            _ => hook_secret(&context, &connection).await,
        }
    })
    .await?;
    let url = app.settings.public_url.at(&format!("/hooks/{}", secret.expose_secret()));
    Ok(ConnectionHook { url, entities })
}

/// The entities that the connection's system can tell of.
fn told_of(app: &App, connection: &connection::Connection) -> Result<Vec<String>> {
    let manifest = manifest_of(app, connection)?;
    let Some(hooks) = &manifest.webhooks_in else {
        let message = format!("the connector {} takes no webhooks", manifest.id);
        let mut error = Error::new(ErrorCode::OperationNotSupported, message);
        error.allow = Some(String::new());
        return Err(error);
    };
    let mut entities: Vec<String> = hooks.events.iter().map(|own| own.entity.clone()).collect();
    entities.sort();
    entities.dedup();
    Ok(entities)
}

/// Take a webhook of a connected system
///
/// For systems, not for callers. It only hints: what it tells of is read again. Any body of the
/// system's own, signed as its connector says.
#[utoipa::path(
    post,
    path = "/hooks/{secret}",
    operation_id = "take_hook",
    tag = "Service",
    security(()),
    params(("secret" = String, Path, description = "The secret of the connection's address.")),
    request_body(content = String, content_type = "*/*", description = "The system's own."),
    responses((status = 202, description = "It is kept. Sending it again does no harm."))
)]
pub(crate) async fn take(
    State(app): State<App>,
    TextPath(secret): TextPath,
    headers: HeaderMap,
    body: Body,
) -> Answer<StatusCode> {
    let context = app.connections();
    let connection = find_by_hook(&context, &secret).await?.ok_or_else(nobodys)?;
    connection.status().allow_information().map_err(|_| nobodys())?;
    let body = read_body(body, app.settings.body_limit).await?;
    let system = open_system(&context, &connection).await?;
    let hints: Vec<Hint> = system.verify_hook(&headers, &body).map_err(refused)?;
    // Also while the connection is not wanted just now: they are worked on when it is again.
    accept_hints(&context, &connection, &hints).await?;
    Ok(StatusCode::ACCEPTED)
}

/// As for an address that nobody ever had.
fn nobodys() -> Error {
    Error::new(ErrorCode::NotFound, "there is no such path")
}

/// What is wrong with a webhook: no more than its sender may know.
fn refused(error: SystemError) -> Error {
    match error.class {
        SystemErrorClass::Permission => {
            Error::new(ErrorCode::AuthenticationFailed, "the webhook is not signed as it must be")
        }
        SystemErrorClass::Malformed => Error::new(ErrorCode::InvalidRequest, error.message),
        _ => nobodys(),
    }
}
