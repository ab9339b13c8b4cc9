//! The list of systems that can be connected, and the search in it.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use maud::html;
use millwright_connector::{Manifest, manifest::Category};
use serde::Deserialize;

use super::{
    Shown, encoded, leave, path,
    session::{Session, Visit, visit},
    session_path,
    shell::{Page, Step},
};
use crate::App;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

/// Shows the systems that fit a search; all of them without one.
pub(super) async fn show(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(search): Query<Search>,
    headers: HeaderMap,
) -> Shown {
    let visit = visit(&app.store, &headers, &name).await??;
    Ok(page(&app, &visit, search.q.trim()))
}

/// The page.
pub(super) fn page(app: &App, visit: &Visit, q: &str) -> Response {
    let session = &visit.row.doc;
    let here = session_path(app, visit, "/systems");
    let found: Vec<&Arc<Manifest>> =
        offered(app, session).into_iter().filter(|own| fits(own, q)).collect();
    let body = html! {
        p.lead { "You need an account in it." }
        form.search method="get" action=(here) role="search" {
            label for="q" { "Search by name" }
            div.row {
                input #q type="search" name="q" value=(q) autocomplete="off" maxlength="100";
                button type="submit" { "Search" }
            }
        }
        @if found.is_empty() {
            p role="status" { "No system fits “" (q) "”." }
            p { a href=(here) { "Show all systems" } }
        } @else {
            @if !q.is_empty() {
                p role="status" { (count(found.len())) " for “" (q) "”. " a href=(here) { "Show all" } }
            }
            ul.systems {
                @for manifest in &found {
                    li {
                        a href=(session_path(app, visit, &format!("/connect/{}", encoded(&manifest.id)))) {
                            span.name { (manifest.name) }
                            span.more { (manifest.vendor) " · " (kinds(manifest)) }
                        }
                    }
                }
            }
        }
        (leave::cancel_link(app, visit))
    };
    let title = "Which system do you want to connect?";
    Page::new(title, body).of(Some(&session.brand)).step(Step::Choose).respond(&path(app, ""))
}

fn count(found: usize) -> String {
    if found == 1 { "1 system".to_owned() } else { format!("{found} systems") }
}

/// The systems that may be connected, by name.
pub(super) fn offered<'a>(app: &'a App, session: &Session) -> Vec<&'a Arc<Manifest>> {
    let admitted = |manifest: &&Arc<Manifest>| admits(session, manifest);
    let mut all: Vec<_> = app.engine.catalog().iter().filter(admitted).collect();
    all.sort_by_key(|manifest| manifest.name.to_lowercase());
    all
}

/// Whether a system may be connected in a session.
pub(super) fn admits(session: &Session, manifest: &Manifest) -> bool {
    session.admits(&manifest.id, manifest.categories.contains(&Category::Sandbox))
}

/// Whether a system is one that a search is for: each word of it is in its name, its maker's or its id.
fn fits(manifest: &Manifest, q: &str) -> bool {
    let text = format!("{} {} {}", manifest.name, manifest.vendor, manifest.id).to_lowercase();
    q.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

fn kinds(manifest: &Manifest) -> String {
    let name = |category: &Category| match category {
        Category::Eam => "Maintenance",
        Category::Erp => "ERP",
        Category::Wms => "Warehouse",
        Category::Community => "Community",
        Category::Sandbox => "For trying out",
    };
    manifest.categories.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use millwright_connector::Catalog;

    use super::*;

    #[test]
    fn a_search_finds_by_parts_of_names_in_any_case_and_order() {
        let catalog = Catalog::builtin();
        let tryton = catalog.get("tryton").unwrap();
        for q in ["", "TRY", "foundation tryton", " ton "] {
            assert!(fits(tryton, q), "{q}");
        }
        for q in ["tryton discourse", "<script>", "sap"] {
            assert!(!fits(tryton, q), "{q}");
        }
    }
}
