//! The row of sync state.

use millwright_connection::connection_pk;
use millwright_connector::{Checkpoint, Position, SystemErrorClass};
use millwright_core::{
    ConnectionId, QueueName, Result, RunId, ScheduleTime, WallTime, Work, WorkspaceId,
};
use millwright_records::CommitId;
use millwright_store::{DUE_GRACE, DUE_LOOKAHEAD, Document, Due, Key, Lease, Wait};
use serde::{Deserialize, Serialize};

use crate::{SyncSettings, prints::Mark};

/// So often in a row a place in a listing may be refused before the listing is begun anew.
const REFUSALS_MAX: u32 = 3;

/// What a pass reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// What may have changed since the last pass began.
    Incremental,
    /// Everything.
    Full,
}

/// Why a pass runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Its time came.
    Schedule,
    /// Somebody asked.
    Request,
}

/// How the last pass ended, or that one runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// None has run.
    Never,
    /// One runs.
    InProgress,
    /// It ended well.
    Completed,
    /// It ended, and left records out.
    CompletedWithErrors,
    /// It ended, and so many records would have vanished that their deletions wait until they are
    /// confirmed.
    Held,
    /// It stopped; it goes on at its next run.
    Failed,
    /// Somebody ended it before its end.
    Cancelled,
}

/// What a pass did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records fetched.
    pub seen: u64,
    /// Records that were not there before.
    pub inserted: u64,
    /// Records that were different.
    pub updated: u64,
    /// Records that are gone.
    pub deleted: u64,
    /// Records that were as they are.
    pub unchanged: u64,
    /// Records left out: they cannot be mapped, are not shown, or are too large.
    pub skipped: u64,
}

/// A record that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The system's id.
    pub remote_id: String,
    /// The field that is at fault; nothing where it is the whole record.
    pub field: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

/// Records that a complete reading did not show any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vanished {
    /// How many.
    pub missing: u64,
    /// Of how many.
    pub of: u64,
}

/// Where a pass is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Reading pages.
    Pulling(Position),
    /// Listing the ids that exist.
    Listing {
        /// Where the listing goes on.
        after: Option<Position>,
        /// The wall clock before the first listing: newer writes win.
        began: WallTime,
    },
    /// Telling what was not shown.
    Comparing {
        /// The wall clock before the first page: newer writes win.
        began: WallTime,
        /// Whether ids were listed for it, beside the reading itself.
        #[serde(default)]
        listed: bool,
    },
    /// Telling what lost commits have put and nothing has shown since.
    Telling {
        /// The last row that was looked at.
        after: Option<String>,
    },
}

impl Phase {
    /// The system has refused what was asked of it here, for the `failures`th time in a row. Where it
    /// was asked for a page by a cursor that it has given itself, it may have forgotten that: what was
    /// being listed is listed anew. So it is where it has refused any other place a few times: the page
    /// may no longer be there, or pages that seemed to come again may have changed.
    pub fn refused_at(&mut self, class: SystemErrorClass, failures: u32) {
        use SystemErrorClass::{Conflict, Malformed, NotFound, Validation};
        if !matches!(class, Conflict | Malformed | NotFound | Validation) {
            return;
        }
        let ends = |position: &Position| position.perishes() || failures >= REFUSALS_MAX;
        match self {
            Self::Pulling(position) if ends(position) => *position = Position::default(),
            Self::Listing { after, .. } if after.as_ref().is_some_and(ends) => *after = None,
            _ => {}
        }
    }
}

