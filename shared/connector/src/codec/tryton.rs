//! Tryton's tagged types (trytond, `protocols/jsonrpc.py`).

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Value, json};

use super::{CodecError, canonical_decimal, time::show};
use crate::json::Node;

pub(super) fn decimal<'a>(value: impl Node<'a>) -> Result<String, CodecError> {
    let text = value.member("decimal").and_then(Node::text).filter(|_| is(value, "Decimal"));
    text.and_then(canonical_decimal).ok_or_else(|| CodecError::expected("a Tryton decimal"))
}

pub(super) fn date<'a>(value: impl Node<'a>) -> Result<String, CodecError> {
    let day = if is(value, "date") { day(value) } else { None };
    day.map(|day| day.to_string()).ok_or_else(|| CodecError::expected("a Tryton date"))
}

/// To the millisecond, downwards: Tryton keeps microseconds.
pub(super) fn time<'a>(value: impl Node<'a>) -> Result<String, CodecError> {
    let at = if is(value, "datetime") { moment(value) } else { None };
    at.map(|at| show(at.as_millisecond())).ok_or_else(|| CodecError::expected("a Tryton datetime"))
}

pub(super) fn encode_decimal(text: &str) -> Value {
    json!({"__class__": "Decimal", "decimal": text})
}

pub(super) fn encode_date(text: &str) -> Result<Value, CodecError> {
    let day: civil::Date = text.parse().map_err(|_| CodecError::expected("a day as YYYY-MM-DD"))?;
    Ok(json!({
        "__class__": "date", "year": day.year(), "month": day.month(), "day": day.day(),
    }))
}

pub(super) fn encode_time(ms: i64) -> Result<Value, CodecError> {
    let at = Timestamp::from_millisecond(ms)
        .map_err(|_| CodecError::expected("a time that a calendar has"))?
        .to_zoned(TimeZone::UTC);
    Ok(json!({
        "__class__": "datetime",
        "year": at.year(), "month": at.month(), "day": at.day(),
        "hour": at.hour(), "minute": at.minute(), "second": at.second(),
        "microsecond": at.subsec_nanosecond() / 1000,
    }))
}

fn is<'a>(value: impl Node<'a>, class: &str) -> bool {
    value.member("__class__").and_then(Node::text) == Some(class)
}

fn day<'a>(value: impl Node<'a>) -> Option<civil::Date> {
    civil::Date::new(part(value, "year")?, part(value, "month")?, part(value, "day")?).ok()
}

fn moment<'a>(value: impl Node<'a>) -> Option<Timestamp> {
    let microseconds: i32 = part(value, "microsecond")?;
    let nanoseconds = microseconds.checked_mul(1000)?;
    let time = civil::Time::new(
        part(value, "hour")?,
        part(value, "minute")?,
        part(value, "second")?,
        nanoseconds,
    );
    let at = day(value)?.to_datetime(time.ok()?).to_zoned(TimeZone::UTC).ok()?;
    Some(at.timestamp())
}

fn part<'a, T: TryFrom<i64>>(value: impl Node<'a>, name: &str) -> Option<T> {
    T::try_from(value.member(name)?.integer()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datetime_is_utc_and_cut_to_milliseconds() {
        let wire = json!({"__class__": "datetime", "year": 2026, "month": 11, "day": 21,
            "hour": 22, "minute": 17, "second": 6, "microsecond": 866_906});
        assert_eq!(time(&wire).unwrap(), "2026-11-21T22:17:06.866Z");
        let ms = millwright_core::from_iso("2026-11-21T22:17:06.866Z").unwrap();
        assert_eq!(encode_time(ms).unwrap()["microsecond"], json!(866_000));
    }

    #[test]
    fn a_decimal_keeps_its_digits_and_loses_its_zeros() {
        let wire = |text: &str| json!({"__class__": "Decimal", "decimal": text});
        assert_eq!(decimal(&wire("4.2000")).unwrap(), "4.2");
        assert_eq!(decimal(&wire("0E-8")).unwrap(), "0");
        assert_eq!(decimal(&wire("1234567890123456.78")).unwrap(), "1234567890123456.78");
        assert!(decimal(&wire("NaN")).is_err());
    }
}
