//! The two clocks.
//!
//! The *wall clock* is the time of day: it signs, times out, leases and talks to others. The *schedule
//! clock* decides when waiting ends: retries, intervals, due times. On AWS both show the same; on one
//! machine the schedule clock may run faster (`--speed`) or be stepped by a test. Their readings have
//! different types, so one cannot be compared with the other by accident.

use std::{
    fmt,
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

macro_rules! reading {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// From milliseconds since the epoch.
            #[must_use]
            pub const fn from_millis(ms: i64) -> Self {
                Self(ms)
            }

            /// Milliseconds since the epoch.
            #[must_use]
            pub const fn millis(self) -> i64 {
                self.0
            }

            /// Whole seconds since the epoch.
            #[must_use]
            pub const fn seconds(self) -> i64 {
                self.0.div_euclid(1000)
            }

            /// How long after `earlier` this is; zero when it is not after.
            #[must_use]
            pub fn since(self, earlier: Self) -> Duration {
                Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
            }

            /// ISO 8601 in UTC with milliseconds, as the API shows times.
            #[must_use]
            pub fn iso(self) -> String {
                iso(self.0)
            }
        }

        impl Add<Duration> for $name {
            type Output = Self;

            fn add(self, duration: Duration) -> Self {
                Self(self.0.saturating_add(millis_of(duration)))
            }
        }

        impl Sub<Duration> for $name {
            type Output = Self;

            fn sub(self, duration: Duration) -> Self {
                Self(self.0.saturating_sub(millis_of(duration)))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.iso())
            }
        }
    };
}

reading!(
    /// A reading of the wall clock.
    WallTime);
reading!(
    /// A reading of the schedule clock.
    ScheduleTime);

/// Reads both clocks. Clones share one schedule clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Mapping>);

/// Schedule time = anchor + (wall - anchor) * speed + stepped.
#[derive(Debug)]
struct Mapping {
    anchor_ms: i64,
    speed: f64,
    stepped_ms: AtomicI64,
}

impl Clock {
    /// Both clocks show the time of day: what runs on AWS.
    #[must_use]
    pub fn system() -> Self {
        Self::scaled(WallTime::from_millis(0), Duration::ZERO, 1.0)
    }

    /// A schedule clock that showed the time of day at `anchor`, has been stepped by `stepped`, and
    /// runs `speed` times as fast as the wall clock (1 or more).
    #[must_use]
    pub fn scaled(anchor: WallTime, stepped: Duration, speed: f64) -> Self {
        Self(Arc::new(Mapping {
            anchor_ms: anchor.millis(),
            speed: speed.max(1.0),
            stepped_ms: AtomicI64::new(millis_of(stepped)),
        }))
    }

    /// The time of day.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        let since_epoch = system_time().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime(millis_of(since_epoch))
    }

    /// The schedule clock's reading.
    #[must_use]
    pub fn schedule(&self) -> ScheduleTime {
        let mapping = &self.0;
        let since_anchor = self.wall().millis() - mapping.anchor_ms;
        let quickened = if mapping.speed > 1.0 {
            (since_anchor as f64 * mapping.speed) as i64
        } else {
            since_anchor
        };
        let stepped = mapping.stepped_ms.load(Ordering::SeqCst);
        ScheduleTime(mapping.anchor_ms + quickened + stepped)
    }

    /// Moves the schedule clock forward; everything whose time has then come is due at once.
    pub fn step(&self, by: Duration) {
        self.0.stepped_ms.fetch_add(millis_of(by), Ordering::SeqCst);
    }

    /// How many times as fast as the wall clock the schedule clock runs.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.0.speed
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn system_time() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since the epoch of an ISO 8601 time with a zone, or nothing when it is not one.
#[must_use]
pub fn from_iso(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Milliseconds since the epoch of a date as HTTP headers have it (RFC 9110, section 5.6.7), such as
/// `Sun, 06 Nov 1994 08:49:37 GMT`, or nothing when it is not one.
#[must_use]
pub fn from_http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp().as_millisecond())
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn iso(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc_with_milliseconds() {
        assert_eq!(WallTime::from_millis(1_700_000_000_120).iso(), "2023-11-14T22:13:20.120Z");
        assert_eq!(WallTime::from_millis(1_700_000_000_000).iso(), "2023-11-14T22:13:20.000Z");
        assert_eq!(from_iso("2023-11-14T23:13:20.12+01:00"), Some(1_700_000_000_120));
        assert_eq!(from_iso("yesterday"), None);
        assert_eq!(from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(from_http_date("120"), None);
    }

    #[test]
    fn speed_quickens_the_schedule_clock_alone() {
        let wall = Clock::system().wall();
        let clock = Clock::scaled(wall - Duration::from_secs(10), Duration::ZERO, 60.0);
        let ahead = clock.schedule().millis() - clock.wall().millis();
        assert!((590_000..595_000).contains(&ahead), "{ahead}");
    }

    #[test]
    fn a_step_moves_the_schedule_clock_and_not_the_wall_clock() {
        let clock = Clock::system();
        let before = clock.schedule();
        clock.clone().step(Duration::from_secs(3600));
        assert!(clock.schedule().since(before) >= Duration::from_secs(3600));
        assert!(clock.wall().millis() - before.millis() < 60_000);
    }

    #[test]
    fn the_system_clock_shows_the_same_on_both() {
        let clock = Clock::system();
        assert!((clock.schedule().millis() - clock.wall().millis()).abs() < 1000);
    }
}