/// A pass: one reading of everything that may have changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    pub run: RunId,
    pub mode: Mode,
    pub trigger: Trigger,
    pub started_at: WallTime,
    /// From when on, on the source's clock; nothing reads everything.
    pub from: Option<i64>,
    /// From when on deletions are told, also when everything is read; nothing for a first load.
    #[serde(default)]
    pub deletions_from: Option<i64>,
    /// Where in the source's log it goes on.
    #[serde(default)]
    pub checkpoint: Option<Checkpoint>,
    /// Where in the source's log the next one goes on, as far as is known.
    #[serde(default)]
    pub reached: Option<Checkpoint>,
    /// The source's clock when the pass began: where the next one starts, less the overlap.
    pub source_started: Option<i64>,
    pub phase: Phase,
    /// Whether ids have been listed and compared.
    pub swept: bool,
    /// Whether what was listed and had no row has been fetched too.
    #[serde(default)]
    pub filled: bool,
    pub counts: Counts,
    /// Calls made to the system.
    #[serde(default)]
    pub calls: u64,
    /// Invocations that have worked on it.
    #[serde(default)]
    pub slices: u64,
    /// How often it has begun its listing anew.
    #[serde(default)]
    pub round: u32,
    /// Pages since then.
    #[serde(default)]
    pub pages: u64,
    /// What has vanished, where that was too much.
    #[serde(default)]
    pub held: Option<Vanished>,
    /// Pages are smaller than usual, for one of the usual size could not be had.
    #[serde(default)]
    pub narrow: Option<Narrow>,
    /// Whether the system's rows are kept from its beginning on.
    #[serde(default)]
    pub keeps_raw: bool,
    /// What was asked for when the pass was half way: another one follows, for what changed before then
    /// may lie behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Mode>,
}

/// Pages that are smaller than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Narrow {
    /// The most rows.
    pub size: u32,
    /// Pages of this size that were read, one after the other.
    pub read: u8,
}

impl SyncState {
    /// Whether the rows that are kept with the records are those that they were made of: rows are kept, and
    /// everything has been read since.
    #[must_use]
    pub fn has_raw(&self) -> bool {
        self.settings.keep_raw && self.raw_whole
    }
}

impl Pass {
    /// Where it is: marks of what has been seen are whole only with the same.
    pub fn mark(&self) -> Mark {
        Mark { run: self.run.clone(), round: self.round, pages: self.pages }
    }

    /// Takes note of what is asked for now. A pass that has read nothing yet will show it.
    pub fn ask_again(&mut self, requested: Option<Mode>) {
        let has_read = self.pages > 0 || !matches!(self.phase, Phase::Pulling(_));
        if has_read && self.again != Some(Mode::Full) {
            self.again = requested.or(self.again);
        }
    }

    /// A listing begins, or begins anew: nothing has been seen yet.
    pub fn begin_listing(&mut self, phase: Phase) {
        self.phase = phase;
        self.round += 1;
        self.pages = 0;
    }
}

/// A run to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextRun {
    /// When it must run.
    pub at: ScheduleTime,
    /// When the sweep must look.
    look_at: ScheduleTime,
}

impl NextRun {
    /// A run at `at`. Up to 15 minutes ahead the caller sends a message with that delay ([`Wait`]);
    /// further ahead the due index keeps the wait alone.
    #[must_use]
    pub fn at(now: ScheduleTime, at: ScheduleTime) -> Self {
        let look_at = match Wait::until(now, at) {
            Wait::Carried(_) => at.max(now) + DUE_GRACE,
            Wait::Parked => at - DUE_LOOKAHEAD,
        };
        Self { at, look_at }
    }

    /// A run at `at` that only the sweep begins: with a fresh lineage of queue messages.
    #[must_use]
    pub fn by_sweep(at: ScheduleTime) -> Self {
        Self { at, look_at: at - DUE_LOOKAHEAD }
    }
}

/// How far the reading has come that a change to how records are made of rows asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemapStage {
    /// It has not begun.
    Asked,
    /// It reads.
    Running,
    /// Everything has been read.
    Done,
}

/// A reading of everything because records are made of rows in another way than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remap {
    /// When the change was made.
    pub asked_at: WallTime,
    /// How far it has come.
    pub stage: RemapStage,
    /// When it ended.
    pub ended_at: Option<WallTime>,
    /// What it did: those that are different now are among the updated ones.
    pub counts: Counts,
}

