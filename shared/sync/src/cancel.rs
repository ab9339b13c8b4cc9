//! Ending a run half way.

use std::time::Duration;

use millwright_connection::{
    Admin, Connection, ConnectionContext, Observation, Trigger, observe_known,
};
use millwright_core::{Error, ErrorCode, Result, RunId, ScheduleTime};
use millwright_store::{Row, StoreError, Write};

use crate::{
    NextRun, RemapStage, SyncRun, SyncState, SyncStatus, find_run,
    schedule::{SPREAD, Spread, USUAL},
    sync_key, sync_states,
};

/// How often it is begun again when a running pass writes its state at the same time.
const TRIES: u32 = 50;
/// The wait between two of these tries grows with each of them, up to this.
const PAUSE_MAX: Duration = Duration::from_millis(200);
/// Ends a run before its end. What it has read stays; the next one begins at its time, where the one
/// before this began. Cancelling twice is as good as once.
///
/// # Errors
/// `NOT_FOUND`; `STATE_CONFLICT` for one that has come to its end.
pub async fn cancel_run(
    context: &ConnectionContext,
    connection: &Connection,
    id: &RunId,
) -> Result<SyncRun> {
    let (workspace, own) = (&connection.workspace, &connection.id);
    for tried in 1..=TRIES {
        let states = sync_states(&context.store, workspace, own).await?;
        let runs = |state: &SyncState| SyncRun::live(state).is_some_and(|run| run.id == *id);
        let Some(state) = states.iter().find(|state| runs(state)) else {
            return ended(find_run(&context.store, workspace, own, id).await?);
        };
        let key = sync_key(workspace, own, &state.entity);
        let Some(row) = context.store.get::<SyncState>(&key).await? else { continue };
        if !runs(&row.doc) {
            continue;
        }
        if let Some(run) = write(context, connection, row).await? {
            return Ok(run);
        }
        tokio::time::sleep((Duration::from_millis(5) * tried).min(PAUSE_MAX)).await;
    }
    Err(StoreError::Conflict(0).into())
}

/// What is said of a run that no longer runs.
fn ended(run: SyncRun) -> Result<SyncRun> {
    if run.status == SyncStatus::Cancelled {
        return Ok(run);
    }
    let message = "the run has come to its end: there is nothing left to cancel";
    Err(Error::new(ErrorCode::StateConflict, message))
}

/// Ends the pass of this state; nothing when somebody else wrote the state meanwhile.
async fn write(
    context: &ConnectionContext,
    connection: &Connection,
    mut row: Row<SyncState>,
) -> Result<Option<SyncRun>> {
    let clock = context.store.clock();
    let (now, wall) = (clock.schedule(), clock.wall());
    let was_first = row.doc.is_first_load();
    let spread = Spread::of(&connection.id, &row.doc.entity, SPREAD, rand::random());
    let next = row.doc.settings.next_run(USUAL, now, spread);
    let next = next.filter(|_| connection.facts.admin == Admin::Enabled);
    let Some(run) = row.doc.cancel(now, next) else { return Ok(None) };
    let run = run.ended(wall, None);
    let (workspace, id) = (&connection.workspace, &connection.id);
    let writes = vec![Write::replace(&row)?, run.as_write(workspace, id)?];
    match context.store.transact(writes).await {
        Ok(()) => {}
        Err(StoreError::Conflict(_) | StoreError::Busy) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    if was_first {
        // A first load ends, even when somebody has ended it.
        let loaded = Observation::Loaded(row.doc.entity.clone());
        observe_known(context, connection, &loaded, Trigger::Workspace).await?;
    }
    let folder = format!("{workspace}/sync/{id}/{}/{}", row.doc.entity, run.id);
    if let Err(error) = context.blob.delete_all(&folder).await {
        tracing::warn!(connection = %connection.id, %error, "kept ids not removed");
    }
    Ok(Some(run))
}

impl SyncState {
    /// Ends the pass there is; the next one begins at `next`.
    fn cancel(&mut self, now: ScheduleTime, next: Option<ScheduleTime>) -> Option<SyncRun> {
        let pass = self.drop_pass()?;
        // What a changed mapping asked for is still to be done.
        if let Some(remap) = self.remap.as_mut().filter(|own| own.stage == RemapStage::Running) {
            remap.stage = RemapStage::Asked;
        }
        self.requested = None;
        self.status = SyncStatus::Cancelled;
        self.run = next.map(|at| NextRun::at(now, at));
        (self.failures, self.failure_told) = (0, false);
        Some(SyncRun::of(&self.entity, &pass, SyncStatus::Cancelled, &self.skips))
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::{ConnectionId, WallTime, WorkspaceId};

    use super::*;
    use crate::plan::{Begin, begin};

    const LEASE: Duration = Duration::from_secs(60);
    const NOW: ScheduleTime = ScheduleTime::from_millis(1_000_000);
    const WALL: WallTime = WallTime::from_millis(1_000_000);

    fn running() -> SyncState {
        let (workspace, connection) = (WorkspaceId::new_at(1), ConnectionId::new_at(1));
        let mut state = SyncState::new(&workspace, &connection, "vendors", NOW);
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Go);
        state
    }

    #[test]
    fn whoever_pulls_is_fenced_and_what_it_may_have_put_is_told_by_the_next() {
        let mut state = running();
        let lost = state.next_commit();
        let run = state.cancel(NOW, Some(NOW + LEASE)).unwrap();
        assert_eq!((run.status, state.status), (SyncStatus::Cancelled, SyncStatus::Cancelled));
        assert_eq!(state.unfinished, [lost]);
        assert_eq!(state.cancel(NOW, None), None);
        // A message that is left over begins nothing before its time.
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Idle);
        assert_eq!(begin(&mut state, WALL, NOW + LEASE, LEASE), Begin::Go);
        assert_eq!(state.lease.fence, 2);
        assert!(state.is_first_load() && state.pass.is_some_and(|pass| pass.run != run.id));
    }

    #[test]
    fn what_a_changed_mapping_asked_for_is_not_forgotten() {
        let mut state = running();
        state.window_from = Some(1);
        state.ask_remap(WALL, NOW);
        state.release_after_error();
        begin(&mut state, WALL, NOW, LEASE);
        state.cancel(NOW, Some(NOW)).unwrap();
        assert!(state.is_remap_asked());
        begin(&mut state, WALL, NOW, LEASE);
        assert_eq!(state.pass.unwrap().mode, crate::Mode::Full);
    }
}
