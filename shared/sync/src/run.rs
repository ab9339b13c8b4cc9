//! The history of passes: one row for each that has ended or failed, and the one that runs as its sync
//! state tells it.

use std::time::Duration;

use millwright_connection::connection_pk;
use millwright_core::{ConnectionId, Error, Result, RunId, WallTime, WorkspaceId};
use millwright_store::{Document, Expect, Key, Range, Store, Table, Write};
use serde::{Deserialize, Serialize};

use crate::{
    Counts, Mode, Skipped, SyncState, SyncStatus, Trigger,
    state::{Pass, Phase},
    sync_states,
};

/// How long a run can be read: as long as the feed tells of what it did.
const RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);
const PREFIX: &str = "run#";
/// So many runs are looked at for one page of a list with conditions.
const LOOKED_AT_MAX: usize = 500;

/// What a running pass is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It reads records.
    Reading,
    /// It lists what there is, to find what is gone.
    Listing,
    /// It compares that list with what is kept.
    Comparing,
}

/// A pass as its history tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRun {
    /// Its id.
    pub id: RunId,
    /// The entity.
    pub entity: String,
    /// What it reads.
    pub mode: Mode,
    /// Why it runs.
    pub trigger: Trigger,
    /// How it ended, or that it runs. One that failed may go on, and then ends otherwise.
    pub status: SyncStatus,
    /// What it is at; nothing once it has ended.
    #[serde(default)]
    pub stage: Option<Stage>,
    /// When it began.
    pub started_at: WallTime,
    /// When it ended, or failed last.
    #[serde(default)]
    pub ended_at: Option<WallTime>,
    /// What it did.
    pub counts: Counts,
    /// Records that it left out, the first 20.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Calls that it made to the system.
    #[serde(default)]
    pub calls: u64,
    /// Invocations that have worked on it.
    #[serde(default)]
    pub slices: u64,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
}

impl Document for SyncRun {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.started_at + RETENTION)
    }
}

impl SyncRun {
    /// A pass of an entity with this status, and the records that it has left out.
    pub(crate) fn of(entity: &str, pass: &Pass, status: SyncStatus, skips: &[Skipped]) -> Self {
        Self {
            id: pass.run.clone(),
            entity: entity.to_owned(),
            mode: pass.mode,
            trigger: pass.trigger,
            status,
            stage: None,
            started_at: pass.started_at,
            ended_at: None,
            counts: pass.counts,
            skipped: skips.to_vec(),
            calls: pass.calls,
            slices: pass.slices,
            error: None,
        }
    }

    /// The pass that a state is at, whether a slice works on it just now or it waits for its next.
    #[must_use]
    pub fn live(state: &SyncState) -> Option<Self> {
        let pass = state.pass.as_ref()?;
        let stage = match pass.phase {
            Phase::Pulling(_) => Stage::Reading,
            Phase::Listing { .. } => Stage::Listing,
            Phase::Comparing { .. } | Phase::Telling { .. } => Stage::Comparing,
        };
        let own = Self::of(&state.entity, pass, state.status, &state.skips);
        Some(Self { stage: Some(stage), error: state.last_error.clone(), ..own })
    }

    /// The same, ended.
    #[must_use]
    pub(crate) fn ended(self, at: WallTime, error: Option<String>) -> Self {
        Self { ended_at: Some(at), stage: None, error, ..self }
    }

    /// How long it has taken so far, or took.
    #[must_use]
    pub fn duration(&self, now: WallTime) -> Duration {
        self.ended_at.unwrap_or(now).since(self.started_at)
    }

    /// The write that keeps it, in the place of what was told of it before.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(crate) fn as_write(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
    ) -> Result<Write> {
        Ok(Write::put(&run_key(workspace, connection, &self.id), self, Expect::Anything)?)
    }
}

/// Where a run's row is: beside its connection's other rows.
fn run_key(workspace: &WorkspaceId, connection: &ConnectionId, id: &RunId) -> Key {
    Key::state(connection_pk(workspace, connection), format!("{PREFIX}{id}"))
}

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only those of this entity.
    pub entity: Option<String>,
    /// Only those in this status.
    pub status: Option<SyncStatus>,
}

impl RunFilter {
    fn takes(&self, run: &SyncRun) -> bool {
        let entity = self.entity.as_ref().is_none_or(|entity| *entity == run.entity);
        entity && self.status.is_none_or(|status| status == run.status)
    }
}

