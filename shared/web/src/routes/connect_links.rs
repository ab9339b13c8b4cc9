//! `/v1/connect-links`.

use std::time::Duration;

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_access::{AuditAction, Audited, get_application};
use millwright_connection::link::{
    self, FoundLink, LINK_LIFE_DEFAULT, NewLink, create_link, find_link, list_links, revoke_link,
};
use millwright_core::{
    ApplicationId, ConnectionId, Error, ErrorCode, ExposeSecret, FieldError, LinkId, WallTime,
};
use millwright_sync::METADATA_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    audit_log::{in_log, made_in_log},
    connection_view::Customer,
};
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, JsonBody, Params, Reader},
    page::{Page, Paged, position},
};

const LIST: &str = "connect-links";

/// How a connect link is.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConnectLinkStatus {
    /// It can be used.
    Open,
    /// A system was connected with it.
    Spent,
    /// Its time is up.
    Expired,
    /// It was taken back, or its pending connection was disconnected.
    Revoked,
}

/// One customer's address for connecting a system.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectLink {
    /// Its id.
    #[schema(value_type = String, example = "link_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: LinkId,
    /// The address to give to the customer: in the answer that made the link, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://api.example.com/link/...")]
    url: Option<String>,
    /// How it is. It is spent when connecting succeeds, not when it is opened.
    status: ConnectLinkStatus,
    /// The connection that it makes: `pending` until it has.
    #[schema(value_type = String, example = "conn_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    connection_id: ConnectionId,
    /// The connection's name; the system's own when null.
    #[schema(required)]
    name: Option<String>,
    /// The customer it is for.
    #[schema(required)]
    customer: Option<Customer>,
    /// The workspace's own notes on the connection.
    metadata: Map<String, Value>,
    /// The kinds of systems that may be connected; all of them when empty.
    #[schema(example = json!(["tryton"]))]
    connector_ids: Vec<String>,
    /// The application whose name and logo the pages show.
    #[schema(required, value_type = Option<String>)]
    application_id: Option<ApplicationId>,
    /// Where its user goes afterwards.
    #[schema(required)]
    return_url: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// Until when it can be used.
    #[schema(format = DateTime)]
    expires_at: String,
    /// When it was taken back, if it was.
    #[schema(required, format = DateTime)]
    revoked_at: Option<String>,
}

impl From<FoundLink> for ConnectLink {
    fn from(FoundLink { link, state, .. }: FoundLink) -> Self {
        Self {
            id: link.id,
            url: None,
            status: match state {
                link::LinkState::Open => ConnectLinkStatus::Open,
                link::LinkState::Spent => ConnectLinkStatus::Spent,
                link::LinkState::Expired => ConnectLinkStatus::Expired,
                link::LinkState::Revoked => ConnectLinkStatus::Revoked,
            },
            connection_id: link.connection,
            name: link.name,
            customer: link.customer.map(Customer::from),
            metadata: link.metadata,
            connector_ids: link.connector_ids,
            application_id: link.application_id,
            return_url: link.return_url,
            created_at: link.created_at.iso(),
            expires_at: link.expires_at.iso(),
            revoked_at: link.revoked_at.map(WallTime::iso),
        }
    }
}

/// The connect link to make. What it says cannot be changed by whoever opens it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectLinkRequest {
    /// The connection's name; the system's own when not given.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// The customer it is for.
    #[serde(default)]
    customer: Option<Customer>,
    /// The workspace's own notes on the connection: at most 16 KB.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// The kinds of systems that may be connected: of `GET /v1/connectors`. All of them when not given.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["tryton"]))]
    connector_ids: Vec<String>,
    /// The application whose name and logo the pages show.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    application_id: Option<String>,
    /// Where its user goes afterwards, with `connection_id` in the query (`error=access_denied` when
    /// nothing was connected): an `https://` address.
    #[serde(default)]
    #[schema(max_length = 2000)]
    return_url: Option<String>,
    /// For how many seconds it can be used: a week unless told otherwise, at most 90 days.
    #[serde(default)]
    #[schema(minimum = 60, maximum = 7_776_000, default = 604_800)]
    expires_in: Option<u32>,
}

