//! From a unified record to what a system takes, and what is wrong with it before anything is sent.

mod admission;
mod custom;
mod equal;
mod examples;
mod judge;
mod line_changes;
mod lines;
mod looked_up;
mod merge;
mod names;
mod operations;
mod patch;
mod plan;
mod references;
mod trail;
mod upstream;
mod value;

use std::collections::BTreeMap;

use millwright_core::ConnectionId;
use millwright_entities::Entity;
use serde_json::{Map, Value};

pub(crate) use examples::check_examples_one_by_one;
pub use examples::{Case, check_examples};
pub(crate) use line_changes::LineChanges;
pub(crate) use plan::Plan;
pub use references::{Reference, References};
pub(crate) use trail::Trail;
pub use trail::{Rule, RuleKind};
pub(crate) use upstream::unified_name;

use self::{
    judge::Judge,
    references::{collect, without_positions},
};
pub(crate) use crate::manifest::TextFault;
use crate::{
    codec::Zone,
    manifest::{EntityDef, LineForm, Step, Subject, WriteField, WriteOp},
    path::Path,
    table::Table,
};

/// Rows that were read before a write: by lookup, then by remote id.
pub type Lookups = BTreeMap<String, BTreeMap<String, Value>>;

type Record = Map<String, Value>;

/// Checks bodies of one entity and makes the system's form of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer<'a> {
    /// The connection; keys of statuses follow from it.
    pub connection: &'a ConnectionId,
    /// The entity's slug.
    pub entity: &'a str,
    /// What the manifest says of it.
    pub def: &'a EntityDef,
    /// The time zone that the system writes its times in, where it says none.
    pub zone: Option<&'a Zone>,
    /// What keys stand for. Without it keys are taken for granted, to check the rest.
    pub references: Option<&'a References>,
    /// What was looked up. Without it looked-up values are taken for granted.
    pub lookups: Option<&'a Lookups>,
    /// Whether it is for a connection: of custom fields only those can be given that it has chosen.
    pub connected: bool,
}

impl<'a> Writer<'a> {
    /// What is to be sent for a body, or everything that is wrong with it. `current` is the record as
    /// it is, for all but a create.
    pub(crate) fn plan(
        &self,
        operation: &WriteOp,
        body: &Record,
        current: Option<&Record>,
    ) -> (Plan<'a>, Trail) {
        let mut judge = Judge { writer: *self, current, trail: Trail::default() };
        judge.states(operation);
        let plan = match operation {
            WriteOp::Create => judge.record(body, None, self.steps(operation)),
            WriteOp::Update => {
                let before = current.unwrap_or(&EMPTY);
                judge.record(body, Some(before), self.steps(operation))
            }
            WriteOp::Delete => judge.nothing(body),
            WriteOp::Action(name) => match self.def.write.actions.get(name) {
                Some(action) => judge.action(name, action, body),
                None => Plan::default(),
            },
        };
        (plan, judge.trail)
    }

    /// The keys that a body names, and those of the record that are sent with it.
    pub(crate) fn references(
        &self,
        operation: &WriteOp,
        body: &Record,
        current: Option<&Record>,
    ) -> Vec<Reference> {
        let mut found = Vec::new();
        let fields = self.fields(operation);
        collect(fields, "", body, &mut found);
        if let (WriteOp::Update, Some(current)) = (operation, current) {
            let whole: Table<WriteField> = fields
                .iter()
                .filter(|(_, field)| is_sent_whole(field))
                .map(|(name, field)| (name.to_owned(), field.clone()))
                .collect();
            collect(&whole, "", current, &mut found);
        }
        found
    }

    /// The remote ids at a lookup's `from`, each once.
    pub(crate) fn lookup_ids(
        &self,
        from: &Path,
        operation: &WriteOp,
        body: &Record,
    ) -> Vec<String> {
        let path = from.as_str();
        let mut ids: Vec<String> = self
            .references(operation, body, None)
            .into_iter()
            .filter(|reference| without_positions(&reference.path) == path)
            .filter_map(|reference| self.references?.get(&reference.entity, &reference.key))
            .map(str::to_owned)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The fields that can be given with an operation.
    fn fields(&self, operation: &WriteOp) -> &'a Table<WriteField> {
        match operation {
            WriteOp::Create | WriteOp::Update => &self.def.write.fields,
            WriteOp::Delete => no_fields(),
            WriteOp::Action(name) => {
                self.def.write.actions.get(name).map_or(no_fields(), |action| &action.fields)
            }
        }
    }

    fn steps(&self, operation: &WriteOp) -> &'a [Step] {
        let write = &self.def.write;
        match operation {
            WriteOp::Create => write.create.as_ref().map_or(&[], |one| &one.steps[..]),
            WriteOp::Update => write.update.as_ref().map_or(&[], |one| &one.steps[..]),
            WriteOp::Delete => write.delete.as_ref().map_or(&[], |one| &one.steps[..]),
            WriteOp::Action(name) => write.actions.get(name).map_or(&[], |one| &one.steps[..]),
        }
    }

    /// Whether a patch names the elements of a list by their keys; any other list it gives whole.
    pub(super) fn by_key(&self, list: &str) -> bool {
        by_key(self.entity, list)
    }

    pub(super) fn subject<'b>(
        &'b self,
        record: &'b Record,
        line: Option<&'b Record>,
    ) -> Subject<'b> {
        Subject { connection: self.connection, entity: self.entity, record, line }
    }
}

static EMPTY: std::sync::LazyLock<Record> = std::sync::LazyLock::new(Map::new);

/// Whether a patch names the elements of a list by their keys.
pub(crate) fn by_key(entity: &str, list: &str) -> bool {
    let lists = Entity::find(entity).into_iter().flat_map(Entity::line_lists);
    lists.into_iter().any(|field| field.name == list)
}

fn no_fields() -> &'static Table<WriteField> {
    static NONE: std::sync::LazyLock<Table<WriteField>> = std::sync::LazyLock::new(Table::default);
    &NONE
}

/// Whether an update sends more of a field than what changes.
fn is_sent_whole(field: &WriteField) -> bool {
    match field {
        WriteField::Value(value) => value.always,
        WriteField::List(list) => list.value.always,
        WriteField::Object(_) => true,
        WriteField::Lines(lines) => matches!(lines.form, LineForm::Replace(_)),
    }
}
