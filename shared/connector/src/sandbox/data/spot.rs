//! A place in a data set, and the plain values that follow from it.

use millwright_core::WallTime;
use serde_json::{Value, json};

use super::DataSet;
use crate::sandbox::SandboxRow;

pub(super) const DAY_MS: i64 = 86_400_000;
/// 2026-01-05T08:00:00Z, a Monday.
const FIRST_DAY_MS: i64 = 1_767_600_000_000;
/// The orders of the huge data set come this fast.
const HUGE_EVERY_MS: i64 = 5_000;

/// A row's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// Its number among the rows of its entity; 1 is the first.
    pub number: u32,
    /// The data set.
    pub set: DataSet,
}

impl Spot {
    /// One of several things, by the place.
    pub(super) fn pick<T: Copy>(self, from: &[T]) -> T {
        pick(from, self.number)
    }

    /// When the first row of this kind was made; the others follow day by day.
    pub(super) fn born(self) -> i64 {
        match self.set {
            DataSet::Huge => FIRST_DAY_MS + i64::from(self.number) * HUGE_EVERY_MS,
            _ => FIRST_DAY_MS + i64::from(self.number) * DAY_MS,
        }
    }

    /// So many days after that, as a time.
    pub(super) fn time(self, days: i64) -> String {
        iso(self.born() + days * DAY_MS)
    }

    /// The same as a day.
    pub(super) fn day(self, days: i64) -> String {
        self.time(days)[..10].to_owned()
    }
}

/// One of several things, in turn.
pub(super) fn pick<T: Copy>(from: &[T], number: u32) -> T {
    from[number as usize % from.len()]
}

/// Eight in the morning of the first day: when everything that does not grow was made.
pub(super) fn first_day() -> i64 {
    FIRST_DAY_MS
}

/// A time in milliseconds since the epoch, as rows have it.
pub(super) fn iso(ms: i64) -> String {
    WallTime::from_millis(ms).iso()
}

/// An id of the data set: in the order of numbers, also as text.
pub(super) fn id(prefix: &str, number: u32) -> String {
    format!("{prefix}-{number:04}")
}

/// Hundredths as decimal text.
pub(super) fn money(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A row of several parts.
pub(super) fn row(parts: impl IntoIterator<Item = Value>) -> SandboxRow {
    let mut row = SandboxRow::new();
    for part in parts {
        if let Value::Object(part) = part {
            row.extend(part);
        }
    }
    row
}

/// An address.
pub(super) fn address(number: u32) -> Value {
    const TOWNS: [(&str, &str, &str); 5] = [
        ("Rotterdam", "3011", "NL"),
        ("Hamburg", "20095", "DE"),
        ("Lyon", "69001", "FR"),
        ("Bilbao", "48001", "ES"),
        ("Gdansk", "80-001", "PL"),
    ];
    let (city, postcode, country) = pick(&TOWNS, number);
    json!({
        "street": format!("Dock Road {number}"),
        "postcode": postcode,
        "city": city,
        "country": country,
    })
}
