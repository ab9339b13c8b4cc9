//! One slice: as much of a pass as one invocation has time for.

use std::time::Duration;

use millwright_connection::{
    Admin, Connection, ConnectionContext, Health, find_connection, open_system,
};
use millwright_connector::{System, SystemError, SystemErrorClass, manifest::EntityDef};
use millwright_core::{Error, ErrorCode, QueueName, Result, WallTime};
use millwright_queue::MAX_HOPS;
use millwright_records::{CommitError, Scope};
use millwright_store::{Key, Row, StoreError, Write};

use crate::{
    SliceTask, SyncRun, SyncState, SyncStatus,
    ahead::Ahead,
    compare,
    end::{self, Ending},
    held::Held,
    plan::{Begin, begin},
    prints::Prints,
    pull,
    state::{NextRun, Phase},
    sync_key, untold,
};

/// How long before an invocation's end a call to a system is cut off: what follows needs time too.
const CALL_RESERVE: Duration = Duration::from_secs(10);
/// The wait before a fenced slice's message comes again.
const FENCED_WAIT: Duration = Duration::from_secs(5);

/// How a slice is bounded.
#[derive(Clone, Copy, Debug)]
pub struct SliceLimits {
    /// How long a puller's claim lasts; each page renews it.
    pub lease: Duration,
    /// How long before the function's end a slice hands on.
    pub margin: Duration,
    /// The interval between passes, on the schedule clock.
    pub interval: Duration,
    /// The share of an entity's records, in percent, that may vanish in one pass: where it is more, their
    /// deletions wait until somebody confirms them. With 100 none does.
    pub vanish_percent: u32,
    /// Over how long runs are spread that would begin together, on the schedule clock.
    pub spread: Duration,
}

/// How a slice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceEnd {
    /// Whatever is left has been handed on: the queue message may go.
    Done,
    /// Somebody else pulls until then: the message is to come back.
    Busy(WallTime),
}

/// Why a step did not happen.
#[derive(Debug)]
pub(crate) enum StepError {
    /// The invocation's time is up while the system is being asked: nothing was in flight.
    TimeUp,
    /// Another puller has taken over: this one writes nothing more.
    Fenced,
    /// The system failed.
    System(SystemError),
    /// Millwright failed.
    Failed(Error),
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<CommitError> for StepError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Fenced => Self::Fenced,
            CommitError::Failed(error) => Self::Failed(error),
        }
    }
}

/// Whether a pass goes on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It does.
    More,
    /// It has ended.
    Finished,
}

/// A slice at work.
pub(crate) struct Slice<'a> {
    pub context: &'a ConnectionContext,
    pub limits: SliceLimits,
    pub connection: Connection,
    pub system: System,
    pub scope: Scope,
    pub row: Row<SyncState>,
    /// What is known of the rows, once it is needed.
    pub prints: Option<Prints>,
    /// Whether that includes everything that the pass has seen.
    pub seen_whole: bool,
    /// The page that is being fetched while the one before it is kept.
    pub ahead: Option<Ahead>,
    /// Pages that have been read and are not committed yet.
    pub held: Option<Held>,
    /// Something was committed since it was last asked whether the connection is still wanted.
    pub committed: bool,
    /// The pass that has ended, for its history.
    pub ended: Option<SyncRun>,
    /// When the invocation ends.
    pub deadline: WallTime,
    /// How often the work has been sent on without going through the due index.
    pub hop: u8,
}