/// The sync state of one entity of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncState {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The connection.
    pub connection: ConnectionId,
    /// The entity.
    pub entity: String,
    /// Who may pull.
    pub lease: Lease,
    /// How many commits the present fence has made.
    pub commits: u64,
    /// Commits of earlier fences whose pages never came to be, as far as this pass may meet them.
    pub unfinished: Vec<CommitId>,
    /// When the last complete pass began, on the source's clock; nothing before the first load.
    pub window_from: Option<i64>,
    /// From when on the next incremental pass reads, on the source's clock; nothing for everything.
    #[serde(default)]
    pub next_from: Option<i64>,
    /// Where in the source's log the next pass goes on.
    #[serde(default)]
    pub checkpoint: Option<Checkpoint>,
    /// The running pass.
    pub(crate) pass: Option<Pass>,
    /// What somebody asked for, not begun yet.
    pub requested: Option<Mode>,
    /// When a slice must run next. Nothing while one runs: then its queue message holds the work.
    pub run: Option<NextRun>,
    /// How the last pass ended.
    pub status: SyncStatus,
    /// What the last pass did, or the running one has done.
    pub counts: Counts,
    /// Failures in a row.
    pub failures: u32,
    /// Whether `sync.failed` has told of them.
    pub failure_told: bool,
    /// What the last failure was.
    pub last_error: Option<String>,
    /// When the last pass began.
    pub last_started_at: Option<WallTime>,
    /// When the last pass that ended well did so.
    pub last_success_at: Option<WallTime>,
    /// Complete runs since ids were last compared.
    pub runs_since_sweep: u32,
    /// Whether an issue about this entity may be open.
    #[serde(default)]
    pub(crate) has_issues: bool,
    /// What has become of the last change to how records are made of rows.
    #[serde(default)]
    pub remap: Option<Remap>,
    /// What the connection wants of its syncs.
    #[serde(default)]
    pub settings: SyncSettings,
    /// From when on records are wanted, on the source's clock, once a first load has fixed it; nothing
    /// for everything.
    #[serde(default)]
    pub(crate) kept_from: Option<i64>,
    /// Whether every record's row of the system has been looked at since rows are kept.
    #[serde(default)]
    pub(crate) raw_whole: bool,
    /// How many commits have been lost: rows may have been put for them, and no page tells of these.
    #[serde(default)]
    pub lost: u64,
    /// What had vanished when ids were last compared, where that was too much to be deleted.
    #[serde(default)]
    pub held: Option<Vanished>,
    /// How many of those may be deleted: somebody has said so.
    #[serde(default)]
    pub confirmed: Option<u64>,
    /// The first of the records that the last pass has left out, or the running one.
    #[serde(default)]
    pub skips: Vec<Skipped>,
}

/// So many records that were left out are named.
pub(crate) const SKIPS_MAX: usize = 20;
/// What is said of a record is cut to so many characters.
const MESSAGE_MAX: usize = 300;

impl Skipped {
    /// A record that is left out for what is wrong with one of its fields; the whole where the name is
    /// empty.
    pub(crate) fn new(remote_id: &str, field: &str, message: &str) -> Self {
        let cut = |text: &str| text.chars().take(MESSAGE_MAX).collect();
        Self {
            remote_id: cut(remote_id),
            field: (!field.is_empty()).then(|| cut(field)),
            message: cut(message),
        }
    }
}

impl SyncState {
    /// The state of an entity that has never been read: it must run at once.
    #[must_use]
    pub fn new(
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        entity: &str,
        now: ScheduleTime,
    ) -> Self {
        Self {
            workspace: workspace.clone(),
            connection: connection.clone(),
            entity: entity.to_owned(),
            lease: Lease::default(),
            commits: 0,
            unfinished: Vec::new(),
            window_from: None,
            next_from: None,
            checkpoint: None,
            pass: None,
            requested: None,
            run: Some(NextRun::at(now, now)),
            status: SyncStatus::Never,
            counts: Counts::default(),
            failures: 0,
            failure_told: false,
            last_error: None,
            last_started_at: None,
            last_success_at: None,
            runs_since_sweep: 0,
            has_issues: false,
            remap: None,
            lost: 0,
            held: None,
            confirmed: None,
            skips: Vec::new(),
            settings: SyncSettings::default(),
            kept_from: None,
            raw_whole: false,
        }
    }

    /// Whether the first load has not ended yet.
    #[must_use]
    pub fn is_first_load(&self) -> bool {
        self.window_from.is_none()
    }

