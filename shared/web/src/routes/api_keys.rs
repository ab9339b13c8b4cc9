//! `/v1/api-keys`.

use std::time::Duration;

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_access::{self as access, AuditAction, Audited};
use millwright_core::{ApiKeyId, ExposeSecret, SecretString, WallTime};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::audit_log::{in_log, made_in_log};
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, JsonBody, OptionalJsonBody, Params, Reader},
    page::{Limit, Page, position},
};

/// What a key may do: `read` everything but secrets; `write` also data, syncs and retries; `admin`
/// everything.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Read,
    Write,
    Admin,
}

impl From<Role> for access::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Read => Self::Read,
            Role::Write => Self::Write,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<access::Role> for Role {
    fn from(role: access::Role) -> Self {
        match role {
            access::Role::Read => Self::Read,
            access::Role::Write => Self::Write,
            access::Role::Admin => Self::Admin,
        }
    }
}

/// An API key.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKey {
    /// Its id.
    #[schema(value_type = String, example = "key_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: ApiKeyId,
    /// What people call it.
    name: String,
    /// What it may do.
    role: Role,
    /// `test` or `live`, as its workspace.
    environment: &'static str,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was revoked, if it was.
    #[schema(format = DateTime, required)]
    revoked_at: Option<String>,
    /// The text to authenticate with: in the answer that made the key, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "mw_sk_test_...")]
    key: Option<String>,
}

impl From<access::ApiKey> for ApiKey {
    fn from(key: access::ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            role: key.role.into(),
            environment: key.environment.as_str(),
            created_at: key.created_at.iso(),
            revoked_at: key.revoked_at.map(WallTime::iso),
            key: None,
        }
    }
}

/// The API key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeyRequest {
    /// What people will call it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do.
    role: Role,
}

/// How to replace a secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RotationRequest {
    /// For how many seconds the one before still opens: none unless given, a week at most.
    #[schema(minimum = 0, maximum = 604_800, default = 0)]
    overlap_seconds: u32,
}

impl RotationRequest {
    /// For how long the one before still opens.
    pub(super) fn overlap(&self) -> Duration {
        Duration::from_secs(self.overlap_seconds.into())
    }
}

/// Which API keys to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApiKeyList {
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most keys in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
}

const LIST: &str = "api-keys";

/// List API keys
///
/// Oldest first, revoked ones among them.
#[utoipa::path(
    get,
    path = "/v1/api-keys",
    operation_id = "list_api_keys",
    tag = "API keys",
    params(ApiKeyList),
    responses((status = 200, description = "A page of keys.", body = Page<ApiKey>))
)]
pub(crate) async fn list_api_keys(
    caller: Reader,
    State(app): State<App>,
    Params(list): Params<ApiKeyList>,
) -> Answer<Json<Page<ApiKey>>> {
    let after: Option<ApiKeyId> = position(LIST, list.cursor.as_deref())?;
    let limit = list.limit.get();
    let page = access::list_keys(&app.store, &caller.workspace, after.as_ref(), limit).await?;
    let keys = page.keys.into_iter().map(ApiKey::from).collect();
    Ok(Json(Page::at(LIST, keys, page.next)?))
}

/// Get an API key
#[utoipa::path(
    get,
    path = "/v1/api-keys/{id}",
    operation_id = "get_api_key",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, description = "The key.", body = ApiKey))
)]
pub(crate) async fn get_api_key(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<ApiKeyId>,
) -> Answer<Json<ApiKey>> {
    let key = access::get_key(&app.store, &caller.workspace, &id).await?;
    Ok(Json(key.into()))
}

/// Make an API key
///
/// Its text is in this answer and nowhere else afterwards. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/api-keys",
    operation_id = "create_api_key",
    tag = "API keys",
    request_body = ApiKeyRequest,
    responses((status = 201, description = "The key with its text.", body = ApiKey))
)]
pub(crate) async fn create_api_key(
    caller: Admin,
    State(app): State<App>,
    JsonBody(new): JsonBody<ApiKeyRequest>,
) -> Answer<(StatusCode, Json<ApiKey>)> {
    let workspace = access::get_workspace(&app.store, &caller.workspace).await?;
    let role = new.role.into();
    let audited = Audited::about(AuditAction::ApiKeyCreated, None);
    let making = access::create_key(&app.store, &workspace, &new.name, role, None);
    let id = |made: &(access::ApiKey, SecretString)| made.0.id.to_string();
    let (key, text) = made_in_log(&app, &caller, audited, making, id).await?;
    let key = ApiKey { key: Some(text.expose_secret().to_owned()), ..key.into() };
    Ok((StatusCode::CREATED, Json(key)))
}

/// Give an API key another text
///
/// Its id, name and role stay. The text before opens nothing from the moment of the answer on, or once
/// `overlap_seconds` have passed. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/api-keys/{id}/rotate",
    operation_id = "rotate_api_key",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's id.")),
    request_body(content = Option<RotationRequest>),
    responses((status = 200, description = "The key with its new text.", body = ApiKey))
)]
pub(crate) async fn rotate_api_key(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ApiKeyId>,
    OptionalJsonBody(rotation): OptionalJsonBody<RotationRequest>,
) -> Answer<Json<ApiKey>> {
    let audited = Audited::about(AuditAction::ApiKeyRotated, Some(&id));
    let rotating = access::rotate_key(&app.store, &caller.workspace, &id, rotation.overlap());
    let (key, text) = in_log(&app, &caller, audited, rotating).await?;
    Ok(Json(ApiKey { key: Some(text.expose_secret().to_owned()), ..key.into() }))
}

/// Revoke an API key
///
/// From the moment of the answer on it opens nothing. It stays in the list. It is in the audit log.
#[utoipa::path(
    delete,
    path = "/v1/api-keys/{id}",
    operation_id = "revoke_api_key",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, description = "The revoked key.", body = ApiKey))
)]
pub(crate) async fn revoke_api_key(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ApiKeyId>,
) -> Answer<Json<ApiKey>> {
    let audited = Audited::about(AuditAction::ApiKeyRevoked, Some(&id));
    let revoking = access::revoke_key(&app.store, &caller.workspace, &id);
    let key = in_log(&app, &caller, audited, revoking).await?;
    Ok(Json(key.into()))
}
