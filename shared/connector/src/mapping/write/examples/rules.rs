//! The rules of a manifest that need examples.

use super::super::{Rule, RuleKind};
use crate::{
    manifest::{EntityDef, Required, WriteField, WriteValue, Written},
    table::Table,
};

/// Every rule of an entity's write side that needs an example of each kind. What the form of the
/// unified model says (`codec`), and which fields there are, holds for every connector alike.
pub(super) fn rules(def: &EntityDef) -> Vec<Rule> {
    let write = &def.write;
    let mut found = Vec::new();
    let (new, patch) = (write.create.is_some(), write.update.is_some());
    of_fields("fields.", &write.fields, (new, patch), &mut found);
    let mut states = |place: String, states: bool| {
        if states {
            found.push(Rule { place, kind: RuleKind::State });
        }
    };
    states("update".to_owned(), write.update.as_ref().is_some_and(|one| !one.when.is_empty()));
    states("delete".to_owned(), write.delete.as_ref().is_some_and(|one| !one.when.is_empty()));
    for (name, action) in write.actions.iter() {
        states(format!("actions.{name}"), !action.from.is_empty() || !action.when.is_empty());
    }
    for (name, action) in write.actions.iter() {
        of_fields(&format!("actions.{name}.fields."), &action.fields, (true, false), &mut found);
    }
    if let Some(custom) = write.custom_fields.as_ref().filter(|one| !one.only.is_empty()) {
        let _ = custom;
        found.push(Rule { place: "custom_fields".to_owned(), kind: RuleKind::Custom });
    }
    found
}

/// The rules of a table, for an entity that has a create, and an update.
fn of_fields(
    place: &str,
    fields: &Table<WriteField>,
    (new, patch): (bool, bool),
    found: &mut Vec<Rule>,
) {
    for (name, field) in fields.iter() {
        let place = format!("{place}{name}");
        let (writable, immutable) = field.states();
        let (required, written) = (field.required(), field.written());
        let patched = patch && written.on_update();
        let mut kinds = Vec::new();
        let mut need = |kind, needed: bool| kinds.extend(needed.then_some(kind));
        need(RuleKind::Required, new && written.on_create() && required.on_create());
        need(RuleKind::RequiredOnUpdate, patched && required.on_update());
        need(RuleKind::Kept, patched && matches!(required, Required::Always | Required::Kept));
        need(RuleKind::Written, new && patch && written != Written::Both);
        need(RuleKind::Changeable, patched && !(writable.is_empty() && immutable.is_empty()));
        match field {
            WriteField::Value(value) => of_value(value, &mut need),
            WriteField::List(list) => {
                of_value(&list.value, &mut need);
                need(RuleKind::Items, list.max_items.is_some());
            }
            WriteField::Object(_) => {}
            WriteField::Lines(lines) => {
                need(RuleKind::Items, lines.max_items.is_some());
                need(RuleKind::LineChange, patched && !lines.add_remove_when.is_empty());
            }
        }
        found.extend(kinds.into_iter().map(|kind| Rule { place: place.clone(), kind }));
        if let Some(inner) = field.inner() {
            of_fields(&format!("{place}."), inner, (new, patched), found);
        }
    }
}

fn of_value(value: &WriteValue, need: &mut impl FnMut(RuleKind, bool)) {
    need(RuleKind::Reference, value.references.is_some());
    need(RuleKind::OneOf, value.words.is_some());
    need(RuleKind::Length, value.text.min_length.or(value.text.max_length).is_some());
    need(RuleKind::Pattern, value.text.pattern.is_some());
    need(RuleKind::Bounds, !value.bounds.is_empty());
}
