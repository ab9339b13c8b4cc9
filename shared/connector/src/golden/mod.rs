//! Holds a manifest to its golden tests and to the examples of its write rules, without any system.

mod answer;
mod diff;
mod hook;
mod pages;
mod row;

use crate::{
    manifest::{EntityDef, Manifest, Tests},
    mapping::{Origin, check_examples_one_by_one},
    table::Table,
};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// What it is: its place in the manifest or its tests, and its own name.
    pub name: String,
    /// What is wrong with it; empty when nothing is.
    pub faults: Vec<String>,
}

impl Checked {
    pub(crate) fn new(name: impl Into<String>, faults: Vec<String>) -> Self {
        Self { name: name.into(), faults }
    }

    /// Whether nothing is wrong with it.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Runs the manifest's own golden tests and these: rows, answers, pages and webhooks; whether each
/// entity has a row, and each jq expression one that it gives a value for; and every example of what
/// can be written, and whether each write rule has one that it accepts and one that it refuses.
#[must_use]
pub fn run_tests(manifest: &Manifest, beside: &Tests) -> Vec<Checked> {
    let tests = manifest.tests.clone().with(beside.clone());
    let run = Run { manifest, tests: &tests };
    let mut all = run.entities(&tests.rows, "rows", Run::row);
    all.extend(run.covered());
    all.extend(run.answers());
    all.extend(run.entities(&tests.pages, "pages", Run::pages));
    all.extend(run.hooks());
    all.extend(check_examples_one_by_one(manifest));
    all
}

/// Tests and the manifest that they are about.
struct Run<'a> {
    manifest: &'a Manifest,
    tests: &'a Tests,
}

impl<'a> Run<'a> {
    /// Runs the tests of each entity.
    fn entities<T>(
        &self,
        tests: &Table<Vec<T>>,
        kind: &str,
        run: impl Fn(&Self, &str, &EntityDef, &T) -> (Option<String>, Vec<String>),
    ) -> Vec<Checked> {
        let mut all = Vec::new();
        for (slug, tests) in tests.iter() {
            let Some(def) = self.manifest.entity(slug) else {
                let fault = "there is no such entity in the manifest".to_owned();
                all.push(Checked::new(format!("tests.{kind}.{slug}"), vec![fault]));
                continue;
            };
            for (position, test) in tests.iter().enumerate() {
                let (name, faults) = run(self, slug, def, test);
                all.push(named(&format!("tests.{kind}.{slug}[{position}]"), name, faults));
            }
        }
        all
    }

    /// Whether every entity has a row, and every jq expression gives a value for one.
    fn covered(&self) -> Vec<Checked> {
        let entity = |(slug, def): (&str, &EntityDef)| {
            let rows = self.tests.rows.get(slug).map_or(&[][..], Vec::as_slice);
            let records = || rows.iter().filter_map(|test| test.record.as_ref());
            let mut faults = Vec::new();
            if records().next().is_none() {
                faults.push("no golden row shows what becomes of one".to_owned());
            }
            for (name, field) in def.fields.iter() {
                let reckoned = field.values().iter().any(|one| matches!(one.from, Origin::Jq(_)));
                let shown =
                    || records().any(|record| record.get(name).is_some_and(|one| !one.is_null()));
                if reckoned && !shown() {
                    faults.push(format!("no golden row has a value for `{name}`, which jq makes"));
                }
            }
            Checked::new(format!("entities.{slug}: golden rows"), faults)
        };
        self.manifest.entities.iter().map(entity).collect()
    }
}

fn named(place: &str, name: Option<String>, faults: Vec<String>) -> Checked {
    let name = name.map_or_else(|| place.to_owned(), |name| format!("{place} {name}"));
    Checked::new(name, faults)
}
