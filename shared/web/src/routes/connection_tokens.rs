//! `POST /v1/connections/{id}/token`.

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_access::{
    self as access, AuditAction, Audited,
    oauth::{NewConnectionToken, issue_connection_token},
};
use millwright_connection::find_connection;
use millwright_core::ConnectionId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{api_keys::Role, applications::Scope, audit_log::in_log, oauth::TokenAnswer};
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, OptionalJsonBody},
};

/// What the token may do.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionTokenRequest {
    /// What it may do with the connection's data; `write` unless given.
    #[serde(default)]
    role: Option<Role>,
    /// What it may do beside that.
    #[serde(default)]
    scopes: Vec<Scope>,
}

/// Give out a connection token
///
/// A bearer token for this connection's data and nothing else, good for 24 hours. It cannot be refreshed:
/// ask for another one. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/token",
    operation_id = "create_connection_token",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id.")),
    request_body = Option<ConnectionTokenRequest>,
    responses((status = 201, description = "The token.", body = TokenAnswer))
)]
pub(crate) async fn create(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
    OptionalJsonBody(request): OptionalJsonBody<ConnectionTokenRequest>,
) -> Answer<(StatusCode, Json<TokenAnswer>)> {
    let seen_at = app.clock().wall();
    // One that is pending or disconnected has nothing to open.
    find_connection(&app.store, &caller.workspace, &id).await?.doc.status().allow_information()?;
    let new = NewConnectionToken {
        workspace: caller.workspace.clone(),
        environment: caller.environment,
        connection: id.clone(),
        seen_at,
        role: request.role.map_or(access::Role::Write, access::Role::from),
        scopes: request.scopes.into_iter().map(Into::into).collect(),
    };
    let action = AuditAction::ConnectionTokenIssued;
    let audited = Audited { action, connection: Some(id), target: None, call: None };
    let issuing = issue_connection_token(&app.store, new);
    let tokens = in_log(&app, &caller, audited, issuing).await?;
    Ok((StatusCode::CREATED, Json(TokenAnswer::of_connection(&tokens))))
}
