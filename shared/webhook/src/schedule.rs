//! When a delivery is tried again.

use std::time::Duration;

use millwright_core::ScheduleTime;
use serde::{Deserialize, Serialize};

/// The first wait.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// How far each doubling wait may be lengthened.
const STRETCH_MAX: f64 = 0.1;
/// When the last attempt is, counted from the first.
const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// The promised attempts in all.
const PROMISED_ATTEMPTS: u32 = 13;

/// How much of the allowed stretch a wait gets, from 0 (none) to 1 (all). Waits that are stretched
/// by chance keep deliveries that failed together from coming back together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// No stretch.
    pub const NONE: Self = Self(0.0);

    /// A share; outside 0 to 1 it is brought to the nearer end.
    #[must_use]
    pub fn new(share: f64) -> Self {
        Self(share.clamp(0.0, 1.0))
    }

    /// A share by chance.
    #[must_use]
    pub fn by_chance() -> Self {
        Self(rand::random())
    }

    /// That share of a time.
    pub(crate) fn part_of(self, time: Duration) -> Duration {
        time.mul_f64(self.0)
    }
}

/// When deliveries are tried again, counted from each attempt's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetrySchedule {
    /// What every endpoint has unless it says otherwise: after 30 seconds, doubling, each wait
    /// lengthened by up to a tenth and never shortened; the last attempt 24 hours after the first. 13
    /// attempts in all.
    #[default]
    Promised,
    /// An endpoint's own waits in seconds, lengthened likewise: at least one.
    Own(Vec<u32>),
}

impl RetrySchedule {
    /// The endpoint's own waits, if it has any.
    #[must_use]
    pub fn own(&self) -> Option<&[u32]> {
        match self {
            Self::Promised => None,
            Self::Own(waits) => Some(waits),
        }
    }

    /// How many automatic attempts there are at most.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Promised => PROMISED_ATTEMPTS,
            Self::Own(waits) => u32::try_from(waits.len()).map_or(u32::MAX, |waits| waits + 1),
        }
    }

    /// When to try again after `made` automatic attempts have failed, the first of them begun at
    /// `first` and the latest over at `now`; nothing when all have been made.
    #[must_use]
    pub fn next(
        &self,
        made: u32,
        first: ScheduleTime,
        now: ScheduleTime,
        jitter: Jitter,
    ) -> Option<ScheduleTime> {
        match self {
            Self::Promised => next_promised(made, first, now, jitter),
            Self::Own(waits) => {
                let wait = waits.get(usize::try_from(made).ok()?.checked_sub(1)?)?;
                Some(now + stretched(Duration::from_secs((*wait).into()), jitter))
            }
        }
    }
}

fn next_promised(
    made: u32,
    first: ScheduleTime,
    now: ScheduleTime,
    jitter: Jitter,
) -> Option<ScheduleTime> {
    if made >= PROMISED_ATTEMPTS {
        return None;
    }
    if made + 1 == PROMISED_ATTEMPTS {
        // Where we were down ourselves, the window may have passed with attempts left over. They are
        // made all the same: our downtime costs a receiver none of them.
        return Some((first + WINDOW).max(now + FIRST_WAIT));
    }
    Some(now + stretched(doubled(made), jitter))
}

/// The wait after attempt `made`: 30 seconds after the first, twice as long after each further one.
fn doubled(made: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << made.saturating_sub(1).min(31))
}

fn stretched(wait: Duration, jitter: Jitter) -> Duration {
    wait + wait.mul_f64(STRETCH_MAX * jitter.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHEDULE: RetrySchedule = RetrySchedule::Promised;
    const FIRST: ScheduleTime = ScheduleTime::from_millis(1_700_000_000_000);

    /// The times of all attempts, in seconds after the first, of a receiver that fails at once.
    fn times(jitter: impl Fn(u32) -> Jitter) -> Vec<u64> {
        let mut at = FIRST;
        let mut times = vec![0];
        for made in 1.. {
            let Some(next) = SCHEDULE.next(made, FIRST, at, jitter(made)) else { break };
            at = next;
            times.push(at.since(FIRST).as_secs());
        }
        times
    }

    #[test]
    fn the_promised_times_are_30_seconds_doubling_and_the_last_after_24_hours() {
        let hms = |h: u64, m: u64, s: u64| h * 3600 + m * 60 + s;
        let promised = vec![
            0,
            hms(0, 0, 30),
            hms(0, 1, 30),
            hms(0, 3, 30),
            hms(0, 7, 30),
            hms(0, 15, 30),
            hms(0, 31, 30),
            hms(1, 3, 30),
            hms(2, 7, 30),
            hms(4, 15, 30),
            hms(8, 31, 30),
            hms(17, 3, 30),
            hms(24, 0, 0),
        ];
        assert_eq!(times(|_| Jitter::NONE), promised);
    }

    #[test]
    fn there_are_13_attempts_whatever_chance_says() {
        for share in [0.0, 0.5, 1.0] {
            let times = times(|_| Jitter::new(share));
            assert_eq!(times.len(), 13);
            assert_eq!(times[12], 24 * 3600, "the last is 24 hours after the first");
        }
    }

    #[test]
    fn after_the_last_attempt_there_is_none() {
        for made in [13, 14, u32::MAX] {
            assert_eq!(SCHEDULE.next(made, FIRST, FIRST, Jitter::NONE), None);
        }
    }

    #[test]
    fn our_own_downtime_costs_a_receiver_no_attempt() {
        let late = FIRST + Duration::from_secs(3 * 24 * 3600);
        let last = SCHEDULE.next(12, FIRST, late, Jitter::NONE);
        assert_eq!(last, Some(late + FIRST_WAIT));
        let just_before = FIRST + WINDOW - Duration::from_secs(1);
        let last = SCHEDULE.next(12, FIRST, just_before, Jitter::NONE);
        assert_eq!(last, Some(just_before + FIRST_WAIT));
    }

    #[test]
    fn a_share_outside_its_range_is_brought_to_the_nearer_end() {
        assert_eq!(Jitter::new(-1.0), Jitter::new(0.0));
        assert_eq!(Jitter::new(7.0), Jitter::new(1.0));
    }

    proptest! {
        #[test]
        fn a_wait_is_never_early_and_at_most_a_tenth_longer(
            made in 1_u32..=11,
            share in 0.0_f64..=1.0,
            since_first in 0_u64..200_000,
        ) {
            let now = FIRST + Duration::from_secs(since_first);
            let next = SCHEDULE.next(made, FIRST, now, Jitter::new(share)).unwrap();
            let wait = next.since(now).as_millis();
            let promised = 30_000_u128 << (made - 1);
            prop_assert!(wait >= promised, "{wait} is shorter than {promised}");
            prop_assert!(wait <= promised + promised / 10, "{wait} is too long for {promised}");
        }
    }
}
