//! A manifest's examples, run through the rules without any system.

use std::collections::BTreeSet;

use millwright_core::ConnectionId;
use millwright_entities::status_key;
use serde_json::{Map, Value};

use super::{Record, References, Rule, RuleKind, Trail, Writer};
use crate::{
    manifest::{
        EntityDef, Example, Expected, Manifest, Required, WriteField, WriteOp, WriteValue, Written,
    },
    path::Path,
    table::Table,
};

/// Runs every example of a manifest, and looks whether every write rule has one that it accepts and one
/// that it refuses. Answers with all that is wrong, each with its place.
#[must_use]
pub fn check_examples(manifest: &Manifest) -> Vec<String> {
    let connection = ConnectionId::derived(&["examples"]);
    let of = |(slug, def): (&str, &EntityDef)| {
        if def.write.is_empty() { Vec::new() } else { Check::new(&connection, slug, def).run() }
    };
    manifest.entities.iter().flat_map(of).collect()
}

/// An example with everything that it takes from the one it is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What is done.
    pub operation: WriteOp,
    /// The body.
    pub body: Map<String, Value>,
    /// The unified record as it is before, for all but a create; `status` is its status' code.
    pub current: Option<Map<String, Value>>,
    /// Keys that lead nowhere.
    pub unknown: Vec<String>,
    /// Every fault that is found; none when it is accepted.
    pub refused: Vec<Expected>,
}

impl EntityDef {
    /// The examples of what can be written, in the file's order.
    ///
    /// # Errors
    /// When one is like another that is not there, or does not fit it.
    pub fn examples(&self) -> Result<Vec<Case>, String> {
        let all = &self.write.examples;
        all.iter().map(|example| case(all, example, 0)).collect()
    }
}

fn case(all: &[Example], example: &Example, depth: usize) -> Result<Case, String> {
    let base = match &example.like {
        None => None,
        Some(name) => {
            let like = all.iter().find(|one| one.name.as_ref() == Some(name));
            let like = like.filter(|_| depth < 8).ok_or(format!("there is no example `{name}`"))?;
            Some(case(all, like, depth + 1)?)
        }
    };
    let of_base = |base: &Case| (base.operation.clone(), base.body.clone(), base.current.clone());
    let (operation, body, current) =
        base.as_ref().map_or((WriteOp::Create, Map::new(), None), of_base);
    let mut body = Value::Object(example.body.clone().unwrap_or(body));
    for (path, value) in example.with.iter() {
        set(&mut body, &Path::parse(path)?, value.clone())?;
    }
    for path in &example.without {
        unset(&mut body, &Path::parse(path)?)?;
    }
    let mut unknown = base.map(|base| base.unknown).unwrap_or_default();
    unknown.extend(example.unknown.iter().cloned());
    Ok(Case {
        operation: example.on.as_deref().map_or(operation, WriteOp::of_name),
        body: body.as_object().cloned().unwrap_or_default(),
        current: example.current.clone().or(current),
        unknown,
        refused: example.refused.clone(),
    })
}

/// The value at a path that shall be filled or emptied: everything but its last name must be there.
fn parent<'a>(body: &'a mut Value, path: &Path) -> Result<(&'a mut Value, String), String> {
    let keys: Vec<&str> = path.keys().collect();
    let missing = || format!("`{}` leads nowhere", path.as_str());
    let (last, before) = keys.split_last().ok_or_else(missing)?;
    let mut at = body;
    for key in before {
        at = match at {
            Value::Array(items) => {
                key.parse::<usize>().ok().and_then(|position| items.get_mut(position))
            }
            Value::Object(members) => members.get_mut(*key),
            _ => None,
        }
        .ok_or_else(missing)?;
    }
    Ok((at, (*last).to_owned()))
}

fn set(body: &mut Value, path: &Path, value: Value) -> Result<(), String> {
    match parent(body, path)? {
        (Value::Object(members), name) => drop(members.insert(name, value)),
        (Value::Array(items), position) => match position.parse::<usize>() {
            Ok(position) if position < items.len() => items[position] = value,
            _ => items.push(value),
        },
        _ => return Err(format!("`{}` leads nowhere", path.as_str())),
    }
    Ok(())
}

fn unset(body: &mut Value, path: &Path) -> Result<(), String> {
    let missing = || format!("`{}` is not there", path.as_str());
    match parent(body, path)? {
        (Value::Object(members), name) => members.shift_remove(&name).map(drop).ok_or_else(missing),
        (Value::Array(items), position) => match position.parse::<usize>() {
            Ok(position) if position < items.len() => {
                items.remove(position);
                Ok(())
            }
            _ => Err(missing()),
        },
        _ => Err(missing()),
    }
}

struct Check<'a> {
    connection: &'a ConnectionId,
    slug: &'a str,
    def: &'a EntityDef,
    accepted: BTreeSet<Rule>,
    refused: BTreeSet<Rule>,
    found: Vec<String>,
}

