//! Judging lines: new ones, and changes of those that are there.

use millwright_core::ErrorCode;
use serde_json::Value;

use super::{
    judge::{At, Judge, Level, Turn, object_of},
    line_changes::LineChanges,
    patch::remote_id,
    plan::{Kept, PlannedLines},
    trail::RuleKind,
};
use crate::{
    manifest::{LineForm, LinesField, Step, WriteField},
    table::Table,
};

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
                replaced: false,
            };
            match (level.before, level.given.get(name)) {
                (None, given) => {
                    let given = given.filter(|given| !given.is_null());
                    self.new_list(level, at, field, lines, given, &mut plan);
                }
                (Some(_), None) => {}
                (Some(before), Some(given)) if self.writer.by_key(name) => {
                    let before = before.get(name).and_then(Value::as_array);
                    let before = before.map_or(&[][..], Vec::as_slice);
                    let allowed = LineChanges::of(name, &lines.form, steps);
                    self.patch(level, at, field, lines, (given, before, allowed), &mut plan);
                }
                (Some(_), Some(given)) => {
                    if let Turn::Changed(_) = Self::turn(level, name) {
                        self.whole_list(level, at, field, lines, given, &mut plan);
                    }
                }
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
        // An action without the list is about all lines; one with none of them is about nothing.
        let needed = lines.required.on_create() || (level.action && given.is_some());
        if needed && !self.any(at, RuleKind::Required, items.len()) {
            return;
        }
        self.entries(level, at, lines, items, plan);
    }

    /// The entries of a new list.
    fn entries(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        lines: &LinesField,
        items: &[Value],
        plan: &mut PlannedLines<'_>,
    ) {
        self.few_enough(at, lines.max_items, items.len());
        let mut seen = Vec::new();
        for (position, line) in items.iter().enumerate() {
            let path = format!("{}[{position}]", at.path);
            let at = At { path: &path, ..at };
            if level.action && matches!(lines.form, LineForm::ById(_)) {
                if self.once(at, line, &mut seen) {
                    self.line_of_action(level, at, lines, line, plan);
                }
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
        given: &Value,
        plan: &mut PlannedLines<'_>,
    ) {
        let items = match given {
            Value::Null => &Vec::new(),
            Value::Array(items) => items,
            _ => return self.invalid(at, "must be a list"),
        };
        let fine = self.written(level, at, field, field.written().on_update())
            && self.changeable(level, at, field)
            && (!lines.required.is_kept() || self.any(at, RuleKind::Kept, items.len()));
        if fine {
            plan.replaced = true;
            self.entries(Level { before: None, ..level }, at, lines, items, plan);
        }
    }

    /// Whether there are any lines.
    pub(super) fn any(&mut self, at: At<'_>, kind: RuleKind, count: usize) -> bool {
        if count > 0 {
            self.trail.pass(at.rules, kind);
            return true;
        }
        let message = "at least one line is required";
        self.trail.fault(at.rules, kind, at.path, ErrorCode::LinesRequired, message);
        false
    }

    pub(super) fn new_line(
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
        let patched = level.before.is_some();
        self.unknown(inner, |name| {
            patched && name == "deleted" && given[name] == Value::Bool(false)
        });
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
}
