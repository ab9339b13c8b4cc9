//! The days that a list goes through.

use std::time::Duration;

use millwright_core::{Clock, ScheduleTime};

use crate::keys::Day;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The longest that a workspace may keep its messages.
const KEPT_MAX: Duration = Duration::from_secs(90 * 24 * 3600);

/// A stretch of time, as far as there can be rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) first: Day,
    pub(crate) last: Day,
    since: Option<ScheduleTime>,
    until: Option<ScheduleTime>,
}

impl Window {
    /// All that a workspace can have.
    pub(crate) fn of_all(clock: &Clock) -> Self {
        Self::new(clock, KEPT_MAX, None, None)
    }

    /// From `since` (included) to `until` (excluded), cut to what is kept for so long.
    pub(crate) fn new(
        clock: &Clock,
        kept: Duration,
        since: Option<ScheduleTime>,
        until: Option<ScheduleTime>,
    ) -> Self {
        let now = clock.schedule();
        let kept = kept + DAY;
        // Rows are kept by the wall clock and lie under days of the schedule clock. That one never
        // runs slower than the wall clock, and never behind it.
        let by_wall = ScheduleTime::from_millis((clock.wall() - kept).millis());
        let oldest = by_wall.max(now - kept.mul_f64(clock.speed()));
        Self {
            // A message that follows from something has that thing's time in its id, which may be
            // the day before its own.
            first: Day::of(since.map_or(oldest, |since| oldest.max(since - DAY))),
            last: Day::of(until.map_or(now, |until| until.min(now))),
            since,
            until,
        }
    }

    pub(crate) fn holds(&self, at: ScheduleTime) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_cut_to_what_is_kept_and_ends_now() {
        let clock = Clock::system();
        let now = clock.schedule();
        let long_ago = ScheduleTime::from_millis(0);
        let later = now + Duration::from_secs(999_999);
        let window = Window::new(&clock, DAY * 30, Some(long_ago), Some(later));
        assert_eq!(window.last.0 - window.first.0, 31);
        let all = Window::of_all(&clock);
        assert_eq!(all.last.0 - all.first.0, 91);
        assert!(window.holds(now) && !window.holds(long_ago - Duration::from_secs(1)));
    }

    #[test]
    fn its_start_is_included_and_its_end_is_not() {
        let now = Clock::system().schedule();
        let (since, until) = (now - Duration::from_secs(60), now - Duration::from_secs(30));
        let window = Window::new(&Clock::system(), DAY, Some(since), Some(until));
        assert!(window.holds(since) && !window.holds(until));
    }
}
