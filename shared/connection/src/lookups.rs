//! Rows elsewhere that lead to a connection, such as one that is found by the hash of a secret. Each is
//! listed by a row among the connection's own, so that erasing finds it whatever made it.

use millwright_core::{ConnectionId, Result, WallTime, WorkspaceId};
use millwright_store::{Document, Expect, Key, Range, Table, Write};
use serde::{Deserialize, Serialize};

use crate::{ConnectionContext, connection_pk};

const PREFIX: &str = "lookup#";

/// Where a row of the table `state` is.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct LookUp {
    pk: String,
    sk: String,
    /// Until when it is there.
    #[serde(default)]
    until: Option<WallTime>,
}

impl Document for LookUp {
    fn expires_at(&self) -> Option<WallTime> {
        self.until
    }
}

fn list_key(workspace: &WorkspaceId, connection: &ConnectionId, at: &Key) -> Key {
    Key::state(connection_pk(workspace, connection), format!("{PREFIX}{}#{}", at.pk, at.sk))
}

/// Lists a row of the table `state` as one that leads to a connection: for the transaction that makes
/// it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn list_lookup(workspace: &WorkspaceId, connection: &ConnectionId, at: &Key) -> Result<Write> {
    listed(workspace, connection, at, None)
}

/// The same for a row that is there until a time.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn list_lookup_until(
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    at: &Key,
    until: WallTime,
) -> Result<Write> {
    listed(workspace, connection, at, Some(until))
}

fn listed(
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    at: &Key,
    until: Option<WallTime>,
) -> Result<Write> {
    let doc = LookUp { pk: at.pk.clone(), sk: at.sk.clone(), until };
    Ok(Write::put(&list_key(workspace, connection, at), &doc, Expect::Anything)?)
}

/// Takes it off the list: for the transaction that deletes it.
#[must_use]
pub fn unlist_lookup(workspace: &WorkspaceId, connection: &ConnectionId, at: &Key) -> Write {
    Write::delete(&list_key(workspace, connection, at), Expect::Anything)
}

/// Deletes every row that is listed. The list itself goes with the connection's other rows.
///
/// # Errors
/// When the table fails.
pub async fn forget_lookups(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
) -> Result<()> {
    let (pk, range) = (connection_pk(workspace, connection), Range::Prefix(PREFIX.to_owned()));
    let mut after: Option<String> = None;
    loop {
        let page = context
            .store
            .query::<LookUp>(Table::State, &pk, &range, after.as_deref(), 100, true)
            .await?;
        let gone = |LookUp { pk, sk, .. }| Write::delete(&Key::state(pk, sk), Expect::Anything);
        let writes: Vec<Write> = page.rows.into_iter().map(|row| gone(row.doc)).collect();
        context.store.write_batch(writes).await?;
        let Some(next) = page.next else { return Ok(()) };
        after = Some(next);
    }
}

/// The partition of a workspace's answers that are kept for idempotency keys.
#[must_use]
pub fn idempotency_pk(workspace: &WorkspaceId) -> String {
    format!("{workspace}#idempotency")
}
