//! All issues of a connection together.

use millwright_core::{ConnectionId, Error, Result, WallTime, WorkspaceId};
use millwright_event::announce;
use millwright_store::{Expect, Range, StoreError, Table, Write};

use super::{
    list::{IssueFilter, list_issues},
    model::{IssueState, OPEN_PREFIX, OpenIssue, issue_key},
    raise::closed,
};
use crate::{Connection, ConnectionContext, connection_pk};

/// How often closing begins again when others write at the same time.
const TRIES: usize = 12;
/// Issues deleted at a time.
const AT_ONCE: usize = 100;

/// Closes every open issue of a connection, which is disconnected. Doing it again does nothing.
///
/// # Errors
/// When the table fails.
pub async fn close_issues(context: &ConnectionContext, connection: &Connection) -> Result<()> {
    let pk = connection_pk(&connection.workspace, &connection.id);
    let range = Range::Prefix(OPEN_PREFIX.to_owned());
    for _ in 0..TRIES {
        let open = context.store.query_all::<OpenIssue>(Table::State, &pk, &range).await?;
        if open.is_empty() {
            return Ok(());
        }
        for row in open {
            let changes = closed(context, connection, row).await?;
            match context.store.transact(changes.writes).await {
                Ok(()) => announce(&context.queue, &changes.messages).await,
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(Error::internal(StoreError::Conflict(0)))
}

/// Deletes what is kept of a connection's issues: part of erasing it. False when the time is up before
/// all are gone.
///
/// # Errors
/// When the table fails.
pub async fn forget_issues(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    deadline: WallTime,
) -> Result<bool> {
    let filter = IssueFilter { connection: Some(connection.clone()), ..IssueFilter::default() };
    let mut after = None;
    loop {
        let (found, next) = list_issues(&context.store, workspace, &filter, after, AT_ONCE).await?;
        let rows = found.iter().map(|issue| {
            let state = issue.closed_at.map_or(IssueState::Open, |_| IssueState::Closed);
            Write::delete(&issue_key(workspace, &issue.id, state), Expect::Anything)
        });
        let rows: Vec<Write> = rows.collect();
        if !rows.is_empty() {
            context.store.write_batch(rows).await?;
        }
        match next {
            None => return Ok(true),
            Some(_) if context.store.clock().wall() >= deadline => return Ok(false),
            next => after = next,
        }
    }
}
