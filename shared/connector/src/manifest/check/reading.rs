//! Reading: listings, pages, changes, deletions.

use super::Check;
use crate::{
    manifest::{EntityDef, Incremental, Paging, Protocol, Request},
    template::Template,
};

impl Check<'_> {
    pub(super) fn reading(&mut self, place: &str, def: &EntityDef) {
        let http = matches!(self.manifest.protocol, Protocol::Http(_));
        let sweep = def.sweep().map(|sweep| (&sweep.request, &sweep.paging));
        let parts = [
            (
                "read",
                Some((&def.read.request, &def.read.paging)),
                &["page", "window", "fields"][..],
            ),
            ("get", Some((&def.get.request, &def.read.paging)), &["ids", "fields"]),
            ("deletes.sweep", sweep, &["page"]),
        ];
        for (part, found, roots) in parts {
            let place = format!("{place}.{part}");
            match found {
                Some((Some(request), paging)) => {
                    self.request(&place, request, roots);
                    self.paging(&place, request, paging, roots.contains(&"page"));
                }
                Some((None, _)) if http => self.say(&place, "has no request"),
                _ => {}
            }
        }
        if def.sweep().is_some_and(|sweep| sweep.page_size == 0 || sweep.every_runs == 0) {
            self.say(&format!("{place}.deletes.sweep"), "page_size and every_runs are at least 1");
        }
        self.incremental(&format!("{place}.incremental"), def, http);
    }

    fn incremental(&mut self, place: &str, def: &EntityDef, http: bool) {
        let Incremental::Filter(filter) = &def.incremental else { return };
        if http && filter.window.is_none() {
            self.say(place, "needs a `window`");
        }
        for template in filter.window.iter().chain(&filter.everything) {
            self.template(place, template, &["since"]);
        }
        for stream in &filter.streams {
            let place = format!("{place}.streams.{}", stream.name);
            self.request(&place, &stream.request, &["page", "window", "since"]);
            self.paging(&place, &stream.request, &stream.paging, true);
        }
    }

    /// Without `{page.after}` in it a request would read its first page for ever.
    fn paging(&mut self, place: &str, request: &Request, paging: &Paging, paged: bool) {
        let Paging::IdAfter(_) = paging;
        let after =
            request.templates().into_iter().flat_map(Template::placeholders).any(|placeholder| {
                placeholder.root == "page" && placeholder.path.as_str() == "after"
            });
        if paged && !after {
            self.say(place, "pages by id and does not name {page.after}");
        }
    }
}
