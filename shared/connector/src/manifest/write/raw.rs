//! A field as it stands in a file.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Bounds, Docs, Extra, LineForm, LinesField, ListField, LookupValue, ObjectField, Required,
    TextPattern, TextRules, When, WriteField, WriteValue, Written,
};
use crate::{
    codec::{Codec, compare_decimals},
    path::Path,
    table::Table,
};

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
pub(super) struct RawWriteField {
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
    #[serde(default)]
    add_remove_when: When,
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
        let of_lines = raw.constants.is_some()
            || raw.extra.is_some()
            || raw.form.is_some()
            || !raw.add_remove_when.is_empty();
        if of_lines && shape != Shape::Lines {
            return Err("`constants`, `extra`, `form` and `add_remove_when` are for lines");
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
            add_remove_when: self.add_remove_when,
            max_items: self.max_items,
            fields,
            constants: self.constants.unwrap_or_default(),
            extra: self.extra.unwrap_or_default(),
            form: self.form.unwrap_or_default(),
            docs: self.docs,
        })
    }
}
