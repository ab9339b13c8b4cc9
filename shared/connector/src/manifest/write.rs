//! What can be written, as data: the same table serves the check before anything is sent.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::Value;

use super::Request;
use crate::{
    codec::{Codec, compare_decimals},
    path::Path,
    table::Table,
    template::Template,
};

/// The write operations of an entity.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteDef {
    /// How a record is made.
    pub create: Option<Create>,
}

/// How a record is made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// The request; may name `{record}`.
    pub request: Option<Request>,
    /// Where the answer has the new record's id.
    #[serde(default)]
    pub id: Path,
    /// Records of the system that are read first, because the new one needs something of them.
    #[serde(default)]
    pub lookups: Table<Lookup>,
    /// The unified fields that may be given, and where they go.
    pub fields: Table<WriteField>,
    /// Further values of the system's record, taken from a lookup.
    #[serde(default)]
    pub extra: Table<LookupValue>,
}

/// Records that are read before a write.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The field that refers to them: `vendorKey`, or `lineItems.materialKey`.
    pub from: Path,
    /// The request; may name `{ids}`.
    pub request: Request,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
    /// Where a row has its id.
    #[serde(default = "id")]
    pub id: Path,
}

/// A value that comes from a lookup.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupValue {
    /// The lookup.
    pub lookup: String,
    /// The field, beside this one, whose reference says which row.
    pub by: String,
    /// Where in the row the value is. It is used as the system has it.
    pub path: Path,
}

/// A field that may be given.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawWriteField")]
pub enum WriteField {
    /// One value.
    Value(WriteValue),
    /// Lines, sent with the record.
    Lines(LinesField),
}

/// One value that may be given.
#[derive(Clone, Debug)]
pub struct WriteValue {
    /// Its name in the system's record.
    pub to: String,
    /// In what form it goes there.
    pub codec: Codec,
    /// Our words and the system's for them; others are refused.
    pub words: Option<Table<String>>,
    /// The entity that the given key belongs to; the record's remote id is what goes there.
    pub references: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// What is sent when it is not given, as the system has it.
    pub default: Option<Value>,
    /// What is looked up when it is not given.
    pub lookup: Option<LookupValue>,
    /// How small a decimal may be.
    pub bound: LowerBound,
}

/// How small a decimal may be, as decimal text.
#[derive(Clone, Debug, Default)]
pub struct LowerBound {
    /// It must be this or more.
    pub min: Option<String>,
    /// It must be more than this.
    pub above: Option<String>,
}

impl LowerBound {
    /// Checks a decimal; what is no decimal is the codec's to refuse.
    pub(crate) fn check(&self, given: &Value) -> Result<(), String> {
        let order = |limit: &str| compare_decimals(given.as_str()?, limit);
        if let Some(min) = &self.min
            && order(min).is_some_and(Ordering::is_lt)
        {
            return Err(format!("must be {min} or more"));
        }
        if let Some(above) = &self.above
            && order(above).is_some_and(Ordering::is_le)
        {
            return Err(format!("must be more than {above}"));
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.min.iter().chain(&self.above)
    }
}

/// Lines that are sent with their record.
#[derive(Clone, Debug)]
pub struct LinesField {
    /// Their name in the system's record.
    pub to: String,
    /// Whether there must be one.
    pub required: bool,
    /// The fields of a line.
    pub fields: Table<WriteField>,
    /// Values that every line has in the system.
    pub constants: Table<Value>,
    /// Further values of the system's line, taken from a lookup.
    pub extra: Table<LookupValue>,
    /// How the system takes the list; may name `{lines}`.
    pub wrap: Option<Template>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWriteField {
    to: String,
    #[serde(default)]
    required: bool,
    codec: Option<Codec>,
    #[serde(rename = "enum")]
    words: Option<Table<String>>,
    references: Option<String>,
    default: Option<Value>,
    lookup: Option<LookupValue>,
    min: Option<String>,
    above: Option<String>,
    fields: Option<Table<WriteField>>,
    constants: Option<Table<Value>>,
    extra: Option<Table<LookupValue>>,
    wrap: Option<Template>,
}

impl TryFrom<RawWriteField> for WriteField {
    type Error = &'static str;

    fn try_from(raw: RawWriteField) -> Result<Self, &'static str> {
        let one = raw.codec.is_some()
            || raw.words.is_some()
            || raw.references.is_some()
            || raw.default.is_some()
            || raw.lookup.is_some()
            || raw.min.is_some()
            || raw.above.is_some();
        let lines = raw.constants.is_some() || raw.extra.is_some() || raw.wrap.is_some();
        match raw.fields {
            Some(fields) if !one => Ok(Self::Lines(LinesField {
                to: raw.to,
                required: raw.required,
                fields,
                constants: raw.constants.unwrap_or_default(),
                extra: raw.extra.unwrap_or_default(),
                wrap: raw.wrap,
            })),
            None if !lines => Ok(Self::Value(WriteValue {
                to: raw.to,
                bound: bound(raw.min, raw.above, raw.codec)?,
                codec: raw.codec.unwrap_or_default(),
                words: raw.words,
                references: raw.references,
                required: raw.required,
                default: raw.default,
                lookup: raw.lookup,
            })),
            _ => Err("a field is one value, or lines with `fields` of their own"),
        }
    }
}

fn bound(
    min: Option<String>,
    above: Option<String>,
    codec: Option<Codec>,
) -> Result<LowerBound, &'static str> {
    let bound = LowerBound { min, above };
    let decimal = codec.is_some_and(Codec::is_decimal);
    if bound.all().any(|limit| !decimal || compare_decimals(limit, limit).is_none()) {
        return Err("`min` and `above` are decimal text, and for a decimal");
    }
    Ok(bound)
}

fn id() -> Path {
    Path::parse("id").unwrap_or_default()
}
