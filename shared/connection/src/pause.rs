//! Pausing: the credits stay, nothing is called.

use millwright_core::{ConnectionId, Error, ErrorCode, Result, WorkspaceId};

use crate::{Admin, Connection, ConnectionContext, Now, Occasion, Trigger, change};

/// Pauses a connection: its syncs rest from their next page on, and nothing is sent to its system until
/// it is resumed. It keeps its credits. One that is paused already stays so.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such connection; `CONNECTION_PENDING`,
/// `CONNECTION_DISCONNECTED`, and `STATE_CONFLICT` for one that has no credits.
pub async fn pause(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Connection> {
    change(context, workspace, id, &[], pausing).await
}

fn pausing(connection: &mut Connection, _: Now) -> Result<Option<Occasion>> {
    match connection.facts.admin {
        Admin::Paused => Ok(None),
        Admin::Enabled => {
            connection.facts.admin = Admin::Paused;
            Ok(Some(Occasion::new(Trigger::Workspace, "paused by the workspace")))
        }
        Admin::NoCredits => {
            let message = "the connection is inactive already: the workspace has no credits for it";
            Err(Error::new(ErrorCode::StateConflict, message))
        }
        Admin::Pending | Admin::Removed => connection.status().allow_information().map(|()| None),
    }
}
