//! How only what has changed is read.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Paging, Request,
    events::{Log, NewestFirst},
    read::id,
};
use crate::{
    mapping::{Conditions, Field},
    path::Path,
    template::Template,
};

/// How to read only what has changed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Incremental {
    /// Not at all: everything is read and compared.
    #[default]
    Full,
    /// The system takes a time: it lists what has changed since then.
    Filter(Filter),
    /// The listing is sorted by a time of change, newest first: it is read until it is old.
    Feed(Feed),
    /// The system keeps a log of what happened to its records.
    Log(Box<Log>),
}

impl Incremental {
    /// Its name: `full`, `filter`, `feed` or `log`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Filter(_) => "filter",
            Self::Feed(_) => "feed",
            Self::Log(_) => "log",
        }
    }
}

/// A filter by the time of change. The listing's request names `{window}` or `{since}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// How much further back is read than where the last run began: for rows whose transaction ended
    /// later than their time says.
    pub overlap_seconds: u32,
    /// To what the system compares times. `{since}` is cut down to it.
    pub precision: Precision,
    /// Whether the system also lists what has changed exactly at the time it is given. Where it does
    /// not, `{since}` is one unit of the precision earlier.
    pub inclusive: bool,
    /// What `{window}` is for changes since `{since}`.
    pub window: Option<Template>,
    /// What `{window}` is for everything; null when it is not given.
    pub everything: Option<Template>,
    /// Rows that belong to a record and do not touch it when they change: their parents are read
    /// again.
    pub streams: Vec<Stream>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            overlap_seconds: 0,
            precision: Precision::default(),
            inclusive: true,
            window: None,
            everything: None,
            streams: Vec::new(),
        }
    }
}

/// How finely a system compares times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// By the millisecond.
    #[default]
    Millisecond,
    /// By the second.
    Second,
    /// By the minute.
    Minute,
    /// By the day, in UTC.
    Day,
}

impl Precision {
    /// Its unit, in milliseconds.
    #[must_use]
    pub fn millis(self) -> i64 {
        match self {
            Self::Millisecond => 1,
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Day => 86_400_000,
        }
    }
}

/// A listing that is sorted by a time of change, newest first. It is read until a row is older than
/// the last run's beginning, less the overlap; a first load reads all of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Where a row has the time that the listing is sorted by; with its codec (`{ path, codec: time }`).
    pub time: Field,
    /// How much further back is read than where the last run began.
    #[serde(default)]
    pub overlap_seconds: u32,
    /// Rows that do not stand in the order of time, such as pinned ones: paths and values. They are
    /// read, and never end the reading.
    pub out_of_order: Option<Conditions>,
    /// Rows that belong to a record and do not touch it when they change: their parents are read
    /// again.
    #[serde(default)]
    pub streams: Vec<Stream>,
}

/// Child rows with a time of change of their own, read only for changes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// What they are, for people.
    pub name: String,
    /// The request; may name `{page...}`, `{window}`, `{since}`.
    pub request: Request,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
    /// Which of them count: paths and the values that each may have.
    #[serde(default, rename = "where")]
    pub filter: Conditions,
    /// Where a child has its id.
    #[serde(default = "id")]
    pub id: Path,
    /// Where a child has the id of its record, or a list of them.
    pub parent: Path,
    /// Where the listing takes no time: it is sorted by one, newest first, and read until it is old.
    pub newest_first: Option<NewestFirst>,
    /// How to get the next page.
    #[serde(default)]
    pub paging: Paging,
}
