//! What a system's own webhooks tell: which records to read again. Hints wait in one row for each
//! entity, each record once, however often it is told of; one worker at a time reads the records and
//! commits what it finds. A hint is not believed: a deletion is one only when the record is not found.

mod reading;
mod work;

use std::collections::BTreeMap;

use millwright_connection::{Connection, ConnectionContext, connection_key, connection_pk};
use millwright_connector::{HINTS_MAX, Hint};
use millwright_core::{
    ConnectionId, Error, QueueName, Result, ScheduleTime, WallTime, Work, WorkspaceId,
};
use millwright_records::CommitId;
use millwright_store::{Document, Due, Expect, Key, Lease, Range, Store, StoreError, Table, Write};
use serde::{Deserialize, Serialize};

pub use work::{HintsEnd, run_hints};

/// The most records of an entity that wait: beyond them a sync finds what has changed.
const WAITING_MAX: usize = HINTS_MAX;
/// The longest remote id that is taken, in bytes.
const ID_MAX: usize = 200;
/// How often it is begun again when others tell of the same entity at the same time.
const TRIES: usize = 12;

/// The records of an entity that are to be read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hints {
    workspace: WorkspaceId,
    connection: ConnectionId,
    entity: String,
    /// How many hints there have been.
    told: u64,
    /// The records by their remote ids, with the number of the last hint about each.
    waiting: BTreeMap<String, u64>,
    /// Whether there were too many: a sync is to be asked for.
    overflown: bool,
    /// Failures in a row.
    failures: u32,
    /// When they are to be worked on; nothing when none waits.
    run: Option<ScheduleTime>,
}

impl Hints {
    fn new(connection: &Connection, entity: &str) -> Self {
        Self {
            workspace: connection.workspace.clone(),
            connection: connection.id.clone(),
            entity: entity.to_owned(),
            told: 0,
            waiting: BTreeMap::new(),
            overflown: false,
            failures: 0,
            run: None,
        }
    }

    /// Adds a hint about a record.
    fn add(&mut self, remote_id: &str) {
        self.told += 1;
        let known = self.waiting.contains_key(remote_id);
        if remote_id.len() > ID_MAX || (!known && self.waiting.len() >= WAITING_MAX) {
            self.overflown = true;
        } else {
            self.waiting.insert(remote_id.to_owned(), self.told);
        }
    }

    /// Takes out what has been read. A record that was told of again meanwhile stays.
    fn done(&mut self, read: &BTreeMap<String, u64>) {
        self.failures = 0;
        self.waiting.retain(|id, number| read.get(id) != Some(number));
        if self.waiting.is_empty() && !self.overflown {
            self.run = None;
        }
    }

    /// Whether there are some that nobody works on: the connection was not wanted.
    fn rests(&self) -> bool {
        self.run.is_none() && (!self.waiting.is_empty() || self.overflown)
    }

    fn work(&self) -> Result<Work> {
        let task = HintTask {
            workspace: self.workspace.clone(),
            connection: self.connection.clone(),
            entity: self.entity.clone(),
        };
        Work::new(self.connection.as_str(), &Tagged::Hints(task))
    }
}

impl Document for Hints {
    fn due(&self) -> Option<Due> {
        let at = self.run?;
        Some(Due::at(QueueName::Sync, at, at, self.work().ok()?))
    }
}

/// Who works on an entity's hints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct HintWorker {
    lease: Lease,
    /// Commits of earlier holders whose pages never came to be. Their records wait still: each is told
    /// when it is committed again, so these are kept until none waits.
    unfinished: Vec<CommitId>,
}

impl Document for HintWorker {}

/// What the sync queue carries: the hints of one entity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HintTask {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The connection.
    pub connection: ConnectionId,
    /// The entity.
    pub entity: String,
}

/// The task's tag on the queue, beside the other work of that queue.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Tagged {
    Hints(HintTask),
}

fn hints_key(workspace: &WorkspaceId, connection: &ConnectionId, entity: &str) -> Key {
    Key::state(connection_pk(workspace, connection), format!("hints#{entity}"))
}

fn worker_key(workspace: &WorkspaceId, connection: &ConnectionId, entity: &str) -> Key {
    Key::state(connection_pk(workspace, connection), format!("hinted#{entity}"))
}

/// Whether nobody works on an entity's hints, nor did and died: no row holds what its worker put and has
/// not told.
pub(crate) async fn hints_rest(
    store: &Store,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    entity: &str,
) -> Result<bool> {
    let worker = store.get::<HintWorker>(&worker_key(workspace, connection, entity)).await?;
    Ok(worker.is_none_or(|row| row.doc.lease.until.is_none() && row.doc.unfinished.is_empty()))
}

/// Until when each of a connection's entities' hints are being worked on.
pub(crate) async fn hint_leases(
    store: &Store,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
) -> Result<Vec<WallTime>> {
    let range = Range::Prefix("hinted#".to_owned());
    let pk = connection_pk(workspace, connection);
    let rows = store.query_all::<HintWorker>(Table::State, &pk, &range).await?;
    Ok(rows.into_iter().filter_map(|row| row.doc.lease.until).collect())
}

