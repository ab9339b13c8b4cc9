//! Reading sync states.

use millwright_connection::connection_pk;
use millwright_core::{ConnectionId, Result, WorkspaceId};
use millwright_store::{Range, Row, Store, Table};

use crate::SyncState;

/// The sync states of a connection's entities, by name.
///
/// # Errors
/// When the table fails.
pub async fn sync_states(
    store: &Store,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
) -> Result<Vec<SyncState>> {
    let pk = connection_pk(workspace, connection);
    let range = Range::Prefix("sync#".to_owned());
    let rows: Vec<Row<SyncState>> = store.query_all(Table::State, &pk, &range).await?;
    Ok(rows.into_iter().map(|row| row.doc).collect())
}
