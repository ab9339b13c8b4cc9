//! Values that come from lookups, or from the manifest.

use serde_json::Value;

use super::{
    Lookups,
    judge::{At, Judge, Level},
    plan::Placed,
    trail::RuleKind,
};
use crate::{
    manifest::{LookupValue, WriteField, WriteValue},
    path::{NestedKeys, Path},
};

impl Judge<'_, '_> {
    /// What counts when a new record's field is not given.
    pub(super) fn unless_given(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        field: &WriteValue,
    ) -> Option<Value> {
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

    /// Values beside the fields that come from lookups: with what is new, and with each change of the
    /// field that they follow.
    pub(super) fn extra(&mut self, level: Level<'_>, changed: &[&str], placed: &mut Vec<Placed>) {
        for (to, extra) in level.extra.iter() {
            if level.before.is_some() && !changed.contains(&extra.by.as_str()) {
                continue;
            }
            let Some(value) = self.look_up(level, extra) else { continue };
            if let Ok(to) = Path::parse(to) {
                placed.push(Placed { field: extra.by.clone(), to, value, fresh: true });
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
}

fn row_of<'a>(lookups: &'a Lookups, name: &str, id: &str) -> Option<&'a Value> {
    lookups.get(name)?.get(id)
}
