//! Logs: listings of what happened, whose rows name records.

use crate::manifest::like;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Paging, Request, read::id};
use crate::{
    mapping::{Conditions, Field},
    path::Path,
};

/// A log of what happened to records. What was made or changed is read by `get`, what is gone is
/// deleted; of several events for one record the last one counts. A first load reads the entity's own
/// listing.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawLog")]
pub struct Log {
    /// The listing.
    pub events: Events,
    /// Which events say that the record is gone: paths and values.
    pub deleted: Option<Conditions>,
}

/// A listing of deletions, each row naming a record that is gone.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawTombstones")]
pub struct Tombstones(pub Events);

/// A listing of events.
#[derive(Clone, Debug)]
pub struct Events {
    /// The request.
    pub request: Request,
    /// Where the answer has the events.
    pub rows: Path,
    /// Which of them are about records of this entity.
    pub filter: Conditions,
    /// Where an event has an id of its own.
    pub id: Path,
    /// Where an event has the id of its record, or a list of them.
    pub record: Path,
    /// How to get the next page.
    pub paging: Paging,
    /// How only what is new is read of it.
    pub reach: Reach,
    /// How much further back is read than where the last run began. Not for checkpoints.
    pub overlap_seconds: u32,
}

/// How only what is new is read of a log.
#[derive(Clone, Debug)]
pub enum Reach {
    /// The request names `{since}`.
    Since,
    /// The log is sorted newest first and read until it is old.
    NewestFirst(Box<NewestFirst>),
    /// The log goes from old to new, and is read on from where the last run came to.
    Checkpoint(Box<Checkpoint>),
}

/// A listing that is sorted by a time, newest first.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewestFirst {
    /// Where a row has the time; with its codec (`{ path, codec: time }`).
    pub time: Field,
    /// Rows that do not stand in the order of time: they never end the reading.
    pub out_of_order: Option<Conditions>,
}

/// A place in a log from which a later run goes on: the id of the last event (with `id_after`), or
/// what the system gives for it (with `cursor`). It is `{page.after}` or `{page.cursor}` of a run's
/// first request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Tells where the log ends now: asked before a first load, so that what happens during it is read
    /// afterwards.
    pub latest: Latest,
    /// Where the answer says where a later run goes on, if not by the paging's own cursor or id.
    pub next: Option<Path>,
}

/// A request whose answer tells where a log ends.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latest {
    /// The request.
    pub request: Request,
    /// Where the answer has the checkpoint. Nothing there: the log is empty, and is read from its
    /// beginning.
    pub at: Path,
}

/// A log of what happened to records.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Log")]
struct RawLog {
    /// The request; may name `{page...}`, `{since}`.
    request: Request,
    /// Where the answer has the events.
    #[serde(default)]
    rows: Path,
    /// Which events are about records of this entity: paths and the values that each may have.
    #[serde(default, rename = "where")]
    filter: Conditions,
    /// Where an event has an id of its own.
    #[serde(default = "id")]
    id: Path,
    /// Where an event has the id of its record, or a list of them.
    record: Path,
    /// Which events say that the record is gone: paths and values. Any other says that it was made or
    /// changed.
    deleted: Option<Conditions>,
    /// How to get the next page.
    #[serde(default)]
    paging: Paging,
    /// Where the log takes no time: it is sorted by one, newest first, and read until it is old.
    newest_first: Option<Box<NewestFirst>>,
    /// Where the log goes from old to new: how it is read on from where the last run came to.
    checkpoint: Option<Box<Checkpoint>>,
    /// How much further back is read than where the last run began. Not for checkpoints.
    #[serde(default)]
    overlap_seconds: u32,
}

impl TryFrom<RawLog> for Log {
    type Error = &'static str;

    fn try_from(raw: RawLog) -> Result<Self, &'static str> {
        let RawLog { request, rows, filter, id, record, paging, overlap_seconds, .. } = raw;
        let reach = match (raw.newest_first, raw.checkpoint) {
            (Some(order), None) => Reach::NewestFirst(order),
            (None, Some(checkpoint)) => Reach::Checkpoint(checkpoint),
            (None, None) if request.names("since", "") => Reach::Since,
            _ => return Err(ONE_REACH),
        };
        let events = Events { request, rows, filter, id, record, paging, reach, overlap_seconds };
        Ok(Self { events, deleted: raw.deleted })
    }
}

like!(Log as RawLog);

const ONE_REACH: &str =
    "a log names `{since}` in its request, or has `newest_first`, or `checkpoint`";

/// A listing of deletions.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tombstones")]
struct RawTombstones {
    /// The request; may name `{page...}`, `{since}`.
    request: Request,
    /// Where the answer has the deletions.
    #[serde(default)]
    rows: Path,
    /// Which of them are of records of this entity: paths and the values that each may have.
    #[serde(default, rename = "where")]
    filter: Conditions,
    /// Where a deletion has an id of its own.
    #[serde(default = "id")]
    id: Path,
    /// Where a deletion has the id of the record that is gone, or a list of them.
    record: Path,
    /// How to get the next page.
    #[serde(default)]
    paging: Paging,
    /// Where the listing takes no time: it is sorted by one, newest first, and read until it is old.
    newest_first: Option<Box<NewestFirst>>,
    /// How much further back is read than where the last run began.
    #[serde(default)]
    overlap_seconds: u32,
}

impl TryFrom<RawTombstones> for Tombstones {
    type Error = &'static str;

    fn try_from(raw: RawTombstones) -> Result<Self, &'static str> {
        let RawTombstones { request, rows, filter, id, record, paging, overlap_seconds, .. } = raw;
        let reach = match raw.newest_first {
            Some(order) => Reach::NewestFirst(order),
            None if request.names("since", "") => Reach::Since,
            None => return Err(ONE_TIME),
        };
        let events = Events { request, rows, filter, id, record, paging, reach, overlap_seconds };
        Ok(Self(events))
    }
}

like!(Tombstones as RawTombstones);

const ONE_TIME: &str = "tombstones name `{since}` in their request, or have `newest_first`";
