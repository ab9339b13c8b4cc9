//! How long to leave a system alone that does not answer.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// The wait after the `failures`th failure in a row (from 1): 30 s, doubling, to 6 h; each lengthened
/// by up to a tenth (`chance` from 0 to 1), so that many connections do not come back as one.
#[must_use]
pub fn outage_backoff(failures: u32, chance: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let wait = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
    wait + wait.mul_f64(0.1 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_30_seconds_to_6_hours() {
        let seconds = |failures| outage_backoff(failures, 0.0).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [30, 60, 120, 240]);
        assert_eq!([10, 11, 60, u32::MAX].map(seconds), [15_360, 21_600, 21_600, 21_600]);
    }

    #[test]
    fn chance_lengthens_a_wait_by_a_tenth_at_most() {
        assert_eq!(outage_backoff(1, 1.0), Duration::from_secs(33));
        assert_eq!(outage_backoff(1, 7.0), Duration::from_secs(33));
    }
}
