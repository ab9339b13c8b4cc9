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

/// Disconnects a connection for good: nothing brings it back, and `job`, which is written with it,
/// erases what is left.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such connection.
pub async fn disconnect_for_good(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    job: Write,
) -> Result<Connection> {
    let secret = Write::delete(&secret_key(workspace, id), Expect::Anything);
    let occasion = Occasion::new(Trigger::Workspace, "disconnected by the workspace");
    change(context, workspace, id, &[secret, job], |own, _| {
        own.facts.admin = Admin::Removed;
        own.pending_until = None;
        own.erasing = true;
        Ok(Some(occasion.clone()))
    })
    .await
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
