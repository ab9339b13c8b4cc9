//! What a slice does when it begins: a pure decision over the sync state.

use std::time::Duration;

use millwright_connector::Position;
use millwright_core::{RunId, ScheduleTime, WallTime};

use crate::state::{Counts, Mode, Pass, Phase, SyncState, SyncStatus, Trigger};

/// What to do with a slice task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Somebody else pulls until then.
    Busy(WallTime),
    /// There is nothing to do: the task is left over.
    Idle,
    /// The lease is taken and a pass is there to go on with.
    Go,
}

/// Takes the lease and begins a pass, or goes on with the one that is there.
pub(crate) fn begin(
    state: &mut SyncState,
    wall: WallTime,
    schedule: ScheduleTime,
    lease: Duration,
) -> Begin {
    let waits = state.run.is_some_and(|run| run.at > schedule);
    let carried_on = state.pass.is_some() && state.run.is_none();
    let due = state.requested.is_some() || carried_on || (state.run.is_some() && !waits);
    if !due {
        return Begin::Idle;
    }
    let lost_commit = state.lease.until.is_some().then(|| state.next_commit());
    if let Err(until) = state.lease.take(wall, lease) {
        return Begin::Busy(until);
    }
    if state.pass.is_some() {
        // The last holder did not give the lease back: rows of its next commit may have been put.
        if let Some(lost) = lost_commit {
            state.lose(lost);
        }
    }
    state.commits = 0;
    state.run = None;
    state.status = SyncStatus::InProgress;
    begin_pass(state, wall);
    Begin::Go
}

fn begin_pass(state: &mut SyncState, wall: WallTime) {
    let requested = state.requested.take();
    let remaps = state.begin_remap();
    let full = remaps || requested == Some(Mode::Full) || state.is_first_load();
    let mode = if full { Mode::Full } else { Mode::Incremental };
    if let Some(pass) = &mut state.pass {
        let widened = mode == Mode::Full && pass.mode == Mode::Incremental;
        if requested.is_some() {
            pass.trigger = Trigger::Request;
        }
        if !widened && !remaps {
            pass.ask_again(requested);
            return;
        }
    }
    state.counts = Counts::default();
    state.skips.clear();
    state.last_started_at = Some(wall);
    let kept_from = state.fix_kept_from(wall);
    state.pass = Some(Pass {
        run: RunId::new_at(wall.millis()),
        mode,
        trigger: if requested.is_some() { Trigger::Request } else { Trigger::Schedule },
        started_at: wall,
        from: if full { kept_from } else { state.next_from },
        deletions_from: state.next_from.or(state.window_from),
        checkpoint: state.checkpoint.clone(),
        reached: None,
        source_started: None,
        phase: Phase::Pulling(Position::default()),
        swept: false,
        filled: false,
        counts: Counts::default(),
        round: 0,
        pages: 0,
        held: None,
        narrow: None,
        keeps_raw: state.settings.keep_raw,
        again: None,
        calls: 0,
        slices: 0,
    });
}

/// The pass has lost its place in the source's log: it begins anew and reads everything.
pub(crate) fn start_over(state: &mut SyncState) {
    state.checkpoint = None;
    if let Some(pass) = &mut state.pass {
        pass.mode = Mode::Full;
        pass.from = state.kept_from;
        pass.checkpoint = None;
        pass.reached = None;
        pass.source_started = None;
        pass.begin_listing(Phase::Pulling(Position::default()));
    }
}

/// The pass has ended well: from when on the next one reads. With `rereads` a change may be lost by one
/// pass without anything showing it, so that each is read by two: the next pass reaches back to where
/// the one before this began. After a reading of everything that is so too, unless the ids were listed
/// and what was missing has been fetched.
pub(crate) fn window_after(state: &mut SyncState, pass: &Pass, rereads: bool) {
    let began = pass.source_started.unwrap_or(pass.started_at.millis());
    let healed = pass.from.is_none() && pass.filled;
    // Before the first pass there was nothing: it is what that has read which is read again.
    let before = state.window_from.or(state.kept_from);
    state.next_from = if rereads && !healed { before } else { Some(began) };
    state.window_from = Some(began);
    state.checkpoint = pass.reached.clone().or_else(|| pass.checkpoint.clone());
}

