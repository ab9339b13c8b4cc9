//! Pages, and where they lead.

use serde_json::{Value, json};

use super::{Run, answer::response, diff::diff};
use crate::{
    manifest::{EntityDef, PageTest, PagesTest},
    system::Rehearsal,
};

impl Run<'_> {
    pub(super) fn pages(
        &self,
        slug: &str,
        def: &EntityDef,
        test: &PagesTest,
    ) -> (Option<String>, Vec<String>) {
        let faults = match Rehearsal::of(self.manifest, self.tests, slug, def, test) {
            Ok(rehearsal) => played(rehearsal, &test.answers),
            Err(why) => vec![why],
        };
        (test.name.clone(), faults)
    }
}

fn played(mut rehearsal: Rehearsal<'_>, pages: &[PageTest]) -> Vec<String> {
    for (position, page) in pages.iter().enumerate() {
        let at = |line: String| format!("page {}: {line}", position + 1);
        match one(&mut rehearsal, page) {
            Ok(faults) if faults.is_empty() => {}
            Ok(faults) => return faults.into_iter().map(at).collect(),
            Err(why) => return vec![at(why)],
        }
    }
    if pages.is_empty() { vec!["has no page".to_owned()] } else { Vec::new() }
}

fn one(rehearsal: &mut Rehearsal<'_>, page: &PageTest) -> Result<Vec<String>, String> {
    let request = rehearsal.request()?;
    let asks = format!("{} {}", request.method, request.url);
    let sends: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let response = response(&page.answer)?;
    let (ids, next) = rehearsal.read(&request, &response)?;
    let (mut expected, mut found) = (json!({"ids": page.ids}), json!({"ids": ids}));
    if let Some(wanted) = &page.asks {
        expected["asks"] = json!(wanted);
        found["asks"] = json!(asks);
    }
    if let Some(wanted) = &page.sends {
        expected["sends"] = wanted.clone();
        found["sends"] = sends;
    }
    match (&page.next, &next) {
        (Some(wanted), Some(next)) => {
            expected["next"] = json!(wanted);
            for name in wanted.keys() {
                found["next"][name] = next[name].clone();
            }
        }
        (wanted, next) => {
            expected["next"] = json!(wanted);
            found["next"] = json!(next);
        }
    }
    Ok(diff(&expected, &found))
}
