//! Sequence numbers of the feed: milliseconds since the epoch, then 20 bits of count.

use std::{fmt, time::Duration};

use millwright_core::WallTime;
use serde::{Deserialize, Serialize};

const COUNT_BITS: u32 = 20;

/// A place in a connection's feed. Later is greater, and the time of the commit is inside.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// The first sequence a commit at `now` may use: after all before, even if the clock went back.
    #[must_use]
    pub fn next(self, now: WallTime) -> Self {
        let by_time = u64::try_from(now.millis()).unwrap_or(0) << COUNT_BITS;
        Self(by_time.max(self.0 + 1))
    }

    /// The place just before everything committed at `time` or later.
    #[must_use]
    pub fn before(time: WallTime) -> Self {
        let by_time = u64::try_from(time.millis()).unwrap_or(0) << COUNT_BITS;
        Self(by_time.saturating_sub(1))
    }

    /// The place `count` entries on.
    #[must_use]
    pub fn plus(self, count: usize) -> Self {
        Self(self.0 + count as u64)
    }

    /// The time inside.
    #[must_use]
    pub fn time(self) -> WallTime {
        WallTime::from_millis(i64::try_from(self.0 >> COUNT_BITS).unwrap_or(i64::MAX))
    }

    /// Whether it can have been given out by `now`: none lies a day ahead.
    #[must_use]
    pub fn is_possible(self, now: WallTime) -> bool {
        self.time() < now + Duration::from_secs(24 * 3600)
    }

    /// The sequence of a sort key.
    #[must_use]
    pub(crate) fn of_sort_key(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// The text that sorts as the number does.
    #[must_use]
    pub fn sort_key(self) -> String {
        format!("{:020}", self.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_grow_even_when_the_clock_goes_back() {
        let later = Seq::default().next(WallTime::from_millis(2_000));
        let after_step_back = later.next(WallTime::from_millis(1_000));
        assert!(after_step_back > later);
        assert_eq!(later.time(), WallTime::from_millis(2_000));
    }

    #[test]
    fn the_place_before_a_time_is_before_all_of_its_commits() {
        let time = WallTime::from_millis(5_000);
        assert!(Seq::before(time) < Seq::default().next(time));
        assert!(Seq::before(time) > Seq::default().next(WallTime::from_millis(4_999)));
    }

    #[test]
    fn a_place_a_day_ahead_cannot_have_been_given_out() {
        let now = WallTime::from_millis(1_800_000_000_000);
        let day = Duration::from_secs(24 * 3600);
        assert!(Seq::default().is_possible(now));
        assert!(Seq::default().next(now + day - Duration::from_millis(1)).is_possible(now));
        assert!(!Seq::default().next(now + day).is_possible(now));
    }

    #[test]
    fn sort_keys_sort_as_the_numbers() {
        let early = Seq::default().next(WallTime::from_millis(1));
        let late = Seq::default().next(WallTime::from_millis(1_800_000_000_000));
        assert!(early.sort_key() < late.sort_key());
    }
}
