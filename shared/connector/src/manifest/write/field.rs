//! A field that can be given, its rules, and where it goes.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use serde_json::Value;

use super::{Bounds, Docs, Extra, LineForm, LinesField, LookupValue, TextPattern, TextRules, When};
use crate::{
    codec::{Codec, compare_decimals},
    path::Path,
    table::Table,
};

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

/// Whether a field must be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Required {
    /// Never (`false`).
    #[default]
    No,
    /// With a new record, and it can never be emptied (`true`).
    Always,
    /// With a new record (`create`); it can be emptied later.
    Create,
    /// With every update (`update`).
    Update,
    /// With a new record and with every update (`each`).
    Each,
}

impl Required {
    /// Whether a new record must have it.
    #[must_use]
    pub fn on_create(self) -> bool {
        matches!(self, Self::Always | Self::Create | Self::Each)
    }

    /// Whether every update must give it.
    #[must_use]
    pub fn on_update(self) -> bool {
        matches!(self, Self::Update | Self::Each)
    }

    /// Whether an update cannot empty it.
    #[must_use]
    pub fn is_kept(self) -> bool {
        matches!(self, Self::Always | Self::Update | Self::Each)
    }
}

impl<'de> Deserialize<'de> for Required {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagOrWord;

        impl Visitor<'_> for FlagOrWord {
            type Value = Required;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false, create, update or each")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Required, E> {
                Ok(if flag { Required::Always } else { Required::No })
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Required, E> {
                match word {
                    "create" => Ok(Required::Create),
                    "update" => Ok(Required::Update),
                    "each" => Ok(Required::Each),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }

        deserializer.deserialize_any(FlagOrWord)
    }
}

/// When a field can be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// With a new record and with an update.
    #[default]
    Both,
    /// With a new record only.
    Create,
    /// With an update only.
    Update,
}

impl Written {
    /// Whether a new record can have it.
    #[must_use]
    pub fn on_create(self) -> bool {
        self != Self::Update
    }

    /// Whether an update can change it.
    #[must_use]
    pub fn on_update(self) -> bool {
        self != Self::Create
    }
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

/// What a field with `fields` or more than one value is.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Value,
    List,
    Object,
    Lines,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWriteField {
    to: Path,
    shape: Option<Shape>,
    #[serde(default)]
    required: Required,
    #[serde(default)]
    writable: Written,
    #[serde(default)]
    writable_when: When,
    #[serde(default)]
    immutable_when: When,
    codec: Option<Codec>,
    #[serde(rename = "enum")]
    words: Option<Table<String>>,
    one_of: Option<Vec<String>>,
    references: Option<String>,
    default: Option<Value>,
    lookup: Option<LookupValue>,
    empty: Option<Value>,
    always: Option<bool>,
    min: Option<String>,
    above: Option<String>,
    max: Option<String>,
    below: Option<String>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    pattern: Option<TextPattern>,
    max_items: Option<usize>,
    fields: Option<Table<WriteField>>,
    constants: Option<Table<Value>>,
    extra: Option<Table<Extra>>,
    form: Option<LineForm>,
    #[serde(default)]
    docs: Docs,
}

impl TryFrom<RawWriteField> for WriteField {
    type Error = &'static str;

    fn try_from(mut raw: RawWriteField) -> Result<Self, &'static str> {
        let inner = raw.fields.take();
        let shape = raw.shape.unwrap_or(match &inner {
            Some(_) => Shape::Lines,
            None => Shape::Value,
        });
        let of_lines = raw.constants.is_some() || raw.extra.is_some() || raw.form.is_some();
        if of_lines && shape != Shape::Lines {
            return Err("`constants`, `extra` and `form` are for lines");
        }
        if raw.max_items.is_some() && !matches!(shape, Shape::List | Shape::Lines) {
            return Err("`max_items` is for a list");
        }
        match (shape, inner) {
            (Shape::Value, None) => raw.into_value().map(Self::Value),
            (Shape::List, None) => {
                Ok(Self::List(ListField { max_items: raw.max_items, value: raw.into_value()? }))
            }
            (Shape::Object, Some(fields)) => raw.into_object(fields).map(Self::Object),
            (Shape::Lines, Some(fields)) => raw.into_lines(fields).map(Self::Lines),
            _ => {
                Err("an object and lines have `fields` of their own; a value and a list have none")
            }
        }
    }
}

impl RawWriteField {
    fn into_value(self) -> Result<WriteValue, &'static str> {
        let bounds = Bounds { min: self.min, above: self.above, max: self.max, below: self.below };
        let decimal = self.codec.is_some_and(Codec::is_decimal);
        if bounds.all().any(|limit| !decimal || compare_decimals(limit, limit).is_none()) {
            return Err("`min`, `above`, `max` and `below` are decimal text, and for a decimal");
        }
        let words = match (self.words, self.one_of) {
            (Some(_), Some(_)) => return Err("a field has `enum` or `one_of`"),
            (words, None) => words,
            (None, Some(same)) => Some(same.into_iter().map(|word| (word.clone(), word)).collect()),
        };
        let text = TextRules {
            min_length: self.min_length,
            max_length: self.max_length,
            pattern: self.pattern,
        };
        let codec = self.codec.unwrap_or_default();
        if !text.is_empty() && (codec != Codec::Text || self.references.is_some()) {
            return Err("`min_length`, `max_length` and `pattern` are for text");
        }
        Ok(WriteValue {
            to: self.to,
            codec,
            words,
            references: self.references,
            required: self.required,
            written: self.writable,
            writable_when: self.writable_when,
            immutable_when: self.immutable_when,
            default: self.default,
            lookup: self.lookup,
            empty: self.empty,
            always: self.always.unwrap_or_default(),
            bounds,
            text,
            docs: self.docs,
        })
    }

    /// Whether it has a rule that only a value can have.
    fn is_of_value(&self) -> bool {
        self.codec.is_some()
            || self.words.is_some()
            || self.one_of.is_some()
            || self.references.is_some()
            || self.default.is_some()
            || self.lookup.is_some()
            || self.empty.is_some()
            || self.always.is_some()
            || [&self.min, &self.above, &self.max, &self.below].iter().any(|one| one.is_some())
            || self.min_length.is_some()
            || self.max_length.is_some()
            || self.pattern.is_some()
    }

    fn into_object(self, fields: Table<WriteField>) -> Result<ObjectField, &'static str> {
        if self.is_of_value() {
            return Err("an object has rules in its `fields`");
        }
        Ok(ObjectField {
            to: self.to,
            required: self.required,
            written: self.writable,
            writable_when: self.writable_when,
            immutable_when: self.immutable_when,
            fields,
            docs: self.docs,
        })
    }

    fn into_lines(self, fields: Table<WriteField>) -> Result<LinesField, &'static str> {
        if self.is_of_value() {
            return Err("lines have rules in their `fields`");
        }
        Ok(LinesField {
            to: self.to,
            required: self.required,
            written: self.writable,
            writable_when: self.writable_when,
            immutable_when: self.immutable_when,
            max_items: self.max_items,
            fields,
            constants: self.constants.unwrap_or_default(),
            extra: self.extra.unwrap_or_default(),
            form: self.form.unwrap_or_default(),
            docs: self.docs,
        })
    }
}
