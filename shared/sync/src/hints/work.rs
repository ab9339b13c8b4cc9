//! Reading again what hints tell of.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use millwright_connection::{
    Admin, Connection, ConnectionContext, connection_key, find_connection, note_answer,
    note_failure, open_system,
};
use millwright_connector::{System, SystemError, SystemErrorClass};
use millwright_core::{Error, ErrorCode, QueueName, Result, WallTime};
use millwright_entities::record_key;
use millwright_queue::MAX_HOPS;
use millwright_records::{CommitError, CommitId, Pulled, RecordDoc, Scope, commit_pulled};
use millwright_store::{Expect, Key, Row, StoreError, Write};

use super::{
    HintTask, HintWorker, Hints, TRIES, hints_key,
    reading::{AT_ONCE, Reading, is_refusal, one_by_one, sync_instead},
    worker_key,
};
use crate::{Mode, RequestedSync, SyncState, request_sync, sync_key};

/// How long a worker's claim lasts.
const LEASE: Duration = Duration::from_secs(120);
/// How long before an invocation's end no more is begun: an answer may take this long.
const RESERVE: Duration = Duration::from_secs(40);
/// The wait after a failure, and how many there may be before a sync is asked for instead.
const WAIT: Duration = Duration::from_secs(60);
const FAILURES_MAX: u32 = 4;
/// The wait for what takes its time: a system that failed again and again, or a reading that runs.
const LONG_WAIT: Duration = Duration::from_secs(300);
/// A system that asks for patience is asked again after so long: at least, and at most.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(900);

/// How working on hints ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintsEnd {
    /// None is left, or what is left is due later.
    Done,
    /// The message is to come back then: somebody else is at it, or the time is up.
    Later(WallTime),
}

/// Works on the hints of an entity until none is left or the time is up. `hop` is the count its queue message
/// carried.
///
/// # Errors
/// When Millwright failed: the queue message is to come again.
pub async fn run_hints(
    context: &ConnectionContext,
    task: &HintTask,
    hop: u8,
    deadline: WallTime,
) -> Result<HintsEnd> {
    loop {
        // It may have been paused since the last batch.
        let Some(connection) = wanted(context, task).await? else {
            return Ok(HintsEnd::Done);
        };
        let now = context.store.clock().wall();
        if now + RESERVE >= deadline {
            return Ok(HintsEnd::Later(now));
        }
        let worker = match take(context, task).await {
            Ok(Ok(worker)) => worker,
            Ok(Err(until)) => return Ok(HintsEnd::Later(until)),
            // It has been erased since it was read.
            Err(error) if error.code == ErrorCode::NotFound => return Ok(HintsEnd::Done),
            Err(error) => return Err(error),
        };
        let ended = Batch { context, task, hop, connection: &connection }.work(worker).await;
        match ended? {
            BatchEnd::More => {}
            BatchEnd::Nothing | BatchEnd::Later => return Ok(HintsEnd::Done),
        }
    }
}

/// How one batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchEnd {
    /// More waits.
    More,
    /// Nothing waits.
    Nothing,
    /// What waits is due later.
    Later,
}

