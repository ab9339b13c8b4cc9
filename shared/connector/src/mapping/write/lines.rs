//! Judging lines: new ones, and changes of those that are there.

use millwright_core::ErrorCode;
use serde_json::Value;

use super::{
    judge::{At, Judge, Level, Record, object_of},
    plan::{Kept, PlannedLines, put},
    trail::RuleKind,
};
use crate::{
    manifest::{Each, LineForm, LinesField, Step, WriteField},
    table::Table,
};

/// What can be done with lines of a record that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineChanges {
    pub add: bool,
    pub change: bool,
    pub remove: bool,
}

impl LineChanges {
    /// By the form in which the lines of a list go, or by steps of their own.
    pub(crate) fn of(list: &str, form: &LineForm, steps: &[Step]) -> Self {
        let step = |each| steps.iter().any(|step| step.each == Some(each) && step.lines == list);
        let by_form = match form {
            LineForm::Plain => Self { add: false, change: false, remove: false },
            LineForm::Replace(replace) => {
                Self { add: true, change: replace.id.is_some(), remove: true }
            }
            LineForm::ById(by_id) => {
                Self { add: true, change: true, remove: by_id.removed.is_some() }
            }
            LineForm::Commands(commands) => Self {
                add: commands.create.is_some(),
                change: commands.change.is_some(),
                remove: commands.remove.is_some(),
            },
        };
        Self {
            add: by_form.add || step(Each::CreatedLine),
            change: by_form.change || step(Each::ChangedLine),
            remove: by_form.remove || step(Each::RemovedLine),
        }
    }
}

