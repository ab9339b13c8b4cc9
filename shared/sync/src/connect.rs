//! Connecting: the connection, its secret, its credits and the first runs of its entities, in one
//! transaction.

use std::time::Duration;

use millwright_connection::{
    Admin, Connection, ConnectionContext, NewConnection, Occasion, Trigger, commit_change,
    connection_key, count_credits, created_event, find_connection, first_event, prepare,
};
use millwright_core::{ConnectionId, ErrorCode, QueueName, Result, WorkspaceId};
use millwright_event::announce;
use millwright_store::{Expect, Row, StoreError, Write};

use crate::SyncState;

/// How often it is begun again while the workspace's other connections take credits at the same time.
const TRIES: u32 = 60;
/// The longest wait between two of these tries: with a hundred at it, whoever tries again at once only
/// meets the others.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// The place of the connection's own row among what is written.
const CONNECTION: usize = 0;
/// What is said of a connection that is kept although there are no credits for it.
const SHORT: &str = "the workspace is short of credits: raise its limit and resume";

/// Makes a connection whose credentials work, and starts its first load. A pending one keeps its id.
/// Where the workspace is short of credits, one that a person connects through Link is kept as
/// `inactive`; any other is refused.
///
/// # Errors
/// As [`prepare`]; `CREDITS_EXHAUSTED`. Nothing is kept then.
pub async fn connect(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    new: NewConnection,
) -> Result<Connection> {
    connect_as(context, workspace, None, new).await
}

/// As [`connect`], with the id that the connection is to have. One that has it is this one, made by a
/// request that came before and whose answer was lost.
///
/// # Errors
/// As [`connect`].
pub async fn connect_as(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: Option<ConnectionId>,
    new: NewConnection,
) -> Result<Connection> {
    if let Some(id) = &id {
        let there = context.store.get::<Connection>(&connection_key(workspace, id)).await?;
        if let Some(there) = there {
            return Ok(there.doc);
        }
    }
    let (through_link, pending) = (new.is_through_link(), new.pending.is_some());
    let trigger = if through_link { Trigger::User } else { Trigger::Workspace };
    let prepared = prepare(context, workspace, id, new).await?;
    let (connection, secret) = (prepared.connection, prepared.secret);
    let occasion = Occasion::new(trigger, "connected");
    let mut made = Making { context, connection, secret, occasion };
    match made.keep(pending).await {
        Err(error) if through_link && error.code == ErrorCode::CreditsExhausted => {
            made.connection.without_credits(SHORT);
            made.occasion = Occasion::new(Trigger::Credits, SHORT);
            made.keep(pending).await
        }
        kept => kept,
    }
}

/// A connection that is being made.
struct Making<'a> {
    context: &'a ConnectionContext,
    connection: Connection,
    secret: Write,
    occasion: Occasion,
}

impl Making<'_> {
    /// Writes everything down, or nothing.
    async fn keep(&mut self, pending: bool) -> Result<Connection> {
        let created = created_event(self.context, &self.connection).await?;
        let states = self.first_runs();
        let mut with = vec![self.secret.clone(), created.as_write()?];
        for state in &states {
            with.push(Write::put(&state.key(), state, Expect::Absent)?);
        }
        let made = if pending { self.fill(with).await? } else { self.put(with).await? };
        announce(&self.context.queue, &[created]).await;
        for state in states.iter().filter(|state| state.run.is_some()) {
            send(self.context, state).await;
        }
        Ok(made)
    }

    /// Puts a new row.
    async fn put(&self, with: Vec<Write>) -> Result<Connection> {
        let Self { context, connection, occasion, .. } = self;
        for tries in 0..TRIES {
            pause_before(tries).await;
            let mut writes = vec![Write::put(&connection.key(), connection, Expect::Absent)?];
            writes.push(first_event(connection, occasion)?);
            writes.extend(with.clone());
            let held = connection.credits_held();
            writes.extend(count_credits(&context.store, &connection.workspace, 0, held).await?);
            match context.store.transact(writes).await {
                Ok(()) => return Ok(connection.clone()),
                // The id is its own, so what is in the way is this connection: the answer was lost, or
                // the same request was faster.
                Err(StoreError::Conflict(CONNECTION)) => {
                    let Connection { workspace, id, .. } = connection;
                    return Ok(find_connection(&context.store, workspace, id).await?.doc);
                }
                Err(StoreError::Conflict(_) | StoreError::Busy) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict(0).into())
    }

    /// Puts it in the place of the pending one.
    async fn fill(&mut self, with: Vec<Write>) -> Result<Connection> {
        for tries in 0..TRIES {
            pause_before(tries).await;
            let Connection { workspace, id, .. } = &self.connection;
            let row = find_connection(&self.context.store, workspace, id).await?;
            if self.is_kept(&row) {
                return Ok(row.doc);
            }
            row.doc.require_pending(self.context.store.clock().schedule())?;
            self.connection.take_over(&row.doc);
            let after = self.connection.clone();
            let kept =
                commit_change(self.context, &row, after, &self.occasion, with.clone()).await?;
            if let Some(kept) = kept {
                return Ok(kept);
            }
        }
        Err(StoreError::Conflict(0).into())
    }

    /// Whether it is there already: the answer to its writing was lost.
    fn is_kept(&self, row: &Row<Connection>) -> bool {
        let (own, there) = (&self.connection, &row.doc);
        let same = (&own.instance, own.last_checked_at) == (&there.instance, there.last_checked_at);
        there.facts.admin != Admin::Pending && same
    }

    /// The states of its entities: due at once, or at rest while it is not to be worked on.
    fn first_runs(&self) -> Vec<SyncState> {
        let Connection { workspace, id, facts, .. } = &self.connection;
        let now = self.context.store.clock().schedule();
        let state = |entity: &String| {
            let mut state = SyncState::new(workspace, id, entity, now);
            state.run = state.run.filter(|_| facts.admin == Admin::Enabled);
            state
        };
        self.connection.loading.iter().map(state).collect()
    }
}

/// Waits before the second and later tries, the half of it by chance.
async fn pause_before(tries: u32) {
    if tries > 0 {
        let ceiling = (Duration::from_millis(10) * (1 << tries.min(8))).min(PAUSE_MAX);
        tokio::time::sleep(ceiling.mul_f64(rand::random_range(0.5..=1.0))).await;
    }
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