/// A connection's runs, newest first, from before `before`: those that run among them. The page and
/// where to go on.
///
/// # Errors
/// When the table fails.
pub async fn list_runs(
    store: &Store,
    (workspace, connection): (&WorkspaceId, &ConnectionId),
    filter: &RunFilter,
    before: Option<&RunId>,
    limit: usize,
) -> Result<(Vec<SyncRun>, Option<RunId>)> {
    let states = sync_states(store, workspace, connection).await?;
    let live: Vec<SyncRun> = states.iter().filter_map(SyncRun::live).collect();
    let (pk, range) = (connection_pk(workspace, connection), Range::Prefix(PREFIX.to_owned()));
    let before_key = before.map(|id| run_key(workspace, connection, id).sk);
    let at_once = limit.clamp(50, LOOKED_AT_MAX);
    let page =
        store.query::<SyncRun>(Table::State, &pk, &range, before_key.as_deref(), at_once, false);
    let page = page.await?;
    let kept = page.rows.into_iter().map(|row| row.doc).collect();
    let reach = page.next.and_then(|sk| sk.strip_prefix(PREFIX)?.parse().ok());
    Ok(merged(kept, live, filter, before, reach.as_ref(), limit))
}

/// One page of what is kept and what runs. `reach` is how far back what is kept was read; nothing for
/// all of it.
fn merged(
    kept: Vec<SyncRun>,
    live: Vec<SyncRun>,
    filter: &RunFilter,
    before: Option<&RunId>,
    reach: Option<&RunId>,
    limit: usize,
) -> (Vec<SyncRun>, Option<RunId>) {
    let within = |run: &SyncRun| {
        before.is_none_or(|before| run.id < *before) && reach.is_none_or(|reach| run.id >= *reach)
    };
    let running = |run: &SyncRun| live.iter().any(|own| own.id == run.id);
    let mut runs: Vec<SyncRun> = kept.into_iter().filter(|run| !running(run)).collect();
    runs.extend(live.iter().filter(|run| within(run)).cloned());
    runs.retain(|run| filter.takes(run));
    runs.sort_by(|one, other| other.id.cmp(&one.id));
    if runs.len() > limit {
        runs.truncate(limit);
        let next = runs.last().map(|run| run.id.clone());
        return (runs, next);
    }
    (runs, reach.cloned())
}

/// A run of a connection.
///
/// # Errors
/// `NOT_FOUND` when there is none, or it is no longer kept.
pub async fn find_run(
    store: &Store,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    id: &RunId,
) -> Result<SyncRun> {
    let states = sync_states(store, workspace, connection).await?;
    if let Some(live) = states.iter().filter_map(SyncRun::live).find(|run| run.id == *id) {
        return Ok(live);
    }
    let row = store.get::<SyncRun>(&run_key(workspace, connection, id)).await?;
    row.map(|row| row.doc).ok_or_else(|| Error::not_found("sync run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(at: i64, entity: &str, status: SyncStatus) -> SyncRun {
        SyncRun {
            id: RunId::new_at(at),
            entity: entity.to_owned(),
            mode: Mode::Full,
            trigger: Trigger::Schedule,
            status,
            stage: None,
            started_at: WallTime::from_millis(at),
            ended_at: None,
            counts: Counts::default(),
            skipped: Vec::new(),
            calls: 0,
            slices: 1,
            error: None,
        }
    }

    /// Newest first, as the table gives them.
    fn history() -> Vec<SyncRun> {
        [50, 40, 30, 20, 10].map(|at| run(at, "vendors", SyncStatus::Completed)).to_vec()
    }

    #[test]
    fn what_runs_stands_among_what_has_ended_once_each_page_of_the_list() {
        let history = history();
        let mut goes_on = history[2].clone();
        goes_on.status = SyncStatus::InProgress;
        let fresh = run(60, "materials", SyncStatus::InProgress);
        let live = vec![goes_on.clone(), fresh.clone()];
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let rest: Vec<SyncRun> = history
                .iter()
                .filter(|run| before.as_ref().is_none_or(|before| run.id < *before))
                .cloned()
                .collect();
            let reach = rest.get(2).filter(|_| rest.len() > 3).map(|run| run.id.clone());
            let kept = rest.into_iter().take(3).collect();
            let filter = RunFilter::default();
            let (page, next) =
                merged(kept, live.clone(), &filter, before.as_ref(), reach.as_ref(), 2);
            seen.extend(page);
            match next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        let mut expected = vec![fresh];
        expected.extend(history);
        expected[3] = goes_on;
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_list_with_conditions_shows_what_meets_them() {
        let filter =
            RunFilter { entity: Some("vendors".to_owned()), status: Some(SyncStatus::Failed) };
        let failed = run(45, "vendors", SyncStatus::Failed);
        let live = vec![failed.clone(), run(46, "materials", SyncStatus::Failed)];
        let (page, next) = merged(history(), live, &filter, None, None, 50);
        assert_eq!((page, next), (vec![failed], None));
    }
}
