//! What can be read of an entity, and how its rows become records.

use serde::Deserialize;

use super::{CustomFields, Request, WriteDef};
use crate::{jq::Jq, mapping::Field, path::Path, table::Table, template::Template};

/// An entity of a system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityDef {
    /// How its rows are listed.
    pub read: Read,
    /// How rows are read by their ids.
    #[serde(default)]
    pub get: Get,
    /// How to read only what has changed.
    #[serde(default)]
    pub incremental: Incremental,
    /// How deletions are found.
    #[serde(default)]
    pub deletes: Deletes,
    /// Where a row has its status' code; fills `statusKey` and `state`.
    pub status: Option<Path>,
    /// The statuses, in their usual course.
    #[serde(default)]
    pub statuses: Table<StatusDef>,
    /// jq that makes a row for `fields` and `status` out of the row that the system gives. The row's id
    /// is read before.
    pub prepare: Option<Jq>,
    /// Further names for `{fields}`: what jq reads.
    #[serde(default)]
    pub reads: Vec<Path>,
    /// The unified fields and where they come from.
    pub fields: Table<Field>,
    /// Fields that customers have added to the system.
    pub custom_fields: Option<CustomFields>,
    /// The custom fields that a connection has chosen, by name. Never in a file.
    #[serde(skip)]
    pub chosen: Vec<String>,
    /// What can be written.
    #[serde(default)]
    pub write: WriteDef,
}

/// How rows are listed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The request; may name `{page.after}`, `{page.size}`, `{window}`, `{fields}`.
    pub request: Option<Request>,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
    /// Where a row has its id.
    #[serde(default = "id")]
    pub id: Path,
    /// How to get the next page.
    #[serde(default)]
    pub paging: Paging,
}

/// How to get the next page.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// The rows after the last id, in the order of ids. Rows that come, go or change meanwhile shift
    /// nothing, and equal times cannot hide a row.
    IdAfter(IdAfter),
}

/// Paging by id.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdAfter {
    /// What `{page.after}` is for the first page.
    pub start: String,
    /// How the last page is known.
    pub ends_with: Ending,
}

/// How the last page is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It is empty: right also where a system gives fewer rows than it was asked for.
    #[default]
    EmptyPage,
    /// It has fewer rows than were asked for.
    ShortPage,
}

impl Default for Paging {
    fn default() -> Self {
        Self::IdAfter(IdAfter::default())
    }
}

/// How rows are read by their ids. Ids that are not there are simply missing from the answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The request; may name `{ids}`, `{fields}`.
    pub request: Option<Request>,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
}

/// How to read only what has changed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incremental {
    /// Not at all: everything is read and compared.
    #[default]
    Full,
    /// By a time that each row carries.
    Filter(Filter),
}

/// A filter by the time of change.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// How much further back is read than where the last run began: for rows whose transaction ended
    /// later than their time says.
    pub overlap_seconds: u32,
    /// What `{window}` is for changes since `{since}`.
    pub window: Option<Template>,
    /// What `{window}` is for everything; null when it is not given.
    pub everything: Option<Template>,
    /// Rows that belong to a record and do not touch it when they change: their parents are read
    /// again.
    pub streams: Vec<Stream>,
}

/// Child rows with a time of change of their own, read only for changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// What they are, for people.
    pub name: String,
    /// The request; may name `{page.after}`, `{page.size}`, `{window}`, `{since}`.
    pub request: Request,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
    /// Where a child has its id.
    #[serde(default = "id")]
    pub id: Path,
    /// Where a child has the id of its record, or a list of them.
    pub parent: Path,
    /// How to get the next page.
    #[serde(default)]
    pub paging: Paging,
}

/// How deletions are found.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletes {
    /// They are not.
    #[default]
    None,
    /// By listing the ids that are there.
    Sweep(Box<Sweep>),
}

/// A listing of ids.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The request; may name `{page.after}`, `{page.size}`.
    pub request: Option<Request>,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
    /// Where a row has its id; empty when the row is the id.
    #[serde(default)]
    pub id: Path,
    /// Ids a page.
    pub page_size: u32,
    /// After how many complete runs it is done: 1 is after each.
    pub every_runs: u32,
    /// How to get the next page.
    #[serde(default)]
    pub paging: Paging,
}

/// A status.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusDef {
    /// What people call it.
    pub name: String,
    /// What it is in the model's words.
    pub state: String,
    /// Whether records stay in it.
    #[serde(default)]
    pub is_final: bool,
    /// Whether new records begin in it.
    #[serde(default)]
    pub is_default: bool,
}

impl EntityDef {
    /// The names of all fields that are read, as systems take them (`lines.product.code`): those of the
    /// table, unless its rows are prepared, and those that are named beside it.
    #[must_use]
    pub fn field_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let own = self.status.iter().map(|path| path.as_str().to_owned());
        let own = own.chain(self.fields.iter().flat_map(|(_, field)| field.names()));
        let own = own.filter(|_| self.prepare.is_none());
        let further = self.reads.iter().map(|path| path.as_str().to_owned());
        let custom = self.custom_fields.iter().flat_map(|custom| custom.values.names(&self.chosen));
        for name in own.chain(further).chain(custom) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Whether it takes jq to map a row.
    #[must_use]
    pub fn uses_jq(&self) -> bool {
        self.prepare.is_some() || self.fields.iter().any(|(_, field)| field.uses_jq())
    }

    /// The child streams.
    #[must_use]
    pub fn streams(&self) -> &[Stream] {
        match &self.incremental {
            Incremental::Filter(filter) => &filter.streams,
            Incremental::Full => &[],
        }
    }

    /// Whether only what has changed can be read.
    #[must_use]
    pub fn is_incremental(&self) -> bool {
        matches!(self.incremental, Incremental::Filter(_))
    }

    /// The listing that finds deletions, if there is one.
    #[must_use]
    pub fn sweep(&self) -> Option<&Sweep> {
        match &self.deletes {
            Deletes::Sweep(sweep) => Some(sweep),
            Deletes::None => None,
        }
    }
}

fn id() -> Path {
    Path::parse("id").unwrap_or_default()
}
