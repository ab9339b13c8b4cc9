//! Days and times as text and as numbers.

use jiff::{Timestamp, civil, tz::TimeZone};
use millwright_core::{WallTime, from_iso};

use super::CodecError;
use crate::json::{Node, Seen};

pub(super) fn show(ms: i64) -> String {
    WallTime::from_millis(ms).iso()
}

pub(super) fn show_naive(ms: i64) -> String {
    show(ms).trim_end_matches('Z').replacen('T', " ", 1)
}

pub(super) fn date(text: &str) -> Result<String, CodecError> {
    let day = text.parse::<civil::Date>().ok().filter(|_| text.len() == 10);
    day.map(|day| day.to_string()).ok_or_else(|| CodecError::expected("a day as YYYY-MM-DD"))
}

pub(super) fn iso(text: &str) -> Result<String, CodecError> {
    from_iso(text).map(show).ok_or_else(|| CodecError::expected("a time in ISO 8601 with a zone"))
}

pub(super) fn naive(text: &str) -> Result<String, CodecError> {
    let wrong = || CodecError::expected("a time without a zone");
    let at: civil::DateTime = text.trim_end_matches('Z').parse().map_err(|_| wrong())?;
    let at = at.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
    Ok(show(at.timestamp().as_millisecond()))
}

/// `unit` is how many milliseconds one of the number is.
pub(super) fn from_unix<'a>(value: impl Node<'a>, unit: i64) -> Result<String, CodecError> {
    let wrong = || CodecError::expected("a whole number since the epoch");
    let count = match value.see() {
        Seen::Text(text) | Seen::Number(text) => text.parse().ok(),
        _ => None,
    };
    let ms = count.and_then(|count: i64| count.checked_mul(unit)).ok_or_else(wrong)?;
    Timestamp::from_millisecond(ms).map_err(|_| wrong())?;
    Ok(show(ms))
}
