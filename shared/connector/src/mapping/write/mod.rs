//! From a unified record to what a system takes, and what is wrong with it before anything is sent.

mod equal;
mod examples;
mod judge;
mod lines;
mod merge;
mod plan;
mod references;
mod trail;
mod upstream;
mod value;

use std::collections::BTreeMap;

use millwright_core::{ConnectionId, ErrorCode};
use millwright_entities::Entity;
use serde_json::{Map, Value};

pub use examples::{Case, check_examples};
pub(crate) use lines::LineChanges;
pub(crate) use plan::{Placed, Plan};
pub use references::{Reference, References};
pub(crate) use trail::Trail;
pub use trail::{Rule, RuleKind};
pub(crate) use upstream::unified_name;

use self::{
    judge::{Judge, Level},
    references::{collect, without_positions},
};
pub(crate) use crate::manifest::TextFault;
use crate::{
    manifest::{
        Action, CustomWrite, EntityDef, Extra, LineForm, Step, Subject, When, WriteField, WriteOp,
    },
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

fn no_extra() -> &'static Table<Extra> {
    static NONE: std::sync::LazyLock<Table<Extra>> = std::sync::LazyLock::new(Table::default);
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

impl<'a> Judge<'_, 'a> {
    /// Whether the record's state allows the operation.
    fn states(&mut self, operation: &WriteOp) {
        let def = self.writer.def;
        let (write, Some(record)) = (&def.write, self.current) else { return };
        let none = When::default();
        let (place, when, from) = match operation {
            WriteOp::Create => return,
            WriteOp::Update => {
                ("update".to_owned(), write.update.as_ref().map(|one| &one.when), &[][..])
            }
            WriteOp::Delete => {
                ("delete".to_owned(), write.delete.as_ref().map(|one| &one.when), &[][..])
            }
            WriteOp::Action(name) => {
                let Some(action) = write.actions.get(name) else { return };
                (format!("actions.{name}"), Some(&action.when), &action.from[..])
            }
        };
        let when = when.unwrap_or(&none);
        if when.is_empty() && from.is_empty() {
            return;
        }
        let in_from = from.is_empty() || self.writer.is_in(record, from);
        let fits = in_from && when.holds(self.writer.subject(record, None));
        let conflict = (!fits).then(|| conflict(operation, from, when));
        self.trail.state(&place, conflict);
    }

    /// A new record, or a patch of the one that is there.
    fn record(&mut self, body: &Record, before: Option<&Record>, steps: &[Step]) -> Plan<'a> {
        let def = self.writer.def;
        let write = &def.write;
        let level = Level {
            rules: "fields.",
            path: "",
            fields: &write.fields,
            extra: &write.extra,
            given: body,
            before,
            whole: false,
            line: None,
            action: false,
        };
        self.unknown(level, |name| name == CUSTOM);
        let custom = self.custom(level);
        let mut values = self.level(level);
        values.extend(custom);
        let lines = self.all_lines(&write.fields, level, steps);
        // What is always sent is no change by itself.
        let changes = before.is_none_or(|before| {
            let changed = |(name, value): (&String, &Value)| {
                !equal::same(before.get(name).unwrap_or(&Value::Null), value)
            };
            body.iter().any(changed)
        });
        if changes { Plan { values, lines } } else { Plan::default() }
    }

    /// What goes with an action.
    fn action(&mut self, name: &str, action: &'a Action, body: &Record) -> Plan<'a> {
        let rules = format!("actions.{name}.fields.");
        let level = Level {
            rules: &rules,
            path: "",
            fields: &action.fields,
            extra: no_extra(),
            given: body,
            before: None,
            whole: false,
            line: None,
            action: true,
        };
        self.unknown(level, |_| false);
        let values = self.level(level);
        let lines = self.all_lines(&action.fields, level, &[]);
        Plan { values, lines }
    }

    /// A delete takes no body.
    fn nothing(&mut self, body: &Record) -> Plan<'a> {
        for name in body.keys() {
            let message = "is not a field that can be given here";
            self.trail.fault("delete", RuleKind::Known, name, ErrorCode::ValidationFailed, message);
        }
        Plan::default()
    }

    /// Fields of the customer's own.
    fn custom(&mut self, level: Level<'_>) -> Vec<Placed> {
        let given = match level.given.get(CUSTOM) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Object(given)) => given,
            Some(_) => {
                let at = judge::At { rules: "custom_fields", path: CUSTOM };
                self.invalid(at, "must be an object");
                return Vec::new();
            }
        };
        let before = level.before.map(|before| before.get(CUSTOM).unwrap_or(&Value::Null));
        let mut placed = Vec::new();
        for (name, value) in given {
            let now = before.map(|before| &before[name.as_str()]);
            if now.is_some_and(|now| equal::same(now, value)) {
                continue;
            }
            if let Some(to) = self.custom_place(name, value, level.before.is_none()) {
                placed.push(Placed { field: CUSTOM.to_owned(), to, value: value.clone() });
            }
        }
        placed
    }

    /// Where a custom field goes, if it can be written.
    fn custom_place(&mut self, name: &str, value: &Value, new: bool) -> Option<Path> {
        let path = format!("{CUSTOM}.{name}");
        let rules = self.writer.def.write.custom_fields.as_ref();
        let in_time = |rules: &&CustomWrite| {
            if new { rules.writable.on_create() } else { rules.writable.on_update() }
        };
        let allowed = rules.filter(in_time).filter(|rules| rules.allows(name));
        let Some(rules) = allowed.filter(|_| self.writer.has_custom_field(name)) else {
            let message = "this custom field cannot be written with this connector";
            let code = ErrorCode::CustomFieldNotWritable;
            self.trail.fault("custom_fields", RuleKind::Custom, &path, code, message);
            return None;
        };
        let at = judge::At { rules: "custom_fields", path: &path };
        let long = |max: usize| value.as_str().is_some_and(|text| text.chars().count() > max);
        if let Some(max) = rules.max_length {
            if long(max) {
                let message = format!("must have {max} characters or fewer");
                let code = ErrorCode::ValidationFailed;
                self.trail.fault(at.rules, RuleKind::Length, at.path, code, message);
                return None;
            }
            self.trail.pass(at.rules, RuleKind::Length);
        }
        self.trail.pass(at.rules, RuleKind::Custom);
        let quoted = format!("\"{name}\"");
        let place = match rules.to.as_str() {
            "" => quoted,
            to => format!("{to}.{quoted}"),
        };
        Path::parse(&place).map_err(|_| self.invalid(at, "has a name that cannot be sent")).ok()
    }
}

/// The member that has fields of the customer's own.
const CUSTOM: &str = "customFields";

impl Writer<'_> {
    /// Whether the connection has chosen a custom field, and nothing says that it is only read.
    fn has_custom_field(&self, name: &str) -> bool {
        let Some(custom) = &self.def.custom_fields else { return true };
        let known = custom.known.get(name).is_none_or(|known| known.writable);
        known && (!self.connected || self.def.chosen.iter().any(|chosen| chosen == name))
    }

    /// Whether a record is in one of these statuses.
    fn is_in(&self, record: &Record, codes: &[String]) -> bool {
        let key = record.get("statusKey").and_then(Value::as_str);
        let of =
            |code: &String| millwright_entities::status_key(self.connection, self.entity, code);
        key.is_some_and(|key| codes.iter().any(|code| of(code) == key))
    }
}

fn conflict(operation: &WriteOp, from: &[String], when: &When) -> String {
    let mut words = Vec::new();
    if !from.is_empty() {
        words.push(format!("status is {}", from.join(" or ")));
    }
    if !when.is_empty() {
        words.push(when.words());
    }
    format!("`{}` can only be done while {}", operation.name(), words.join(" and "))
}