impl Judge<'_, '_> {
    /// What becomes of every list of lines of a level.
    pub(super) fn all_lines<'f>(
        &mut self,
        fields: &'f Table<WriteField>,
        level: Level<'_>,
        steps: &[Step],
    ) -> Vec<PlannedLines<'f>> {
        let mut planned = Vec::new();
        for (name, field) in fields.iter() {
            let WriteField::Lines(lines) = field else { continue };
            let (rules, path) = (format!("{}{name}", level.rules), format!("{}{name}", level.path));
            let at = At { rules: &rules, path: &path };
            let mut plan = PlannedLines {
                field: name.to_owned(),
                to: &lines.to,
                form: &lines.form,
                created: Vec::new(),
                changed: Vec::new(),
                removed: Vec::new(),
                all: Vec::new(),
            };
            let given = level.given.get(name).filter(|value| !value.is_null());
            match (level.before, given) {
                (None, _) => self.new_list(level, at, field, lines, given, &mut plan),
                (Some(_), None) if level.given.contains_key(name) && self.writer.by_key(name) => {
                    self.invalid(at, "are removed one by one, with `deleted`");
                }
                (Some(_), None) => {}
                (Some(before), Some(given)) if self.writer.by_key(name) => {
                    let before = before.get(name).and_then(Value::as_array);
                    let before = before.map_or(&[][..], Vec::as_slice);
                    let allowed = LineChanges::of(name, &lines.form, steps);
                    self.patch(level, at, field, lines, (given, before, allowed), &mut plan);
                }
                (Some(_), Some(_)) => self.whole_list(level, at, field, lines, name, &mut plan),
            }
            planned.push(plan);
        }
        planned
    }

    /// Lines of a new record, or of an action.
    fn new_list(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        field: &WriteField,
        lines: &LinesField,
        given: Option<&Value>,
        plan: &mut PlannedLines<'_>,
    ) {
        let items = match given {
            None => &Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => return self.invalid(at, "must be a list"),
        };
        if !items.is_empty() && !self.written(level, at, field, field.written().on_create()) {
            return;
        }
        if lines.required.on_create() && !self.any(at, RuleKind::Required, items.len()) {
            return;
        }
        self.few_enough(at, lines.max_items, items.len());
        for (position, line) in items.iter().enumerate() {
            let path = format!("{}[{position}]", at.path);
            let at = At { path: &path, ..at };
            if level.action && matches!(lines.form, LineForm::ById(_)) {
                self.line_of_action(level, at, lines, line, plan);
            } else {
                let line = self.new_line(level, at, lines, line);
                plan.created.extend(line);
            }
        }
        plan.all.clone_from(&plan.created);
    }

    /// Another list in place of the one that is there.
    fn whole_list(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        field: &WriteField,
        lines: &LinesField,
        name: &str,
        plan: &mut PlannedLines<'_>,
    ) {
        let given = level.given.get(name);
        if matches!(Self::turn(level, name), super::judge::Turn::Stays(_))
            || !self.written(level, at, field, field.written().on_update())
            || !self.changeable(level, at, field)
        {
            return;
        }
        let level = Level { before: None, action: true, ..level };
        self.new_list(level, at, field, lines, given, plan);
    }

    /// Whether there are any lines.
    fn any(&mut self, at: At<'_>, kind: RuleKind, count: usize) -> bool {
        if count > 0 {
            self.trail.pass(at.rules, kind);
            return true;
        }
        let message = "at least one line is required";
        self.trail.fault(at.rules, kind, at.path, ErrorCode::LinesRequired, message);
        false
    }

    fn new_line(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        lines: &LinesField,
        line: &Value,
    ) -> Option<Value> {
        let Some(given) = line.as_object() else {
            self.invalid(at, "must be an object");
            return None;
        };
        let (rules, path) = (format!("{}.", at.rules), format!("{}.", at.path));
        let inner = Level {
            rules: &rules,
            path: &path,
            fields: &lines.fields,
            extra: &lines.extra,
            given,
            before: None,
            whole: false,
            line: None,
            action: level.action,
        };
        self.unknown(inner, |name| name == "deleted" && given[name] == Value::Bool(false));
        let mut row = object_of(self.level(inner));
        if let Value::Object(row) = &mut row {
            for (name, value) in lines.constants.iter() {
                row.insert(name.to_owned(), value.clone());
            }
        }
        Some(row)
    }

    /// A line of an action: what it says of a line that is there.
    fn line_of_action(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        lines: &LinesField,
        line: &Value,
        plan: &mut PlannedLines<'_>,
    ) {
        let current = self.current.and_then(|record| record.get(plan.field.as_str()));
        let current = current.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let Some(now) = self.line_there(at, line, current) else { return };
        let mut given = line.as_object().cloned().unwrap_or_default();
        given.remove("key");
        let row = self.new_line(level, at, lines, &Value::Object(given));
        plan.changed.extend(row.and_then(|row| Some(Kept { id: remote_id(now)?, row })));
    }

    /// The line that is there and has the given line's key.
    fn line_there<'b>(
        &mut self,
        at: At<'_>,
        line: &Value,
        current: &'b [Value],
    ) -> Option<&'b Record> {
        let path = format!("{}.key", at.path);
        let at = At { path: &path, ..at };
        let Some(key) = line.get("key").filter(|key| key.is_string()) else {
            self.trail.fault(
                at.rules,
                RuleKind::Reference,
                at.path,
                ErrorCode::FieldRequired,
                "is required: it says which line is meant",
            );
            return None;
        };
        let found =
            current.iter().filter_map(Value::as_object).find(|now| now.get("key") == Some(key));
        if found.is_none() {
            let (code, message) =
                (ErrorCode::ReferenceNotFound, "the record has no line of this key");
            self.trail.fault(at.rules, RuleKind::Reference, at.path, code, message);
        }
        found
    }
}

/// The system's id of a line.
fn remote_id(line: &Record) -> Option<String> {
    line.get("remoteId").and_then(Value::as_str).map(str::to_owned)
}

impl Judge<'_, '_> {
    /// A merge patch of lines: without a key they are new, with `deleted` they go, others change.
    fn patch(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        field: &WriteField,
        lines: &LinesField,
        (given, before, allowed): (&Value, &[Value], LineChanges),
        plan: &mut PlannedLines<'_>,
    ) {
        let Some(items) = given.as_array() else {
            return self.invalid(at, "must be a list");
        };
        let mut seen: Vec<&Value> = Vec::new();
        let faults = self.trail.found().0.len();
        for (position, item) in items.iter().enumerate() {
            let path = format!("{}[{position}]", at.path);
            let at = At { path: &path, ..at };
            let key = item.get("key").filter(|key| !key.is_null());
            if key.is_some_and(|key| seen.contains(&key)) {
                self.invalid(at, "stands here twice");
                continue;
            }
            seen.extend(key);
            let gone = item.get("deleted").is_some_and(|gone| *gone != Value::Bool(false));
            match key {
                None if gone => self.invalid(at, "a line that is removed needs its `key`"),
                None => self.added(level, at, lines, item, allowed.add, plan),
                Some(_) => self.kept(level, at, lines, item, (before, allowed, gone), plan),
            }
        }
        let wrong = self.trail.found().0.len() > faults;
        if plan.is_empty() && !wrong {
            return;
        }
        let fine = self.written(level, at, field, field.written().on_update())
            && self.changeable(level, at, field);
        let left = (before.len() + plan.created.len()).saturating_sub(plan.removed.len());
        if fine && !wrong {
            if lines.required.is_kept() {
                self.any(at, RuleKind::Kept, left);
            }
            self.few_enough(at, lines.max_items, left);
        }
        if matches!(lines.form, LineForm::Replace(_)) {
            self.replacement(level, at, lines, before, plan);
        }
    }

