//! Connecting: the connection, its secret and the first runs of its entities, in one transaction.

use millwright_connection::{
    Connection, ConnectionContext, NewConnection, find_connection, prepare,
};
use millwright_core::{QueueName, Result, WorkspaceId};
use millwright_event::announce;
use millwright_store::{Expect, StoreError, Write};

use crate::SyncState;

/// Makes a connection whose credentials work, and starts its first load.
///
/// # Errors
/// As [`prepare`]; nothing is kept then.
pub async fn connect(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    new: NewConnection,
) -> Result<Connection> {
    let mut prepared = prepare(context, workspace, new).await?;
    let now = context.store.clock().schedule();
    let connection = prepared.connection;
    let states: Vec<SyncState> = connection
        .loading
        .iter()
        .map(|entity| SyncState::new(workspace, &connection.id, entity, now))
        .collect();
    for state in &states {
        prepared.writes.push(Write::put(&state.key(), state, Expect::Absent)?);
    }
    match context.store.transact(prepared.writes).await {
        Ok(()) => {}
        // The id is new, so the row that is in the way can only be our own: the first answer was lost.
        Err(StoreError::Conflict(_)) => {
            find_connection(&context.store, workspace, &connection.id).await?;
        }
        Err(error) => return Err(error.into()),
    }
    announce(&context.queue, &prepared.events).await;
    for state in &states {
        send(context, state).await;
    }
    Ok(connection)
}

/// Sends the work of a state that is due now. A failure is only logged: the row is due.
pub(crate) async fn send(context: &ConnectionContext, state: &SyncState) {
    let sent = match state.work() {
        Ok(work) => context.queue.send(QueueName::Sync, &work).await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        tracing::warn!(connection = %state.connection, %error, "run left to the sweep");
    }
}
