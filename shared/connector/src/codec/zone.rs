//! Times in a system's own time zone.

use jiff::{Timestamp, civil, tz::TimeZone};

use super::{CodecError, time::show};

/// The time zone that a system writes its times in.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of a name in the IANA time zone database, such as `Europe/Berlin`, or `UTC`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// Of the two times that one clock reading stands for when the clock is put back, the earlier; a
    /// reading that is left out when it is put forward is as much later.
    pub(super) fn read(&self, text: &str) -> Result<String, CodecError> {
        let wrong = || CodecError::expected("a time without a zone");
        let at: civil::DateTime = text.parse().map_err(|_| wrong())?;
        let at = at.to_zoned(self.0.clone()).map_err(|_| wrong())?;
        Ok(show(at.timestamp().as_millisecond()))
    }

    pub(super) fn show(&self, ms: i64) -> Result<String, CodecError> {
        let at = Timestamp::from_millisecond(ms)
            .map_err(|_| CodecError::expected("a time that a calendar has"))?
            .to_zoned(self.0.clone());
        Ok(at.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string())
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_site_is_brought_to_utc_and_back() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        for (site, utc) in [
            ("2026-01-31 10:00:00.000", "2026-01-31T09:00:00.000Z"),
            ("2026-07-31 10:00:00.120", "2026-07-31T08:00:00.120Z"),
        ] {
            assert_eq!(berlin.read(site).unwrap(), utc);
            let ms = millwright_core::from_iso(utc).unwrap();
            assert_eq!(berlin.show(ms).unwrap(), site);
        }
        assert_eq!(berlin.read("2026-01-31T10:00:00.123456").unwrap(), "2026-01-31T09:00:00.123Z");
        assert!(Zone::named("Mars/Olympus").is_none());
        assert!(berlin.read("2026-01-31").is_ok());
        assert!(berlin.read("yesterday").is_err());
    }

    #[test]
    fn of_an_hour_that_comes_twice_the_first_counts_and_one_that_is_left_out_is_later() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(berlin.read("2026-10-25 02:30:00").unwrap(), "2026-10-25T00:30:00.000Z");
        assert_eq!(berlin.read("2026-03-29 02:30:00").unwrap(), "2026-03-29T01:30:00.000Z");
    }
}
