//! Erasing a connection: a job that deletes its rows until none are left, and survives interruption.

use std::time::Duration;

use millwright_connection::{
    Connection, ConnectionContext, close_issues, connection_key, connection_pk,
    disconnect_for_good, forget_hook, forget_issues, forget_lookups, forget_reconnect,
    idempotency_pk,
};
use millwright_core::{ConnectionId, Result, WallTime, WorkspaceId};
use millwright_entities::Entity;
use millwright_job::{Job, JobKind, JobState, advance_job, announce_job};
use millwright_records::{feed_pk, records_pk};
use millwright_store::{Document, Expect, Key, Range, Row, Table, Write};
use serde::{Deserialize, Serialize};

use crate::{export::exports_of, hints::hint_leases, sync_states};

/// Rows deleted at a time.
const ROWS_AT_ONCE: usize = 500;
/// How long a request that began before the connection was disconnected may go on and put rows: the
/// 29 s that API Gateway waits for an answer, and some more.
const STRAGGLERS: Duration = Duration::from_secs(35);

/// How long it is remembered how far an erasing has come.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

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
    let clock = context.store.clock();
    let kind = JobKind::DeleteConnection(id.clone());
    let job = Job::new(workspace, kind, clock.wall(), clock.schedule());
    disconnect_for_good(context, workspace, id, job.as_write()?).await?;
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
    /// Somebody may still be putting rows, until then at the latest.
    Busy(WallTime),
}

/// Erases as much as there is time for. It waits for slices and hints that are being worked on, which
/// would put rows behind it, and looks a second time once every request has ended that began before the
/// connection was disconnected. Deleting a row twice is harmless, so a job that was cut off simply goes
/// on.
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
    // Its issues are told as closed before nothing is left of them.
    if let Some(row) = context.store.get::<Connection>(&connection_key(workspace, id)).await? {
        close_issues(context, &row.doc).await?;
    }
    // Without its row the connection takes no more writes, so nothing comes after what is deleted.
    forget_row(context, workspace, id).await?;
    forget_hook(context, workspace, id).await?;
    forget_lookups(context, workspace, id).await?;
    if !forget_issues(context, workspace, id, deadline).await? {
        return Ok(EraseEnd::More);
    }
    for (table, pk) in partitions_of(workspace, id) {
        if !empty(context, job, table, &pk, deadline).await? {
            return Ok(EraseEnd::More);
        }
    }
    if !forget_answers(context, job, id, deadline).await? {
        return Ok(EraseEnd::More);
    }
    context.blob.delete_all(&format!("{workspace}/sync/{id}")).await?;
    context.blob.delete_all(&exports_of(workspace, id)).await?;
    let all_in = job.created_at + STRAGGLERS;
    if context.store.clock().wall() < all_in {
        return Ok(EraseEnd::Busy(all_in));
    }
    advance_job(&context.store, job, 1, JobState::Succeeded).await?;
    Ok(EraseEnd::Done)
}

/// Deletes the connection's row, and with it what leads to it by its address for logging in again.
async fn forget_row(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<()> {
    let key = connection_key(workspace, id);
    let Some(mut row) = context.store.get::<Connection>(&key).await? else { return Ok(()) };
    let mut writes = vec![Write::delete(&key, Expect::Version(row.version))];
    writes.extend(forget_reconnect(&mut row.doc));
    Ok(context.store.transact(writes).await?)
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

/// An answer that is kept for an idempotency key, as far as it matters whose it is.
#[derive(Serialize, Deserialize)]
struct KeptAnswer {
    #[serde(default)]
    connection: Option<ConnectionId>,
}

impl Document for KeptAnswer {}

/// How far the workspace's answers have been looked through when the time was up.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Reached {
    after: String,
    until: WallTime,
}

impl Document for Reached {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.until)
    }
}

/// Deletes the answers about the connection that are kept for idempotency keys, among all of the
/// workspace's, which are those of a day; false when the time is up before.
async fn forget_answers(
    context: &ConnectionContext,
    job: &Job,
    id: &ConnectionId,
    deadline: WallTime,
) -> Result<bool> {
    let pk = idempotency_pk(&job.workspace);
    let place = Key::state(job.workspace.as_str(), format!("erasing#{}", job.id));
    let reached = context.store.get::<Reached>(&place).await?;
    let mut after = reached.as_ref().map(|row| row.doc.after.clone());
    loop {
        let page = context
            .store
            .query_docs::<KeptAnswer>(
                Table::State,
                &pk,
                &Range::All,
                after.as_deref(),
                ROWS_AT_ONCE,
            )
            .await?;
        let own = page.rows.into_iter().filter(|row| row.doc.connection.as_ref() == Some(id));
        for row in own {
            context.blob.delete(&format!("{}/idempotency/{}", job.workspace, row.key.sk)).await?;
            context.store.write(Write::delete(&row.key, Expect::Anything)).await?;
        }
        match page.next {
            None => break,
            Some(after) if context.store.clock().wall() >= deadline => {
                let until = context.store.clock().wall() + REMEMBERED;
                let reached = Reached { after, until };
                context.store.write(Write::put(&place, &reached, Expect::Anything)?).await?;
                return Ok(false);
            }
            next => after = next,
        }
    }
    if reached.is_some() {
        // Whoever looks a second time begins anew.
        context.store.write(Write::delete(&place, Expect::Anything)).await?;
    }
    Ok(true)
}

/// When the last claim on one of the connection's entities ends, if one has not ended.
async fn last_lease(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Option<WallTime>> {
    let now = context.store.clock().wall();
    let states = sync_states(&context.store, workspace, id).await?;
    let mut held: Vec<WallTime> = states.iter().filter_map(|state| state.lease.until).collect();
    held.extend(hint_leases(&context.store, workspace, id).await?);
    Ok(held.into_iter().filter(|until| *until > now).max())
}
