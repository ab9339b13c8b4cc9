//! `/v1/connections/{id}/events`: the history of a connection's status.

use axum::{Json, extract::State};
use millwright_connection::{self as connection, find_connection, list_events};
use millwright_core::{ConnectionEventId, ConnectionId};
use serde::Serialize;
use utoipa::ToSchema;

use super::connection_view::ConnectionStatus;
use crate::{
    App,
    error::Answer,
    extract::{IdPath, Params, Reader},
    page::{Page, Paged, position},
};

const LIST: &str = "connection-events";

/// What brought a change of status about.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConnectionEventTrigger {
    /// A call about the connection's data.
    Call,
    /// A sync.
    Sync,
    /// A look at the system's health that nobody asked for.
    Check,
    /// Somebody of the workspace.
    Workspace,
    /// The customer's user, on the hosted pages.
    User,
    /// A time that ran out.
    Expiry,
    /// The workspace's credits.
    Credits,
}

/// One change of a connection's status.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectionEvent {
    /// Its id.
    #[schema(value_type = String, example = "cev_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: ConnectionEventId,
    /// When it was.
    #[schema(format = DateTime)]
    at: String,
    /// The status before; null when the connection was made.
    #[schema(required)]
    from: Option<ConnectionStatus>,
    /// The status after.
    to: ConnectionStatus,
    /// Why, in words.
    reason: String,
    /// What brought it about.
    trigger: ConnectionEventTrigger,
}

impl From<connection::Trigger> for ConnectionEventTrigger {
    fn from(own: connection::Trigger) -> Self {
        match own {
            connection::Trigger::Call => Self::Call,
            connection::Trigger::Sync => Self::Sync,
            connection::Trigger::Check => Self::Check,
            connection::Trigger::Workspace => Self::Workspace,
            connection::Trigger::User => Self::User,
            connection::Trigger::Expiry => Self::Expiry,
            connection::Trigger::Credits => Self::Credits,
        }
    }
}

impl From<connection::ConnectionEvent> for ConnectionEvent {
    fn from(own: connection::ConnectionEvent) -> Self {
        Self {
            id: own.id,
            at: own.at.iso(),
            from: own.from.map(Into::into),
            to: own.to.into(),
            reason: own.reason,
            trigger: own.trigger.into(),
        }
    }
}

/// List the changes of a connection's status
///
/// Newest first. All of them are here, also those that came and went too quickly to be told by
/// webhook. They are kept as long as the connection is.
#[utoipa::path(
    get,
    path = "/v1/connections/{id}/events",
    operation_id = "list_connection_events",
    tag = "Connections",
    params(("id" = String, Path, description = "The connection's id."), Paged),
    responses((status = 200, description = "A page of changes.", body = Page<ConnectionEvent>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<ConnectionId>,
    Params(asked): Params<Paged>,
) -> Answer<Json<Page<ConnectionEvent>>> {
    let connection = find_connection(&app.store, &caller.workspace, &id).await?.doc;
    let name = format!("{LIST}/{id}");
    let before: Option<ConnectionEventId> = position(&name, asked.cursor.as_deref())?;
    let limit = asked.limit.get();
    let (events, next) = list_events(&app.store, &connection, before.as_ref(), limit).await?;
    let events = events.into_iter().map(ConnectionEvent::from).collect();
    Ok(Json(Page::at(&name, events, next)?))
}