/// Works on a pass until it ends or the time is up, then hands on.
///
/// # Errors
/// When Millwright failed: the queue message is to come again.
pub async fn run_slice(
    context: &ConnectionContext,
    limits: SliceLimits,
    task: &SliceTask,
    hop: u8,
    deadline: WallTime,
) -> Result<SliceEnd> {
    let Some(connection) = wanted_connection(context, task).await? else {
        return Ok(SliceEnd::Done);
    };
    let (mut row, asked_for) = match begin_slice(context, limits, task).await? {
        Ok(begun) => begun,
        Err(end) => return Ok(end),
    };
    if connection.facts.health != Health::Ok && !asked_for {
        let ended = None;
        let mut ending = Ending { context, connection: &connection, row: &mut row, hop, ended };
        return match end::stood_off(&mut ending).await {
            Ok(()) => Ok(SliceEnd::Done),
            Err(StepError::Failed(error)) => Err(error),
            Err(_) => Ok(fenced(context)),
        };
    }
    let system = open_system(context, &connection).await?;
    let scope = Scope::of(&connection);
    let (prints, seen_whole) = (None, false);
    let mut slice = Slice {
        context,
        limits,
        connection,
        system,
        scope,
        row,
        prints,
        seen_whole,
        ahead: None,
        held: None,
        committed: false,
        ended: None,
        deadline,
        hop,
    };
    let worked = match slice.work().await {
        Err(StepError::System(error)) => slice.failed(error).await,
        worked => worked,
    };
    match worked {
        Ok(()) => Ok(SliceEnd::Done),
        Err(StepError::Fenced) => {
            give_way(context, task, slice.row.doc.lease.fence).await?;
            Ok(fenced(context))
        }
        Err(StepError::System(error)) => Err(error.into()),
        Err(StepError::TimeUp) => Err(Error::internal("the time is up")),
        Err(StepError::Failed(error)) => {
            slice.give_up().await;
            Err(error)
        }
    }
}

/// Another puller has the pass, or so it seems: a write whose answer was lost looks the same. The
/// message stays, and whoever gets it finds out.
fn fenced(context: &ConnectionContext) -> SliceEnd {
    SliceEnd::Busy(context.store.clock().wall() + FENCED_WAIT)
}

/// Where this puller was fenced because rows are mapped otherwise now, or because the connection is
/// worked on again, it still holds the lease: it gives it back, so that the reading goes on at once.
async fn give_way(context: &ConnectionContext, task: &SliceTask, fence: u64) -> Result<()> {
    let woken = |state: &SyncState| state.is_remap_asked() || state.run.is_some();
    let key = sync_key(&task.workspace, &task.connection, &task.entity);
    give_back(context, &key, fence, woken).await
}

/// Gives the lease back, if this puller still holds it and the row as it stands says so.
async fn give_back(
    context: &ConnectionContext,
    key: &Key,
    fence: u64,
    wanted: impl Fn(&SyncState) -> bool + Send + Sync,
) -> Result<()> {
    let release = |state: &mut SyncState| {
        if wanted(state) && state.lease.fence == fence && state.lease.until.is_some() {
            state.release_after_error();
        }
        Ok(())
    };
    context.store.modify(key, release).await?;
    Ok(())
}

/// The connection, if it is there and wanted; what is due for one that is not is laid to rest.
async fn wanted_connection(
    context: &ConnectionContext,
    task: &SliceTask,
) -> Result<Option<Connection>> {
    let found = find_connection(&context.store, &task.workspace, &task.connection).await;
    match found {
        Ok(row) if row.doc.facts.admin == Admin::Enabled => return Ok(Some(row.doc)),
        Ok(_) => {}
        Err(error) if error.code == ErrorCode::NotFound => {}
        Err(error) => return Err(error),
    }
    let key = sync_key(&task.workspace, &task.connection, &task.entity);
    let rest = |state: &mut SyncState| {
        state.run = None;
        Ok(())
    };
    context.store.modify(&key, rest).await?;
    Ok(None)
}

