//! Judging a body by the manifest's rules, and putting it into the system's form on the way.

use millwright_core::ErrorCode;
use serde_json::{Map, Value};

use super::{
    Writer,
    equal::same,
    plan::{Placed, put},
    trail::{RuleKind, Trail},
};
use crate::{
    manifest::{Extra, ObjectField, WriteField},
    table::Table,
};

pub(super) type Record = Map<String, Value>;

/// One check of one body.
pub(super) struct Judge<'b, 'a> {
    pub writer: Writer<'a>,
    /// The record as it is before.
    pub current: Option<&'b Record>,
    pub trail: Trail,
}

/// An object of the body: the record, a line, or an object in it.
#[derive(Clone, Copy)]
pub(super) struct Level<'a> {
    /// Where its rules stand below `write`, with a dot at its end.
    pub rules: &'a str,
    /// Where it stands in the body, with a dot at its end unless it is the body.
    pub path: &'a str,
    pub fields: &'a Table<WriteField>,
    pub extra: &'a Table<Extra>,
    pub given: &'a Record,
    /// What stands there now; nothing for what is new.
    pub before: Option<&'a Record>,
    /// Whether what does not change is sent too.
    pub whole: bool,
    /// The line that rules on `line.` are about.
    pub line: Option<&'a Record>,
    /// Whether it is what goes with an action, where `writable` means nothing.
    pub action: bool,
}

/// What a field of a level is to be.
pub(super) enum Turn<'a> {
    /// It is new.
    New(&'a Value),
    /// It is another than before.
    Changed(&'a Value),
    /// It was not given, and is not there yet.
    Missing,
    /// It stays as it is.
    Stays(Option<&'a Value>),
}

impl Judge<'_, '_> {
    /// The values of a level, lines excepted, and those that follow from them.
    pub(super) fn level(&mut self, level: Level<'_>) -> Vec<Placed> {
        let mut placed = Vec::new();
        let mut changed: Vec<&str> = Vec::new();
        for (name, field) in level.fields.iter() {
            let value = match field {
                WriteField::Lines(_) => continue,
                WriteField::Value(one) => self.field(level, name, field, |judge, at, given| {
                    judge.value(level, at, one, given)
                }),
                WriteField::List(list) => self.field(level, name, field, |judge, at, given| {
                    judge.list(level, at, list, given)
                }),
                WriteField::Object(object) => self.object(level, name, field, object),
            };
            let Some((value, fresh)) = value else { continue };
            if fresh {
                changed.push(name);
            }
            placed.push(Placed { field: name.to_owned(), to: field.to().clone(), value, fresh });
        }
        self.extra(level, &changed, &mut placed);
        placed
    }

    /// What becomes of a field.
    pub(super) fn turn<'b>(level: Level<'b>, name: &str) -> Turn<'b> {
        let given = level.given.get(name);
        match (level.before, given) {
            (None, Some(value)) if !value.is_null() => Turn::New(value),
            (None, _) => Turn::Missing,
            (Some(before), None) => Turn::Stays(before.get(name)),
            (Some(before), Some(value)) => {
                let now = before.get(name);
                if same(now.unwrap_or(&Value::Null), value) {
                    Turn::Stays(now)
                } else {
                    Turn::Changed(value)
                }
            }
        }
    }

    /// The system's form of a field, and whether it is new or changed. `form` judges a value that is
    /// given.
    fn field(
        &mut self,
        level: Level<'_>,
        name: &str,
        field: &WriteField,
        mut form: impl FnMut(&mut Self, At<'_>, &Value) -> Option<Value>,
    ) -> Option<(Value, bool)> {
        let (rules, path) = (format!("{}{name}", level.rules), format!("{}{name}", level.path));
        let at = At { rules: &rules, path: &path };
        let value = match field {
            WriteField::Value(value) => Some(value),
            WriteField::List(list) => Some(&list.value),
            WriteField::Object(_) | WriteField::Lines(_) => None,
        };
        match Self::turn(level, name) {
            Turn::Missing => {
                let found = value.and_then(|value| self.unless_given(level, at, value));
                found.map(|found| (found, true))
            }
            Turn::Stays(now) => {
                self.required_on_update(level, at, field, now);
                let sent = level.whole || value.is_some_and(|value| value.always);
                let now = now.filter(|now| sent && !now.is_null())?;
                // What the system has already is not judged again.
                let mut apart = Judge { trail: Trail::default(), ..*self };
                form(&mut apart, at, now).map(|value| (value, false))
            }
            Turn::New(given) => {
                let value = self.admitted(level, at, field, given).then(|| form(self, at, given));
                value.flatten().map(|value| (value, true))
            }
            Turn::Changed(given) => {
                if !self.admitted(level, at, field, given) {
                    return None;
                }
                if given.is_null() {
                    let empty = value.and_then(|value| value.empty.clone());
                    return Some((empty.unwrap_or(Value::Null), true));
                }
                form(self, at, given).map(|value| (value, true))
            }
        }
    }

    /// An object: what is given is merged into what is there, and all of it is sent.
    fn object(
        &mut self,
        level: Level<'_>,
        name: &str,
        field: &WriteField,
        object: &ObjectField,
    ) -> Option<(Value, bool)> {
        let before = level.before.and_then(|before| before.get(name)).and_then(Value::as_object);
        let given = level.given.get(name).and_then(Value::as_object);
        if let (Some(before), Some(given)) = (before, given)
            && changes_nothing(before, given)
        {
            let mut level = level;
            let none = Record::new();
            level.given = &none;
            return self.object(level, name, field, object);
        }
        self.field(level, name, field, |judge, at, given| {
            let Some(inner) = given.as_object() else {
                judge.invalid(at, "must be an object");
                return None;
            };
            let (rules, path) = (format!("{}.", at.rules), format!("{}.", at.path));
            let level = Level {
                rules: &rules,
                path: &path,
                fields: &object.fields,
                extra: &Table::default(),
                given: inner,
                before,
                whole: true,
                ..level
            };
            judge.unknown(level, |_| false);
            Some(object_of(judge.level(level)))
        })
    }

    pub(super) fn invalid(&mut self, at: At<'_>, message: impl Into<String>) {
        self.trail.fault(at.rules, RuleKind::Form, at.path, ErrorCode::ValidationFailed, message);
    }

    pub(super) fn no_such(&mut self, at: At<'_>, entity: &str) {
        let message = format!("there is no such record among {entity}");
        let code = ErrorCode::ReferenceNotFound;
        self.trail.fault(at.rules, RuleKind::Reference, at.path, code, message);
    }
}

/// Where a rule stands, and where the value.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub rules: &'a str,
    pub path: &'a str,
}

/// Whether a merge patch leaves an object as it is.
pub(super) fn changes_nothing(now: &Record, patch: &Record) -> bool {
    patch.iter().all(|(name, value)| same(now.get(name).unwrap_or(&Value::Null), value))
}

/// An object of what has been placed.
pub(super) fn object_of(placed: Vec<Placed>) -> Value {
    let mut row = Map::new();
    for one in placed {
        put(&mut row, &one.to, one.value);
    }
    Value::Object(row)
}
