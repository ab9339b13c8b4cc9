//! When two values of a field mean the same.

use std::borrow::Cow;

use millwright_connector::canonical_decimal;
use millwright_core::from_iso;
use millwright_entities::{Field, Kind};
use serde_json::Value;

use super::is_empty;

/// Whether two values of a field mean the same: decimals by their number, times to the second (many
/// systems keep no more), texts without space at the ends, lists of values in any order, objects by the
/// fields that were given. Of a field that the model does not have, as JSON.
pub(super) fn equal(field: Option<&Field>, given: &Value, after: &Value) -> bool {
    if is_empty(given) && is_empty(after) {
        return true;
    }
    match (given, after) {
        (Value::Array(given), Value::Array(after)) => same_items(field, given, after),
        (Value::Object(given), Value::Object(after)) => given.iter().all(|(name, given)| {
            let field = field.and_then(|field| field.field(name));
            equal(field, given, after.get(name).unwrap_or(&Value::Null))
        }),
        _ => form(field, given) == form(field, after),
    }
}

/// Whether two lists hold the same: a system keeps sets of keys and words in an order of its own.
fn same_items(field: Option<&Field>, given: &[Value], after: &[Value]) -> bool {
    let mut left: Vec<&Value> = after.iter().collect();
    let found = given.iter().all(|item| {
        let place = left.iter().position(|other| equal(field, item, other));
        place.map(|place| left.swap_remove(place)).is_some()
    });
    found && left.is_empty()
}

/// The value in the one form that others of its meaning have.
fn form<'a>(field: Option<&Field>, value: &'a Value) -> Option<Cow<'a, str>> {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text.trim()),
        Value::Null => return None,
        other => Cow::Owned(other.to_string()),
    };
    let special = match field.map(|field| field.kind) {
        Some(Kind::Decimal) => canonical_decimal(&text),
        Some(Kind::Time) => from_iso(&text).map(|ms| ms.div_euclid(1000).to_string()),
        Some(Kind::Date) => text.get(..10).map(str::to_owned),
        Some(Kind::Text) => Some(text.replace("\r\n", "\n")),
        _ => None,
    };
    Some(special.map_or(text, Cow::Owned))
}
