//! A manifest's examples, run through the rules without any system.

mod case;
mod rules;

use std::collections::BTreeSet;

use millwright_core::ConnectionId;
use millwright_entities::status_key;
use serde_json::Value;

pub use self::case::Case;
use self::rules::rules;
use super::{Record, References, Rule, Trail, Writer};
use crate::{
    golden::Checked,
    manifest::{EntityDef, Expected, Manifest, WriteOp},
};

/// Runs every example of a manifest, and looks whether every write rule has one that it accepts and one
/// that it refuses. Answers with all that is wrong, each with its place.
#[must_use]
pub fn check_examples(manifest: &Manifest) -> Vec<String> {
    let told = |one: Checked| {
        let Checked { name, faults } = one;
        faults.into_iter().map(move |fault| format!("{name}: {fault}")).collect::<Vec<_>>()
    };
    check_examples_one_by_one(manifest).into_iter().flat_map(told).collect()
}

/// Like [`check_examples`], with what was found right too.
pub(crate) fn check_examples_one_by_one(manifest: &Manifest) -> Vec<Checked> {
    let connection = ConnectionId::derived(&["examples"]);
    let of = |(slug, def): (&str, &EntityDef)| {
        if def.write.is_empty() { Vec::new() } else { Check::new(&connection, slug, def).run() }
    };
    manifest.entities.iter().flat_map(of).collect()
}

struct Check<'a> {
    connection: &'a ConnectionId,
    slug: &'a str,
    def: &'a EntityDef,
    accepted: BTreeSet<Rule>,
    refused: BTreeSet<Rule>,
}

impl<'a> Check<'a> {
    fn new(connection: &'a ConnectionId, slug: &'a str, def: &'a EntityDef) -> Self {
        let (accepted, refused) = (BTreeSet::new(), BTreeSet::new());
        Self { connection, slug, def, accepted, refused }
    }

    fn run(mut self) -> Vec<Checked> {
        let place = format!("entities.{}.write", self.slug);
        let cases = match self.def.examples() {
            Err(why) => return vec![Checked::new(format!("{place}.examples"), vec![why])],
            Ok(cases) => cases,
        };
        let mut all = Vec::new();
        for (position, case) in cases.iter().enumerate() {
            let name = format!("{place}.examples[{position}]");
            all.push(Checked::new(name, self.play(case).err().into_iter().collect()));
        }
        for rule in rules(self.def) {
            let seen = [("accepts", &self.accepted), ("refuses", &self.refused)];
            let missing = seen.iter().filter(|(_, seen)| !seen.contains(&rule));
            let faults = missing.map(|(what, _)| format!("no example that it {what}")).collect();
            all.push(Checked::new(format!("{place}.{rule}"), faults));
        }
        all
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
        let zone = None;
        let (references, lookups) = (None, None);
        let writer =
            Writer { connection, entity, def, zone, references, lookups, connected: false };
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
