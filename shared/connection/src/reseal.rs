//! Sealing the secrets of connections anew, under a young data key.

use millwright_core::{ConnectionId, Result, WallTime, WorkspaceId};

use crate::{
    Connection, ConnectionContext, ConnectionFilter,
    credentials::{SealedCredentials, secret_key},
    hook::reseal_hook,
    list_connections,
    model::connection_key,
    reconnect_url::resealed,
};

/// A stretch of a workspace's connections whose secrets are young.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resealed {
    /// How many secrets were sealed anew.
    pub done: u64,
    /// After which connection to go on; nothing at the end.
    pub next: Option<ConnectionId>,
}

/// Seals the secrets of at most `limit` connections after `after` anew whose data keys were made before
/// `since`: credentials with their tokens, addresses of webhooks, addresses for logging in again.
/// Harmless while they are used, and to do twice.
///
/// # Errors
/// When the table or the vault fails.
pub async fn reseal_connections(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    since: WallTime,
    after: Option<&ConnectionId>,
    limit: usize,
) -> Result<Resealed> {
    let all = ConnectionFilter::default();
    let (page, next) = list_connections(&context.store, workspace, &all, after, limit).await?;
    let mut done = 0;
    for connection in &page {
        done += u64::from(reseal_credentials(context, connection, since).await?);
        done += u64::from(reseal_hook(context, connection, since).await?);
        done += u64::from(reseal_reconnect(context, connection, since).await?);
    }
    Ok(Resealed { done, next })
}

async fn reseal_credentials(
    context: &ConnectionContext,
    connection: &Connection,
    since: WallTime,
) -> Result<bool> {
    let Connection { workspace, id, .. } = connection;
    let key = secret_key(workspace, id);
    let decide = |row: SealedCredentials| async move {
        let young = context.vault.reseal(workspace, id.as_str(), &row.sealed, since).await?;
        Ok(young.map(|sealed| SealedCredentials { sealed, oauth: row.oauth }))
    };
    context.store.modify_slowly(&key, decide).await
}

async fn reseal_reconnect(
    context: &ConnectionContext,
    connection: &Connection,
    since: WallTime,
) -> Result<bool> {
    let key = connection_key(&connection.workspace, &connection.id);
    let decide = |row: Connection| async move { resealed(context, &row, since).await };
    context.store.modify_slowly(&key, decide).await
}