    /// Whether no pass has been begun and not ended.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.pass.is_none()
    }

    /// The row's key.
    #[must_use]
    pub fn key(&self) -> Key {
        sync_key(&self.workspace, &self.connection, &self.entity)
    }

    /// The work of the next slice.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn work(&self) -> Result<Work> {
        let task = SliceTask {
            workspace: self.workspace.clone(),
            connection: self.connection.clone(),
            entity: self.entity.clone(),
        };
        Work::new(self.connection.as_str(), &Tagged::Slice(task))
    }

    /// Gives the lease back after an error of our own. Rows of the commit that did not come to be may
    /// have been put: they count as changed when they are met again.
    pub(crate) fn release_after_error(&mut self) {
        self.lose(self.next_commit());
        self.lease.release();
    }

    /// A commit will not come to be, and rows may have been put for it.
    pub(crate) fn lose(&mut self, commit: CommitId) {
        self.unfinished.push(commit);
        self.lost += 1;
    }

    /// Takes note of records that are left out.
    pub(crate) fn skip(&mut self, records: impl IntoIterator<Item = Skipped>) {
        let room = SKIPS_MAX - self.skips.len().min(SKIPS_MAX);
        self.skips.extend(records.into_iter().take(room));
    }

    /// Rows are mapped otherwise from now on: everything is to be read anew, and what a running pass
    /// has read counts for nothing.
    pub(crate) fn ask_remap(&mut self, wall: WallTime, now: ScheduleTime) {
        self.remap = Some(Remap {
            asked_at: wall,
            stage: RemapStage::Asked,
            ended_at: None,
            counts: Counts::default(),
        });
        self.requested = Some(Mode::Full);
        self.run = Some(NextRun::at(now, now));
    }

    /// Whether a remapping has been asked for and not begun.
    pub(crate) fn is_remap_asked(&self) -> bool {
        self.remap.is_some_and(|remap| remap.stage == RemapStage::Asked)
    }

    /// A pass begins: true when it is the one that a remapping asked for.
    pub(crate) fn begin_remap(&mut self) -> bool {
        let asked = self.remap.as_mut().filter(|remap| remap.stage == RemapStage::Asked);
        asked.map(|remap| remap.stage = RemapStage::Running).is_some()
    }

    /// A pass has read everything there was for it to read.
    pub(crate) fn end_remap(&mut self, now: WallTime, pass: &Pass) {
        let remap = self.remap.as_mut().filter(|remap| remap.stage == RemapStage::Running);
        if let Some(remap) = remap {
            remap.stage = RemapStage::Done;
            remap.ended_at = Some(now);
            remap.counts = pass.counts;
        }
    }

    /// Ends a pass half way. Whoever pulls is fenced by this state's being written; rows of its commit
    /// may have been put.
    pub(crate) fn drop_pass(&mut self) -> Option<Pass> {
        if self.lease.until.is_some() {
            self.release_after_error();
        }
        self.pass.take()
    }

    /// The id of the commit that this fence makes next.
    pub(crate) fn next_commit(&self) -> CommitId {
        CommitId::of_pull(self.lease.fence, self.commits + 1)
    }
}

impl Document for SyncState {
    fn due(&self) -> Option<Due> {
        let run = self.run.as_ref()?;
        let work = self.work().ok()?;
        Some(Due { queue: QueueName::Sync, attempt_at: run.at, due_at: run.look_at, work })
    }
}

/// What the sync queue carries: one slice of one entity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SliceTask {
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
    Slice(SliceTask),
}

/// Where a sync state's row is: beside its connection's other rows.
#[must_use]
pub fn sync_key(workspace: &WorkspaceId, connection: &ConnectionId, entity: &str) -> Key {
    Key::state(connection_pk(workspace, connection), format!("sync#{entity}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_refused_again_and_again_is_given_up() {
        let began = WallTime::from_millis(0);
        let place = || Position::after("17".to_owned());
        let mut pulling = Phase::Pulling(place());
        let mut listing = Phase::Listing { after: Some(place()), began };
        for phase in [&mut pulling, &mut listing] {
            let before = phase.clone();
            phase.refused_at(SystemErrorClass::NotFound, 2);
            phase.refused_at(SystemErrorClass::Unreachable, 9);
            assert_eq!(*phase, before);
            phase.refused_at(SystemErrorClass::NotFound, 3);
        }
        assert_eq!(pulling, Phase::Pulling(Position::default()));
        assert_eq!(listing, Phase::Listing { after: None, began });
    }
}