/// Whether a pass lists ids when its pages are in: always when everything was read or somebody asked,
/// else at every `every`th run.
pub(crate) fn wants_sweep(pass: &Pass, runs_since: u32, every: u32) -> bool {
    let asked = pass.mode == Mode::Full || pass.trigger == Trigger::Request;
    asked || runs_since + 1 >= every
}

#[cfg(test)]
mod tests {
    use millwright_connector::Checkpoint;
    use millwright_core::{ConnectionId, WorkspaceId};
    use millwright_records::CommitId;

    use super::*;
    use crate::state::{NextRun, RemapStage};

    const LEASE: Duration = Duration::from_secs(60);
    const WALL: WallTime = WallTime::from_millis(1_000_000);
    const NOW: ScheduleTime = ScheduleTime::from_millis(1_000_000);

    fn fresh() -> SyncState {
        SyncState::new(&WorkspaceId::new_at(1), &ConnectionId::new_at(1), "vendors", NOW)
    }

    fn loaded() -> SyncState {
        SyncState { window_from: Some(900), next_from: Some(900), run: None, ..fresh() }
    }

    #[test]
    fn the_first_pass_reads_everything() {
        let mut state = fresh();
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Go);
        let pass = state.pass.unwrap();
        assert_eq!((pass.mode, pass.from), (Mode::Full, None));
    }

    #[test]
    fn a_later_pass_starts_where_the_last_one_began() {
        let mut state = SyncState { run: Some(NextRun::at(NOW, NOW)), ..loaded() };
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Go);
        let pass = state.pass.unwrap();
        assert_eq!((pass.mode, pass.from), (Mode::Incremental, Some(900)));
    }

    #[test]
    fn what_is_asked_for_half_way_through_a_pass_follows_it() {
        let again = |pages, asked: &[Mode]| {
            let mut state = SyncState { run: Some(NextRun::at(NOW, NOW)), ..loaded() };
            begin(&mut state, WALL, NOW, LEASE);
            state.pass.as_mut().unwrap().pages = pages;
            let run = state.pass.as_ref().unwrap().run.clone();
            for mode in asked {
                state.lease.release();
                state.requested = Some(*mode);
                assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Go);
            }
            let pass = state.pass.unwrap();
            (pass.run == run).then_some(pass.again)
        };
        let asked = Mode::Incremental;
        assert_eq!(again(1, &[asked]), Some(Some(asked)));
        assert_eq!(again(0, &[asked]), Some(None), "nothing has been read before it was asked for");
        assert_eq!(again(1, &[asked, Mode::Full]), None, "everything is read anew at once");
    }

    #[test]
    fn a_left_over_task_does_nothing() {
        let mut state = loaded();
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Idle);
        let later = NOW + Duration::from_secs(1);
        let mut waiting = SyncState { run: Some(NextRun::at(NOW, later)), ..loaded() };
        assert_eq!(begin(&mut waiting, WALL, NOW, LEASE), Begin::Idle);
    }

    #[test]
    fn one_pulls_and_the_others_wait_for_its_lease() {
        let mut state = fresh();
        begin(&mut state, WALL, NOW, LEASE);
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Busy(WALL + LEASE));
    }

    #[test]
    fn after_a_crash_the_pass_goes_on_and_its_lost_commit_is_remembered() {
        let mut state = fresh();
        begin(&mut state, WALL, NOW, LEASE);
        state.commits = 4;
        let run = state.pass.clone().unwrap().run;
        assert_eq!(begin(&mut state, WALL + LEASE, NOW, LEASE), Begin::Go);
        assert_eq!(state.pass.as_ref().unwrap().run, run);
        assert_eq!(state.unfinished, vec![CommitId::of_pull(1, 5)]);
        assert_eq!((state.lease.fence, state.commits), (2, 0));
    }

    #[test]
    fn a_slice_that_gave_its_lease_back_has_no_lost_commit() {
        let mut state = fresh();
        begin(&mut state, WALL, NOW, LEASE);
        state.lease.release();
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Go);
        assert!(state.unfinished.is_empty());
    }

    #[test]
    fn the_lost_commit_of_a_slice_that_gave_up_is_remembered_by_the_next() {
        let mut state = fresh();
        begin(&mut state, WALL, NOW, LEASE);
        state.release_after_error();
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Go);
        assert_eq!(state.unfinished, vec![CommitId::of_pull(1, 1)]);
    }

    #[test]
    fn a_full_sync_that_was_asked_for_widens_an_incremental_pass() {
        let mut state = SyncState { run: Some(NextRun::at(NOW, NOW)), ..loaded() };
        begin(&mut state, WALL, NOW, LEASE);
        state.lease.release();
        state.requested = Some(Mode::Full);
        begin(&mut state, WALL, NOW, LEASE);
        assert_eq!(state.pass.unwrap().mode, Mode::Full);
    }

    #[test]
    fn ids_are_listed_when_somebody_asked_or_at_every_nth_run() {
        let mut state = SyncState { run: Some(NextRun::at(NOW, NOW)), ..loaded() };
        begin(&mut state, WALL, NOW, LEASE);
        let mut pass = state.pass.unwrap();
        assert!(!wants_sweep(&pass, 2, 4));
        assert!(wants_sweep(&pass, 3, 4));
        assert!(wants_sweep(&pass, 0, 1));
        pass.trigger = Trigger::Request;
        assert!(wants_sweep(&pass, 0, 4));
    }

    #[test]
    fn a_changed_mapping_makes_a_running_pass_begin_anew_and_read_everything() {
        let mut state = SyncState { run: Some(NextRun::at(NOW, NOW)), ..loaded() };
        begin(&mut state, WALL, NOW, LEASE);
        let mut before = state.pass.clone().unwrap();
        for asked in 1..=2 {
            state.ask_remap(WALL, NOW);
            assert!(state.is_remap_asked());
            state.release_after_error();
            assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Go);
            let pass = state.pass.clone().unwrap();
            assert_eq!((pass.mode, pass.from), (Mode::Full, None));
            assert_ne!(pass.run, before.run, "a pass that reads everything begins anew too");
            assert_eq!(state.unfinished.len(), asked, "its rows may have been put");
            before = pass;
        }
        let mut pass = state.pass.clone().unwrap();
        pass.counts.updated = 7;
        state.end_remap(WALL, &pass);
        let remap = state.remap.unwrap();
        assert_eq!((remap.stage, remap.counts.updated), (RemapStage::Done, 7));
        assert_eq!(remap.ended_at, Some(WALL));
    }

    fn ended(state: &mut SyncState, began: i64, filled: bool, rereads: bool) -> Option<i64> {
        state.run = Some(NextRun::at(NOW, NOW));
        begin(state, WALL, NOW, LEASE);
        let mut pass = state.pass.take().unwrap();
        (pass.source_started, pass.filled) = (Some(began), filled);
        let from = pass.from;
        window_after(state, &pass, rereads);
        state.lease.release();
        from
    }

    #[test]
    fn where_rows_may_be_lost_unseen_each_change_is_read_by_two_passes() {
        let mut state = fresh();
        let read: Vec<Option<i64>> =
            [1, 2, 3, 4].map(|began| ended(&mut state, began, false, true)).to_vec();
        assert_eq!(read, [None, None, Some(1), Some(2)]);
        let mut swept = fresh();
        let read: Vec<Option<i64>> =
            [1, 2, 3, 4].map(|began| ended(&mut swept, began, began == 1, true)).to_vec();
        assert_eq!(read, [None, Some(1), Some(1), Some(2)], "a sweep heals the first load");
        let mut firm = fresh();
        let read = [1, 2, 3].map(|began| ended(&mut firm, began, false, false));
        assert_eq!(read, [None, Some(1), Some(2)]);
    }

    #[test]
    fn a_lost_place_in_the_log_makes_the_pass_read_everything() {
        let mut state = SyncState {
            checkpoint: Some(Checkpoint::default()),
            run: Some(NextRun::at(NOW, NOW)),
            ..loaded()
        };
        begin(&mut state, WALL, NOW, LEASE);
        assert!(state.pass.as_ref().unwrap().checkpoint.is_some());
        start_over(&mut state);
        let pass = state.pass.unwrap();
        assert_eq!((pass.mode, pass.from, pass.checkpoint), (Mode::Full, None, None));
        assert_eq!(pass.deletions_from, Some(900));
    }
}
