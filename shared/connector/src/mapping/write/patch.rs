//! Judging a merge patch of lines.

use millwright_core::ErrorCode;
use serde_json::{Map, Value};

use super::{
    judge::{At, Judge, Level, Record, object_of},
    line_changes::LineChanges,
    plan::{Kept, PlannedLines, put},
    trail::RuleKind,
};
use crate::manifest::{LineForm, LinesField, WriteField};

impl Judge<'_, '_> {
    /// A merge patch of lines: without a key they are new, with `deleted` they go, others change.
    pub(super) fn patch(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        field: &WriteField,
        lines: &LinesField,
        (given, before, allowed): (&Value, &[Value], LineChanges),
        plan: &mut PlannedLines<'_>,
    ) {
        let items = match given {
            Value::Array(items) => items,
            Value::Null => return self.invalid(at, "are removed one by one, with `deleted`"),
            _ => return self.invalid(at, "must be a list"),
        };
        let mut seen: Vec<&Value> = Vec::new();
        let faults = self.trail.found().0.len();
        for (position, item) in items.iter().enumerate() {
            let path = format!("{}[{position}]", at.path);
            let at = At { path: &path, ..at };
            if !self.once(at, item, &mut seen) {
                continue;
            }
            let key = key_of(item);
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

    /// Whether no line before has this one's key.
    pub(super) fn once<'v>(
        &mut self,
        at: At<'_>,
        line: &'v Value,
        seen: &mut Vec<&'v Value>,
    ) -> bool {
        let key = key_of(line);
        let first = key.is_none_or(|key| !seen.contains(&key));
        if !first {
            self.invalid(at, "stands here twice");
        }
        seen.extend(key);
        first
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
        if self.line_change(at, allowed, "lines cannot be added") && self.reshaped(at, lines) {
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
            } else if self.line_change(at, allowed.remove, "lines cannot be removed")
                && self.reshaped(at, lines)
            {
                plan.removed.push(id);
            }
            return;
        }
        let row = self.changed_line(level, at, lines, item, now);
        let nothing = row.as_object().is_none_or(Map::is_empty);
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
        let changes = placed.iter().any(|placed| placed.fresh);
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

    /// `add_remove_when`, by the record as it is before.
    fn reshaped(&mut self, at: At<'_>, lines: &LinesField) -> bool {
        let (when, Some(record)) = (&lines.add_remove_when, self.current) else { return true };
        if when.is_empty() {
            return true;
        }
        if when.holds(self.writer.subject(record, None)) {
            self.trail.pass(at.rules, RuleKind::LineChange);
            return true;
        }
        let message = format!("lines can only be added and removed while {}", when.words());
        let code = ErrorCode::BusinessRuleViolated;
        self.trail.fault(at.rules, RuleKind::LineChange, at.path, code, message);
        false
    }

    /// The line that is there and has the given line's key.
    pub(super) fn line_there<'b>(
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

    /// All lines that there shall be: those that stay with all that can be written of them.
    pub(super) fn replacement(
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

/// The key of a line that is given.
fn key_of(line: &Value) -> Option<&Value> {
    line.get("key").filter(|key| !key.is_null())
}

/// The system's id of a line.
pub(super) fn remote_id(line: &Record) -> Option<String> {
    line.get("remoteId").and_then(Value::as_str).map(str::to_owned)
}
