//! What a message must have in it for an endpoint to get it.
//!
//! A filter has the shape of the body it is held against: an object names fields, a plain value is what
//! a field must be, and an object of operators (`$gt`, `$in`, ...) says what it must meet. Everything in
//! one object must hold. The filter is checked once, when its endpoint is saved, so that deciding by it
//! cannot fail.

mod check;
mod decimal;

use std::cmp::Ordering;

use decimal::Decimal;
use millwright_core::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A filter on a message's body, as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyFilter(Map<String, Value>);

impl BodyFilter {
    /// Takes a filter that can be decided by.
    ///
    /// # Errors
    /// Every fault, named by its path below `filter`.
    pub fn new(filter: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let faults = check::faults(&filter);
        if faults.is_empty() { Ok(Self(filter)) } else { Err(faults) }
    }

    /// The filter as it was given.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether a body passes.
    #[must_use]
    pub fn passes(&self, body: &Value) -> bool {
        all_hold(&self.0, Some(body))
    }
}

/// Whether everything that an object of a filter says holds for what was found in the body.
fn all_hold(conditions: &Map<String, Value>, found: Option<&Value>) -> bool {
    conditions.iter().all(|(name, operand)| match operator(name) {
        Some(operator) => operator.holds(operand, found),
        None => any_of(found, |one| holds(operand, one.as_object()?.get(name)).then_some(())),
    })
}

/// Whether one part of a filter holds: an object's conditions, or equality with a plain value.
fn holds(condition: &Value, found: Option<&Value>) -> bool {
    match condition {
        Value::Object(conditions) => all_hold(conditions, found),
        plain => equals_any(plain, found),
    }
}

/// Whether what was found meets a test: itself, or one of its items if it is a list.
fn any_of(found: Option<&Value>, test: impl Fn(&Value) -> Option<()>) -> bool {
    let Some(found) = found else { return false };
    let items = found.as_array().into_iter().flatten();
    test(found).is_some() || items.into_iter().any(|one| test(one).is_some())
}

fn equals_any(operand: &Value, found: Option<&Value>) -> bool {
    any_of(found, |one| equal(operand, one).then_some(()))
}

/// An operator of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    In,
    Nin,
    Gt,
    Gte,
    Lt,
    Lte,
    Exists,
    Contains,
    StartsWith,
    Not,
    And,
    Or,
}

/// Every operator by its name.
pub(crate) const OPERATORS: [(&str, Operator); 14] = [
    ("$eq", Operator::Eq),
    ("$ne", Operator::Ne),
    ("$in", Operator::In),
    ("$nin", Operator::Nin),
    ("$gt", Operator::Gt),
    ("$gte", Operator::Gte),
    ("$lt", Operator::Lt),
    ("$lte", Operator::Lte),
    ("$exists", Operator::Exists),
    ("$contains", Operator::Contains),
    ("$starts_with", Operator::StartsWith),
    ("$not", Operator::Not),
    ("$and", Operator::And),
    ("$or", Operator::Or),
];

fn operator(name: &str) -> Option<Operator> {
    OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, operator)| *operator)
}

impl Operator {
    fn holds(self, operand: &Value, found: Option<&Value>) -> bool {
        let mut parts = operand.as_array().into_iter().flatten();
        let ordered = |wanted: fn(Ordering) -> bool| {
            any_of(found, |one| compare(one, operand).filter(|order| wanted(*order)).map(drop))
        };
        match self {
            Self::Eq => equals_any(operand, found),
            Self::Ne => !equals_any(operand, found),
            Self::In => parts.any(|one| equals_any(one, found)),
            Self::Nin => !parts.any(|one| equals_any(one, found)),
            Self::Gt => ordered(Ordering::is_gt),
            Self::Gte => ordered(Ordering::is_ge),
            Self::Lt => ordered(Ordering::is_lt),
            Self::Lte => ordered(Ordering::is_le),
            Self::Exists => operand.as_bool() == Some(found.is_some()),
            Self::Contains => contains(operand, found),
            Self::StartsWith => starts_with(operand, found),
            Self::Not => !holds(operand, found),
            Self::And => parts.all(|one| holds(one, found)),
            Self::Or => parts.any(|one| holds(one, found)),
        }
    }
}

/// Text within text, or an item of a list.
fn contains(operand: &Value, found: Option<&Value>) -> bool {
    any_of(found, |one| match (one, operand) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()).then_some(()),
        (Value::Array(items), _) => items.iter().any(|item| equal(operand, item)).then_some(()),
        _ => None,
    })
}

fn starts_with(operand: &Value, found: Option<&Value>) -> bool {
    let start = operand.as_str().unwrap_or_default();
    any_of(found, |one| one.as_str()?.starts_with(start).then_some(()))
}

/// Whether two values are the same: numbers by what they are worth, objects whatever the order of their
/// fields.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            Decimal::of_number(left) == Decimal::of_number(right)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(a, b)| equal(a, b))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(name, a): (&String, &Value)| right.get(name).is_some_and(|b| equal(a, b));
            left.len() == right.len() && left.iter().all(same)
        }
        (left, right) => left == right,
    }
}

/// The order of what was found and an operand: of numbers, amounts that are written as text among
/// them, or else of texts. Nothing for what has no order.
fn compare(found: &Value, operand: &Value) -> Option<Ordering> {
    match (found, operand) {
        (Value::Number(found), Value::Number(operand)) => {
            Some(Decimal::of_number(found).cmp(&Decimal::of_number(operand)))
        }
        (Value::String(found), Value::Number(operand)) => {
            Some(Decimal::of_text(found)?.cmp(&Decimal::of_number(operand)))
        }
        (Value::String(found), Value::String(operand)) => Some(found.as_str().cmp(operand)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
