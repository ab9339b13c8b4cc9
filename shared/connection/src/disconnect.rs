//! Disconnecting: credentials destroyed, syncs stopped, history kept.

use millwright_core::{ConnectionId, Result, WorkspaceId};
use millwright_store::{Expect, Write};

use crate::{
    Admin, Connection, ConnectionContext, Occasion, Trigger, change, credentials::secret_key,
};

/// Disconnects a connection because the workspace wishes it; one that is disconnected already stays so.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such connection.
pub async fn disconnect(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Connection> {
    let occasion = Occasion::new(Trigger::Workspace, "disconnected by the workspace");
    disconnect_if(context, workspace, id, &occasion, |_| true).await
}

/// Disconnects a connection that still is as `wanted` says.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such connection.
pub async fn disconnect_if(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    occasion: &Occasion,
    wanted: impl Fn(&Connection) -> bool + Send + Sync,
) -> Result<Connection> {
    let secret = Write::delete(&secret_key(workspace, id), Expect::Anything);
    change(context, workspace, id, &[secret], |own, _| {
        if own.facts.admin == Admin::Removed || !wanted(own) {
            return Ok(None);
        }
        own.facts.admin = Admin::Removed;
        own.pending_until = None;
        Ok(Some(occasion.clone()))
    })
    .await
}
