//! Lists of objects that are written with their record.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Docs, Extra, Required, When, WriteField, Written};
use crate::{path::Path, table::Table, template::Template};

/// Lines that are sent with their record.
#[derive(Clone, Debug)]
pub struct LinesField {
    /// Their place in the system's record.
    pub to: Path,
    /// Whether there must be one.
    pub required: Required,
    /// When they can be given.
    pub written: Written,
    /// In which states of the record they can be changed.
    pub writable_when: When,
    /// In which states of the record they cannot be changed.
    pub immutable_when: When,
    /// In which states of the record lines can be added and removed; in any in which they can be
    /// changed, when it is empty.
    pub add_remove_when: When,
    /// How many there may be.
    pub max_items: Option<usize>,
    /// The fields of a line.
    pub fields: Table<WriteField>,
    /// Values that every new line has in the system.
    pub constants: Table<Value>,
    /// Further values of the system's line, taken from a lookup.
    pub extra: Table<Extra>,
    /// How they go.
    pub form: LineForm,
    /// Where this is said.
    pub docs: Docs,
}

/// How lines go to the system.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineForm {
    /// As a list of all lines with a new record. Of a record that is there they can only be changed by
    /// steps of their own.
    #[default]
    Plain,
    /// As a list of commands, with a new record too.
    Commands(Commands),
    /// As a list of the lines that are new, changed or removed, those that are there with their ids.
    ById(ById),
    /// As a list of all lines that there shall be, those that are there with their ids: what is not in
    /// it is removed.
    Replace(Replace),
}

/// Commands for lines. One that names `{lines}` or `{ids}` is given once for all lines, one that names
/// `{line}` or `{id}` once for each.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// For new lines: `{lines}`, or `{line}`.
    pub create: Option<Template>,
    /// For a line that changes: `{id}` and `{line}`, which has what changes.
    pub change: Option<Template>,
    /// For lines that are removed: `{ids}`, or `{id}`.
    pub remove: Option<Template>,
}

/// A list of the lines that are new, changed or removed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ById {
    /// The name of a line's id in the system's line.
    pub id: Path,
    /// The form of that id; text when it is not given.
    #[serde(default)]
    pub codec: crate::codec::Codec,
    /// What a line that is removed has beside its id; lines cannot be removed when it is not given.
    pub removed: Option<Table<Value>>,
}

/// A list of all lines that there shall be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// The name of a line's id in the system's line, if lines have one.
    pub id: Option<Path>,
    /// The form of that id; text when it is not given.
    #[serde(default)]
    pub codec: crate::codec::Codec,
}