impl<'a> Check<'a> {
    fn new(connection: &'a ConnectionId, slug: &'a str, def: &'a EntityDef) -> Self {
        let (accepted, refused) = (BTreeSet::new(), BTreeSet::new());
        Self { connection, slug, def, accepted, refused, found: Vec::new() }
    }

    fn run(mut self) -> Vec<String> {
        let place = format!("entities.{}.write", self.slug);
        match self.def.examples() {
            Err(why) => self.found.push(format!("{place}.examples: {why}")),
            Ok(cases) => {
                for (position, case) in cases.iter().enumerate() {
                    if let Err(why) = self.play(case) {
                        self.found.push(format!("{place}.examples[{position}]: {why}"));
                    }
                }
                for rule in rules(self.def) {
                    for (what, seen) in [("accepts", &self.accepted), ("refuses", &self.refused)] {
                        if !seen.contains(&rule) {
                            let why = format!("{place}.{rule}: no example that it {what}");
                            self.found.push(why);
                        }
                    }
                }
            }
        }
        self.found
    }

    fn play(&mut self, case: &Case) -> Result<(), String> {
        self.supported(&case.operation)?;
        let current = self.current(case)?;
        let trail = self.judged(case, current.as_ref());
        let (faults, conflict) = trail.found();
        let mut found: Vec<String> =
            faults.iter().map(|fault| format!("{} {}", fault.path, fault.code)).collect();
        found.extend(conflict.then(|| "STATE_CONFLICT".to_owned()));
        let mut expected: Vec<String> = case.refused.iter().map(words).collect();
        found.sort();
        expected.sort();
        if found != expected {
            let list = |all: &[String]| {
                if all.is_empty() { "accepted".to_owned() } else { all.join(", ") }
            };
            return Err(format!("is {}, and not {}", list(&found), list(&expected)));
        }
        if found.is_empty() {
            self.accepted.extend(trail.passed().iter().cloned());
        }
        self.refused.extend(trail.broken().iter().cloned());
        Ok(())
    }

    fn supported(&self, operation: &WriteOp) -> Result<(), String> {
        let write = &self.def.write;
        let known = match operation {
            WriteOp::Create => write.create.is_some(),
            WriteOp::Update => write.update.is_some(),
            WriteOp::Delete => write.delete.is_some(),
            WriteOp::Action(name) => write.actions.get(name).is_some(),
        };
        known.then_some(()).ok_or_else(|| format!("there is no `{}`", operation.name()))
    }

    /// The record before, with the status' key in place of its code and ids for its lines.
    fn current(&self, case: &Case) -> Result<Option<Record>, String> {
        let Some(mut current) = case.current.clone() else {
            let needed = case.operation != WriteOp::Create;
            return if needed { Err("has no `current`".to_owned()) } else { Ok(None) };
        };
        if let Some(code) = current.shift_remove("status") {
            let code = code.as_str().unwrap_or_default().to_owned();
            let status = self.def.statuses.get(&code);
            let status = status.ok_or_else(|| format!("there is no status `{code}`"))?;
            current.entry("state").or_insert_with(|| Value::from(status.state.as_str()));
            let key = status_key(self.connection, self.slug, &code);
            current.insert("statusKey".to_owned(), Value::from(key));
        }
        for list in current.values_mut().filter_map(Value::as_array_mut) {
            for line in list.iter_mut().filter_map(Value::as_object_mut) {
                if line.contains_key("key") {
                    line.entry("remoteId").or_insert_with(|| Value::from("1"));
                }
            }
        }
        Ok(Some(current))
    }

    fn judged(&self, case: &Case, current: Option<&Record>) -> Trail {
        let (connection, entity, def) = (self.connection, self.slug, self.def);
        let writer =
            Writer { connection, entity, def, references: None, lookups: None, connected: false };
        let named = writer.references(&case.operation, &case.body, current);
        let known = named.into_iter().filter(|one| !case.unknown.contains(&one.key));
        let references: References =
            known.map(|one| (one.entity, one.key, "1".to_owned())).collect();
        let writer = Writer { references: Some(&references), ..writer };
        writer.plan(&case.operation, &case.body, current).1
    }
}

fn words(expected: &Expected) -> String {
    match &expected.field {
        Some(field) => format!("{field} {}", expected.code),
        None => expected.code.to_string(),
    }
}

/// Every rule of an entity's write side that needs an example of each kind. What the form of the
/// unified model says (`codec`), and which fields there are, holds for every connector alike.
fn rules(def: &EntityDef) -> Vec<Rule> {
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
        need(RuleKind::Kept, patched && required == Required::Always);
        need(RuleKind::Written, new && patch && written != Written::Both);
        need(RuleKind::Changeable, patched && !(writable.is_empty() && immutable.is_empty()));
        match field {
            WriteField::Value(value) => of_value(value, &mut need),
            WriteField::List(list) => {
                of_value(&list.value, &mut need);
                need(RuleKind::Items, list.max_items.is_some());
            }
            WriteField::Object(_) => {}
            WriteField::Lines(lines) => need(RuleKind::Items, lines.max_items.is_some()),
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
