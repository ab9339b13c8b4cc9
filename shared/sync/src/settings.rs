//! Changing when an entity is read, and how much of it.

use std::time::Duration;

use millwright_connection::{
    Admin, Connection, ConnectionContext, Observation, Trigger, observe_known,
};
use millwright_core::{Error, QueueName, Result, ScheduleTime};
use millwright_store::Wait;

use crate::{
    Mode, NextRun, SyncSettings, SyncState,
    schedule::{SPREAD, Spread, USUAL},
    sync_key,
};

/// What one entity's syncs are like.
///
/// # Errors
/// `NOT_FOUND` when the connection does not read this entity.
pub async fn find_sync(
    context: &ConnectionContext,
    connection: &Connection,
    entity: &str,
) -> Result<SyncState> {
    let key = sync_key(&connection.workspace, &connection.id, entity);
    let row = context.store.get_doc::<SyncState>(&key).await?;
    row.map(|row| row.doc).ok_or_else(|| Error::not_found("sync"))
}

/// Puts other settings in the place of an entity's own. What they change about the next run holds at
/// once. A first load that reaches back further reads everything anew within that window; one that
/// reaches back less leaves what is there.
///
/// # Errors
/// The faulty fields; `NOT_FOUND` when the connection does not read this entity.
pub async fn change_settings(
    context: &ConnectionContext,
    connection: &Connection,
    entity: &str,
    settings: &SyncSettings,
) -> Result<SyncState> {
    Error::from_fields(settings.faults()).map_or(Ok(()), Err)?;
    let key = sync_key(&connection.workspace, &connection.id, entity);
    let spread = Spread::of(&connection.id, entity, SPREAD, rand::random());
    let works = connection.facts.admin == Admin::Enabled;
    let clock = context.store.clock();
    let changed = context.store.modify(&key, |state: &mut SyncState| {
        let before = state.run;
        state.rearrange(settings, clock.schedule(), spread);
        state.run = state.run.filter(|_| works);
        Ok(state.run != before)
    });
    let Some((row, moved)) = changed.await? else { return Err(Error::not_found("sync")) };
    let state = row.doc;
    if state.settings.off && state.is_first_load() {
        // Nobody waits for what is not to be loaded.
        let loaded = Observation::Loaded(entity.to_owned());
        observe_known(context, connection, &loaded, Trigger::Workspace).await?;
    }
    if moved {
        carry(context, &state).await;
    }
    Ok(state)
}

/// Sends the next run's message, where the queue can hold it so long. A failure is only logged: the row
/// is due.
async fn carry(context: &ConnectionContext, state: &SyncState) {
    let now = context.store.clock().schedule();
    let Some(Wait::Carried(delay)) = state.run.map(|run| Wait::until(now, run.at)) else { return };
    let sent = match state.work() {
        Ok(work) => context.queue.send_after(QueueName::Sync, &work, delay, 0).await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        tracing::warn!(connection = %state.connection, %error, "run left to the sweep");
    }
}

impl SyncState {
    /// Takes over other settings, and what follows from them for the next run.
    pub(crate) fn rearrange(&mut self, settings: &SyncSettings, now: ScheduleTime, spread: Spread) {
        let before = std::mem::replace(&mut self.settings, settings.clone());
        if before == *settings {
            return;
        }
        if before.first_load_days != settings.first_load_days {
            self.reach_back(before.first_load_days);
        }
        if settings.keep_raw != before.keep_raw {
            self.forget_raw();
        }
        let begins = !settings.off && (before.off || !before.keep_raw);
        if settings.keep_raw && begins && !self.raw_whole {
            // The rows of what has been read already are to be had by reading everything once more.
            self.requested = Some(Mode::Full);
        }
        if self.lease_is_held() {
            // Whoever works on a pass is fenced by this, and goes on with it.
            self.run = Some(NextRun::at(now, now));
            return;
        }
        if settings.off {
            // A pass that waits for its next try now waits for whoever asks.
            self.run = self.run.filter(|_| self.requested.is_some());
            return;
        }
        let rests = self.pass.is_none() && self.failures == 0;
        let at = if self.requested.is_some() || before.off {
            now
        } else if rests && before.rhythm != settings.rhythm && !self.is_first_load() {
            let rest = self.run.map_or(Duration::ZERO, |run| run.at.since(now));
            let usual = rest.min(USUAL);
            self.settings.next_run(usual, now, Spread { chance: 0.0, ..spread }).unwrap_or(now)
        } else {
            return;
        };
        self.run = Some(NextRun::at(now, at));
    }

