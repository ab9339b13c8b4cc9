//! JSON that is only looked at.
//!
//! A page of a system's answer is read by a few paths per row and then dropped. As a tree of owned
//! texts and hashed members that costs several times the reading itself, so pages are kept as
//! [`Doc`]: the text and a flat list of where things stand in it. [`Node`] is what mapping asks of
//! either form.

mod doc;
mod read;

use serde_json::Value;

pub use doc::{Doc, Json, Row};

/// What kind of value stands there, and its text if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, by its digits.
    Number(&'a str),
    /// Text.
    Text(&'a str),
    /// A list.
    List,
    /// An object.
    Object,
}

/// A JSON value that can be looked at.
pub trait Node<'a>: Copy + 'a {
    /// What it is.
    fn see(self) -> Seen<'a>;

    /// The member of a name, the last one if there are several; nothing when it is no object.
    fn member(self, name: &str) -> Option<Self>;

    /// The elements; none when it is no list.
    fn items(self) -> impl Iterator<Item = Self> + 'a;

    /// Names and members, in their order; none when it is no object.
    fn members(self) -> impl Iterator<Item = (&'a str, Self)> + 'a;

    /// A null.
    fn null(self) -> Self;

    /// The same as a tree.
    fn to_value(self) -> Value;

    /// Its text, if it is text.
    fn text(self) -> Option<&'a str> {
        match self.see() {
            Seen::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is null.
    fn is_null(self) -> bool {
        self.see() == Seen::Null
    }

    /// It as a whole number that an `i64` holds.
    fn integer(self) -> Option<i64> {
        match self.see() {
            Seen::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// Whether it is the same as `value`; numbers are the same when their digits are.
    fn is(self, value: &Value) -> bool {
        match (self.see(), value) {
            (Seen::Null, Value::Null) => true,
            (Seen::Bool(left), Value::Bool(right)) => left == *right,
            (Seen::Number(left), Value::Number(right)) => left == right.as_str(),
            (Seen::Text(left), Value::String(right)) => left == right,
            (Seen::List | Seen::Object, Value::Array(_) | Value::Object(_)) => {
                self.to_value() == *value
            }
            _ => false,
        }
    }
}

static NULL: Value = Value::Null;

impl<'a> Node<'a> for &'a Value {
    fn see(self) -> Seen<'a> {
        match self {
            Value::Null => Seen::Null,
            Value::Bool(flag) => Seen::Bool(*flag),
            Value::Number(number) => Seen::Number(number.as_str()),
            Value::String(text) => Seen::Text(text),
            Value::Array(_) => Seen::List,
            Value::Object(_) => Seen::Object,
        }
    }

    fn member(self, name: &str) -> Option<Self> {
        self.get(name)
    }

    fn items(self) -> impl Iterator<Item = Self> + 'a {
        self.as_array().into_iter().flatten()
    }

    fn members(self) -> impl Iterator<Item = (&'a str, Self)> + 'a {
        let members = self.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), value))
    }

    fn null(self) -> Self {
        &NULL
    }

    fn to_value(self) -> Value {
        self.clone()
    }
}
