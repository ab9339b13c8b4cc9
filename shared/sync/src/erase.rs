//! Erasing a connection: a job that deletes its rows until none are left, and survives interruption.

use millwright_connection::{
    ConnectionContext, connection_key, connection_pk, disconnect, forget_hook,
};
use millwright_core::{ConnectionId, Result, WallTime, WorkspaceId};
use millwright_entities::Entity;
use millwright_job::{Job, JobKind, JobState, advance_job, announce_job};
use millwright_records::{feed_pk, records_pk};
use millwright_store::{Document, Expect, Key, Range, Row, Table, Write};
use serde::{Deserialize, Serialize};

use crate::sync_states;

/// Rows deleted at a time.
const ROWS_AT_ONCE: usize = 500;

/// A row of which only the key matters.
#[derive(Serialize, Deserialize)]
struct Any {}

impl Document for Any {}

/// Disconnects a connection and starts the job that erases it.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such connection.
pub async fn erase_connection(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Job> {
    disconnect(context, workspace, id).await?;
    let clock = context.store.clock();
    let kind = JobKind::DeleteConnection(id.clone());
    let job = Job::new(workspace, kind, clock.wall(), clock.schedule());
    context.store.write(job.as_write()?).await?;
    announce_job(&context.queue, &job, 0).await;
    Ok(job)
}

/// How far an erasing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EraseEnd {
    /// Nothing is left.
    Done,
    /// There is more, for another invocation.
    More,
    /// A slice may still be putting rows, until then at the latest.
    Busy(WallTime),
}

/// Erases as much as there is time for. It waits for slices that are under way, which would put rows
/// behind it. Deleting a row twice is harmless, so a job that was cut off simply goes on.
///
/// # Errors
/// When the table fails.
pub async fn run_erase(
    context: &ConnectionContext,
    job: &Job,
    id: &ConnectionId,
    deadline: WallTime,
) -> Result<EraseEnd> {
    let workspace = &job.workspace;
    if let Some(until) = last_lease(context, workspace, id).await? {
        return Ok(EraseEnd::Busy(until));
    }
    // Without its row the connection takes no more writes, so nothing comes after what is deleted.
    let row = Write::delete(&connection_key(workspace, id), Expect::Anything);
    context.store.write(row).await?;
    forget_hook(context, workspace, id).await?;
    for (table, pk) in partitions_of(workspace, id) {
        if !empty(context, job, table, &pk, deadline).await? {
            return Ok(EraseEnd::More);
        }
    }
    context.blob.delete_all(&format!("{workspace}/sync/{id}")).await?;
    advance_job(&context.store, job, 1, JobState::Succeeded).await?;
    Ok(EraseEnd::Done)
}

/// Everything that belongs to a connection, but for its own row.
fn partitions_of(workspace: &WorkspaceId, id: &ConnectionId) -> Vec<(Table, String)> {
    let records = |entity: &Entity| (Table::Records, records_pk(workspace, id, entity.slug));
    let mut partitions: Vec<(Table, String)> = Entity::ALL.iter().map(records).collect();
    partitions.push((Table::Records, feed_pk(workspace, id)));
    partitions.push((Table::State, connection_pk(workspace, id)));
    partitions
}

/// Deletes the rows of a partition; false when the time is up before it is empty.
async fn empty(
    context: &ConnectionContext,
    job: &Job,
    table: Table,
    pk: &str,
    deadline: WallTime,
) -> Result<bool> {
    let mut after: Option<String> = None;
    loop {
        let page = context
            .store
            .query_docs::<Any>(table, pk, &Range::All, after.as_deref(), ROWS_AT_ONCE)
            .await?;
        let keys = page.rows.into_iter().map(|row: Row<Any>| row.key);
        let writes: Vec<Write> =
            keys.map(|key: Key| Write::delete(&key, Expect::Anything)).collect();
        if !writes.is_empty() {
            let count = writes.len() as u64;
            context.store.write_batch(writes).await?;
            advance_job(&context.store, job, count, JobState::Running).await?;
        }
        match page.next {
            None => return Ok(true),
            Some(_) if context.store.clock().wall() >= deadline => return Ok(false),
            next => after = next,
        }
    }
}

/// When the last claim on one of the connection's entities ends, if one has not ended.
async fn last_lease(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Option<WallTime>> {
    let now = context.store.clock().wall();
    let states = sync_states(&context.store, workspace, id).await?;
    let held = states.iter().filter_map(|state| state.lease.until);
    Ok(held.filter(|until| *until > now).max())
}
