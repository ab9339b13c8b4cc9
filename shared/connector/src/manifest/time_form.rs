//! How systems say when something is.

use std::time::Duration;

use millwright_core::{WallTime, from_iso};
use schemars::JsonSchema;
use serde::Deserialize;

/// How a time is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeForm {
    /// Seconds from now.
    #[default]
    Seconds,
    /// Milliseconds from now.
    Millis,
    /// Seconds since the epoch.
    EpochSeconds,
    /// Milliseconds since the epoch.
    EpochMillis,
    /// ISO 8601 with a zone.
    Time,
}

impl TimeForm {
    /// The time that a text says, or nothing when it is of another form. Parts of a number are left
    /// off.
    #[must_use]
    pub fn read(self, text: &str, now: WallTime) -> Option<WallTime> {
        let text = text.trim();
        if self == Self::Time {
            return from_iso(text).map(WallTime::from_millis);
        }
        let number: u64 = text.split('.').next()?.parse().ok()?;
        let at = |ms: u64| i64::try_from(ms).ok().map(WallTime::from_millis);
        match self {
            Self::Seconds => Some(now + Duration::from_secs(number)),
            Self::Millis => Some(now + Duration::from_millis(number)),
            Self::EpochSeconds => at(number.checked_mul(1000)?),
            Self::EpochMillis => at(number),
            Self::Time => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_its_form() {
        let now = WallTime::from_millis(1_800_000_000_000);
        for (form, text, expected) in [
            (TimeForm::Seconds, "7", Some(1_800_000_007_000)),
            (TimeForm::Seconds, " 7.9 ", Some(1_800_000_007_000)),
            (TimeForm::Millis, "250", Some(1_800_000_000_250)),
            (TimeForm::EpochSeconds, "1800000060", Some(1_800_000_060_000)),
            (TimeForm::EpochMillis, "1800000060001", Some(1_800_000_060_001)),
            (TimeForm::Time, "2027-01-15T08:00:01Z", Some(1_800_000_001_000)),
            (TimeForm::Time, "7", None),
            (TimeForm::Seconds, "soon", None),
            (TimeForm::Seconds, "-1", None),
            (TimeForm::EpochSeconds, "18446744073709551615", None),
        ] {
            assert_eq!(form.read(text, now), expected.map(WallTime::from_millis), "{text}");
        }
    }
}
