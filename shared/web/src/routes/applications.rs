//! `/v1/applications`: the OAuth clients of the workspace.

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_access::{self as access, AuditAction, Audited};
use millwright_core::{ApplicationId, ExposeSecret, SecretString, WallTime};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    api_keys::{Role, RotationRequest},
    audit_log::{in_log, made_in_log},
};
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, JsonBody, MergePatch, OptionalJsonBody, Params, Reader},
    page::{Limit, Page, position},
};

const LIST: &str = "applications";

/// A right beside the role: `passthrough`, native calls of a connected system.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    Passthrough,
}

impl From<Scope> for access::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Passthrough => Self::Passthrough,
        }
    }
}

impl From<access::Scope> for Scope {
    fn from(scope: access::Scope) -> Self {
        match scope {
            access::Scope::Passthrough => Self::Passthrough,
        }
    }
}

/// An application: a client of the OAuth endpoints.
#[derive(Serialize, ToSchema)]
pub(crate) struct Application {
    /// Its id.
    #[schema(value_type = String, example = "app_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: ApplicationId,
    /// What it names itself with at the OAuth endpoints. It is no secret.
    #[schema(example = "mw_ci_...")]
    client_id: String,
    /// What people call it; hosted pages show it.
    name: String,
    /// Its logo, which hosted pages show.
    #[schema(required, format = "uri")]
    logo_url: Option<String>,
    /// Where hosted pages may return to: these and no others, letter by letter.
    redirect_uris: Vec<String>,
    /// Whether it can keep no secret, as one that runs on users' own machines: it then has none.
    public: bool,
    /// What its tokens may do.
    role: Role,
    /// What they may do beside that.
    scopes: Vec<Scope>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was revoked, if it was.
    #[schema(format = DateTime, required)]
    revoked_at: Option<String>,
    /// What it proves itself with: in the answer that made it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "mw_cs_...")]
    client_secret: Option<String>,
}

impl From<access::Application> for Application {
    fn from(own: access::Application) -> Self {
        Self {
            client_id: own.client_id(),
            id: own.id,
            name: own.name,
            logo_url: own.logo_url,
            redirect_uris: own.redirect_uris,
            public: own.public,
            role: own.role.into(),
            scopes: own.scopes.into_iter().map(Scope::from).collect(),
            created_at: own.created_at.iso(),
            revoked_at: own.revoked_at.map(WallTime::iso),
            client_secret: None,
        }
    }
}

impl Application {
    fn with_secret(own: access::Application, secret: Option<&SecretString>) -> Self {
        let client_secret = secret.map(|text| text.expose_secret().to_owned());
        Self { client_secret, ..own.into() }
    }
}

/// The application to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationRequest {
    /// What people will call it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Its logo: an `https://` address.
    #[serde(default)]
    #[schema(max_length = 2_000)]
    logo_url: Option<String>,
    /// Where hosted pages may return to: `https://`, or `http://` on loopback; no fragment.
    #[serde(default)]
    #[schema(max_items = 20)]
    redirect_uris: Vec<String>,
    /// Whether it can keep no secret. It then has none, and PKCE stands alone.
    #[serde(default)]
    #[schema(default = false)]
    public: bool,
    /// What its tokens may do; `write` unless given.
    #[serde(default)]
    role: Option<Role>,
    /// What they may do beside that.
    #[serde(default)]
    scopes: Vec<Scope>,
}

impl From<ApplicationRequest> for access::NewApplication {
    fn from(new: ApplicationRequest) -> Self {
        Self {
            name: new.name,
            logo_url: new.logo_url,
            redirect_uris: new.redirect_uris,
            public: new.public,
            role: new.role.map_or(access::Role::Write, access::Role::from),
            scopes: new.scopes.into_iter().map(Into::into).collect(),
        }
    }
}

/// What to change of an application: what is not given stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationPatch {
    /// What people will call it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// Its logo: an `https://` address, or null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 2_000)]
    logo_url: Option<Option<String>>,
    /// Where hosted pages may return to: all of them.
    #[serde(default)]
    #[schema(max_items = 20, nullable = false)]
    redirect_uris: Option<Vec<String>>,
    /// What its tokens may do.
    #[serde(default)]
    #[schema(nullable = false)]
    role: Option<Role>,
    /// What they may do beside that: all of it.
    #[serde(default)]
    #[schema(nullable = false)]
    scopes: Option<Vec<Scope>>,
}

/// A field that is given, perhaps as null.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl From<ApplicationPatch> for access::ApplicationChange {
    fn from(patch: ApplicationPatch) -> Self {
        let scopes = |own: Vec<Scope>| own.into_iter().map(Into::into).collect();
        Self {
            name: patch.name,
            logo_url: patch.logo_url,
            redirect_uris: patch.redirect_uris,
            role: patch.role.map(Into::into),
            scopes: patch.scopes.map(scopes),
        }
    }
}

/// Which applications to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApplicationList {
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most applications in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
}

