//! Taking a link back.

use millwright_core::{Error, ErrorCode, LinkId, Result, WorkspaceId};

use super::{ConnectLink, FoundLink, LinkState, find_link, row::link_key};
use crate::{ConnectionContext, disconnect};

/// Takes a link back: from the moment of the answer on it opens nothing, and its pending connection is
/// disconnected. One that has
/// expired is told as revoked afterwards.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such link; `STATE_CONFLICT` when it is spent: its connection
/// is disconnected by itself.
pub async fn revoke_link(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &LinkId,
) -> Result<FoundLink> {
    let found = find_link(context, workspace, id).await?;
    if found.state == LinkState::Spent {
        let message = "the link is spent: disconnect the connection that was made with it";
        return Err(Error::new(ErrorCode::StateConflict, message));
    }
    let (key, now) = (link_key(workspace, id), context.store.clock().wall());
    let revoke = |link: &mut ConnectLink| {
        link.revoked_at.get_or_insert(now);
        Ok(())
    };
    let revoked = context.store.modify(&key, revoke).await?;
    let (row, ()) = revoked.ok_or_else(|| Error::not_found("connect link"))?;
    let connection = disconnect(context, workspace, &row.doc.connection).await?;
    Ok(FoundLink::new(context, row.doc, Some(connection)))
}