    /// Rows are kept from now on, or not any more: what there is of them is not whole.
    fn forget_raw(&mut self) {
        self.raw_whole = false;
        if let Some(pass) = &mut self.pass {
            pass.keeps_raw = false;
        }
    }

    fn lease_is_held(&self) -> bool {
        self.lease.until.is_some()
    }

    /// Another window: what a first load has read of another one counts for nothing, and what a wider
    /// one has beyond is to be read.
    fn reach_back(&mut self, before: Option<u32>) {
        self.kept_from = None;
        let now = self.settings.first_load_days;
        let wider = before.is_some_and(|before| now.is_none_or(|now| now > before));
        if self.is_first_load() {
            if self.drop_pass().is_some() {
                self.requested = Some(Mode::Full);
            }
        } else if wider {
            self.requested = Some(Mode::Full);
        }
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::{ConnectionId, WallTime, WorkspaceId};

    use super::*;
    use crate::{
        Rhythm,
        plan::{Begin, begin},
    };

    const DAY: i64 = 24 * 3_600_000;
    const NOW: ScheduleTime = ScheduleTime::from_millis(1_000 * DAY);
    const WALL: WallTime = WallTime::from_millis(1_000 * DAY);
    const LEASE: Duration = Duration::from_secs(60);

    fn fresh() -> SyncState {
        SyncState::new(&WorkspaceId::new_at(1), &ConnectionId::new_at(1), "vendors", NOW)
    }

    /// Loaded, with its next run in ten minutes.
    fn loaded() -> SyncState {
        let run = Some(NextRun::at(NOW, NOW + Duration::from_secs(600)));
        SyncState { window_from: Some(900), next_from: Some(900), run, ..fresh() }
    }

    fn rearranged(mut state: SyncState, settings: &SyncSettings) -> SyncState {
        let spread = Spread { width: Duration::ZERO, place: 0.0, chance: 0.0 };
        state.rearrange(settings, NOW, spread);
        state
    }

    fn wait(state: &SyncState) -> Option<u64> {
        Some(state.run?.at.since(NOW).as_secs())
    }

    #[test]
    fn another_rhythm_holds_at_once() {
        let every = |seconds| SyncSettings { rhythm: Rhythm::Every(seconds), ..<_>::default() };
        assert_eq!(wait(&rearranged(loaded(), &every(60))), Some(60));
        assert_eq!(wait(&rearranged(loaded(), &every(86_400))), Some(86_400));
        let hourly = Rhythm::Cron { expression: "0 * * * *".into(), time_zone: "UTC".into() };
        let hourly = SyncSettings { rhythm: hourly, ..SyncSettings::default() };
        assert_eq!(wait(&rearranged(loaded(), &hourly)), Some(3_600));
        assert_eq!(wait(&rearranged(loaded(), &SyncSettings::default())), Some(600));
        assert_eq!(wait(&rearranged(fresh(), &hourly)), Some(0), "a first load waits for nothing");
    }

    #[test]
    fn off_has_no_next_run_and_on_begins_at_once() {
        let off = SyncSettings { off: true, ..SyncSettings::default() };
        let mut state = rearranged(loaded(), &off);
        assert_eq!(state.run, None);
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Idle);
        let mut asked = state.clone();
        asked.requested = Some(Mode::Incremental);
        assert_eq!(begin(&mut asked, WALL, NOW, LEASE), Begin::Go, "somebody may ask");
        assert_eq!(wait(&rearranged(state, &SyncSettings::default())), Some(0));
    }

