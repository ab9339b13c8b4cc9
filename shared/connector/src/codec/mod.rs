//! Codecs: how one value of the unified model stands in a system's rows, and back.
//!
//! In the unified model times are ISO 8601 in UTC with milliseconds, days `YYYY-MM-DD`, money and
//! quantities decimal text, ids text. `decode` reads the system's form, `encode` writes it.

mod decimal;
mod time;
mod tryton;

use millwright_core::from_iso;
use millwright_entities::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::json::{Node, Seen};

pub use decimal::canonical as canonical_decimal;
pub(crate) use decimal::compare as compare_decimals;

/// A value that does not fit its codec, in words that may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(pub(crate) String);

impl CodecError {
    fn expected(what: &str) -> Self {
        Self(format!("must be {what}"))
    }
}

/// The forms a value can have on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// Text; numbers are taken by their digits.
    #[default]
    Text,
    /// As it is: for lists and objects that jq makes.
    Json,
    /// An integer id; text in the unified model.
    Id,
    /// True or false; 1 and 0 are read too, which is how SQLite keeps them.
    Boolean,
    /// A JSON number, or decimal text, kept exact; written as a JSON number.
    Decimal,
    /// Decimal text on the wire too.
    DecimalText,
    /// A day as `YYYY-MM-DD`.
    Date,
    /// ISO 8601 with a zone.
    Time,
    /// A time without a zone that means UTC: `2026-01-31 10:00:00.000000`, with a blank or a `T`.
    NaiveUtc,
    /// Seconds since the epoch.
    UnixSeconds,
    /// Milliseconds since the epoch.
    UnixMillis,
    /// Tryton's `{"__class__": "Decimal", ...}`.
    TrytonDecimal,
    /// Tryton's `{"__class__": "date", ...}`.
    TrytonDate,
    /// Tryton's `{"__class__": "date", ...}` for a field that holds a time: the start of that day.
    TrytonDayStart,
    /// Tryton's `{"__class__": "datetime", ...}`, which is UTC.
    TrytonTime,
}

impl Codec {
    /// Whether its unified values are decimals.
    pub(crate) fn is_decimal(self) -> bool {
        matches!(self, Self::Decimal | Self::DecimalText | Self::TrytonDecimal)
    }

    /// What its unified values are.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Text | Self::Id => Kind::Text,
            Self::Json => Kind::Object,
            Self::Boolean => Kind::Flag,
            Self::Decimal | Self::DecimalText | Self::TrytonDecimal => Kind::Decimal,
            Self::Date | Self::TrytonDate => Kind::Date,
            Self::Time
            | Self::NaiveUtc
            | Self::UnixSeconds
            | Self::UnixMillis
            | Self::TrytonDayStart
            | Self::TrytonTime => Kind::Time,
        }
    }

    /// A unified value as it gives them; nothing when that is open.
    pub(crate) fn example(self) -> Option<Value> {
        let text = match self {
            Self::Json => return None,
            Self::Boolean => return Some(Value::Bool(true)),
            Self::Text | Self::Id => "x",
            Self::Decimal | Self::DecimalText | Self::TrytonDecimal => "-1.5",
            Self::Date | Self::TrytonDate => "2026-01-31",
            Self::Time
            | Self::NaiveUtc
            | Self::UnixSeconds
            | Self::UnixMillis
            | Self::TrytonDayStart
            | Self::TrytonTime => "2026-01-31T10:00:00.000Z",
        };
        Some(Value::from(text))
    }

    /// Reads the system's form. A null is never given.
    ///
    /// # Errors
    /// When the value does not have that form.
    pub fn decode<'a>(self, value: impl Node<'a>) -> Result<Value, CodecError> {
        let text = match self {
            Self::Text => text_of(value)?,
            Self::Json => return Ok(value.to_value()),
            Self::Id => id_of(value)?,
            Self::Boolean => return boolean_of(value).or_else(|why| bit_of(value).ok_or(why)),
            Self::Decimal | Self::DecimalText => decimal_of(value)?,
            Self::Date => time::date(string(value, "a day as YYYY-MM-DD")?)?,
            Self::Time => time::iso(string(value, "a time in ISO 8601 with a zone")?)?,
            Self::NaiveUtc => time::naive(string(value, "a time")?)?,
            Self::UnixSeconds => time::from_unix(value, 1000)?,
            Self::UnixMillis => time::from_unix(value, 1)?,
            Self::TrytonDecimal => tryton::decimal(value)?,
            Self::TrytonDate => tryton::date(value)?,
            Self::TrytonDayStart => format!("{}T00:00:00.000Z", tryton::date(value)?),
            Self::TrytonTime => tryton::time(value)?,
        };
        Ok(Value::String(text))
    }

    /// Writes the system's form of a unified value. A null stays null.
    ///
    /// # Errors
    /// When the value is not one of the unified model.
    pub fn encode(self, value: &Value) -> Result<Value, CodecError> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        match self {
            Self::Text => string(value, "text").map(Value::from),
            Self::Json => Ok(value.clone()),
            Self::Id => encode_id(string(value, "an id as text")?),
            Self::Boolean => boolean_of(value),
            Self::Decimal => Ok(Value::Number(number(&plain_decimal(value)?)?)),
            Self::DecimalText => plain_decimal(value).map(Value::String),
            Self::Date => time::date(string(value, "a day as YYYY-MM-DD")?).map(Value::String),
            Self::Time => millis(value).map(time::show).map(Value::String),
            Self::NaiveUtc => millis(value).map(time::show_naive).map(Value::String),
            Self::UnixSeconds => Ok(Value::from(millis(value)?.div_euclid(1000))),
            Self::UnixMillis => millis(value).map(Value::from),
            Self::TrytonDecimal => Ok(tryton::encode_decimal(&plain_decimal(value)?)),
            Self::TrytonDate => tryton::encode_date(string(value, "a day as YYYY-MM-DD")?),
            Self::TrytonDayStart => tryton::encode_date(time::show(millis(value)?).split_at(10).0),
            Self::TrytonTime => tryton::encode_time(millis(value)?),
        }
    }
}