    fn added(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        lines: &LinesField,
        item: &Value,
        allowed: bool,
        plan: &mut PlannedLines<'_>,
    ) {
        if self.line_change(at, allowed, "lines cannot be added") {
            plan.created.extend(self.new_line(level, at, lines, item));
        }
    }

    fn kept(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        lines: &LinesField,
        item: &Value,
        (before, allowed, gone): (&[Value], LineChanges, bool),
        plan: &mut PlannedLines<'_>,
    ) {
        let Some(now) = self.line_there(at, item, before) else { return };
        let Some(id) = remote_id(now) else {
            return self.invalid(at, "has no id in the system");
        };
        if gone {
            if item["deleted"] != Value::Bool(true) {
                self.invalid(at, "`deleted` must be true");
            } else if self.line_change(at, allowed.remove, "lines cannot be removed") {
                plan.removed.push(id);
            }
            return;
        }
        let row = self.changed_line(level, at, lines, item, now);
        let nothing = row.as_object().is_none_or(serde_json::Map::is_empty);
        if !nothing && self.line_change(at, allowed.change, "lines cannot be changed") {
            plan.changed.push(Kept { id, row });
        }
    }

    fn changed_line(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        lines: &LinesField,
        item: &Value,
        now: &Record,
    ) -> Value {
        let empty = Record::new();
        let (rules, path) = (format!("{}.", at.rules), format!("{}.", at.path));
        let inner = Level {
            rules: &rules,
            path: &path,
            fields: &lines.fields,
            extra: &lines.extra,
            given: item.as_object().unwrap_or(&empty),
            before: Some(now),
            whole: false,
            line: Some(now),
            action: level.action,
        };
        self.unknown(inner, |name| name == "deleted");
        let placed = self.level(inner);
        // What is always sent is no change by itself.
        let changes = inner.given.iter().any(|(name, value)| {
            lines.fields.get(name).is_some()
                && !super::equal::same(now.get(name).unwrap_or(&Value::Null), value)
        });
        if changes { object_of(placed) } else { Value::Object(Record::new()) }
    }

    fn line_change(&mut self, at: At<'_>, allowed: bool, message: &str) -> bool {
        if allowed {
            return true;
        }
        let message = format!("{message} with this connector");
        let code = ErrorCode::FieldReadOnly;
        self.trail.fault(at.rules, RuleKind::LineChange, at.path, code, message);
        false
    }

    /// All lines that there shall be: those that stay with all that can be written of them.
    fn replacement(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        lines: &LinesField,
        before: &[Value],
        plan: &mut PlannedLines<'_>,
    ) {
        let LineForm::Replace(replace) = &lines.form else { return };
        for now in before.iter().filter_map(Value::as_object) {
            let Some(id) = remote_id(now).filter(|id| !plan.removed.contains(id)) else { continue };
            let empty = Record::new();
            let stays = Level {
                rules: at.rules,
                path: at.path,
                fields: &lines.fields,
                extra: &lines.extra,
                given: &empty,
                before: Some(now),
                whole: true,
                line: Some(now),
                action: level.action,
            };
            let mut row = Record::new();
            if let Some(path) = &replace.id
                && let Ok(id) = replace.codec.encode(&Value::from(id.as_str()))
            {
                put(&mut row, path, id);
            }
            for placed in self.level(stays) {
                put(&mut row, &placed.to, placed.value);
            }
            let change = plan.changed.iter().find(|kept| kept.id == id);
            if let Some(Value::Object(change)) = change.map(|kept| kept.row.clone()) {
                super::merge::lay_over(&mut row, change);
            }
            plan.all.push(Value::Object(row));
        }
        plan.all.extend(plan.created.iter().cloned());
    }
}