    #[test]
    fn a_wider_window_is_read_and_a_narrower_one_takes_nothing_away() {
        let window = |days| SyncSettings { first_load_days: days, ..SyncSettings::default() };
        let mut state = fresh();
        state.settings = window(Some(30));
        begin(&mut state, WALL, NOW, LEASE);
        assert_eq!(state.pass.as_ref().unwrap().from, Some(970 * DAY));
        let first = state.pass.clone().unwrap().run;
        // In the middle of the first load: it begins anew.
        let mut state = rearranged(state, &window(Some(60)));
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Go);
        let pass = state.pass.clone().unwrap();
        assert!(pass.run != first && pass.from == Some(940 * DAY));
        // Loaded: only what is wider is read.
        state.lease.release();
        (state.pass, state.window_from, state.next_from) = (None, Some(1), Some(1));
        state.run = Some(NextRun::at(NOW, NOW + LEASE));
        let narrower = rearranged(state.clone(), &window(Some(10)));
        assert_eq!((narrower.requested, wait(&narrower)), (None, Some(60)));
        let mut all = rearranged(state, &window(None));
        assert_eq!((all.requested, wait(&all)), (Some(Mode::Full), Some(0)));
        begin(&mut all, WALL, NOW, LEASE);
        assert_eq!(all.pass.unwrap().from, None);
    }

    #[test]
    fn a_pass_that_is_worked_on_goes_on_at_once_and_then_the_settings_hold() {
        let off = SyncSettings { off: true, ..SyncSettings::default() };
        let mut state = loaded();
        state.run = Some(NextRun::at(NOW, NOW));
        begin(&mut state, WALL, NOW, LEASE);
        let run = state.pass.clone().unwrap().run;
        let mut state = rearranged(state, &off);
        assert_eq!(wait(&state), Some(0), "whoever is fenced finds it to be done");
        state.release_after_error();
        assert_eq!(begin(&mut state, WALL, NOW, LEASE), Begin::Go);
        assert_eq!(state.pass.as_ref().unwrap().run, run);
        let spread = Spread { width: Duration::ZERO, place: 0.0, chance: 0.0 };
        assert_eq!(state.settings.next_run(LEASE, NOW, spread), None);
    }

    #[test]
    fn rows_are_whole_once_everything_was_read_since_they_are_kept() {
        let keep = SyncSettings { keep_raw: true, ..SyncSettings::default() };
        let asked = rearranged(loaded(), &keep);
        assert_eq!((asked.requested, wait(&asked)), (Some(Mode::Full), Some(0)));
        assert!(!asked.has_raw(), "nothing has been read yet");
        let whole = SyncState { raw_whole: true, requested: None, ..asked.clone() };
        assert!(whole.has_raw());
        let dropped = rearranged(whole, &SyncSettings::default());
        assert!(!dropped.has_raw());
        let again = rearranged(dropped, &keep);
        assert!(!again.has_raw() && again.requested == Some(Mode::Full));
        // What is off is read when it is on again.
        let off = rearranged(loaded(), &SyncSettings { off: true, ..keep.clone() });
        assert_eq!((off.requested, off.run), (None, None));
        assert_eq!(rearranged(off, &keep).requested, Some(Mode::Full));
        // A pass that began before has pages without them.
        let mut begun = asked;
        assert_eq!(begin(&mut begun, WALL, NOW, LEASE), Begin::Go);
        assert!(begun.pass.as_ref().unwrap().keeps_raw);
        let begun = rearranged(rearranged(begun, &SyncSettings::default()), &keep);
        assert!(!begun.pass.unwrap().keeps_raw);
    }

    #[test]
    fn whoever_gets_the_usual_interval_back_need_not_wait_for_the_end_of_the_one_before() {
        let (expression, time_zone) = ("0 0 1 1 *".to_owned(), "UTC".to_owned());
        let yearly = Rhythm::Cron { expression, time_zone };
        let yearly = rearranged(loaded(), &SyncSettings { rhythm: yearly, ..<_>::default() });
        assert!(wait(&yearly) > Some(30 * 24 * 3600));
        assert_eq!(wait(&rearranged(yearly, &SyncSettings::default())), Some(900));
        // Its next run is no later than it was.
        let soon = SyncSettings { rhythm: Rhythm::Every(60), ..<_>::default() };
        let soon = rearranged(loaded(), &soon);
        assert!(wait(&soon) <= Some(60));
        assert_eq!(wait(&rearranged(soon.clone(), &SyncSettings::default())), wait(&soon));
    }

    #[test]
    fn the_same_settings_change_nothing() {
        let before = loaded();
        assert_eq!(rearranged(before.clone(), &SyncSettings::default()), before);
    }
}
