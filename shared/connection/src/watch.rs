//! What is remembered of a connection so that its status is told once, its health is looked after and
//! everything returns by itself.

use std::time::Duration;

use millwright_core::{
    ConnectionId, QueueName, Result, ScheduleTime, Work, WorkspaceId,
    config::{ConfigError, Source, parsed_in},
};
use millwright_queue::MAX_HOPS;
use millwright_store::{DUE_GRACE, DUE_LOOKAHEAD, Due, Lease, Wait};
use serde::{Deserialize, Serialize};

use crate::{Admin, Connection, Health, tell::Told};

/// So long after it began to be used, it is looked whether a connection has OAuth tokens that nobody
/// uses. Those that have say themselves when they are looked at again.
pub(crate) const REFRESH_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The part of a connection's row that only this crate reasons about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watch {
    /// How often its status has changed.
    pub changes: u64,
    /// Why the workspace's wish is as it is; nothing while the connection is wanted.
    pub(crate) admin_reason: Option<String>,
    /// Why its health is as it is; nothing while it is well.
    pub(crate) health_reason: Option<String>,
    /// What receivers have been told.
    pub(crate) told: Told,
    /// Checks in a row that failed.
    pub(crate) failures: u32,
    /// Who asks the system just now, unasked.
    pub lease: Lease,
    /// Set while syncs have to be woken: with the number of the change that made it so.
    pub wake: Option<u64>,
    /// Set while its issues have to be closed: with the number of the change that made it so.
    pub over: Option<u64>,
    /// When its OAuth tokens are looked at though nobody uses them.
    pub refresh_at: Option<ScheduleTime>,
    /// When something has to be done about it.
    pub(crate) next: Option<NextTask>,
}

/// When something has to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NextTask {
    pub at: ScheduleTime,
    /// When the sweep must look.
    look_at: ScheduleTime,
}

impl NextTask {
    /// Kept by a queue message with this delay; nothing when the due index keeps it.
    pub fn carried(self, now: ScheduleTime) -> Option<Duration> {
        (self.look_at > self.at).then(|| self.at.since(now))
    }

    /// `hop` is how often the work has been sent on: from a number on only the sweep does it.
    fn urgent(now: ScheduleTime, at: ScheduleTime, hop: u8) -> Self {
        match Wait::until(now, at) {
            Wait::Carried(_) if hop < MAX_HOPS => Self { at, look_at: at.max(now) + DUE_GRACE },
            _ => Self::patient(at),
        }
    }

    /// One that may be put off again and again before its time comes: no message is spent on it.
    fn patient(at: ScheduleTime) -> Self {
        Self { at, look_at: at - DUE_LOOKAHEAD }
    }
}

/// Whether its system is wanted and answers.
pub(crate) fn is_running(connection: &Connection) -> bool {
    connection.facts.admin == Admin::Enabled && connection.facts.health == Health::Ok
}

/// What has to be done about a connection next.
pub(crate) fn next_task(connection: &Connection, now: ScheduleTime, hop: u8) -> Option<NextTask> {
    let watch = &connection.watch;
    let failing = connection.facts.health != Health::Ok;
    let chores = watch.wake.or(watch.over).map(|_| now);
    let failing_check = connection.next_check_at.filter(|_| failing);
    let urgent = [chores, watch.told.due, failing_check].into_iter().flatten().min();
    let idle_check = connection.next_check_at.filter(|_| !failing);
    let pending = connection.facts.admin == Admin::Pending;
    let expiry = connection.pending_until.filter(|_| pending);
    let refresh = watch.refresh_at.filter(|_| is_running(connection));
    let patient = [idle_check, expiry, refresh].into_iter().flatten().min();
    match (urgent, patient) {
        (Some(at), other) if other.is_none_or(|other| at <= other) => {
            Some(NextTask::urgent(now, at, hop))
        }
        (_, at) => at.map(NextTask::patient),
    }
}

impl Connection {
    /// The work that sees to what is due.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn work(&self) -> Result<Work> {
        let task =
            ConnectionTask { workspace: self.workspace.clone(), connection: self.id.clone() };
        Work::new(self.id.as_str(), &Tagged::Connection(task))
    }

    /// Works out when something has to be done about a new connection: part of making one. Every
    /// later [`crate::change`] does so by itself.
    pub fn plan(&mut self, now: ScheduleTime) {
        self.watch.refresh_at = Some(now + REFRESH_AFTER);
        self.watch.next = next_task(self, now, 0);
    }

    pub(crate) fn due_task(&self) -> Option<Due> {
        let next = self.watch.next?;
        let work = self.work().ok()?;
        Some(Due { queue: QueueName::Sync, attempt_at: next.at, due_at: next.look_at, work })
    }
}

/// What is due for a connection now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    /// Its user has not finished in time.
    pub expire: bool,
    /// Its system is to be asked how it is.
    pub probe: bool,
    /// Its OAuth tokens are to be looked at: [`Watch::refresh_at`].
    pub refresh: bool,
    /// A change that was held back is to be told.
    pub tell: bool,
    /// Its syncs are to be woken: [`Watch::wake`].
    pub wake: Option<u64>,
    /// Its issues are to be closed: [`Watch::over`].
    pub over: Option<u64>,
}

