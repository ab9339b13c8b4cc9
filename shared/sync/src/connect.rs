//! Connecting: the connection, its secret, its credits and the first runs of its entities, in one
//! transaction.

use std::{collections::BTreeMap, time::Duration};

use millwright_connection::{
    Admin, Connection, ConnectionContext, Load, NewConnection, Occasion, Trigger, commit_change,
    connection_key, count_credits, created_event, find_connection, first_event, prepare,
};
use millwright_core::{ConnectionId, Error, ErrorCode, FieldError, QueueName, Result, WorkspaceId};
use millwright_event::announce;
use millwright_store::{Expect, Row, StoreError, Write};

use crate::{NextRun, SyncSettings, SyncState, order};

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
    connect_with(context, workspace, id, new, &BTreeMap::new()).await
}

/// As [`connect_as`], with settings for the syncs of some entities.
///
/// # Errors
/// As [`connect`]; the faulty fields of the settings, below `syncs`.
pub async fn connect_with(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: Option<ConnectionId>,
    new: NewConnection,
    syncs: &BTreeMap<String, SyncSettings>,
) -> Result<Connection> {
    let manifest = context.engine.catalog().get(&new.connector_id);
    let known = |entity: &str| manifest.is_none_or(|own| own.entity(entity).is_some());
    Error::from_fields(settings_faults(syncs, known)).map_or(Ok(()), Err)?;
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
    let mut made = Making { context, connection, secret, occasion, syncs, states: Vec::new() };
    made.plan_loads();
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
    syncs: &'a BTreeMap<String, SyncSettings>,
    /// The states of its entities: due at once, later where others come first, or at rest while it is
    /// not to be worked on.
    states: Vec<SyncState>,
}

impl Making<'_> {
    /// Writes everything down, or nothing.
    async fn keep(&mut self, pending: bool) -> Result<Connection> {
        let created = created_event(self.context, &self.connection).await?;
        let states = self.first_runs();
        let now = self.context.store.clock().schedule();
        let mut with = vec![self.secret.clone(), created.as_write()?];
        for state in &states {
            with.push(Write::put(&state.key(), state, Expect::Absent)?);
        }
        let made = if pending { self.fill(with).await? } else { self.put(with).await? };
        announce(&self.context.queue, &[created]).await;
        for state in states.iter().filter(|state| state.run.is_some_and(|run| run.at <= now)) {
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

    /// Makes the states, references first. What is off is not loaded, and nobody waits for it.
    fn plan_loads(&mut self) {
        let now = self.context.store.clock().schedule();
        let Connection { workspace, id, loading, .. } = &mut self.connection;
        let mut states: Vec<SyncState> = loading
            .iter()
            .map(|entity| {
                let mut state = SyncState::new(workspace, id, entity, now);
                state.settings = self.syncs.get(entity).cloned().unwrap_or_default();
                state.run = state.run.filter(|_| state.settings.is_on());
                state
            })
            .collect();
        let free: Vec<String> =
            order::free(&states).into_iter().map(|state| state.entity.clone()).collect();
        for state in states.iter_mut().filter(|state| !free.contains(&state.entity)) {
            let later = now + order::REFERENCES_WAIT;
            state.run = state.run.map(|_| NextRun::at(now, later));
        }
        loading.retain(|entity| {
            states.iter().any(|own| own.entity == *entity && own.settings.is_on())
        });
        if loading.is_empty() {
            self.connection.facts.load = Load::Done;
        }
        self.states = states;
    }

    /// The states as they are to be put.
    fn first_runs(&self) -> Vec<SyncState> {
        let works = self.connection.facts.admin == Admin::Enabled;
        let mut states = self.states.clone();
        states.iter_mut().for_each(|state| state.run = state.run.filter(|_| works));
        states
    }
}

/// What is wrong with settings of syncs, by their places in the body.
fn settings_faults(
    syncs: &BTreeMap<String, SyncSettings>,
    known: impl Fn(&str) -> bool,
) -> Vec<FieldError> {
    let faults = syncs.iter().flat_map(|(entity, settings)| {
        let unknown = (!known(entity)).then(|| {
            let message = "is no entity of this connector";
            FieldError::new(format!("syncs.{entity}"), ErrorCode::ValidationFailed, message)
        });
        let own = settings.faults().into_iter().map(move |fault| FieldError {
            path: format!("syncs.{entity}.{}", fault.path),
            ..fault
        });
        unknown.into_iter().chain(own).collect::<Vec<_>>()
    });
    faults.collect()
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