fn string<'a>(value: impl Node<'a>, what: &str) -> Result<&'a str, CodecError> {
    value.text().ok_or_else(|| CodecError::expected(what))
}

fn digits<'a>(value: impl Node<'a>) -> Option<&'a str> {
    match value.see() {
        Seen::Text(text) | Seen::Number(text) => Some(text),
        _ => None,
    }
}

fn text_of<'a>(value: impl Node<'a>) -> Result<String, CodecError> {
    digits(value).map(str::to_owned).ok_or_else(|| CodecError::expected("text"))
}

fn id_of<'a>(value: impl Node<'a>) -> Result<String, CodecError> {
    let id = value.integer().ok_or_else(|| CodecError::expected("an integer id"))?;
    Ok(id.to_string())
}

/// Only the one way an integer is written: `7`, not `07`, `+7` or `7.0`.
fn encode_id(text: &str) -> Result<Value, CodecError> {
    match text.parse::<i64>() {
        Ok(id) if id.to_string() == text => Ok(Value::from(id)),
        _ => Err(CodecError::expected("an id of this system, which is a whole number")),
    }
}

fn boolean_of<'a>(value: impl Node<'a>) -> Result<Value, CodecError> {
    match value.see() {
        Seen::Bool(flag) => Ok(Value::Bool(flag)),
        _ => Err(CodecError::expected("true or false")),
    }
}

fn bit_of<'a>(value: impl Node<'a>) -> Option<Value> {
    match value.integer() {
        Some(0) => Some(Value::Bool(false)),
        Some(1) => Some(Value::Bool(true)),
        _ => None,
    }
}

fn decimal_of<'a>(value: impl Node<'a>) -> Result<String, CodecError> {
    let exact = digits(value).and_then(canonical_decimal);
    exact.ok_or_else(|| CodecError::expected("a decimal number"))
}

fn plain_decimal(value: &Value) -> Result<String, CodecError> {
    let wrong = || CodecError::expected("a decimal number as text, such as \"12.5\"");
    let text = value.as_str().filter(|text| decimal::is_plain(text)).ok_or_else(wrong)?;
    canonical_decimal(text).ok_or_else(wrong)
}

fn number(text: &str) -> Result<Number, CodecError> {
    serde_json::from_str(text).map_err(|_| CodecError::expected("a decimal number"))
}

