//! Judging a body by the manifest's rules, and putting it into the system's form on the way.

use millwright_core::{ConnectionId, ErrorCode};
use millwright_entities::{Entity, status_key};
use serde_json::{Map, Value};

use super::{
    Lookups, Writer,
    equal::same,
    plan::{Placed, put},
    trail::{RuleKind, Trail},
};
use crate::{
    manifest::{Extra, LookupValue, ObjectField, When, WriteField, WriteValue},
    mapping::References,
    path::{NestedKeys, Path},
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
            let Some((value, is_new)) = value else { continue };
            if is_new {
                changed.push(name);
            }
            placed.push(Placed { field: name.to_owned(), to: field.to().clone(), value });
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
                { self.admitted(level, at, field, given).then(|| form(self, at, given))? }
                    .map(|value| (value, true))
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

    /// Whether a field may be given and is not blank where it must not be.
    fn admitted(
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

    fn given(&mut self, at: At<'_>, kind: RuleKind, blank: bool) -> bool {
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
        if level.action || field.written() == crate::manifest::Written::Both {
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

    fn required_on_update(
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

    /// What counts when a new record's field is not given.
    fn unless_given(&mut self, level: Level<'_>, at: At<'_>, field: &WriteValue) -> Option<Value> {
        if !level.action && !field.written.on_create() {
            return None;
        }
        let found = match &field.lookup {
            Some(lookup) => self.look_up(level, lookup),
            None => field.default.clone(),
        };
        let taken_for_granted = field.lookup.is_some() && self.writer.lookups.is_none();
        if field.required.on_create() {
            self.given(at, RuleKind::Required, found.is_none() && !taken_for_granted);
        }
        found
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

    /// Names that cannot be given. What stands there already may be given again.
    pub(super) fn unknown(&mut self, level: Level<'_>, known: impl Fn(&str) -> bool) {
        let known_here = |name: &String| level.fields.get(name).is_some() || known(name);
        for (name, value) in level.given.iter().filter(|(name, _)| !known_here(name)) {
            let stays = level.before.and_then(|before| before.get(name));
            if stays.is_some_and(|now| same(now, value)) {
                continue;
            }
            let path = format!("{}{name}", level.path);
            let (code, message) = if !level.action && self.writer.has_field(&path) {
                (ErrorCode::FieldReadOnly, "cannot be written with this connector")
            } else {
                (ErrorCode::ValidationFailed, "is not a field that can be given here")
            };
            self.trail.fault(level.rules, RuleKind::Known, &path, code, message);
        }
    }

    /// Values beside the fields that come from lookups: with what is new, and with each change of the
    /// field that they follow.
    fn extra(&mut self, level: Level<'_>, changed: &[&str], placed: &mut Vec<Placed>) {
        for (to, extra) in level.extra.iter() {
            if level.before.is_some() && !changed.contains(&extra.by.as_str()) {
                continue;
            }
            let Some(value) = self.look_up(level, extra) else { continue };
            if let Ok(to) = Path::parse(to) {
                placed.push(Placed { field: extra.by.clone(), to, value });
            }
        }
    }

    fn look_up(&mut self, level: Level<'_>, lookup: &LookupValue) -> Option<Value> {
        let (lookups, references) = (self.writer.lookups?, self.writer.references?);
        let entity = match level.fields.get(&lookup.by) {
            Some(WriteField::Value(field)) => field.references.as_deref()?,
            _ => return None,
        };
        let key = level.given.get(&lookup.by).and_then(Value::as_str)?;
        let id = references.get(entity, key)?;
        match row_of(lookups, &lookup.lookup, id) {
            Some(row) => {
                let value = lookup.path.get(row, NestedKeys::Plain);
                value.filter(|value| !value.is_null()).cloned()
            }
            None => {
                let rules = format!("{}{}", level.rules, lookup.by);
                let path = format!("{}{}", level.path, lookup.by);
                self.no_such(At { rules: &rules, path: &path }, entity);
                None
            }
        }
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

fn row_of<'a>(lookups: &'a Lookups, name: &str, id: &str) -> Option<&'a Value> {
    lookups.get(name)?.get(id)
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

/// An object of what has been placed.
pub(super) fn object_of(placed: Vec<Placed>) -> Value {
    let mut row = Map::new();
    for one in placed {
        put(&mut row, &one.to, one.value);
    }
    Value::Object(row)
}

impl Writer<'_> {
    /// The remote id behind a key, or the code behind a status' key.
    pub(super) fn resolve(
        &self,
        references: &References,
        entity: &str,
        key: &str,
    ) -> Option<String> {
        if entity == "statuses" {
            return self.status_code(self.connection, key);
        }
        references.get(entity, key).map(str::to_owned)
    }

    fn status_code(&self, connection: &ConnectionId, key: &str) -> Option<String> {
        let mut codes = self.def.statuses.names();
        codes.find(|code| status_key(connection, self.entity, code) == key).map(str::to_owned)
    }

    /// Whether a path, such as `lineItems[0].price`, is one of the unified model.
    pub(super) fn has_field(&self, path: &str) -> bool {
        let Some(entity) = Entity::find(self.entity) else { return false };
        let schema = entity.schema();
        let mut at = schema;
        let names = super::references::without_positions(path);
        names.split('.').all(|name| {
            let Some(found) = properties(schema, at).and_then(|all| all.get(name)) else {
                return false;
            };
            at = found;
            true
        })
    }
}

/// The properties of a schema, or of what stands in its list, or behind its reference.
fn properties<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Map<String, Value>> {
    let followed = |schema: &'a Value| match schema["$ref"].as_str() {
        Some(at) => root.pointer(at.strip_prefix('#')?),
        None => Some(schema),
    };
    let choices = schema["anyOf"].as_array();
    let own = std::iter::once(schema).chain(choices.into_iter().flatten());
    own.filter_map(followed).find_map(|schema| {
        let items = schema.get("items").and_then(followed);
        items.unwrap_or(schema)["properties"].as_object()
    })
}
