//! Reading again what hints tell of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use millwright_connection::{
    Admin, Connection, ConnectionContext, find_connection, note_answer, note_failure, open_system,
};
use millwright_connector::{Found, System, SystemError, SystemErrorClass};
use millwright_core::{Error, ErrorCode, QueueName, Result, WallTime};
use millwright_records::{CommitError, CommitId, Pulled, Scope, commit_pulled};
use millwright_store::{Expect, Row, StoreError, Write};

use super::{HintTask, HintWorker, Hints, TRIES, hints_key, worker_key};
use crate::{Mode, RequestedSync, SyncState, request_sync, sync_key};

/// Records that are read at a time.
const AT_ONCE: usize = 100;
/// How long a worker's claim lasts.
const LEASE: Duration = Duration::from_secs(120);
/// How long before an invocation's end no more is begun: an answer may take this long.
const RESERVE: Duration = Duration::from_secs(40);
/// The wait after a failure, and how many there may be before the hints are left to the next sync.
const WAIT: Duration = Duration::from_secs(60);
const FAILURES_MAX: u32 = 4;

/// How working on hints ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintsEnd {
    /// None is left, or what is left is due later.
    Done,
    /// The message is to come back then: somebody else is at it, or the time is up.
    Later(WallTime),
}

/// Works on the hints of an entity until none is left or the time is up.
///
/// # Errors
/// When Millwright failed: the queue message is to come again.
pub async fn run_hints(
    context: &ConnectionContext,
    task: &HintTask,
    deadline: WallTime,
) -> Result<HintsEnd> {
    let Some(connection) = wanted(context, task).await? else {
        forget(context, task).await?;
        return Ok(HintsEnd::Done);
    };
    loop {
        let now = context.store.clock().wall();
        if now + RESERVE >= deadline {
            return Ok(HintsEnd::Later(now));
        }
        let worker = match take(context, task).await? {
            Ok(worker) => worker,
            Err(until) => return Ok(HintsEnd::Later(until)),
        };
        let ended = Batch { context, task, connection: &connection }.work(worker).await;
        match ended? {
            BatchEnd::More => {}
            BatchEnd::Nothing | BatchEnd::Failed => return Ok(HintsEnd::Done),
        }
    }
}

/// How one batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchEnd {
    More,
    Nothing,
    Failed,
}

