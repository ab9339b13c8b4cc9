//! Values as what they mean: decimals by their size, times by their moment, text by its characters.

use std::cmp::Ordering;

use jiff::{Timestamp, civil::Date};
use millwright_entities::Kind;
use serde_json::Value;

use super::FilterField;

/// The most characters of a decimal, as the entities' schemas have it.
const DECIMAL_MAX: usize = 80;

/// A value to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Text(String),
    Flag(bool),
    Decimal(Decimal),
    Date(Date),
    Time(Timestamp),
}

impl Typed {
    /// Reads what a caller wrote: nothing when it is none of the field's values.
    pub(super) fn parse(field: &FilterField, text: &str) -> Option<Self> {
        let own = || Self::Text(text.to_owned());
        match field.kind {
            Kind::Text => Some(own()),
            Kind::Key => is_record_key(text).then(own),
            Kind::Choice => field.options.contains(&text).then(own),
            Kind::Flag => text.parse().ok().map(Self::Flag),
            Kind::Decimal | Kind::Integer => Decimal::parse(text).map(Self::Decimal),
            Kind::Date => day(text).map(Self::Date),
            Kind::Time => text.parse().ok().map(Self::Time),
            Kind::List | Kind::Object => None,
        }
    }

    /// Reads what a record has, as the same kind as this value: nothing for null, and for what is of
    /// another kind.
    fn of_same_kind(&self, value: &Value) -> Option<Self> {
        match (self, value) {
            (Self::Text(_), Value::String(text)) => Some(Self::Text(text.clone())),
            (Self::Flag(_), Value::Bool(flag)) => Some(Self::Flag(*flag)),
            (Self::Decimal(_), Value::String(text)) => Decimal::parse(text).map(Self::Decimal),
            (Self::Decimal(_), Value::Number(number)) => {
                Decimal::parse(&number.to_string()).map(Self::Decimal)
            }
            (Self::Date(_), Value::String(text)) => day(text).map(Self::Date),
            (Self::Time(_), Value::String(text)) => text.parse().ok().map(Self::Time),
            _ => None,
        }
    }

    /// How a record's value stands to this one: nothing when they cannot be compared.
    pub(super) fn order_of(&self, value: &Value) -> Option<Ordering> {
        match (self.of_same_kind(value)?, self) {
            (Self::Text(left), Self::Text(right)) => Some(left.as_str().cmp(right)),
            (Self::Flag(left), Self::Flag(right)) => Some(left.cmp(right)),
            (Self::Decimal(left), Self::Decimal(right)) => Some(left.cmp(right)),
            (Self::Date(left), Self::Date(right)) => Some(left.cmp(right)),
            (Self::Time(left), Self::Time(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }
}

/// A calendar day, as `2026-03-01` and in no other form.
fn day(text: &str) -> Option<Date> {
    let date: Date = text.parse().ok()?;
    (date.to_string() == text).then_some(date)
}

/// Whether the text can be the key of a record.
pub(crate) fn is_record_key(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.strip_prefix("rec_").is_some_and(|rest| rest.len() == 26 && rest.bytes().all(letter))
}

/// A time of a record as a text of one length that sorts as times do; nothing when it is none.
#[must_use]
pub fn sortable_time(text: &str) -> Option<String> {
    text.parse::<Timestamp>().ok().map(|at| format!("{at:.9}"))
}

/// An exact decimal number, without zeros that say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Decimal {
    /// Reads digits with an optional sign and fraction; no exponent.
    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (digits, ""),
        };
        let plain = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || text.len() > DECIMAL_MAX || !plain(whole) || !plain(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Some(Self { negative, whole, fraction })
    }

    fn size(&self) -> (usize, &str, &str) {
        (self.whole.len(), &self.whole, &self.fraction)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.size().cmp(&other.size()),
            (true, true) => other.size().cmp(&self.size()),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(kind: Kind, text: &str) -> Option<Typed> {
        Typed::parse(&FilterField { name: "field", kind, options: Vec::new() }, text)
    }

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn decimals_compare_by_their_size_and_exactly() {
        let rising = ["-10", "-9.5", "-0.01", "0", "0.1", "0.11", "0.2", "9", "10", "10.000000001"];
        for pair in rising.windows(2) {
            assert!(decimal(pair[0]) < decimal(pair[1]), "{pair:?}");
        }
        for (left, right) in [("1", "1.0"), ("0", "-0"), ("1.50", "1.5"), ("007", "7")] {
            assert_eq!(decimal(left), decimal(right));
        }
        let large = "9007199254740993";
        assert!(decimal(large) > decimal("9007199254740992"), "a float would call them equal");
    }

    #[test]
    fn what_is_no_decimal_is_none() {
        for text in ["", "-", ".", "1.", ".5", "1e3", "+1", "1,5", "0x1", "NaN", &"1".repeat(81)] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_compare_by_their_moment_whatever_their_zone_and_fraction() {
        let noon = parsed(Kind::Time, "2026-03-01T13:00:00+01:00").unwrap();
        let is = |text: &str| noon.order_of(&json!(text));
        assert_eq!(is("2026-03-01T12:00:00Z"), Some(Ordering::Equal));
        assert_eq!(is("2026-03-01T12:00:00.000Z"), Some(Ordering::Equal));
        assert_eq!(is("2026-03-01T12:00:00.000001Z"), Some(Ordering::Greater));
        assert_eq!(is("2026-03-01T11:59:59.999Z"), Some(Ordering::Less));
        for wrong in ["2026-03-01", "2026-03-01T12:00:00", "soon", "", "1772366400"] {
            assert_eq!(parsed(Kind::Time, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_sort_as_text() {
        let rising = ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.5Z", "2026-03-01T12:00:01Z"];
        let sortable: Vec<String> = rising.iter().filter_map(|text| sortable_time(text)).collect();
        assert!(sortable.is_sorted() && sortable.len() == 3, "{sortable:?}");
        assert_eq!(sortable_time("soon"), None);
    }

    #[test]
    fn a_day_is_written_in_one_way() {
        assert!(parsed(Kind::Date, "2026-02-28").is_some());
        for wrong in ["2026-02-29", "20260228", "2026-2-28", "2026-02-28T00:00:00Z"] {
            assert_eq!(parsed(Kind::Date, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn null_and_another_kind_compare_with_nothing() {
        let text = Typed::Text("a".to_owned());
        for value in [json!(null), json!(1), json!(["a"]), json!({})] {
            assert_eq!(text.order_of(&value), None);
        }
        let number = parsed(Kind::Decimal, "3").unwrap();
        assert_eq!(number.order_of(&json!(3)), Some(Ordering::Equal));
    }
}