impl ConnectLinkRequest {
    /// The link, unless something is wrong with it.
    async fn checked(self, app: &App, caller: &Admin) -> Result<NewLink, Error> {
        let mut faults = Vec::new();
        let mut fault = |path: &str, why: &str| {
            faults.push(FieldError::new(path, ErrorCode::ValidationFailed, why));
        };
        if Value::Object(self.metadata.clone()).to_string().len() > METADATA_MAX {
            fault("metadata", "must have at most 16 KB as JSON");
        }
        let application = match &self.application_id {
            Some(text) => {
                let own = known_application(app, caller, text).await?;
                if own.is_none() {
                    fault("application_id", "there is no such application in this workspace");
                }
                own
            }
            None => None,
        };
        let life = self.expires_in.map(|seconds| Duration::from_secs(seconds.into()));
        let new = NewLink {
            name: self.name,
            customer: self.customer.map(Into::into),
            metadata: self.metadata,
            connector_ids: self.connector_ids,
            application_id: application,
            return_url: self.return_url,
            life: life.unwrap_or(LINK_LIFE_DEFAULT),
        };
        faults.extend(new.faults(&app.connections()));
        Error::from_fields(faults).map_or(Ok(new), Err)
    }
}

async fn known_application(
    app: &App,
    caller: &Admin,
    text: &str,
) -> Result<Option<ApplicationId>, Error> {
    let Ok(id) = text.parse::<ApplicationId>() else { return Ok(None) };
    match get_application(&app.store, &caller.workspace, &id).await {
        Ok(application) => Ok(Some(application.id)),
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// List connect links
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/v1/connect-links",
    operation_id = "list_connect_links",
    tag = "Connections",
    params(Paged),
    responses((status = 200, description = "A page of links.", body = Page<ConnectLink>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    Params(asked): Params<Paged>,
) -> Answer<Json<Page<ConnectLink>>> {
    let after: Option<LinkId> = position(LIST, asked.cursor.as_deref())?;
    let (context, limit) = (app.connections(), asked.limit.get());
    let (found, next) = list_links(&context, &caller.workspace, after.as_ref(), limit).await?;
    let links = found.into_iter().map(ConnectLink::from).collect();
    Ok(Json(Page::at(LIST, links, next)?))
}

/// Get a connect link
#[utoipa::path(
    get,
    path = "/v1/connect-links/{id}",
    operation_id = "get_connect_link",
    tag = "Connections",
    params(("id" = String, Path, description = "The link's id.")),
    responses((status = 200, description = "The link.", body = ConnectLink))
)]
pub(crate) async fn get(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<LinkId>,
) -> Answer<Json<ConnectLink>> {
    let found = find_link(&app.connections(), &caller.workspace, &id).await?;
    Ok(Json(found.into()))
}

/// Make a connect link
///
/// An address for one customer, who connects a system there on hosted pages. Its connection is there
/// at once, `pending`. The address is in this answer and nowhere else afterwards. It is in the audit
/// log.
#[utoipa::path(
    post,
    path = "/v1/connect-links",
    operation_id = "create_connect_link",
    tag = "Connections",
    request_body = ConnectLinkRequest,
    responses((status = 201, description = "The link with its address.", body = ConnectLink))
)]
pub(crate) async fn create(
    caller: Admin,
    State(app): State<App>,
    JsonBody(request): JsonBody<ConnectLinkRequest>,
) -> Answer<(StatusCode, Json<ConnectLink>)> {
    let new = request.checked(&app, &caller).await?;
    let context = app.connections();
    let making = create_link(&context, &caller.workspace, new);
    let audited = Audited::about(AuditAction::ConnectLinkCreated, None);
    let made = made_in_log(&app, &caller, audited, making, |(found, _)| found.link.id.to_string());
    let (found, url) = made.await?;
    let url = Some(url.expose_secret().to_owned());
    Ok((StatusCode::CREATED, Json(ConnectLink { url, ..found.into() })))
}

/// Revoke a connect link
///
/// From the moment of the answer on it opens nothing, and its pending connection is disconnected. A
/// spent link is a conflict: disconnect its connection instead. It is in the audit log.
#[utoipa::path(
    delete,
    path = "/v1/connect-links/{id}",
    operation_id = "revoke_connect_link",
    tag = "Connections",
    params(("id" = String, Path, description = "The link's id.")),
    responses((status = 200, description = "The revoked link.", body = ConnectLink))
)]
pub(crate) async fn revoke(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<LinkId>,
) -> Answer<Json<ConnectLink>> {
    let context = app.connections();
    let revoking = revoke_link(&context, &caller.workspace, &id);
    let audited = Audited::about(AuditAction::ConnectLinkRevoked, Some(&id));
    let found = in_log(&app, &caller, audited, revoking).await?;
    Ok(Json(found.into()))
}