/// Works on an entity's hints again that were kept while the connection was not wanted.
pub(crate) async fn wake_hints(context: &ConnectionContext, task: &HintTask) -> Result<()> {
    let key = hints_key(&task.workspace, &task.connection, &task.entity);
    if !context.store.get::<Hints>(&key).await?.is_some_and(|row| row.doc.rests()) {
        return Ok(());
    }
    let now = context.store.clock().schedule();
    let run = |hints: &mut Hints| {
        if hints.rests() {
            hints.run = Some(now);
        }
        Ok(())
    };
    match context.store.modify(&key, run).await? {
        Some((row, ())) => send(context, &row.doc).await,
        None => Ok(()),
    }
}

/// Keeps hints until they have been worked on, and sends the work, unless it waits already. While the
/// connection is not wanted they rest; the next hint, or the next sync, sends the work again.
///
/// # Errors
/// When the table fails, or the connection is gone.
pub async fn accept_hints(
    context: &ConnectionContext,
    connection: &Connection,
    hints: &[Hint],
) -> Result<()> {
    let mut by_entity: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for hint in hints {
        by_entity.entry(&hint.entity).or_default().push(&hint.remote_id);
    }
    for (entity, ids) in by_entity {
        keep(context, connection, entity, &ids).await?;
    }
    Ok(())
}

async fn keep(
    context: &ConnectionContext,
    connection: &Connection,
    entity: &str,
    ids: &[&str],
) -> Result<()> {
    let Connection { workspace, id, .. } = connection;
    let key = hints_key(workspace, id, entity);
    for _ in 0..TRIES {
        let row = context.store.get::<Hints>(&key).await?;
        let expect = row.as_ref().map_or(Expect::Absent, |row| Expect::Version(row.version));
        let mut doc = row.map_or_else(|| Hints::new(connection, entity), |row| row.doc);
        ids.iter().for_each(|id| doc.add(id));
        let idle = doc.run.is_none();
        if idle {
            doc.run = Some(context.store.clock().schedule());
        }
        // A connection that is being erased takes no more rows.
        let there = Write::check(&connection_key(workspace, id), Expect::Present);
        match context.store.transact(vec![Write::put(&key, &doc, expect)?, there]).await {
            Ok(()) if idle => return send(context, &doc).await,
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict(0) | StoreError::Busy) => {}
            Err(StoreError::Conflict(_)) => return Err(Error::not_found("connection")),
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict(0).into())
}

/// Sends the work. A failure is only logged: the row is due.
async fn send(context: &ConnectionContext, hints: &Hints) -> Result<()> {
    if let Err(error) = context.queue.send(QueueName::Sync, &hints.work()?).await {
        tracing::warn!(connection = %hints.connection, %error, "hints left to the sweep");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints() -> Hints {
        Hints {
            workspace: WorkspaceId::new_at(1),
            connection: ConnectionId::new_at(1),
            entity: "topics".to_owned(),
            told: 0,
            waiting: BTreeMap::new(),
            overflown: false,
            failures: 0,
            run: Some(ScheduleTime::from_millis(1)),
        }
    }

    #[test]
    fn a_record_waits_once_however_often_it_is_told_of() {
        let mut hints = hints();
        (0..1000).for_each(|_| hints.add("7"));
        assert_eq!((hints.waiting.len(), hints.overflown), (1, false));
        assert!(hints.due().is_some());
    }

    #[test]
    fn a_record_that_is_told_of_while_it_is_read_is_read_again() {
        let mut hints = hints();
        ["7", "8"].iter().for_each(|id| hints.add(id));
        let read = hints.waiting.clone();
        hints.add("7");
        hints.done(&read);
        assert_eq!(hints.waiting.keys().collect::<Vec<_>>(), ["7"]);
        let read = hints.waiting.clone();
        hints.done(&read);
        assert_eq!((hints.run, hints.due()), (None, None));
    }

    #[test]
    fn hints_rest_without_a_run_until_they_are_worked_on() {
        let mut hints = Hints { run: None, ..hints() };
        assert!(!hints.rests(), "there are none");
        hints.add("7");
        assert!(hints.rests() && hints.due().is_none());
        hints.run = Some(ScheduleTime::from_millis(1));
        assert!(!hints.rests());
    }

    #[test]
    fn a_flood_is_bounded_and_left_to_a_sync() {
        let mut hints = hints();
        (0..10_000).for_each(|id| hints.add(&id.to_string()));
        assert_eq!((hints.waiting.len(), hints.overflown), (WAITING_MAX, true));
        let mut long = self::hints();
        long.add(&"x".repeat(ID_MAX + 1));
        assert!(long.waiting.is_empty() && long.overflown);
    }
}
