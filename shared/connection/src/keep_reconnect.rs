//! An address for logging in again, because the workspace asks for one.

use millwright_core::{ConnectionId, Result, WorkspaceId};
use millwright_store::{StoreError, Write};

use crate::{
    Connection, ConnectionContext,
    credits::{TRIES, pause_before},
    find_connection, new_reconnect,
};

/// Gives a connection an address where somebody can log in again, whatever its status; one that it has
/// already stays. It is dead once somebody has.
///
/// # Errors
/// `NOT_FOUND`; `CONNECTION_PENDING` for one whose user has yet to log in at all;
/// `CONNECTION_DISCONNECTED` for one whose user never did; when the vault fails.
pub async fn keep_reconnect(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Connection> {
    for tries in 0..TRIES {
        pause_before(tries).await;
        let mut row = find_connection(&context.store, workspace, id).await?;
        row.doc.require_connected()?;
        let Some(look_up) = new_reconnect(context, &mut row.doc).await? else {
            return Ok(row.doc);
        };
        if let Some(secret) = &mut row.doc.reconnect {
            secret.asked_for = true;
        }
        match context.store.transact(vec![Write::replace(&row)?, look_up]).await {
            Ok(()) => return Ok(row.doc),
            Err(StoreError::Conflict(_) | StoreError::Busy) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict(0).into())
}