/// List applications
///
/// Oldest first, revoked ones among them.
#[utoipa::path(
    get,
    path = "/v1/applications",
    operation_id = "list_applications",
    tag = "Applications",
    params(ApplicationList),
    responses((status = 200, description = "A page of applications.", body = Page<Application>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    Params(list): Params<ApplicationList>,
) -> Answer<Json<Page<Application>>> {
    let after: Option<ApplicationId> = position(LIST, list.cursor.as_deref())?;
    let limit = list.limit.get();
    let page =
        access::list_applications(&app.store, &caller.workspace, after.as_ref(), limit).await?;
    let applications = page.applications.into_iter().map(Application::from).collect();
    Ok(Json(Page::at(LIST, applications, page.next)?))
}

/// Get an application
#[utoipa::path(
    get,
    path = "/v1/applications/{id}",
    operation_id = "get_application",
    tag = "Applications",
    params(("id" = String, Path, description = "The application's id.")),
    responses((status = 200, description = "The application.", body = Application))
)]
pub(crate) async fn get(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<ApplicationId>,
) -> Answer<Json<Application>> {
    let own = access::get_application(&app.store, &caller.workspace, &id).await?;
    Ok(Json(own.into()))
}

/// Make an application
///
/// Its secret is in this answer and nowhere else afterwards. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/applications",
    operation_id = "create_application",
    tag = "Applications",
    request_body = ApplicationRequest,
    responses((status = 201, description = "The application with its secret.", body = Application))
)]
pub(crate) async fn create(
    caller: Admin,
    State(app): State<App>,
    JsonBody(new): JsonBody<ApplicationRequest>,
) -> Answer<(StatusCode, Json<Application>)> {
    let workspace = access::get_workspace(&app.store, &caller.workspace).await?;
    let audited = Audited::about(AuditAction::ApplicationCreated, None);
    let making = access::create_application(&app.store, &workspace, new.into());
    let id = |made: &(access::Application, Option<SecretString>)| made.0.id.to_string();
    let (own, secret) = made_in_log(&app, &caller, audited, making, id).await?;
    Ok((StatusCode::CREATED, Json(Application::with_secret(own, secret.as_ref()))))
}

/// Change an application
///
/// A JSON merge patch. Tokens that it holds may do what it may do from now on. It is in the audit log.
#[utoipa::path(
    patch,
    path = "/v1/applications/{id}",
    operation_id = "update_application",
    tag = "Applications",
    params(("id" = String, Path, description = "The application's id.")),
    request_body(content(
        (ApplicationPatch = "application/json"),
        (ApplicationPatch = "application/merge-patch+json"),
    )),
    responses((status = 200, description = "The changed application.", body = Application))
)]
pub(crate) async fn update(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ApplicationId>,
    MergePatch(patch): MergePatch<ApplicationPatch>,
) -> Answer<Json<Application>> {
    let audited = Audited::about(AuditAction::ApplicationChanged, Some(&id));
    let changing = access::change_application(&app.store, &caller.workspace, &id, patch.into());
    let own = in_log(&app, &caller, audited, changing).await?;
    Ok(Json(own.into()))
}

/// Give an application another secret
///
/// The one before opens nothing from the moment of the answer on, or once `overlap_seconds` have passed.
/// Tokens stay as they are. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/applications/{id}/rotate-secret",
    operation_id = "rotate_application_secret",
    tag = "Applications",
    params(("id" = String, Path, description = "The application's id.")),
    request_body = Option<RotationRequest>,
    responses((status = 200, description = "The application with its new secret.", body = Application))
)]
pub(crate) async fn rotate_secret(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ApplicationId>,
    OptionalJsonBody(rotation): OptionalJsonBody<RotationRequest>,
) -> Answer<Json<Application>> {
    let audited = Audited::about(AuditAction::ApplicationSecretRotated, Some(&id));
    let overlap = rotation.overlap();
    let rotating = access::rotate_client_secret(&app.store, &caller.workspace, &id, overlap);
    let (own, secret) = in_log(&app, &caller, audited, rotating).await?;
    Ok(Json(Application::with_secret(own, Some(&secret))))
}

/// Revoke an application
///
/// From the moment of the answer on its secrets and all of its tokens open nothing. It stays in the
/// list. It is in the audit log.
#[utoipa::path(
    delete,
    path = "/v1/applications/{id}",
    operation_id = "revoke_application",
    tag = "Applications",
    params(("id" = String, Path, description = "The application's id.")),
    responses((status = 200, description = "The revoked application.", body = Application))
)]
pub(crate) async fn revoke(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<ApplicationId>,
) -> Answer<Json<Application>> {
    let audited = Audited::about(AuditAction::ApplicationRevoked, Some(&id));
    let revoking = access::revoke_application(&app.store, &caller.workspace, &id);
    let own = in_log(&app, &caller, audited, revoking).await?;
    Ok(Json(own.into()))
}
