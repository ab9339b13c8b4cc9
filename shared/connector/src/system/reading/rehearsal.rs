//! Pages that no system sends: what would be asked for each, and where it leads.

use millwright_core::from_iso;
use millwright_outbound::{Request as Outgoing, Response, Url};
use serde_json::{Map, Value, json};

use super::{
    listing::{Pages, Turn},
    paging::Place,
    since::{named, since, window},
};
use crate::{
    manifest::{EntityDef, HttpProtocol, Manifest, PagesTest, Protocol, TestedListing, Tests},
    remote::played,
    template::Scope,
};

/// A reading of a listing whose answers are given.
pub(crate) struct Rehearsal<'a> {
    manifest: &'a Manifest,
    http: &'a HttpProtocol,
    pages: Pages<'a>,
    scope: Scope,
    size: u32,
    /// Nothing after the last page.
    place: Option<Place>,
}

impl<'a> Rehearsal<'a> {
    /// The beginning of a reading.
    ///
    /// # Errors
    /// What the manifest does not have.
    pub fn of(
        manifest: &'a Manifest,
        tests: &Tests,
        slug: &str,
        def: &'a EntityDef,
        test: &PagesTest,
    ) -> Result<Self, String> {
        let Protocol::Http(http) = &manifest.protocol else {
            return Err("this system has no pages".to_owned());
        };
        let (pages, size) = listing(manifest, slug, def, test)?;
        let from = match &test.since {
            None => None,
            Some(text) => Some(from_iso(text).ok_or_else(|| format!("`{text}` is no time"))?),
        };
        let since = named(since(def, from));
        let window = window(def, &since).map_err(|why| why.message)?;
        let scope = scope(manifest, tests)?
            .with("since", since)
            .with("window", window)
            .with("fields", json!(def.field_names()));
        Ok(Self { manifest, http, pages, scope, size, place: Some(Place::default()) })
    }

    /// What would be asked for the page.
    ///
    /// # Errors
    /// When the reading has ended, or the request cannot be made.
    pub fn request(&self) -> Result<Outgoing, String> {
        let place = self.place.as_ref().ok_or("the page before was the last")?;
        let page = place.page(self.pages.paging, self.size, None);
        let scope = self.scope.clone().with("page", page);
        let mut outgoing = played::request(self.http, self.pages.request, &scope)?;
        if let Some(address) = place.address() {
            outgoing.url = Url::parse(address).map_err(|why| why.to_string())?;
        }
        Ok(outgoing)
    }

    /// Reads the page: the ids of its rows that count, and what the next request can name of `{page}`
    /// or the `address` that it goes to; nothing when this was the last page.
    ///
    /// # Errors
    /// When the answer is an error, or cannot be read.
    pub fn read(
        &mut self,
        request: &Outgoing,
        response: &Response,
    ) -> Result<(Vec<String>, Option<Value>), String> {
        let place = self.place.take().unwrap_or_default();
        let answer =
            played::answer(self.manifest, response, &request.url).map_err(|why| why.to_string())?;
        let keys = self.http.nested_keys;
        let turn = Turn { place: &place, size: self.size, start: None, later: None, keys };
        let page = self.pages.shown(answer, &turn).map_err(|why| why.to_string())?;
        let next = page.next.as_ref().map(|next| {
            let mut named = next.page(self.pages.paging, self.size, None);
            named["address"] = json!(next.address());
            named
        });
        self.place = page.next;
        Ok((page.rows.into_iter().map(|(id, _)| id).collect(), next))
    }
}

fn listing<'a>(
    manifest: &Manifest,
    slug: &str,
    def: &'a EntityDef,
    test: &PagesTest,
) -> Result<(Pages<'a>, u32), String> {
    let size = manifest.limits.page(test.size.unwrap_or_default());
    let own = |why: crate::SystemError| why.message;
    Ok(match test.listing {
        TestedListing::Read => (Pages::own(slug, def).map_err(own)?, size),
        TestedListing::Archived => {
            let archived = def.deletes.archived.as_ref().ok_or("there is no `deletes.archived`")?;
            (Pages::from(archived), size)
        }
        TestedListing::Sweep => {
            let sweep = def.deletes.sweep.as_deref().ok_or("there is no `deletes.sweep`")?;
            let size = match (&sweep.request, test.size) {
                (Some(_), None) => sweep.page_size,
                (Some(_), Some(size)) => size,
                (None, _) => size,
            };
            (Pages::of_sweep(slug, def, sweep).map_err(own)?, size)
        }
    })
}

/// What any request may name.
fn scope(manifest: &Manifest, tests: &Tests) -> Result<Scope, String> {
    let (settings, _) = manifest.settings.check("settings", &tests.settings);
    let zone = manifest.zone(&settings);
    let scope = Scope::default()
        .with("settings", Value::Object(settings))
        .with("session", Value::Object(tests.session.clone()))
        .zoned(zone);
    let mut snippets = Map::new();
    for (name, template) in manifest.snippets.iter() {
        snippets.insert(name.to_owned(), template.render(&scope)?);
    }
    Ok(scope.with("snippets", Value::Object(snippets)))
}
