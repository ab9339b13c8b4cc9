//! Whether a field may be given at all, here and now.

use millwright_core::ErrorCode;
use serde_json::Value;

use super::{
    judge::{At, Judge, Level},
    trail::RuleKind,
};
use crate::manifest::{When, WriteField, Written};

impl Judge<'_, '_> {
    /// Whether a field may be given and is not blank where it must not be.
    pub(super) fn admitted(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        field: &WriteField,
        given: &Value,
    ) -> bool {
        let required = field.required();
        let blank = is_blank(given);
        if level.before.is_none() {
            return self.written(level, at, field, field.written().on_create())
                && (!required.on_create() || self.given(at, RuleKind::Required, blank));
        }
        self.written(level, at, field, field.written().on_update())
            && self.changeable(level, at, field)
            && (!required.is_kept() || self.given(at, RuleKind::Kept, blank))
            && (!required.on_update() || self.given(at, RuleKind::RequiredOnUpdate, blank))
    }

    pub(super) fn given(&mut self, at: At<'_>, kind: RuleKind, blank: bool) -> bool {
        if !blank {
            self.trail.pass(at.rules, kind);
            return true;
        }
        let message = if kind == RuleKind::Kept { "cannot be emptied" } else { "is required" };
        self.trail.fault(at.rules, kind, at.path, ErrorCode::FieldRequired, message);
        false
    }

    /// `writable`: with a new record, with an update, or with both.
    pub(super) fn written(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        field: &WriteField,
        allowed: bool,
    ) -> bool {
        if level.action || field.written() == Written::Both {
            return true;
        }
        if allowed {
            self.trail.pass(at.rules, RuleKind::Written);
            return true;
        }
        let message = match level.before {
            Some(_) => "can only be given when the record is made",
            None => "can only be given once the record is made",
        };
        self.trail.fault(at.rules, RuleKind::Written, at.path, ErrorCode::FieldReadOnly, message);
        false
    }

    /// `writable_when` and `immutable_when`, by the record as it is before.
    pub(super) fn changeable(&mut self, level: Level<'_>, at: At<'_>, field: &WriteField) -> bool {
        let (writable, immutable) = field.states();
        if writable.is_empty() && immutable.is_empty() {
            return true;
        }
        let Some(record) = self.current else { return true };
        let holds = |when: &When| when.holds(self.writer.subject(record, level.line));
        let message = if !writable.is_empty() && !holds(writable) {
            format!("can only be changed while {}", writable.words())
        } else if !immutable.is_empty() && holds(immutable) {
            format!("cannot be changed while {}", immutable.words())
        } else {
            self.trail.pass(at.rules, RuleKind::Changeable);
            return true;
        };
        let code = ErrorCode::BusinessRuleViolated;
        self.trail.fault(at.rules, RuleKind::Changeable, at.path, code, message);
        false
    }

    pub(super) fn required_on_update(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        field: &WriteField,
        now: Option<&Value>,
    ) {
        let name = at.path.get(level.path.len()..).unwrap_or_default();
        if level.before.is_none() || level.whole || !field.required().on_update() {
            return;
        }
        let given = level.given.contains_key(name);
        let blank = !given || now.is_none_or(is_blank);
        self.given(at, RuleKind::RequiredOnUpdate, blank);
    }
}

/// Nothing, or a text without anything in it.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
