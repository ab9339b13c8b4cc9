//! A field that can be given, its rules, and where it goes.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Bounds, Docs, LinesField, LookupValue, Required, TextRules, When, Written, raw::RawWriteField,
};
use crate::{codec::Codec, path::Path, table::Table};

/// A field that can be given.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawWriteField")]
pub enum WriteField {
    /// One value.
    Value(WriteValue),
    /// A list of values.
    List(ListField),
    /// An object with fields of its own.
    Object(ObjectField),
    /// A list of objects.
    Lines(LinesField),
}

/// One value that can be given.
#[derive(Clone, Debug)]
pub struct WriteValue {
    /// Its place in the system's record.
    pub to: Path,
    /// In what form it goes there.
    pub codec: Codec,
    /// Our words and the system's for them; others are refused.
    pub words: Option<Table<String>>,
    /// The entity that the given key belongs to; the record's remote id is what goes there.
    pub references: Option<String>,
    /// Whether it must be given.
    pub required: Required,
    /// When it can be given.
    pub written: Written,
    /// In which states of the record it can be changed.
    pub writable_when: When,
    /// In which states of the record it cannot be changed.
    pub immutable_when: When,
    /// What is sent with a new record when it is not given, as the system has it.
    pub default: Option<Value>,
    /// What is looked up for a new record when it is not given.
    pub lookup: Option<LookupValue>,
    /// What is sent when it is emptied, as the system has it; null when it is not given.
    pub empty: Option<Value>,
    /// Whether an update sends it although it does not change.
    pub always: bool,
    /// How small and how large a decimal may be.
    pub bounds: Bounds,
    /// How long a text may be, and what it looks like.
    pub text: TextRules,
    /// Where this is said.
    pub docs: Docs,
}

/// A list of values. An update gives the whole list.
#[derive(Clone, Debug)]
pub struct ListField {
    /// How many there may be.
    pub max_items: Option<usize>,
    /// The rules of the field, and of each value.
    pub value: WriteValue,
}

/// An object with fields of its own. An update merges into it and sends all of it.
#[derive(Clone, Debug)]
pub struct ObjectField {
    /// Its place in the system's record.
    pub to: Path,
    /// Whether it must be given.
    pub required: Required,
    /// When it can be given.
    pub written: Written,
    /// In which states of the record it can be changed.
    pub writable_when: When,
    /// In which states of the record it cannot be changed.
    pub immutable_when: When,
    /// Its fields.
    pub fields: Table<WriteField>,
    /// Where this is said.
    pub docs: Docs,
}

impl WriteField {
    /// Its place in the system's record.
    #[must_use]
    pub fn to(&self) -> &Path {
        match self {
            Self::Value(value) | Self::List(ListField { value, .. }) => &value.to,
            Self::Object(object) => &object.to,
            Self::Lines(lines) => &lines.to,
        }
    }

    /// Whether it must be given.
    #[must_use]
    pub fn required(&self) -> Required {
        match self {
            Self::Value(value) | Self::List(ListField { value, .. }) => value.required,
            Self::Object(object) => object.required,
            Self::Lines(lines) => lines.required,
        }
    }

    /// When it can be given.
    #[must_use]
    pub fn written(&self) -> Written {
        match self {
            Self::Value(value) | Self::List(ListField { value, .. }) => value.written,
            Self::Object(object) => object.written,
            Self::Lines(lines) => lines.written,
        }
    }

    /// In which states of the record it can be changed, and in which it cannot.
    #[must_use]
    pub fn states(&self) -> (&When, &When) {
        match self {
            Self::Value(value) | Self::List(ListField { value, .. }) => {
                (&value.writable_when, &value.immutable_when)
            }
            Self::Object(object) => (&object.writable_when, &object.immutable_when),
            Self::Lines(lines) => (&lines.writable_when, &lines.immutable_when),
        }
    }

    /// Where it is said.
    #[must_use]
    pub fn docs(&self) -> &Docs {
        match self {
            Self::Value(value) | Self::List(ListField { value, .. }) => &value.docs,
            Self::Object(object) => &object.docs,
            Self::Lines(lines) => &lines.docs,
        }
    }

    /// The fields inside it.
    #[must_use]
    pub fn inner(&self) -> Option<&Table<Self>> {
        match self {
            Self::Value(_) | Self::List(_) => None,
            Self::Object(object) => Some(&object.fields),
            Self::Lines(lines) => Some(&lines.fields),
        }
    }
}
