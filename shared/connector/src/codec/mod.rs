//! Codecs: how one value of the unified model stands in a system's rows, and back.
//!
//! In the unified model times are ISO 8601 in UTC with milliseconds, days `YYYY-MM-DD`, money and
//! quantities decimal text, ids text. `decode` reads the system's form, `encode` writes it.

mod decimal;
mod flag;
mod html;
mod money;
mod odata;
mod time;
mod tryton;
mod zone;

use millwright_core::from_iso;
use millwright_entities::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Number, Value};

use crate::json::{Node, Seen};

pub use decimal::canonical as canonical_decimal;
pub(crate) use decimal::compare as compare_decimals;
pub use zone::Zone;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// Text; numbers are taken by their digits.
    #[default]
    Text,
    /// An object as it is, where the model leaves open what is in one. Writes send any value.
    Json,
    /// An integer id; text in the unified model.
    Id,
    /// A whole number; a number in the unified model too.
    Integer,
    /// True or false; 1 and 0 are read too, which is how SQLite keeps them.
    Boolean,
    /// True or false as 1 and 0.
    Bit,
    /// True or false as "1" and "0".
    BitText,
    /// True or false as "true" and "false".
    BooleanText,
    /// True or false as "T" and "F".
    TOrF,
    /// True as "X" and false as empty text.
    XOrBlank,
    /// A JSON number, or decimal text, kept exact; written as a JSON number.
    Decimal,
    /// Decimal text on the wire too.
    DecimalText,
    /// An amount as a whole number of the smallest unit, which has so many decimal places:
    /// `minor_units: 2` for cents.
    #[serde(deserialize_with = "places")]
    MinorUnits(u8),
    /// A day as `YYYY-MM-DD`.
    Date,
    /// ISO 8601 with a zone.
    Time,
    /// A time without a zone that means UTC: `2026-01-31 10:00:00.000000`, with a blank or a `T`.
    NaiveUtc,
    /// A time without a zone that means the system's own, which is the manifest's `time_zone`.
    SiteTime,
    /// Seconds since the epoch.
    UnixSeconds,
    /// Milliseconds since the epoch.
    UnixMillis,
    /// A time as OData version 2 writes it: `/Date(1769853600000)/`, also with an offset.
    OdataTime,
    /// A day as OData version 2 writes it: the start of it in UTC.
    OdataDate,
    /// A list of texts as one text with commas between them.
    CommaList,
    /// HTML, of which the text is read. It cannot be written.
    Html,
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
        self.kind() == Kind::Decimal
    }

    /// Whether it takes the system's time zone.
    pub(crate) fn needs_zone(self) -> bool {
        self == Self::SiteTime
    }

    fn flags(self) -> Option<flag::Words> {
        match self {
            Self::Bit => Some(flag::BIT),
            Self::BitText => Some(flag::BIT_TEXT),
            Self::BooleanText => Some(flag::TEXT),
            Self::TOrF => Some(flag::T_OR_F),
            Self::XOrBlank => Some(flag::X_OR_BLANK),
            _ => None,
        }
    }

    /// What its unified values are.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Text | Self::Id | Self::Html => Kind::Text,
            Self::Json => Kind::Object,
            Self::CommaList => Kind::List,
            Self::Integer => Kind::Integer,
            Self::Boolean
            | Self::Bit
            | Self::BitText
            | Self::BooleanText
            | Self::TOrF
            | Self::XOrBlank => Kind::Flag,
            Self::Decimal | Self::DecimalText | Self::MinorUnits(_) | Self::TrytonDecimal => {
                Kind::Decimal
            }
            Self::Date | Self::OdataDate | Self::TrytonDate => Kind::Date,
            Self::Time
            | Self::NaiveUtc
            | Self::SiteTime
            | Self::UnixSeconds
            | Self::OdataTime
            | Self::UnixMillis
            | Self::TrytonDayStart
            | Self::TrytonTime => Kind::Time,
        }
    }

    /// Reads the system's form. A null is never given.
    ///
    /// # Errors
    /// When the value does not have that form.
    pub fn decode<'a>(
        self,
        value: impl Node<'a>,
        zone: Option<&Zone>,
    ) -> Result<Value, CodecError> {
        let text = match self {
            Self::Text => text_of(value)?,
            Self::Json => return object_of(value),
            Self::Id => id_of(value)?,
            Self::Integer => return integer_of(value).map(Value::from),
            Self::Boolean => return flag::BIT.read(value),
            Self::Bit | Self::BitText | Self::BooleanText | Self::TOrF | Self::XOrBlank => {
                return self.flags().ok_or_else(none)?.read(value);
            }
            Self::Decimal | Self::DecimalText => decimal_of(value)?,
            Self::MinorUnits(places) => {
                money::from_minor(digits(value).unwrap_or_default(), places)?
            }
            Self::Date => time::date(string(value, "a day as YYYY-MM-DD")?)?,
            Self::Time => time::iso(string(value, "a time in ISO 8601 with a zone")?)?,
            Self::NaiveUtc => time::naive(string(value, "a time")?)?,
            Self::SiteTime => zone.ok_or_else(no_zone)?.read(string(value, "a time")?)?,
            Self::UnixSeconds => time::from_unix(value, 1000)?,
            Self::UnixMillis => time::from_unix(value, 1)?,
            Self::OdataTime => odata::time(string(value, "a time of OData")?)?,
            Self::OdataDate => odata::day(string(value, "a day of OData")?)?,
            Self::CommaList => return Ok(listed(string(value, "text with commas")?)),
            Self::Html => html_text(string(value, "HTML")?)?,
            Self::TrytonDecimal => tryton::decimal(value)?,
            Self::TrytonDate => tryton::date(value)?,
            Self::TrytonDayStart => format!("{}T00:00:00.000Z", tryton::date(value)?),
            Self::TrytonTime => tryton::time(value)?,
        };
        Ok(Value::String(text))
    }

    /// Writes the system's form of a unified value that has nothing to do with the system's time zone.
    /// A null stays null.
    ///
    /// # Errors
    /// When the value is not one of the unified model.
    pub fn encode(self, value: &Value) -> Result<Value, CodecError> {
        self.encode_in(value, None)
    }

    /// Writes the system's form of a unified value. A null stays null.
    ///
    /// # Errors
    /// When the value is not one of the unified model.
    pub fn encode_in(self, value: &Value, zone: Option<&Zone>) -> Result<Value, CodecError> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        match self {
            Self::Text => string(value, "text").map(Value::from),
            Self::Json => Ok(value.clone()),
            Self::Id => encode_id(string(value, "an id as text")?),
            Self::Integer => integer_of(value).map(Value::from),
            Self::Boolean => flag_of(value).map(Value::Bool),
            Self::Bit | Self::BitText | Self::BooleanText | Self::TOrF | Self::XOrBlank => {
                Ok(self.flags().ok_or_else(none)?.write(flag_of(value)?))
            }
            Self::Decimal => Ok(Value::Number(number(&plain_decimal(value)?)?)),
            Self::DecimalText => plain_decimal(value).map(Value::String),
            Self::MinorUnits(places) => {
                number(&money::to_minor(&plain_decimal(value)?, places)?).map(Value::Number)
            }
            Self::Date => time::date(string(value, "a day as YYYY-MM-DD")?).map(Value::String),
            Self::Time => millis(value).map(time::show).map(Value::String),
            Self::NaiveUtc => millis(value).map(time::show_naive).map(Value::String),
            Self::SiteTime => zone.ok_or_else(no_zone)?.show(millis(value)?).map(Value::String),
            Self::UnixSeconds => Ok(Value::from(millis(value)?.div_euclid(1000))),
            Self::UnixMillis => millis(value).map(Value::from),
            Self::OdataTime => millis(value).map(odata::encode),
            Self::OdataDate => odata::encode_day(string(value, "a day as YYYY-MM-DD")?),
            Self::CommaList => joined(value),
            Self::Html => Err(CodecError("cannot be written".to_owned())),
            Self::TrytonDecimal => Ok(tryton::encode_decimal(&plain_decimal(value)?)),
            Self::TrytonDate => tryton::encode_date(string(value, "a day as YYYY-MM-DD")?),
            Self::TrytonDayStart => tryton::encode_date(time::show(millis(value)?).split_at(10).0),
            Self::TrytonTime => tryton::encode_time(millis(value)?),
        }
    }
}