impl Connection {
    /// What is due now.
    #[must_use]
    pub fn duties(&self, now: ScheduleTime) -> Duties {
        let come = |at: Option<ScheduleTime>| at.is_some_and(|at| at <= now);
        let admin = self.facts.admin;
        Duties {
            expire: admin == Admin::Pending && come(self.pending_until),
            probe: admin == Admin::Enabled && come(self.next_check_at),
            refresh: is_running(self) && come(self.watch.refresh_at),
            tell: come(self.watch.told.due),
            wake: self.watch.wake,
            over: self.watch.over,
        }
    }
}

/// What the sync queue carries for a connection: something is due, its row says what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConnectionTask {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The connection.
    pub connection: ConnectionId,
}

/// The task's tag on the queue, beside the other work of that queue.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Tagged {
    Connection(ConnectionTask),
}

/// How health is watched and told: on the schedule clock, but for `stale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthTiming {
    /// A connection that nobody has heard of for so long is asked.
    pub check_interval: Duration,
    /// After a change that the system's health caused was told, no other one is for so long.
    pub quiet: Duration,
    /// By the time of day: records of syncs that ended longer ago are not read in place of a system that fails.
    pub stale: Duration,
}

impl Default for HealthTiming {
    fn default() -> Self {
        Self {
            check_interval: Duration::from_secs(900),
            quiet: Duration::from_secs(300),
            stale: Duration::from_secs(24 * 3600),
        }
    }
}

impl HealthTiming {
    /// From `MILLWRIGHT_CHECK_INTERVAL_SECONDS` (900 unless set), `MILLWRIGHT_STATUS_QUIET_SECONDS`
    /// (300 unless set) and `MILLWRIGHT_STALE_SECONDS` (86,400 unless set).
    ///
    /// # Errors
    /// When one of them is not a number in its range.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let usual = Self::default();
        let seconds = |name, usual: Duration, range| {
            parsed_in(source, name, usual.as_secs(), range).map(Duration::from_secs)
        };
        Ok(Self {
            check_interval: seconds(
                "MILLWRIGHT_CHECK_INTERVAL_SECONDS",
                usual.check_interval,
                &(15..=86_400),
            )?,
            quiet: seconds("MILLWRIGHT_STATUS_QUIET_SECONDS", usual.quiet, &(0..=3_600))?,
            stale: seconds("MILLWRIGHT_STALE_SECONDS", usual.stale, &(60..=31_536_000))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use millwright_store::QUEUE_DELAY_MAX;

    use super::*;
    use crate::testing::{NOW, connection};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_idle_check_is_left_to_the_sweep_and_an_outage_is_looked_at_to_the_second() {
        let mut own = connection();
        own.next_check_at = Some(NOW + 600 * SECOND);
        let idle = next_task(&own, NOW, 0).unwrap();
        assert_eq!((idle.at, idle.carried(NOW)), (NOW + 600 * SECOND, None));
        own.facts.health = Health::Unreachable;
        assert_eq!(next_task(&own, NOW, 0).unwrap().carried(NOW), Some(600 * SECOND));
        assert_eq!(next_task(&own, NOW, MAX_HOPS).unwrap().carried(NOW), None);
        own.next_check_at = Some(NOW + QUEUE_DELAY_MAX + SECOND);
        assert_eq!(next_task(&own, NOW, 0).unwrap().carried(NOW), None);
    }

    #[test]
    fn what_is_due_first_counts() {
        let mut own = connection();
        own.next_check_at = Some(NOW + 30 * SECOND);
        own.watch.told.due = Some(NOW + 60 * SECOND);
        assert_eq!(next_task(&own, NOW, 0).unwrap().at, NOW + 30 * SECOND);
        own.watch.wake = Some(3);
        assert_eq!(next_task(&own, NOW, 0).unwrap().at, NOW);
    }

    #[test]
    fn tokens_are_looked_at_while_the_connection_is_used_and_well() {
        let mut own = connection();
        own.plan(NOW);
        let day = NOW + REFRESH_AFTER;
        assert_eq!(next_task(&own, NOW, 0).unwrap().at, day);
        assert!(own.duties(day).refresh && !own.duties(day - SECOND).refresh);
        own.facts.health = Health::Refused;
        assert!(!own.duties(day).refresh);
    }

    #[test]
    fn only_a_pending_connection_expires() {
        let mut own = connection();
        own.next_check_at = None;
        own.pending_until = Some(NOW + SECOND);
        assert_eq!(next_task(&own, NOW, 0), None);
        own.facts.admin = Admin::Pending;
        assert_eq!(next_task(&own, NOW, 0).unwrap().at, NOW + SECOND);
    }

    #[test]
    fn each_time_is_taken_within_its_range_alone() {
        for (name, least, most) in [
            ("MILLWRIGHT_CHECK_INTERVAL_SECONDS", 15, 86_400),
            ("MILLWRIGHT_STATUS_QUIET_SECONDS", 0, 3_600),
            ("MILLWRIGHT_STALE_SECONDS", 60, 31_536_000),
        ] {
            for (value, fine) in
                [(least, true), (most, true), (least - 1, false), (most + 1, false)]
            {
                let text = i64::to_string(&value);
                let source = HashMap::from([(name, text.as_str())]);
                assert_eq!(HealthTiming::from_source(&source).is_ok(), fine, "{name}={value}");
            }
        }
        let unset = HealthTiming::from_source(&HashMap::<&str, &str>::new()).unwrap();
        assert_eq!(unset, HealthTiming::default());
    }
}
