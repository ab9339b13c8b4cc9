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

/// How many days a list reads beside one another: one where there is something, twice as many after each
/// read that found nothing, so that a quiet time of a month is passed in a few reads' time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead(usize);

impl Ahead {
    /// How many at most.
    pub(crate) const MOST: usize = 8;

    /// The days to read from `day` back, not beyond the window. Who stands within a day reads that alone.
    pub(crate) fn days(self, day: Day, within: bool, window: &Window) -> Vec<Day> {
        let count = if within { 1 } else { self.0 };
        (window.first.0..=day.0).rev().take(count).map(Day).collect()
    }

    /// What a read tells about the next one.
    pub(crate) fn found(&mut self, anything: bool) {
        self.0 = if anything { 1 } else { (self.0 * 2).min(Self::MOST) };
    }
}

impl Default for Ahead {
    fn default() -> Self {
        Self(1)
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
    fn a_quiet_month_is_read_in_seven_steps_and_no_day_is_left_out() {
        let window = Window::new(&Clock::system(), DAY * 30, None, None);
        let (mut ahead, mut day, mut read, mut steps) = (Ahead::default(), window.last, vec![], 0);
        while day >= window.first {
            let days = ahead.days(day, false, &window);
            ahead.found(false);
            day = days[days.len() - 1].before();
            read.extend(days);
            steps += 1;
        }
        let all: Vec<Day> = (window.first.0..=window.last.0).rev().map(Day).collect();
        assert_eq!((read, steps), (all, 7));
    }

    #[test]
    fn where_there_is_something_one_day_is_read_at_a_time() {
        let window = Window::new(&Clock::system(), DAY * 30, None, None);
        let mut ahead = Ahead::default();
        ahead.found(false);
        assert_eq!(ahead.days(window.last, false, &window).len(), 2);
        assert_eq!(ahead.days(window.last, true, &window), [window.last]);
        assert_eq!(ahead.days(window.first, false, &window), [window.first]);
        ahead.found(true);
        assert_eq!(ahead.days(window.last, false, &window), [window.last]);
    }

    #[test]
    fn its_start_is_included_and_its_end_is_not() {
        let now = Clock::system().schedule();
        let (since, until) = (now - Duration::from_secs(60), now - Duration::from_secs(30));
        let window = Window::new(&Clock::system(), DAY, Some(since), Some(until));
        assert!(window.holds(since) && !window.holds(until));
    }
}
