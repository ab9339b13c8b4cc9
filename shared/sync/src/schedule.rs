//! When an entity is read, and how much of it: its settings, and what they mean for the next run. Pure.

use std::time::Duration;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use millwright_core::{ConnectionId, ErrorCode, FieldError, ScheduleTime, WallTime, shard_of};
use serde::{Deserialize, Serialize};

use crate::SyncState;

/// How long an entity rests at most that is given back the deployment's interval, or whose run is ended by
/// hand: the interval where the deployment does not say another one.
pub(crate) const USUAL: Duration = Duration::from_secs(900);
/// How wide runs are spread unless a deployment says otherwise.
pub const SPREAD: Duration = Duration::from_secs(300);
/// The most of an interval that is taken off to spread its runs: one part in so many.
const SHORTENED_BY: u32 = 10;
/// Into how many places the width of a spread is parted.
const PLACES: u32 = 1 << 16;
/// A cron expression must come true this soon, or it is taken for one that never does.
const HORIZON: Duration = Duration::from_secs(366 * 24 * 3600);

/// When an entity's passes begin by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// So long after the last one's end as the deployment says.
    #[default]
    Usual,
    /// So many seconds after the last one's end.
    Every(u64),
    /// Whenever the expression comes true in the time zone.
    Cron {
        /// Minute, hour, day of the month, month, day of the week.
        expression: String,
        /// A name of the IANA database: `Europe/Berlin`.
        time_zone: String,
    },
}

/// What a connection wants of an entity's syncs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncSettings {
    /// Whether no pass begins by itself. Somebody may still ask for one.
    #[serde(default)]
    pub off: bool,
    /// When passes begin by themselves.
    #[serde(default)]
    pub rhythm: Rhythm,
    /// How many days back the first load reaches; nothing for everything.
    #[serde(default)]
    pub first_load_days: Option<u32>,
    /// How many days a record that is gone can still be read; nothing for the shortest time, which is
    /// the feed's.
    #[serde(default)]
    pub deleted_days: Option<u32>,
    /// Whether the system's own rows are kept with the records.
    #[serde(default)]
    pub keep_raw: bool,
}

impl SyncSettings {
    /// Shortest and longest interval, in seconds.
    pub const EVERY: std::ops::RangeInclusive<u64> = 15..=30 * 24 * 3600;
    /// How many days a first load may reach back.
    pub const FIRST_LOAD_DAYS: std::ops::RangeInclusive<u32> = 1..=3_650;
    /// How many days what is gone may be kept: as long as the feed tells of it, at least.
    pub const DELETED_DAYS: std::ops::RangeInclusive<u32> = 90..=3_650;

    /// Whether passes begin by themselves.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.off
    }

    /// What cannot be meant so. The names are those of the API's fields.
    #[must_use]
    pub fn faults(&self) -> Vec<FieldError> {
        let mut faults = Vec::new();
        let mut fault = |path: &str, message: String| {
            faults.push(FieldError::new(path, ErrorCode::ValidationFailed, message));
        };
        match &self.rhythm {
            Rhythm::Every(seconds) if !Self::EVERY.contains(seconds) => {
                let (least, most) = (Self::EVERY.start(), Self::EVERY.end());
                fault("interval_seconds", format!("must be from {least} to {most}"));
            }
            Rhythm::Cron { expression, time_zone } => match Expression::of(expression, time_zone) {
                Err(CronFault::TimeZone) => {
                    let message = "is no name of a time zone, as Europe/Berlin is one";
                    fault("time_zone", message.to_owned());
                }
                Err(CronFault::Expression(why)) => fault("cron", why),
                Ok(_) => {}
            },
            _ => {}
        }
        let days = [
            ("first_load_days", self.first_load_days, Self::FIRST_LOAD_DAYS),
            ("deleted_retention_days", self.deleted_days, Self::DELETED_DAYS),
        ];
        for (path, days, range) in days {
            if days.is_some_and(|days| !range.contains(&days)) {
                fault(path, format!("must be from {} to {}", range.start(), range.end()));
            }
        }
        faults
    }

    /// When the pass after one that ended at `now` begins; nothing where none does by itself.
    #[must_use]
    pub(crate) fn next_run(
        &self,
        usual: Duration,
        now: ScheduleTime,
        spread: Spread,
    ) -> Option<ScheduleTime> {
        if self.off {
            return None;
        }
        Some(match &self.rhythm {
            Rhythm::Usual => now + spread.shortened(usual),
            Rhythm::Every(seconds) => now + spread.shortened(Duration::from_secs(*seconds)),
            Rhythm::Cron { expression, time_zone } => {
                let expression = Expression::of(expression, time_zone).ok();
                let next = expression.and_then(|own| own.next_after(now - spread.offset()));
                // One that was good once and is no longer, as a zone that was given up, is no reason
                // to stop.
                next.map_or(now + usual, |at| at + spread.offset())
            }
        })
    }
}