/// How many decimal places a smallest unit has.
fn places<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let places = u8::deserialize(deserializer)?;
    if places > money::PLACES_MAX {
        let most = money::PLACES_MAX;
        return Err(D::Error::custom(format!("a smallest unit has at most {most} decimal places")));
    }
    Ok(places)
}

fn none() -> CodecError {
    CodecError::expected("true or false")
}

fn object_of<'a>(value: impl Node<'a>) -> Result<Value, CodecError> {
    let value = value.to_value();
    if value.is_object() { Ok(value) } else { Err(CodecError::expected("an object")) }
}

fn no_zone() -> CodecError {
    CodecError("has no time zone".to_owned())
}

fn listed(text: &str) -> Value {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(Value::from).collect()
}

fn joined(value: &Value) -> Result<Value, CodecError> {
    let wrong = || CodecError::expected("a list of texts without commas");
    let parts = value.as_array().ok_or_else(wrong)?;
    let texts = parts.iter().map(|part| part.as_str().filter(|text| !text.contains(',')));
    let texts: Vec<&str> = texts.collect::<Option<_>>().ok_or_else(wrong)?;
    Ok(Value::from(texts.join(",")))
}

fn html_text(html: &str) -> Result<String, CodecError> {
    if html.len() > html::LENGTH_MAX {
        return Err(CodecError::expected("HTML of at most 1 MiB"));
    }
    Ok(html::text(html))
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

fn integer_of<'a>(value: impl Node<'a>) -> Result<i64, CodecError> {
    value.integer().ok_or_else(|| CodecError::expected("a whole number"))
}

fn flag_of(value: &Value) -> Result<bool, CodecError> {
    value.as_bool().ok_or_else(none)
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
mod tests;
