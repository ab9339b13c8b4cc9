//! `/v1/issues`.

use axum::{Json, extract::State};
use millwright_connection::{
    self as connection, IssueFilter, IssuePlace, IssueState, find_issue, list_issues, mute_issue,
};
use millwright_core::{ConnectionId, ErrorCode, IssueId, WallTime};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, Params, Reader},
    page::{Limit, Page, position},
};

const LIST: &str = "issues";

/// What kind of problem it is.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IssueKind {
    /// The system refuses the credentials: somebody must log in again.
    ReauthorizationRequired,
    /// The system cannot be reached.
    Unavailable,
    /// The syncs of an entity fail, though the system answers.
    SyncFailed,
    /// The last sync of an entity left records out.
    RecordsSkipped,
    /// The first load of an entity failed, and the connection went on without it.
    FirstLoadIncomplete,
    /// So many records of an entity have vanished that their deletions wait until somebody confirms them.
    DeletionsHeld,
}

/// Whether it lasts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IssueStatus {
    /// The problem lasts.
    Open,
    /// It is over.
    Closed,
}

/// Which issues to list.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IssueStatusFilter {
    /// Those that are open.
    #[default]
    Open,
    /// Those that are closed.
    Closed,
    /// Both.
    All,
}

/// A problem of a connection: one for each problem, however often it is met. It closes by itself when
/// the problem is over.
#[derive(Serialize, ToSchema)]
pub(crate) struct Issue {
    /// Its id.
    #[schema(value_type = String, example = "iss_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: IssueId,
    /// The connection.
    #[schema(value_type = String, example = "conn_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    connection_id: ConnectionId,
    /// What kind of problem it is.
    kind: IssueKind,
    /// The entity that it is about, where it is about one.
    #[schema(required, example = "purchase-orders")]
    entity: Option<String>,
    /// Whether it lasts.
    status: IssueStatus,
    /// The code of the error.
    #[schema(value_type = String, example = "CONNECTION_UNAVAILABLE")]
    code: ErrorCode,
    /// What it was when it was last met, in words.
    message: String,
    /// When it was first met.
    #[schema(format = DateTime)]
    opened_at: String,
    /// When it was last met, to the minute.
    #[schema(format = DateTime)]
    last_seen_at: String,
    /// When it was over.
    #[schema(required, format = DateTime)]
    closed_at: Option<String>,
    /// In how many minutes it was met.
    count: u64,
    /// Whether its events are kept back.
    muted: bool,
}

/// Which issues to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct IssueList {
    /// Only those that are open, unless told otherwise.
    #[param(inline)]
    status: Option<IssueStatusFilter>,
    /// Only those of this connection.
    #[param(value_type = String, required = false)]
    connection_id: Option<ConnectionId>,
    /// Only those of this kind.
    #[param(inline)]
    kind: Option<IssueKind>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most issues in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
}

impl From<connection::ProblemKind> for IssueKind {
    fn from(own: connection::ProblemKind) -> Self {
        use connection::ProblemKind as Own;
        match own {
            Own::ReauthorizationRequired => Self::ReauthorizationRequired,
            Own::Unavailable => Self::Unavailable,
            Own::SyncFailed => Self::SyncFailed,
            Own::RecordsSkipped => Self::RecordsSkipped,
            Own::FirstLoadIncomplete => Self::FirstLoadIncomplete,
            Own::DeletionsHeld => Self::DeletionsHeld,
        }
    }
}

impl From<IssueKind> for connection::ProblemKind {
    fn from(kind: IssueKind) -> Self {
        match kind {
            IssueKind::ReauthorizationRequired => Self::ReauthorizationRequired,
            IssueKind::Unavailable => Self::Unavailable,
            IssueKind::SyncFailed => Self::SyncFailed,
            IssueKind::RecordsSkipped => Self::RecordsSkipped,
            IssueKind::FirstLoadIncomplete => Self::FirstLoadIncomplete,
            IssueKind::DeletionsHeld => Self::DeletionsHeld,
        }
    }
}

impl From<connection::Issue> for Issue {
    fn from(own: connection::Issue) -> Self {
        Self {
            id: own.id,
            connection_id: own.connection,
            kind: own.kind.into(),
            entity: own.entity,
            status: own.closed_at.map_or(IssueStatus::Open, |_| IssueStatus::Closed),
            code: own.code,
            message: own.message,
            opened_at: own.opened_at.iso(),
            last_seen_at: own.last_seen_at.iso(),
            closed_at: own.closed_at.map(WallTime::iso),
            count: own.count,
            muted: own.muted,
        }
    }
}

/// List issues
///
/// Open ones first, the newest of each first. Closed ones are kept for 90 days.
#[utoipa::path(
    get,
    path = "/v1/issues",
    operation_id = "list_issues",
    tag = "Issues",
    params(IssueList),
    responses((status = 200, description = "A page of issues.", body = Page<Issue>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    Params(list): Params<IssueList>,
) -> Answer<Json<Page<Issue>>> {
    let state = match list.status.unwrap_or_default() {
        IssueStatusFilter::Open => Some(IssueState::Open),
        IssueStatusFilter::Closed => Some(IssueState::Closed),
        IssueStatusFilter::All => None,
    };
    let filter =
        IssueFilter { state, connection: list.connection_id, kind: list.kind.map(Into::into) };
    let after: Option<IssuePlace> = position(LIST, list.cursor.as_deref())?;
    let limit = list.limit.get();
    let (found, next) = list_issues(&app.store, &caller.workspace, &filter, after, limit).await?;
    let issues = found.into_iter().map(Issue::from).collect();
    Ok(Json(Page::at(LIST, issues, next)?))
}

/// Get an issue
#[utoipa::path(
    get,
    path = "/v1/issues/{id}",
    operation_id = "get_issue",
    tag = "Issues",
    params(("id" = String, Path, description = "The issue's id.")),
    responses((status = 200, description = "The issue.", body = Issue))
)]
pub(crate) async fn get(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<IssueId>,
) -> Answer<Json<Issue>> {
    let row = find_issue(&app.store, &caller.workspace, &id).await?;
    Ok(Json(row.doc.into()))
}

/// Mute an issue
///
/// Its `issue.closed` is not told. It closes all the same when the problem is over.
#[utoipa::path(
    post,
    path = "/v1/issues/{id}/mute",
    operation_id = "mute_issue",
    tag = "Issues",
    params(("id" = String, Path, description = "The issue's id.")),
    responses((status = 200, description = "The issue.", body = Issue))
)]
pub(crate) async fn mute(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<IssueId>,
) -> Answer<Json<Issue>> {
    Ok(Json(mute_issue(&app.store, &caller.workspace, &id, true).await?.into()))
}

/// Unmute an issue
#[utoipa::path(
    post,
    path = "/v1/issues/{id}/unmute",
    operation_id = "unmute_issue",
    tag = "Issues",
    params(("id" = String, Path, description = "The issue's id.")),
    responses((status = 200, description = "The issue.", body = Issue))
)]
pub(crate) async fn unmute(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<IssueId>,
) -> Answer<Json<Issue>> {
    Ok(Json(mute_issue(&app.store, &caller.workspace, &id, false).await?.into()))
}