/// The connection, if it is there and wanted. The hints of one that is not rest until it is again; those
/// of one that is gone go too.
async fn wanted(context: &ConnectionContext, task: &HintTask) -> Result<Option<Connection>> {
    let gone = match find_connection(&context.store, &task.workspace, &task.connection).await {
        Ok(row) if row.doc.facts.admin == Admin::Enabled => return Ok(Some(row.doc)),
        Ok(row) => row.doc.facts.admin == Admin::Removed,
        Err(error) if error.code == ErrorCode::NotFound => true,
        Err(error) => return Err(error),
    };
    let key = hints_key(&task.workspace, &task.connection, &task.entity);
    let rest = |hints: &mut Hints| {
        (hints.failures, hints.run) = (0, None);
        if gone {
            hints.waiting.clear();
            hints.overflown = false;
        }
        Ok(())
    };
    context.store.modify(&key, rest).await?;
    Ok(None)
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
        let put = Write::put(&key, &doc, expect)?;
        let version = put.version();
        // A connection that is being erased takes no more rows.
        let connection = connection_key(&task.workspace, &task.connection);
        let there = Write::check(&connection, Expect::Present);
        match context.store.transact(vec![put, there]).await {
            Ok(()) => return Ok(Ok(Row { key, doc, body: None, version })),
            Err(StoreError::Conflict(0) | StoreError::Busy) => {}
            Err(StoreError::Conflict(_)) => return Err(Error::not_found("connection")),
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
    hop: u8,
    connection: &'a Connection,
}

impl Batch<'_> {
    async fn work(&self, mut worker: Row<HintWorker>) -> Result<BatchEnd> {
        let hints = self.context.store.get::<Hints>(&self.key()).await?.map(|row| row.doc);
        let overflown = hints.as_ref().is_some_and(|hints| hints.overflown);
        let waiting = hints.map(|hints| hints.waiting).unwrap_or_default();
        if waiting.is_empty() && !overflown {
            self.give_back(&mut worker).await?;
            return self.finish(&waiting).await;
        }
        let system = open_system(self.context, self.connection).await?;
        let asked = !overflown || self.ask_for_sync(&system).await?;
        if waiting.is_empty() {
            self.give_back(&mut worker).await?;
            if !asked {
                return self.later(LONG_WAIT, false).await.map(|_| BatchEnd::Later);
            }
            return self.finish(&waiting).await;
        }
        self.read(worker, &system, waiting).await
    }

    /// Reads some of what waits and commits what was found, also when the system then stops answering.
    async fn read(
        &self,
        worker: Row<HintWorker>,
        system: &System,
        waiting: BTreeMap<String, u64>,
    ) -> Result<BatchEnd> {
        let clock = self.context.store.clock();
        let fetch_started = clock.wall();
        let ids: Vec<String> = waiting.keys().take(AT_ONCE).cloned().collect();
        let entity = &self.task.entity;
        let mut reading = Reading::of(system, entity, &ids, clock, RESERVE / 2).await;
        if !reading.ids.is_empty() {
            note_answer(self.context, self.connection).await;
        }
        let stopped = reading.stopped.take();
        let untold = !worker.doc.unfinished.is_empty();
        let read = self.commit(worker, fetch_started, &waiting, reading).await?;
        let mut some = waiting.clone();
        some.retain(|id, _| read.contains(id));
        let end = if some.is_empty() { BatchEnd::Later } else { self.finish(&some).await? };
        match stopped {
            Some(error) => {
                note_failure(self.context, self.connection, system, &error).await;
                self.stopped(system, &error, &ids, &waiting, untold).await
            }
            // A puller has all of these in hand just now.
            None if end == BatchEnd::Later => {
                self.later(WAIT, false).await.map(|_| BatchEnd::Later)
            }
            None => Ok(end),
        }
    }

    /// Commits what was found; what was not is gone. Gives the claim back and answers with the ids that
    /// are done with.
    async fn commit(
        &self,
        mut worker: Row<HintWorker>,
        fetch_started: WallTime,
        waiting: &BTreeMap<String, u64>,
        mut reading: Reading,
    ) -> Result<BTreeSet<String>> {
        let scope = Scope::of(self.connection);
        let state = self.state().await?;
        reading.without(&self.in_hand(&scope, state.as_ref(), &reading.ids).await?);
        if reading.ids.is_empty() {
            self.give_back(&mut worker).await?;
            return Ok(reading.ids);
        }
        let mut unfinished = worker.doc.unfinished.clone();
        unfinished.extend(state.iter().flat_map(|state| state.unfinished.clone()));
        if reading.tells_all(waiting.keys()) {
            worker.doc.unfinished.clear();
        }
        let deleted = reading.gone();
        let kept_days = state.as_ref().and_then(|state| state.settings.deleted_days);
        let pulled = Pulled {
            scope: &scope,
            entity: &self.task.entity,
            fetch_started,
            later: HashMap::new(),
            commit: commit_of(self.task, worker.doc.lease.fence),
            unfinished: &unfinished,
            initial: state.is_some_and(|state| state.is_first_load()),
            records: reading.records,
            gone: Vec::new(),
            deleted,
            untold: Vec::new(),
            kept_days,
        };
        worker.doc.lease.release();
        let checkpoint = |_: &_| Ok(Write::replace(&worker)?);
        let (store, queue) = (&self.context.store, &self.context.queue);
        match commit_pulled(store, queue, pulled, checkpoint).await {
            Ok(tally) => {
                let entity = &self.task.entity;
                tracing::info!(connection = %scope.connection, entity, ?tally, "hints read");
                Ok(reading.ids)
            }
            Err(CommitError::Fenced) => Err(Error::internal("the hints have another worker")),
            Err(CommitError::Failed(error)) => Err(error),
        }
    }

    /// Those of the records whose rows a puller has put and not told of yet: it may tell of them any
    /// moment, or be dead. Until that is known nothing can be told of them.
    async fn in_hand(
        &self,
        scope: &Scope,
        state: Option<&SyncState>,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>> {
        let Some(state) = state else { return Ok(BTreeSet::new()) };
        let entity = &self.task.entity;
        let key = |id: &String| scope.record(entity, &record_key(&scope.connection, entity, id));
        let keys: Vec<Key> = ids.iter().map(key).collect();
        let rows = self.context.store.get_docs::<RecordDoc>(&keys).await?;
        let (fence, number) = (state.lease.fence, state.commits + 1);
        let rows = rows.into_iter().map(|row| row.doc);
        let rows = rows.filter(|row| row.commit.is_of_pull_from(fence, number));
        Ok(rows.map(|row| row.remote_id).collect())
    }

    fn key(&self) -> Key {
        hints_key(&self.task.workspace, &self.task.connection, &self.task.entity)
    }

    async fn state(&self) -> Result<Option<SyncState>> {
        let key = sync_key(&self.task.workspace, &self.task.connection, &self.task.entity);
        Ok(self.context.store.get::<SyncState>(&key).await?.map(|row| row.doc))
    }

    async fn give_back(&self, worker: &mut Row<HintWorker>) -> Result<()> {
        worker.doc.lease.release();
        self.context.store.write(Write::replace(worker)?).await?;
        Ok(())
    }

    /// Takes out what is done with: more, or nothing more.
    async fn finish(&self, read: &BTreeMap<String, u64>) -> Result<BatchEnd> {
        let done = |hints: &mut Hints| {
            hints.done(read);
            Ok(hints.run.is_some())
        };
        let left = self.context.store.modify(&self.key(), done).await?;
        Ok(if left.is_some_and(|(_, more)| more) { BatchEnd::More } else { BatchEnd::Nothing })
    }

    /// Asks for a sync that finds what hints told of that are not kept. Whether that is done: where
    /// everything is to be read, a reading that runs has to end first, for no later one sees what it has
    /// passed.
    async fn ask_for_sync(&self, system: &System) -> Result<bool> {
        let entity = &self.task.entity;
        let def = system.manifest().entity(entity);
        let mode = def.map_or(Mode::Incremental, |def| sync_instead(&def.incremental));
        if let Some(state) = self.state().await? {
            if mode == Mode::Full && !state.is_at_rest() {
                return Ok(false);
            }
            let asked = RequestedSync {
                entities: Some(vec![entity.clone()]),
                mode,
                confirm_deletions: false,
            };
            match request_sync(self.context, self.connection, &asked).await {
                Ok(_) => {}
                // One that runs may have passed the place; the next one reads from before it began.
                Err(error) if error.code == ErrorCode::SyncInProgress => {
                    if mode == Mode::Full {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let kept = |hints: &mut Hints| {
            hints.overflown = false;
            Ok(())
        };
        self.context.store.modify(&self.key(), kept).await?;
        Ok(true)
    }

    /// What comes of an error. A system that asks for patience gets it; after some failures a sync finds
    /// what has changed.
    async fn stopped(
        &self,
        system: &System,
        error: &SystemError,
        ids: &[String],
        waiting: &BTreeMap<String, u64>,
        untold: bool,
    ) -> Result<BatchEnd> {
        let (connection, entity) = (&self.task.connection, &self.task.entity);
        if error.class == SystemErrorClass::RateLimited {
            let wait = error.retry_after.unwrap_or(WAIT).clamp(WAIT_MIN, WAIT_MAX);
            tracing::info!(%connection, entity, ?wait, "hints wait: the system is asked too often");
            return self.later(wait, false).await.map(|_| BatchEnd::Later);
        }
        tracing::warn!(%connection, entity, class = ?error.class, "hints not read");
        if self.later(WAIT, true).await? < FAILURES_MAX {
            return Ok(BatchEnd::Later);
        }
        if is_refusal(error) && one_by_one(system.manifest(), entity) && !untold {
            // No sync shows them either.
            let mut refused = waiting.clone();
            refused.retain(|id, _| ids.contains(id));
            return self.finish(&refused).await;
        }
        // A change whose row was put by a worker that died is told only by reading it again.
        if untold || !self.ask_for_sync(system).await? {
            return self.later(LONG_WAIT, false).await.map(|_| BatchEnd::Later);
        }
        self.finish(waiting).await
    }

    /// Waits before another try: how many have failed in a row.
    async fn later(&self, wait: Duration, failed: bool) -> Result<u32> {
        let at = self.context.store.clock().schedule() + wait;
        let later = |hints: &mut Hints| {
            hints.failures = hints.failures.saturating_add(u32::from(failed));
            hints.run = Some(at);
            Ok(hints.failures)
        };
        let Some((row, failures)) = self.context.store.modify(&self.key(), later).await? else {
            return Ok(0);
        };
        if failed && failures >= FAILURES_MAX {
            return Ok(failures);
        }
        // What is not sent, or lost, the sweep finds in the due index.
        if self.hop >= MAX_HOPS {
            return Ok(failures);
        }
        let (work, hop) = (row.doc.work()?, self.hop + 1);
        if let Err(error) = self.context.queue.send_after(QueueName::Sync, &work, wait, hop).await {
            tracing::warn!(%error, "hints left to the sweep");
        }
        Ok(failures)
    }
}
