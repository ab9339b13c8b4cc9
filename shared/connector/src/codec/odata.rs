//! Times of OData version 2 in JSON: `/Date(1769853600000)/`, or with an offset in minutes that says
//! where the time was taken and changes nothing (OData V2 JSON format, "primitive types").

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::Value;

use super::{CodecError, time::show};

fn millis(text: &str) -> Result<i64, CodecError> {
    let wrong = || CodecError::expected("a time such as /Date(1769853600000)/");
    let inside = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/"));
    let inside = inside.ok_or_else(wrong)?;
    // The sign of the number itself may come first.
    let end = inside.char_indices().skip(1).find(|(_, letter)| matches!(letter, '+' | '-'));
    let (count, offset) = inside.split_at(end.map_or(inside.len(), |(at, _)| at));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !offset.is_empty() && (offset.len() < 2 || !plain(&offset[1..])) {
        return Err(wrong());
    }
    let ms: i64 = count.parse().map_err(|_| wrong())?;
    Timestamp::from_millisecond(ms).map_err(|_| wrong())?;
    Ok(ms)
}

pub(super) fn time(text: &str) -> Result<String, CodecError> {
    millis(text).map(show)
}

/// A day is written as its beginning in UTC.
pub(super) fn day(text: &str) -> Result<String, CodecError> {
    let shown = time(text)?;
    Ok(shown.split('T').next().unwrap_or_default().to_owned())
}

pub(super) fn encode(ms: i64) -> Value {
    Value::from(format!("/Date({ms})/"))
}

pub(super) fn encode_day(text: &str) -> Result<Value, CodecError> {
    let wrong = || CodecError::expected("a day as YYYY-MM-DD");
    let day: civil::Date = text.parse().map_err(|_| wrong())?;
    let start = day.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
    Ok(encode(start.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_changes_nothing() {
        for text in
            ["/Date(1769853600120)/", "/Date(1769853600120+0000)/", "/Date(1769853600120-0120)/"]
        {
            assert_eq!(time(text).unwrap(), "2026-01-31T10:00:00.120Z");
        }
        assert_eq!(time("/Date(-1000)/").unwrap(), "1969-12-31T23:59:59.000Z");
        assert_eq!(time("/Date(-1000+0000)/").unwrap(), "1969-12-31T23:59:59.000Z");
        assert_eq!(day("/Date(1769817600000)/").unwrap(), "2026-01-31");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "/Date()/",
            "/Date(x)/",
            "/Date(1",
            "Date(1)",
            "/Date(1+)/",
            "/Date(1+x)/",
            "/Date(99999999999999999)/",
            "/Date(+)/",
            "/Date(1+1+1)/",
            "/Date(é)/",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
