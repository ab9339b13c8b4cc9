//! Judging each operation as a whole.

use millwright_core::ErrorCode;
use serde_json::Value;

use super::{
    Record, Writer,
    custom::CUSTOM,
    judge::{Judge, Level},
    plan::Plan,
    trail::RuleKind,
};
use crate::{
    manifest::{Action, Extra, Step, When, WriteOp},
    table::Table,
};

impl<'a> Judge<'_, 'a> {
    /// Whether the record's state allows the operation.
    pub(super) fn states(&mut self, operation: &WriteOp) {
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
    pub(super) fn record(
        &mut self,
        body: &Record,
        before: Option<&Record>,
        steps: &[Step],
    ) -> Plan<'a> {
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
        Plan { values, lines }
    }

    /// What goes with an action.
    pub(super) fn action(&mut self, name: &str, action: &'a Action, body: &Record) -> Plan<'a> {
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
    pub(super) fn nothing(&mut self, body: &Record) -> Plan<'a> {
        for name in body.keys() {
            let message = "is not a field that can be given here";
            self.trail.fault("delete", RuleKind::Known, name, ErrorCode::ValidationFailed, message);
        }
        Plan::default()
    }
}

impl Writer<'_> {
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

fn no_extra() -> &'static Table<Extra> {
    static NONE: std::sync::LazyLock<Table<Extra>> = std::sync::LazyLock::new(Table::default);
    &NONE
}
