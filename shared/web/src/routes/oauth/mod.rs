//! `/oauth`: the endpoints of RFC 6749 and RFC 7009. They answer and refuse in the form of those
//! standards, so that any OAuth client understands them.

mod answer;
mod metadata;

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::header;
use millwright_access::{
    Actor, Application, AuditAction, AuditOutcome, Audited, Caller, audit_begin,
    oauth::{
        self, ClientProof, Form, Grant, GrantId, OauthCode, OauthError, authenticate_client,
        exchange_code, find_code, find_refresh, issue_workspace_token, revoke_token,
    },
};
use millwright_connection::find_connection;
use millwright_core::ErrorCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::audit_log::end_entry;
use crate::{App, extract::read_body};
pub(crate) use answer::TokenAnswer;
use answer::{OauthErrorAnswer, refusal};
pub(crate) use metadata::{__path_get_metadata, get_metadata};

/// What is asked of the token endpoint. Parameters that are not named here are passed over.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "only its schema is used: parameters are read one by one")]
pub(crate) struct TokenRequest {
    /// `authorization_code`, `refresh_token` or `client_credentials`.
    grant_type: String,
    /// The code.
    code: Option<String>,
    /// Where the code was sent.
    redirect_uri: Option<String>,
    /// What the code's challenge was made of (RFC 7636).
    code_verifier: Option<String>,
    /// The refresh token.
    refresh_token: Option<String>,
    /// Scopes, with spaces between.
    scope: Option<String>,
    /// The client, unless it names itself in the header `Authorization`.
    client_id: Option<String>,
    /// Its secret, unless it is in the header.
    client_secret: Option<String>,
}

/// What is asked of the revocation endpoint.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "only its schema is used: parameters are read one by one")]
pub(crate) struct RevocationRequest {
    /// The refresh token or access token.
    token: String,
    /// Which of both it is; not needed.
    token_type_hint: Option<String>,
    /// The client, unless it names itself in the header `Authorization`.
    client_id: Option<String>,
    /// Its secret, unless it is in the header.
    client_secret: Option<String>,
}

/// Get tokens
///
/// The token endpoint of OAuth 2.0 (RFC 6749) with PKCE (RFC 7636). The client proves itself with HTTP
/// Basic, in the body, or, as a public one, by PKCE alone. Each refresh token is good for one use.
#[utoipa::path(
    post,
    path = "/oauth/token",
    operation_id = "get_oauth_token",
    tag = "OAuth",
    security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The tokens.", body = TokenAnswer),
        (status = 400, description = "What is wrong.", body = OauthErrorAnswer),
        (status = 401, description = "The client is not who it says.", body = OauthErrorAnswer),
    )
)]
pub(crate) async fn token(State(app): State<App>, request: Request) -> Response {
    match tokens(&app, request).await {
        Ok(answer) => ([(header::PRAGMA, "no-cache")], Json(answer)).into_response(),
        Err(error) => refusal(&error),
    }
}

/// Revoke a token
///
/// RFC 7009. A refresh token is revoked with every token that came of the same authorization. A text
/// that is no living token of the client is answered alike.
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    operation_id = "revoke_oauth_token",
    tag = "OAuth",
    security(()),
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token opens nothing now."),
        (status = 400, description = "What is wrong.", body = OauthErrorAnswer),
        (status = 401, description = "The client is not who it says.", body = OauthErrorAnswer),
    )
)]
pub(crate) async fn revoke(State(app): State<App>, request: Request) -> Response {
    match revoked(&app, request).await {
        // Nobody reads it (RFC 7009, 2.2), but some libraries want JSON of every answer.
        Ok(()) => Json(serde_json::json!({})).into_response(),
        Err(error) => refusal(&error),
    }
}

async fn revoked(app: &App, request: Request) -> Result<(), OauthError> {
    let (form, application) = client(app, request).await?;
    let token = form.required("token", "token is missing")?;
    revoke_token(&app.store, &application, token).await
}

async fn tokens(app: &App, request: Request) -> Result<TokenAnswer, OauthError> {
    let (form, application) = client(app, request).await?;
    let store = &app.store;
    let given = match form.required("grant_type", "grant_type is missing")? {
        "authorization_code" => {
            let code = form.required("code", "code is missing")?;
            must_honour(app, &find_code(store, code).await?).await?;
            exchange_code(store, &application, &form).await
        }
        "refresh_token" => {
            let token = form.required("refresh_token", "refresh_token is missing")?;
            must_honour(app, &find_refresh(store, token).await?).await?;
            oauth::refresh(store, &application, &form, grace(app)).await
        }
        "client_credentials" => {
            let token = issue_workspace_token(store, &application, &form).await?;
            return Ok(TokenAnswer::of_workspace(&token));
        }
        _ => {
            let description = "grant_type must be authorization_code, refresh_token or \
                               client_credentials";
            return Err(OauthError::Refused(OauthCode::UnsupportedGrantType, description));
        }
    };
    if let Err(OauthError::Replayed(grant)) = &given {
        note_replay(app, &application, grant).await?;
    }
    given.map(|tokens| TokenAnswer::of_connection(&tokens))
}

/// For how long the answer to a refresh can be had again.
fn grace(app: &App) -> Duration {
    Duration::from_secs(app.settings.refresh_grace_seconds.into())
}

/// The request's parameters, and the client that has proven itself.
async fn client(app: &App, request: Request) -> Result<(Form, Application), OauthError> {
    let (parts, body) = request.into_parts();
    let invalid = |why| OauthError::Refused(OauthCode::InvalidRequest, why);
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("send a body of the type application/x-www-form-urlencoded"));
    }
    let body = read_body(body, app.settings.body_limit).await;
    let form = Form::read(&body.map_err(|_| invalid("the body is too long or broke off"))?)?;
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    let header = match (headers.next(), headers.next()) {
        (None, _) => None,
        (Some(one), None) => Some(one.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => return Err(invalid("send the header Authorization once")),
    };
    let proof = ClientProof::read(header, &form)?;
    Ok((form, authenticate_client(&app.store, &proof).await?))
}

/// Tokens die with their connection.
async fn must_honour(app: &App, grant: &Grant) -> Result<(), OauthError> {
    let GrantId { workspace, connection, .. } = &grant.id;
    match find_connection(&app.store, workspace, connection).await {
        Ok(row) if row.doc.honours(grant.granted_at) => Ok(()),
        Err(error) if error.code != ErrorCode::NotFound => Err(error.into()),
        _ => Err(OauthError::invalid_grant()),
    }
}

/// Somebody may have stolen a code or a refresh token: the workspace finds it in its audit log.
async fn note_replay(
    app: &App,
    application: &Application,
    grant: &GrantId,
) -> Result<(), OauthError> {
    tracing::warn!(workspace = %grant.workspace, family = %grant.family, "token replayed");
    let caller = Caller {
        workspace: application.workspace.clone(),
        environment: application.environment,
        actor: Actor::Application(application.id.clone()),
        role: application.role,
        scopes: application.scopes.clone(),
    };
    let audited = Audited {
        action: AuditAction::TokenReplayed,
        connection: Some(grant.connection.clone()),
        target: Some(grant.family.to_string()),
        call: None,
    };
    let entry = audit_begin(&app.store, &caller, app.settings.audit_kept(), audited).await?;
    end_entry(app, entry, AuditOutcome::Done(None)).await;
    Ok(())
}
