//! A field as it stands in a file.

use crate::manifest::like;
use schemars::JsonSchema;
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
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Value,
    List,
    Object,
    Lines,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WriteField")]
pub(super) struct RawWriteField {
    /// Its place in the system's record.
    to: Path,
    /// What it is; lines where there are `fields`, else one value.
    shape: Option<Shape>,
    /// Whether it must be given.
    #[serde(default)]
    required: Required,
    /// When it can be given.
    #[serde(default)]
    writable: Written,
    /// In which states of the record it can be changed.
    #[serde(default)]
    writable_when: When,
    /// In which states of the record it cannot be changed.
    #[serde(default)]
    immutable_when: When,
    /// In what form it goes there; `text` when it is not given.
    codec: Option<Codec>,
    /// Our words and the system's for them; others are refused.
    #[serde(rename = "enum")]
    words: Option<Table<String>>,
    /// Words that are the same here and there; others are refused.
    one_of: Option<Vec<String>>,
    /// The entity that the given key belongs to; the record's remote id is what goes there.
    references: Option<String>,
    /// What is sent with a new record when it is not given, as the system has it.
    default: Option<Value>,
    /// What is looked up for a new record when it is not given.
    lookup: Option<LookupValue>,
    /// What is sent when it is emptied, as the system has it; null when it is not given.
    empty: Option<Value>,
    /// Whether an update sends it although it does not change.
    always: Option<bool>,
    /// The least, as decimal text.
    min: Option<String>,
    /// What it must be above, as decimal text.
    above: Option<String>,
    /// The most, as decimal text.
    max: Option<String>,
    /// What it must be below, as decimal text.
    below: Option<String>,
    /// How many characters a text has at least.
    min_length: Option<usize>,
    /// How many characters a text has at most.
    max_length: Option<usize>,
    /// What a text looks like.
    pattern: Option<TextPattern>,
    /// How many there may be in a list.
    max_items: Option<usize>,
    /// In which states of the record lines can be added and removed.
    #[serde(default)]
    add_remove_when: When,
    /// The fields of an object, or of each line.
    fields: Option<Table<WriteField>>,
    /// What every line has besides, as the system has it.
    constants: Option<Table<Value>>,
    /// What lines have from elsewhere.
    extra: Option<Table<Extra>>,
    /// How lines go.
    form: Option<LineForm>,
    /// Where this is said.
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

like!(WriteField as RawWriteField);

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
