//! What can be read of an entity, and how its rows become records.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Children, CustomFields, Deletes, Detail, Get, Incremental, Paging, PermissionProbe, Read,
    Stream, Sweep, WriteDef,
};
use crate::{
    jq::Jq,
    mapping::{Field, Origin, ValueField},
    path::Path,
    table::Table,
};

/// An entity of a system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntityDef {
    /// How its rows are listed.
    pub read: Read,
    /// How rows are read by their ids.
    #[serde(default)]
    pub get: Get,
    /// How a row is completed by a call of its own.
    pub detail: Option<Detail>,
    /// Rows of other listings that are put into a row.
    #[serde(default)]
    pub children: Vec<Children>,
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
    /// Unified fields that only the listing shows. A record that is read by its id keeps them as they
    /// were listed last.
    #[serde(default)]
    pub listed_only: Vec<String>,
    /// Unified fields that only a reading by id shows. A record that is listed keeps them as they were
    /// read last.
    #[serde(default)]
    pub by_id_only: Vec<String>,
    /// Fields that customers have added to the system.
    pub custom_fields: Option<CustomFields>,
    /// The custom fields that a connection has chosen, by name. Never in a file.
    #[serde(skip)]
    pub chosen: Vec<String>,
    /// What can be written.
    #[serde(default)]
    pub write: WriteDef,
    /// How to find out what the connected account may do.
    #[serde(default)]
    pub permissions: Vec<PermissionProbe>,
}

/// A status.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
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

    /// The codes of the statuses that an action can take a record to from `code`, in their usual
    /// course. Nothing where that is not all there is to know: where an action does not say where it
    /// ends, where none leads on and the status is not final, or where a status can be given like any
    /// other field.
    pub(crate) fn next_statuses(&self, code: &str) -> Option<Vec<&str>> {
        let begins = |from: &[String]| from.is_empty() || from.iter().any(|from| from == code);
        let from_here = self.write.actions.iter().filter(|(_, action)| begins(&action.from));
        let ends: Option<Vec<&str>> = from_here.map(|(_, action)| action.to.as_deref()).collect();
        let ends = ends.filter(|_| self.write.fields.get("statusKey").is_none())?;
        let next = self.statuses.names().filter(|to| *to != code && ends.contains(to));
        let next: Vec<&str> = next.collect();
        let is_final = self.statuses.get(code).is_some_and(|status| status.is_final);
        (is_final || !next.is_empty()).then_some(next)
    }

    /// Whether it takes jq to map a row.
    #[must_use]
    pub fn uses_jq(&self) -> bool {
        let is_jq = |field: &ValueField| matches!(field.from, Origin::Jq(_));
        self.prepare.is_some() || self.values().any(is_jq)
    }

    /// Whether it takes the system's time zone to map a row.
    pub(crate) fn needs_zone(&self) -> bool {
        self.values().any(|field| field.codec.needs_zone())
    }

    fn values(&self) -> impl Iterator<Item = &ValueField> {
        self.fields.iter().flat_map(|(_, field)| field.values())
    }

    /// The child streams.
    #[must_use]
    pub fn streams(&self) -> &[Stream] {
        match &self.incremental {
            Incremental::Filter(filter) => &filter.streams,
            Incremental::Feed(feed) => &feed.streams,
            Incremental::Full | Incremental::Log(_) => &[],
        }
    }

    /// Whether only what has changed can be read.
    #[must_use]
    pub fn is_incremental(&self) -> bool {
        !matches!(self.incremental, Incremental::Full)
    }

    /// Whether it can be asked for what was created or changed since a time.
    #[must_use]
    pub fn has_time_filter(&self) -> bool {
        matches!(self.incremental, Incremental::Filter(_))
    }

    /// The listing of ids that finds deletions, if there is one.
    #[must_use]
    pub fn sweep(&self) -> Option<&Sweep> {
        self.deletes.sweep.as_deref()
    }

    /// By what deletions are found: `flag`, `archived`, `tombstones`, `log`, `sweep`.
    #[must_use]
    pub fn deletions(&self) -> Vec<&'static str> {
        let mut names = self.deletes.names();
        if matches!(&self.incremental, Incremental::Log(log) if log.deleted.is_some()) {
            names.push("log");
        }
        names
    }

    /// Whether what the listing of ids does not show has to be looked for by id before it counts as
    /// deleted: the listing may have shifted while it was read, or it does not show everything.
    #[must_use]
    pub fn confirms_deletions(&self) -> bool {
        self.sweep().is_some_and(|sweep| sweep.confirms || self.sweep_paging(sweep).shifts())
    }

    /// Whether a change may be lost by one pass without anything showing it: each is read by two.
    #[must_use]
    pub fn rereads(&self) -> bool {
        let streams = self.streams().iter().map(|stream| &stream.paging);
        match &self.incremental {
            Incremental::Full => false,
            Incremental::Log(log) => log.events.paging.loses(),
            Incremental::Filter(_) | Incremental::Feed(_) => {
                self.read.paging.loses() || streams.into_iter().any(Paging::loses)
            }
        }
    }

    /// Whether deletions are read out of a list of events, which may tell of one from before the record came
    /// back. A list of what is archived tells of now.
    #[must_use]
    pub fn reads_past_deletions(&self) -> bool {
        self.deletions().iter().any(|name| matches!(*name, "tombstones" | "log"))
    }

    /// Whether a reading of everything shows every id that the listing of ids would show: it goes through
    /// the same pages, loses no row that cannot be looked for, and asks for none of them again by id.
    #[must_use]
    pub fn reading_lists_all(&self) -> bool {
        let same_pages = self.sweep().is_some_and(|sweep| sweep.request.is_none());
        same_pages && !matches!(self.detail, Some(Detail::ByGet)) && !self.rereads()
    }

    pub(crate) fn sweep_paging<'a>(&'a self, sweep: &'a Sweep) -> &'a Paging {
        if sweep.request.is_some() { &sweep.paging } else { &self.read.paging }
    }
}