fn millis(value: &Value) -> Result<i64, CodecError> {
    let what = "a time in ISO 8601 with a zone, such as \"2026-01-31T10:00:00Z\"";
    from_iso(string(value, what)?).ok_or_else(|| CodecError::expected(what))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_form_is_read_and_written_back_as_it_was() {
        for (codec, wire, unified) in [
            (Codec::Text, json!("a"), json!("a")),
            (Codec::Id, json!(7), json!("7")),
            (Codec::Boolean, json!(true), json!(true)),
            (Codec::DecimalText, json!("4.2"), json!("4.2")),
            (Codec::Date, json!("2026-02-28"), json!("2026-02-28")),
            (Codec::Time, json!("2026-02-28T10:00:00.120Z"), json!("2026-02-28T10:00:00.120Z")),
            (Codec::NaiveUtc, json!("2026-02-28 10:00:00.120"), json!("2026-02-28T10:00:00.120Z")),
            (Codec::UnixSeconds, json!(1_700_000_000), json!("2023-11-14T22:13:20.000Z")),
            (Codec::UnixMillis, json!(1_700_000_000_120_i64), json!("2023-11-14T22:13:20.120Z")),
            (Codec::TrytonDecimal, json!({"__class__": "Decimal", "decimal": "4.2"}), json!("4.2")),
            (
                Codec::TrytonDate,
                json!({"__class__": "date", "year": 2026, "month": 2, "day": 28}),
                json!("2026-02-28"),
            ),
            (
                Codec::TrytonDayStart,
                json!({"__class__": "date", "year": 2026, "month": 2, "day": 28}),
                json!("2026-02-28T00:00:00.000Z"),
            ),
        ] {
            assert_eq!(codec.decode(&wire), Ok(unified.clone()), "{codec:?}");
            assert_eq!(codec.encode(&unified), Ok(wire), "{codec:?}");
        }
    }

    #[test]
    fn a_quantity_is_exact_from_the_wire_to_text_and_back_to_a_number() {
        let row: Value = serde_json::from_str(r#"{"quantity": 12345678901234567890.10}"#).unwrap();
        let unified = Codec::Decimal.decode(&row["quantity"]).unwrap();
        assert_eq!(unified, json!("12345678901234567890.1"));
        let wire = Codec::Decimal.encode(&unified).unwrap();
        assert_eq!(wire.to_string(), "12345678901234567890.1");
    }

    #[test]
    fn zones_are_brought_to_utc() {
        let decoded = Codec::Time.decode(&json!("2026-02-28T01:00:00+02:00"));
        assert_eq!(decoded, Ok(json!("2026-02-27T23:00:00.000Z")));
    }

    #[test]
    fn a_bit_is_read_as_true_or_false_and_never_written() {
        assert_eq!(Codec::Boolean.decode(&json!(1)), Ok(json!(true)));
        assert_eq!(Codec::Boolean.decode(&json!(0)), Ok(json!(false)));
        assert!(Codec::Boolean.decode(&json!(2)).is_err());
        assert!(Codec::Boolean.encode(&json!(1)).is_err());
    }

    #[test]
    fn a_value_of_another_form_is_refused() {
        for (codec, wire) in [
            (Codec::Text, json!({})),
            (Codec::Id, json!("x")),
            (Codec::Boolean, json!("true")),
            (Codec::Decimal, json!("4,2")),
            (Codec::Date, json!("2026-02-30")),
            (Codec::Time, json!("2026-02-28 10:00")),
            (Codec::NaiveUtc, json!("yesterday")),
            (Codec::UnixSeconds, json!("soon")),
            (Codec::TrytonDecimal, json!(4.2)),
            (Codec::TrytonDate, json!({"__class__": "date", "year": 2026, "month": 13, "day": 1})),
            (Codec::TrytonTime, json!({"__class__": "date", "year": 2026, "month": 1, "day": 1})),
        ] {
            assert!(codec.decode(&wire).is_err(), "{codec:?}");
        }
        for (codec, unified) in [
            (Codec::Decimal, json!(4.2)),
            (Codec::Decimal, json!("1e3")),
            (Codec::Id, json!("07")),
            (Codec::Id, json!("99999999999999999999")),
            (Codec::Time, json!("2026-02-28")),
            (Codec::Date, json!("28.02.2026")),
        ] {
            assert!(codec.encode(&unified).is_err(), "{codec:?} {unified}");
        }
        assert_eq!(Codec::Id.encode(&Value::Null), Ok(Value::Null));
    }
}