/// The connection, if it is there and wanted.
async fn wanted(context: &ConnectionContext, task: &HintTask) -> Result<Option<Connection>> {
    match find_connection(&context.store, &task.workspace, &task.connection).await {
        Ok(row) => Ok(Some(row.doc).filter(|own| own.facts.admin == Admin::Enabled)),
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lays all hints to rest: a sync finds what they told of.
async fn forget(context: &ConnectionContext, task: &HintTask) -> Result<()> {
    let key = hints_key(&task.workspace, &task.connection, &task.entity);
    let rest = |hints: &mut Hints| {
        hints.waiting.clear();
        (hints.overflown, hints.failures, hints.run) = (false, 0, None);
        Ok(())
    };
    context.store.modify(&key, rest).await?;
    Ok(())
}

/// Takes the claim: the worker's row, or when the present holder's claim ends.
async fn take(
    context: &ConnectionContext,
    task: &HintTask,
) -> Result<Result<Row<HintWorker>, WallTime>> {
    let key = worker_key(&task.workspace, &task.connection, &task.entity);
    let now = context.store.clock().wall();
    for _ in 0..TRIES {
        let row = context.store.get::<HintWorker>(&key).await?;
        let expect = row.as_ref().map_or(Expect::Absent, |row| Expect::Version(row.version));
        let mut doc = row.map(|row| row.doc).unwrap_or_default();
        let lost = doc.lease.until.is_some().then(|| commit_of(task, doc.lease.fence));
        if let Err(until) = doc.lease.take(now, LEASE) {
            return Ok(Err(until));
        }
        // The last holder did not give its claim back: rows of its commit may have been put.
        doc.unfinished.extend(lost);
        match context.store.write(Write::put(&key, &doc, expect)?).await {
            Ok(version) => return Ok(Ok(Row { key, doc, body: None, version })),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::internal(StoreError::Conflict(0)))
}

fn commit_of(task: &HintTask, fence: u64) -> CommitId {
    CommitId::of_hints(&task.entity, fence)
}

/// One claim's work.
struct Batch<'a> {
    context: &'a ConnectionContext,
    task: &'a HintTask,
    connection: &'a Connection,
}

impl Batch<'_> {
    async fn work(&self, mut worker: Row<HintWorker>) -> Result<BatchEnd> {
        let task = self.task;
        let key = hints_key(&task.workspace, &task.connection, &task.entity);
        let hints = self.context.store.get::<Hints>(&key).await?.map(|row| row.doc);
        let waiting = hints.as_ref().map(|hints| hints.waiting.clone()).unwrap_or_default();
        let some: BTreeMap<String, u64> = waiting.into_iter().take(AT_ONCE).collect();
        if hints.is_some_and(|hints| hints.overflown) {
            self.ask_for_sync().await?;
        }
        if some.is_empty() {
            self.give_back(&mut worker).await?;
            return self.finish(&some).await;
        }
        let system = open_system(self.context, self.connection).await?;
        let fetch_started = self.context.store.clock().wall();
        let ids: Vec<String> = some.keys().cloned().collect();
        match self.read(&system, &ids).await {
            Ok(found) => {
                note_answer(self.context, self.connection).await;
                self.commit(worker, fetch_started, &ids, found).await?;
                self.finish(&some).await
            }
            Err(error) => {
                note_failure(self.context, self.connection, &system, &error).await;
                self.give_back(&mut worker).await?;
                self.failed(&error).await
            }
        }
    }

    async fn read(&self, system: &System, ids: &[String]) -> Result<Found, SystemError> {
        let found = system.find(&self.task.entity, ids);
        let late = || SystemError::new(SystemErrorClass::Unreachable, "no answer in time");
        tokio::time::timeout(RESERVE / 2, found).await.unwrap_or_else(|_| Err(late()))
    }

    /// Commits what was found; what was not is gone.
    async fn commit(
        &self,
        mut worker: Row<HintWorker>,
        fetch_started: WallTime,
        ids: &[String],
        found: Found,
    ) -> Result<()> {
        let there = found.records.iter().map(|record| &record.remote_id);
        let there: BTreeSet<&String> =
            there.chain(found.faults.iter().map(|fault| &fault.remote_id)).collect();
        let deleted = ids.iter().filter(|id| !there.contains(id)).cloned().collect();
        let Connection { workspace, id, .. } = self.connection;
        let scope = Scope {
            workspace: workspace.clone(),
            connection: id.clone(),
            customer: self.connection.customer_json(),
        };
        let unfinished = std::mem::take(&mut worker.doc.unfinished);
        let pulled = Pulled {
            scope: &scope,
            entity: &self.task.entity,
            fetch_started,
            commit: commit_of(self.task, worker.doc.lease.fence),
            unfinished: &unfinished,
            initial: self.is_first_load().await?,
            records: found.records,
            gone: Vec::new(),
            deleted,
        };
        worker.doc.lease.release();
        let checkpoint = |_: &_| Ok(Write::replace(&worker)?);
        let (store, queue) = (&self.context.store, &self.context.queue);
        match commit_pulled(store, queue, pulled, checkpoint).await {
            Ok(tally) => {
                tracing::info!(connection = %id, entity = self.task.entity, ?tally, "hints read");
                Ok(())
            }
            Err(CommitError::Fenced) => Err(Error::internal("the hints have another worker")),
            Err(CommitError::Failed(error)) => Err(error),
        }
    }

    async fn is_first_load(&self) -> Result<bool> {
        let key = sync_key(&self.task.workspace, &self.task.connection, &self.task.entity);
        let state = self.context.store.get_doc::<SyncState>(&key).await?;
        Ok(state.is_some_and(|row| row.doc.is_first_load()))
    }

    async fn give_back(&self, worker: &mut Row<HintWorker>) -> Result<()> {
        worker.doc.lease.release();
        self.context.store.write(Write::replace(worker)?).await?;
        Ok(())
    }

    /// Takes out what has been read: more, or nothing more.
    async fn finish(&self, read: &BTreeMap<String, u64>) -> Result<BatchEnd> {
        let task = self.task;
        let key = hints_key(&task.workspace, &task.connection, &task.entity);
        let done = |hints: &mut Hints| {
            hints.done(read);
            Ok(hints.run.is_some())
        };
        let left = self.context.store.modify(&key, done).await?;
        Ok(if left.is_some_and(|(_, more)| more) { BatchEnd::More } else { BatchEnd::Nothing })
    }

    /// There were too many to keep: a sync reads what has changed.
    async fn ask_for_sync(&self) -> Result<()> {
        let asked = RequestedSync {
            entities: Some(vec![self.task.entity.clone()]),
            mode: Mode::Incremental,
        };
        match request_sync(self.context, self.connection, &asked).await {
            Ok(_) => {}
            // One that runs may have passed the place; the next one reads from before it began.
            Err(error) if error.code == ErrorCode::SyncInProgress => {}
            Err(error) => return Err(error),
        }
        let key = hints_key(&self.task.workspace, &self.task.connection, &self.task.entity);
        let kept = |hints: &mut Hints| {
            hints.overflown = false;
            Ok(())
        };
        self.context.store.modify(&key, kept).await?;
        Ok(())
    }

    /// Waits before another try; after some of them the next sync finds what has changed.
    async fn failed(&self, error: &SystemError) -> Result<BatchEnd> {
        let (connection, entity) = (&self.task.connection, &self.task.entity);
        tracing::warn!(%connection, entity, class = ?error.class, "hints not read");
        let at = self.context.store.clock().schedule() + WAIT;
        let key = hints_key(&self.task.workspace, connection, entity);
        let later = |hints: &mut Hints| {
            hints.failures += 1;
            hints.run = Some(at);
            Ok(hints.failures >= FAILURES_MAX)
        };
        let Some((row, give_up)) = self.context.store.modify(&key, later).await? else {
            return Ok(BatchEnd::Nothing);
        };
        if give_up {
            forget(self.context, self.task).await?;
            return Ok(BatchEnd::Nothing);
        }
        // Should this send be lost, the sweep finds the row in the due index.
        let work = row.doc.work()?;
        if let Err(error) = self.context.queue.send_after(QueueName::Sync, &work, WAIT, 0).await {
            tracing::warn!(%error, "hints left to the sweep");
        }
        Ok(BatchEnd::Failed)
    }
}
