//! Which changes of a status are told, and when: a system that comes and goes is told of at most once in
//! a while, and its final state always.

use std::time::Duration;

use millwright_core::ScheduleTime;
use serde::{Deserialize, Serialize};

use crate::Status;

/// What receivers have been told of a connection's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    /// The status they know; nothing while it is the one that the connection had before its first
    /// change.
    pub status: Option<Status>,
    /// Whether a failure was told, and since then neither its end nor another end.
    pub failing: bool,
    /// When a change that the system's health caused was last told.
    pub health_at: Option<ScheduleTime>,
    /// When a change that was held back is to be told, unless it is undone by then.
    pub due: Option<ScheduleTime>,
}

/// A change of status, as far as telling it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub before: Status,
    pub after: Status,
    /// Whether the system's health caused it, and not the workspace or the end of the first load.
    pub by_health: bool,
}

impl Told {
    /// Takes note of a step, which may be none, and answers from which status on it is to be told now.
    pub fn step(&mut self, step: Step, now: ScheduleTime, quiet: Duration) -> Option<Status> {
        let known = self.status.unwrap_or(step.before);
        let changed = step.before != step.after;
        if !changed && self.due.is_none_or(|due| due > now) {
            return None;
        }
        if changed {
            self.status = Some(known);
        }
        let quiet_until = self.health_at.map(|at| at + quiet).filter(|until| *until > now);
        let held = quiet_until.filter(|_| step.by_health || !changed);
        self.due = held.filter(|_| known != step.after);
        if held.is_some() || known == step.after {
            return None;
        }
        self.status = Some(step.after);
        match step.after {
            Status::Unavailable | Status::ReauthorizationRequired => self.failing = true,
            Status::Active | Status::Synchronizing | Status::Disconnected => self.failing = false,
            Status::Pending | Status::Inactive => {}
        }
        let by_health = step.by_health || !changed;
        if by_health || is_failure(known) || is_failure(step.after) {
            self.health_at = Some(now);
        }
        Some(known)
    }
}

/// Whether a status is one of the two failures.
pub(crate) fn is_failure(status: Status) -> bool {
    matches!(status, Status::Unavailable | Status::ReauthorizationRequired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Active, Inactive, ReauthorizationRequired, Synchronizing, Unavailable};

    const QUIET: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> ScheduleTime {
        ScheduleTime::from_millis(0) + Duration::from_secs(seconds)
    }

    fn health(before: Status, after: Status) -> Step {
        Step { before, after, by_health: true }
    }

    fn still(status: Status) -> Step {
        health(status, status)
    }

    #[test]
    fn the_first_failure_is_told_at_once_and_what_follows_within_five_minutes_is_held() {
        let mut told = Told::default();
        assert_eq!(told.step(health(Active, Unavailable), at(0), QUIET), Some(Active));
        assert_eq!(told.step(health(Unavailable, Active), at(10), QUIET), None);
        assert_eq!(told.due, Some(at(300)));
        assert_eq!(told.step(still(Active), at(299), QUIET), None);
        assert_eq!(told.step(still(Active), at(300), QUIET), Some(Unavailable));
        assert_eq!((told.due, told.status), (None, Some(Active)));
        assert_eq!(told.step(still(Active), at(900), QUIET), None, "it is told once");
    }

    #[test]
    fn what_is_undone_before_it_is_told_is_not_told() {
        let mut told = Told::default();
        told.step(health(Active, Unavailable), at(0), QUIET);
        told.step(health(Unavailable, Active), at(10), QUIET);
        assert_eq!(told.step(health(Active, Unavailable), at(20), QUIET), None);
        assert_eq!((told.due, told.status), (None, Some(Unavailable)));
        assert_eq!(told.step(still(Unavailable), at(301), QUIET), None);
        // Five minutes after it was told, the next change is told at once.
        assert_eq!(told.step(health(Unavailable, Active), at(302), QUIET), Some(Unavailable));
    }

    #[test]
    fn the_final_state_is_told_however_many_there_were_in_between() {
        let mut told = Told::default();
        told.step(health(Active, Unavailable), at(0), QUIET);
        told.step(health(Unavailable, Active), at(10), QUIET);
        told.step(health(Active, ReauthorizationRequired), at(20), QUIET);
        assert_eq!(told.step(still(ReauthorizationRequired), at(300), QUIET), Some(Unavailable));
        assert_eq!(told.status, Some(ReauthorizationRequired));
    }

    #[test]
    fn what_the_workspace_does_is_told_at_once_and_supersedes_what_was_held() {
        let mut told = Told::default();
        told.step(health(Active, Unavailable), at(0), QUIET);
        told.step(health(Unavailable, Active), at(10), QUIET);
        let paused = Step { before: Active, after: Inactive, by_health: false };
        assert_eq!(told.step(paused, at(20), QUIET), Some(Unavailable));
        assert_eq!((told.due, told.status), (None, Some(Inactive)));
        let resumed = Step { before: Inactive, after: Active, by_health: false };
        assert_eq!(told.step(resumed, at(21), QUIET), Some(Inactive));
    }

    #[test]
    fn a_failure_that_was_told_is_remembered_through_a_pause_until_its_end_is_told() {
        let mut told = Told::default();
        told.step(health(Active, Unavailable), at(0), QUIET);
        let paused = Step { before: Unavailable, after: Inactive, by_health: false };
        told.step(paused, at(1), QUIET);
        assert!(told.failing);
        let resumed = Step { before: Inactive, after: Active, by_health: false };
        told.step(resumed, at(2), QUIET);
        assert!(!told.failing);
    }

    #[test]
    fn the_end_of_the_first_load_is_told_at_once() {
        let mut told = Told::default();
        told.step(health(Synchronizing, Unavailable), at(0), QUIET);
        told.step(health(Unavailable, Synchronizing), at(5), QUIET);
        let loaded = Step { before: Synchronizing, after: Active, by_health: false };
        assert_eq!(told.step(loaded, at(6), QUIET), Some(Unavailable));
    }

    #[test]
    fn without_a_quiet_time_every_change_is_told() {
        let mut told = Told::default();
        for second in 0..4 {
            let step = if second % 2 == 0 { (Active, Unavailable) } else { (Unavailable, Active) };
            let told = told.step(health(step.0, step.1), at(second), Duration::ZERO);
            assert_eq!(told, Some(step.0));
        }
    }
}
