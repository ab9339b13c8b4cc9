//! Disconnecting: credentials destroyed, syncs stopped, history kept.

use millwright_core::{ConnectionId, Result, WorkspaceId};
use millwright_event::announce;
use millwright_store::{Expect, StoreError, Write};

use crate::{
    Admin, Connection, ConnectionContext, credentials::secret_key, events::status_events,
    find_connection,
};

/// How often it is begun again when the row is written by others.
const TRIES: usize = 12;

/// Disconnects a connection; one that is disconnected already stays so.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such connection.
pub async fn disconnect(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Connection> {
    for _ in 0..TRIES {
        let mut row = find_connection(&context.store, workspace, id).await?;
        if row.doc.facts.admin == Admin::Removed {
            return Ok(row.doc);
        }
        let before = row.doc.status();
        row.doc.facts.admin = Admin::Removed;
        row.doc.status_since = context.store.clock().wall();
        row.doc.status_reason = Some("disconnected by the workspace".to_owned());
        row.doc.next_check_at = None;
        let events = status_events(context, &row.doc, before).await?;
        let mut writes = vec![
            Write::replace(&row)?,
            Write::delete(&secret_key(workspace, id), Expect::Anything),
        ];
        for event in &events {
            writes.push(event.as_write()?);
        }
        match context.store.transact(writes).await {
            Ok(()) => {
                announce(&context.queue, &events).await;
                return Ok(row.doc);
            }
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict(0).into())
}