/// Where among others an entity's runs lie: of a thousand connections that are read on the hour each
/// has its own moment, always the same, within `width` after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    /// Over how long runs of the same time are spread.
    pub width: Duration,
    /// Its place in that, from 0 to 1, always the same.
    pub place: f64,
    /// Chance, from 0 to 1: anew each time.
    pub chance: f64,
}

impl Spread {
    /// An entity's.
    pub fn of(connection: &ConnectionId, entity: &str, width: Duration, chance: f64) -> Self {
        let place = shard_of(&format!("{connection}/{entity}"), PLACES);
        Self { width, place: f64::from(place) / f64::from(PLACES), chance }
    }

    fn offset(self) -> Duration {
        self.width.mul_f64(self.place)
    }

    /// An interval, less a little: what began together does not stay together.
    fn shortened(self, interval: Duration) -> Duration {
        let most = (interval / SHORTENED_BY).min(self.width);
        interval - most.mul_f64(self.chance.clamp(0.0, 1.0))
    }
}

/// Why a cron expression is none.
#[derive(Debug, PartialEq, Eq)]
enum CronFault {
    TimeZone,
    Expression(String),
}

/// A cron expression in its time zone.
struct Expression {
    cron: Cron,
    zone: TimeZone,
}

impl Expression {
    fn of(text: &str, zone: &str) -> Result<Self, CronFault> {
        let zone = TimeZone::get(zone).map_err(|_| CronFault::TimeZone)?;
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
        let cron = parser.build().parse(text);
        let cron = cron.map_err(|why| CronFault::Expression(format!("is no expression: {why}")))?;
        let own = Self { cron, zone };
        // Any day will do to find out whether there is one at all; a leap day comes within eight years.
        let known = ScheduleTime::from_millis(1_700_000_000_000);
        match own.next_after(known) {
            Some(at) if at.since(known) <= HORIZON * 8 => Ok(own),
            _ => Err(CronFault::Expression("never comes true".to_owned())),
        }
    }

    /// When it comes true next, after `at`.
    fn next_after(&self, at: ScheduleTime) -> Option<ScheduleTime> {
        let at = Timestamp::from_millisecond(at.millis()).ok()?.to_zoned(self.zone.clone());
        let next: Zoned = self.cron.find_next_occurrence(&at, false).ok()?;
        Some(ScheduleTime::from_millis(next.timestamp().as_millisecond()))
    }
}

