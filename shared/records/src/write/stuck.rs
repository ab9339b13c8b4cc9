//! Which of the given fields the system did not keep: the record that was read back, held against
//! what was sent.

mod kind;
mod lines;

use kind::equal;
use millwright_entities::{Entity, Field};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something about a write that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The field, as `lineItems[0].quantity`; empty where it is about the whole record.
    pub path: String,
    /// A sentence for a person.
    pub message: String,
}

impl Warning {
    /// A warning about the whole record.
    pub(super) fn of_record(message: &str) -> Self {
        Self { path: String::new(), message: message.to_owned() }
    }
}

/// What there is to compare.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'a> {
    /// The entity's slug.
    pub entity: &'a str,
    /// What was given: a new record, or a merge patch.
    pub given: &'a Map<String, Value>,
    /// The record before the write, if there was one.
    pub before: Option<&'a Map<String, Value>>,
    /// The record as the system has it now.
    pub after: &'a Map<String, Value>,
    /// The fields that are read from this system, lines' fields as `lineItems.quantity`: of others
    /// nobody can say whether they were kept.
    pub reads: &'a dyn Fn(&str) -> bool,
}

/// The given fields that the record does not show: values are compared by their meaning (decimals,
/// times, lists without an order), lines by key, new ones by what they hold and then by their order.
pub(super) fn not_kept(comparison: &Comparison<'_>) -> Vec<Warning> {
    let entity = Entity::find(comparison.entity);
    let mut warnings = Vec::new();
    for (name, given) in comparison.given {
        let field = entity.and_then(|entity| entity.field(name));
        let after = comparison.after.get(name).unwrap_or(&Value::Null);
        let before = comparison.before.and_then(|before| before.get(name)).unwrap_or(&Value::Null);
        let at = Place { path: name, names: name, reads: comparison.reads };
        match (given, lines::of(given, before, after)) {
            (Value::Array(given), Some((before, after))) => {
                lines::compare(&at, field, given, before, after, &mut warnings);
            }
            _ => compare(&at, field, given, after, &mut warnings),
        }
    }
    warnings
}

/// A place in a record.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// As it is told: `lineItems[0].quantity`.
    path: &'a str,
    /// Without positions: `lineItems.quantity`.
    names: &'a str,
    reads: &'a dyn Fn(&str) -> bool,
}

fn compare(
    at: &Place<'_>,
    field: Option<&Field>,
    given: &Value,
    after: &Value,
    warnings: &mut Vec<Warning>,
) {
    if let (Value::Object(given), Some(after)) = (given, as_object(after)) {
        return compare_fields(at, field, given, after, warnings);
    }
    let known = !after.is_null() || (at.reads)(at.names);
    if known && !equal(field, given, after) {
        let message = match after {
            _ if is_empty(after) => "the system did not keep this".to_owned(),
            Value::String(text) => format!("the system has `{}` instead", shortened(text)),
            _ => "the system has something else instead".to_owned(),
        };
        warnings.push(Warning { path: at.path.to_owned(), message });
    }
}

fn compare_fields(
    at: &Place<'_>,
    field: Option<&Field>,
    given: &Map<String, Value>,
    after: &Map<String, Value>,
    warnings: &mut Vec<Warning>,
) {
    for (name, given) in given {
        let path = format!("{}.{name}", at.path);
        let names = format!("{}.{name}", at.names);
        let inner = Place { path: &path, names: &names, reads: at.reads };
        let after = after.get(name).unwrap_or(&Value::Null);
        compare(&inner, field.and_then(|field| field.field(name)), given, after, warnings);
    }
}

/// An object, also one that is not there: each of its fields is missing then.
fn as_object(value: &Value) -> Option<&Map<String, Value>> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    match value {
        Value::Object(object) => Some(object),
        Value::Null => Some(&NONE),
        _ => None,
    }
}

/// Whether a value says nothing: what is missing, null, and empty mean the same.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

fn shortened(text: &str) -> String {
    let mut letters = text.chars();
    let start: String = letters.by_ref().take(80).collect();
    if letters.next().is_some() { format!("{start}…") } else { start }
}

#[cfg(test)]
mod tests;