/// Takes the lease: the row and whether somebody asked for the pass just now, or how the slice ends at
/// once.
async fn begin_slice(
    context: &ConnectionContext,
    limits: SliceLimits,
    task: &SliceTask,
) -> Result<Result<(Row<SyncState>, bool), SliceEnd>> {
    let key = sync_key(&task.workspace, &task.connection, &task.entity);
    let clock = context.store.clock();
    let begun = context
        .store
        .modify(&key, |state: &mut SyncState| {
            let asked_for = state.requested.is_some();
            let before = SyncRun::live(state);
            let begun = begin(state, clock.wall(), clock.schedule(), limits.lease);
            let now = state.pass.as_ref().map(|pass| &pass.run);
            let given_up = before.filter(|before| now != Some(&before.id));
            Ok((begun, asked_for, given_up))
        })
        .await?;
    Ok(match begun {
        Some((row, (Begin::Go, asked_for, given_up))) => {
            if let Some(run) = given_up {
                let run = SyncRun { status: SyncStatus::Cancelled, ..run };
                let run = run.ended(clock.wall(), Some("another one reads more".to_owned()));
                context.store.write(run.as_write(&task.workspace, &task.connection)?).await?;
            }
            Ok((row, asked_for))
        }
        Some((_, (Begin::Busy(until), ..))) => Err(SliceEnd::Busy(until)),
        Some((_, (Begin::Idle, ..))) | None => Err(SliceEnd::Done),
    })
}