impl SyncState {
    /// From when on records are wanted, on the source's clock: fixed when the first full pass begins,
    /// so that a later one reads the same. Nothing for everything.
    pub(crate) fn fix_kept_from(&mut self, now: WallTime) -> Option<i64> {
        let Some(days) = self.settings.first_load_days else {
            self.kept_from = None;
            return None;
        };
        let days = Duration::from_secs(u64::from(days) * 24 * 3600);
        Some(*self.kept_from.get_or_insert((now - days).millis()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const EXACT: Spread = Spread { width: Duration::ZERO, place: 0.0, chance: 0.0 };

    fn at(text: &str) -> ScheduleTime {
        let at: Timestamp = text.parse().unwrap();
        ScheduleTime::from_millis(at.as_millisecond())
    }

    fn cron(expression: &str, time_zone: &str) -> SyncSettings {
        let (expression, time_zone) = (expression.to_owned(), time_zone.to_owned());
        let rhythm = Rhythm::Cron { expression, time_zone };
        SyncSettings { rhythm, ..SyncSettings::default() }
    }

    fn next(settings: &SyncSettings, now: &str) -> String {
        settings.next_run(HOUR, at(now), EXACT).unwrap().iso()
    }

    #[test]
    fn an_expression_comes_true_in_its_own_time_zone() {
        let nightly = cron("30 2 * * *", "Europe/Berlin");
        assert_eq!(next(&nightly, "2026-01-10T12:00:00Z"), "2026-01-11T01:30:00.000Z");
        assert_eq!(next(&nightly, "2026-07-10T12:00:00Z"), "2026-07-11T00:30:00.000Z");
        let last = cron("0 6 L * *", "UTC");
        assert_eq!(next(&last, "2026-12-02T00:00:00Z"), "2026-12-31T06:00:00.000Z");
    }

    #[test]
    fn a_night_without_that_hour_has_its_run_and_one_with_two_has_one() {
        let nightly = cron("30 2 * * *", "Europe/Berlin");
        // The clocks go from 2 to 3 on 29 March, and from 3 to 2 on 25 October.
        let spring = next(&nightly, "2026-03-28T12:00:00Z");
        assert_eq!(spring, "2026-03-29T01:00:00.000Z");
        assert_eq!(next(&nightly, &spring), "2026-03-30T00:30:00.000Z");
        let autumn = next(&nightly, "2026-10-24T12:00:00Z");
        assert_eq!(autumn, "2026-10-25T00:30:00.000Z");
        assert_eq!(next(&nightly, &autumn), "2026-10-26T01:30:00.000Z");
    }

    #[test]
    fn an_interval_runs_from_the_end_of_the_last_pass_and_off_does_not_run() {
        let every = SyncSettings { rhythm: Rhythm::Every(120), ..SyncSettings::default() };
        assert_eq!(next(&every, "2026-01-01T00:00:00Z"), "2026-01-01T00:02:00.000Z");
        let usual = SyncSettings::default();
        assert_eq!(next(&usual, "2026-01-01T00:00:00Z"), "2026-01-01T01:00:00.000Z");
        let off = SyncSettings { off: true, ..SyncSettings::default() };
        assert_eq!(off.next_run(HOUR, at("2026-01-01T00:00:00Z"), EXACT), None);
        assert!(usual.is_on() && !off.is_on());
    }

    #[test]
    fn an_interval_is_never_longer_than_asked_for_and_little_shorter() {
        let every = SyncSettings { rhythm: Rhythm::Every(900), ..SyncSettings::default() };
        let now = at("2026-01-01T00:00:00Z");
        for chance in [0.0, 0.3, 1.0] {
            let spread = Spread { width: SPREAD, place: 0.5, chance };
            let wait = every.next_run(HOUR, now, spread).unwrap().since(now);
            assert!((810..=900).contains(&wait.as_secs()), "{wait:?}");
        }
        let spread = Spread { width: Duration::ZERO, place: 0.5, chance: 1.0 };
        assert_eq!(every.next_run(HOUR, now, spread).unwrap().since(now).as_secs(), 900);
    }

    #[test]
    fn a_thousand_connections_on_the_hour_do_not_start_together() {
        let hourly = cron("0 * * * *", "UTC");
        let (now, hour) = (at("2026-01-01T00:30:00Z"), at("2026-01-01T01:00:00Z"));
        let mut starts: BTreeMap<u64, u32> = BTreeMap::new();
        for number in 0..1_000 {
            let connection = ConnectionId::new_at(number);
            let spread = Spread::of(&connection, "vendors", SPREAD, 0.5);
            let start = hourly.next_run(HOUR, now, spread).unwrap();
            assert!(start >= hour && start < hour + SPREAD);
            // Its moment is the same an hour later, and no hour is left out.
            let following = hourly.next_run(HOUR, start, spread).unwrap();
            assert_eq!(following.since(start), HOUR);
            *starts.entry(start.since(hour).as_secs() / 10).or_default() += 1;
        }
        let most = starts.values().max().copied().unwrap_or_default();
        assert!(starts.len() == 30 && most <= 70, "{starts:?}");
    }

    #[test]
    fn what_cannot_be_meant_is_told_by_the_names_of_the_api() {
        let paths = |settings: &SyncSettings| {
            settings.faults().into_iter().map(|fault| fault.path).collect::<Vec<_>>()
        };
        assert!(paths(&SyncSettings::default()).is_empty());
        assert!(paths(&cron("*/5 8-18 * * MON-FRI", "America/Chicago")).is_empty());
        assert!(paths(&cron("0 0 29 2 *", "UTC")).is_empty());
        for expression in ["", "*", "61 * * * *", "0 0 0 * * *", "0 0 30 2 *", "a b c d e"] {
            assert_eq!(paths(&cron(expression, "UTC")), ["cron"], "{expression}");
        }
        for zone in ["", "Mars/Olympus", "+02:00x"] {
            assert_eq!(paths(&cron("0 0 * * *", zone)), ["time_zone"], "{zone}");
        }
        let odd = SyncSettings {
            rhythm: Rhythm::Every(1),
            first_load_days: Some(0),
            deleted_days: Some(89),
            ..SyncSettings::default()
        };
        let expected = ["interval_seconds", "first_load_days", "deleted_retention_days"];
        assert_eq!(paths(&odd), expected);
    }

    #[test]
    fn how_far_back_a_first_load_reaches_is_fixed_when_it_begins() {
        let (workspace, connection) =
            (millwright_core::WorkspaceId::new_at(1), ConnectionId::new_at(1));
        let mut state =
            SyncState::new(&workspace, &connection, "vendors", ScheduleTime::from_millis(0));
        let day = 24 * 3_600_000;
        assert_eq!(state.fix_kept_from(WallTime::from_millis(100 * day)), None);
        state.settings.first_load_days = Some(30);
        assert_eq!(state.fix_kept_from(WallTime::from_millis(100 * day)), Some(70 * day));
        assert_eq!(state.fix_kept_from(WallTime::from_millis(200 * day)), Some(70 * day));
        state.settings.first_load_days = None;
        assert_eq!(state.fix_kept_from(WallTime::from_millis(200 * day)), None);
        assert_eq!(state.kept_from, None);
    }
}
