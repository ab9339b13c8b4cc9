//! Times in queries.

use millwright_core::{ScheduleTime, WallTime, from_iso};
use serde::{Deserialize, Deserializer, de};

/// A time as callers write it: ISO 8601 with a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(i64);

impl Moment {
    /// As a reading of the wall clock.
    pub(crate) fn wall(self) -> WallTime {
        WallTime::from_millis(self.0)
    }

    /// As a reading of the schedule clock.
    pub(crate) fn schedule(self) -> ScheduleTime {
        ScheduleTime::from_millis(self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let message = "must be a time with a zone, such as 2026-03-01T12:00:00Z (write + as %2B)";
        from_iso(&text).map(Self).ok_or_else(|| de::Error::custom(message))
    }
}