impl Slice<'_> {
    /// The entity's part of the manifest.
    pub fn entity(&self) -> Result<&EntityDef> {
        let entity = self.system.manifest().entity(&self.row.doc.entity);
        entity.ok_or_else(|| Error::internal("the connector no longer has this entity"))
    }

    /// What ends it.
    pub fn ending(&mut self) -> Ending<'_> {
        self.count_calls();
        let Self { context, connection, row, hop, ended, .. } = self;
        Ending { context, connection, row, hop: *hop, ended: ended.take() }
    }

    /// Whether only what is newer than a time is kept of the entity, so that what is listed may have no
    /// row for good reason.
    pub fn is_windowed(&self) -> Result<bool> {
        Ok(self.row.doc.kept_from.is_some() && self.entity()?.has_time_filter())
    }

    async fn work(&mut self) -> Result<(), StepError> {
        if let Some(pass) = &mut self.row.doc.pass {
            pass.slices += 1;
        }
        let mut steps = 0;
        loop {
            let late = self.context.store.clock().wall() + self.limits.margin >= self.deadline;
            // A page that may not be had a second time is taken with us.
            if late && !self.ahead.as_ref().is_some_and(Ahead::perishes) {
                return self.hand_on().await;
            }
            let asks = std::mem::take(&mut self.committed) || self.held.is_none();
            if asks && !self.is_wanted().await? {
                pull::settle(self).await?;
                self.keep_prints().await;
                self.row.doc.lease.release();
                return self.save().await;
            }
            Box::pin(self.keep_lease()).await?;
            match self.step().await {
                Ok(Step::More) => steps += 1,
                Ok(Step::Finished) if untold::begins(&mut self.row.doc) => steps += 1,
                Ok(Step::Finished) => return Box::pin(end::completed(self)).await,
                // A system that takes more than a whole invocation for one page does not answer.
                Err(StepError::TimeUp) if steps == 0 => return Err(StepError::System(too_slow())),
                Err(StepError::TimeUp) => return self.hand_on().await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks the system, for as long as there is time.
    pub async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, SystemError>>,
    ) -> Result<T, StepError> {
        let end = self.deadline - CALL_RESERVE.min(self.limits.margin / 2);
        let time = end.since(self.context.store.clock().wall());
        match tokio::time::timeout(time, call).await {
            Ok(answer) => answer.map_err(StepError::System),
            Err(_) => Err(StepError::TimeUp),
        }
    }

    /// What was read before the system failed is kept.
    async fn failed(&mut self, error: SystemError) -> Result<(), StepError> {
        pull::settle(self).await?;
        self.keep_prints().await;
        end::failed(self, error).await
    }

    /// After an error of our own the message comes again soon; a lease that is still held would only
    /// make it wait. What was decided here and not written counts for nothing: the end of a pass, say,
    /// is written with what tells of it or not at all.
    async fn give_up(&self) {
        let (key, fence) = (self.row.doc.key(), self.row.doc.lease.fence);
        if let Err(error) = give_back(self.context, &key, fence, |_| true).await {
            tracing::warn!(?error, "lease left to its end");
        }
    }

    /// Whether the connection is still wanted: one that is disconnected or paused is left alone from
    /// its next page on.
    async fn is_wanted(&self) -> Result<bool, StepError> {
        let connection = &self.connection;
        let now = find_connection(&self.context.store, &connection.workspace, &connection.id).await;
        match now {
            Ok(row) => Ok(row.doc.facts.admin == Admin::Enabled),
            Err(error) if error.code == ErrorCode::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn step(&mut self) -> Result<Step, StepError> {
        let phase = self.row.doc.pass.as_ref().map(|pass| pass.phase.clone());
        match phase {
            Some(Phase::Pulling(position)) => Box::pin(pull::step(self, position)).await,
            Some(Phase::Listing { .. }) => Box::pin(compare::list_step(self)).await,
            Some(Phase::Comparing { .. }) => Box::pin(compare::compare_step(self)).await,
            Some(Phase::Telling { after }) => Box::pin(untold::step(self, after)).await,
            None => Ok(Step::Finished),
        }
    }

    /// Gives the lease back and sends the pass on. The present message goes only after that, so a
    /// crash in between makes it come again.
    async fn hand_on(&mut self) -> Result<(), StepError> {
        pull::settle(self).await?;
        self.keep_prints().await;
        self.count_calls();
        self.row.doc.lease.release();
        let by_sweep = self.hop >= MAX_HOPS;
        if by_sweep {
            self.row.doc.run = Some(NextRun::by_sweep(self.context.store.clock().schedule()));
        }
        self.save().await?;
        if !by_sweep {
            let work = self.row.doc.work()?;
            let queue = &self.context.queue;
            queue.send_after(QueueName::Sync, &work, Duration::ZERO, self.hop + 1).await?;
        }
        Ok(())
    }

    /// A listing begins: nothing has been seen, and nothing has been missed.
    pub fn seen_anew(&mut self) {
        if let Some(prints) = &mut self.prints {
            prints.set.forget_seen();
            prints.missing.clear();
            self.seen_whole = true;
        }
    }

    /// Writes the state, if nobody else has.
    pub async fn save(&mut self) -> Result<(), StepError> {
        match self.context.store.write(Write::replace(&self.row)?).await {
            Ok(version) => {
                self.row.version = version;
                Ok(())
            }
            Err(StoreError::Conflict(_)) => Err(StepError::Fenced),
            Err(error) => Err(error.into()),
        }
    }

    /// Renews the lease in the state that the next write carries.
    pub fn renew_lease(&mut self) {
        self.count_calls();
        let until = self.context.store.clock().wall() + self.limits.lease;
        self.row.doc.lease.until = Some(until);
    }

    /// Renews the lease where steps that commit nothing have used up half of it.
    async fn keep_lease(&mut self) -> Result<(), StepError> {
        let now = self.context.store.clock().wall();
        let left = self.row.doc.lease.until.map_or(Duration::ZERO, |until| until.since(now));
        if left > self.limits.lease / 2 {
            return Ok(());
        }
        self.renew_lease();
        self.save().await
    }

    /// Adds the calls made since the last time to the pass, for the next write of the state.
    pub fn count_calls(&mut self) {
        let calls = self.system.take_calls();
        if let Some(pass) = &mut self.row.doc.pass {
            pass.calls += calls;
        }
    }
}

fn too_slow() -> SystemError {
    let message = "the system did not answer within the time of one sync invocation";
    SystemError::new(SystemErrorClass::Unreachable, message)
}
