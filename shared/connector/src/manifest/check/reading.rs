//! Reading: listings, details, changes, deletions.

use super::Check;
use crate::{
    manifest::{
        Children, Detail, EntityDef, Events, Feed, Filter, Get, Incremental, NewestFirst, Paging,
        Protocol, Reach, Request, Stream,
    },
    path::Path,
};

/// What the request of an entity's own listing may name.
const OWN: &[&str] = &["page", "window", "since", "fields"];
/// What the request of another listing may name.
const OTHER: &[&str] = &["page", "window", "since"];

impl Check<'_> {
    pub(super) fn reading(&mut self, place: &str, def: &EntityDef) {
        let http = matches!(self.manifest.protocol, Protocol::Http(_));
        match &def.read.request {
            Some(request) => {
                self.listing(&format!("{place}.read"), request, &def.read.paging, OWN);
            }
            None if http => self.say(&format!("{place}.read"), "has no request"),
            None => {}
        }
        self.get(&format!("{place}.get"), &def.get, http);
        match &def.detail {
            Some(Detail::Own(own)) => {
                self.request(&format!("{place}.detail"), &own.request, &["id", "row"]);
            }
            Some(Detail::ByGet) | None => {}
        }
        for children in &def.children {
            self.children(&format!("{place}.children.{}", children.into), children);
        }
        self.incremental(&format!("{place}.incremental"), def, http);
        self.deletes(&format!("{place}.deletes"), def);
    }

    fn get(&mut self, place: &str, get: &Get, http: bool) {
        match get {
            Get::Many { request, .. } => self.request(place, request, &["ids", "fields"]),
            Get::One { request, .. } => self.request(place, request, &["id", "fields"]),
            Get::None if http => self.say(place, "has no request"),
            Get::None | Get::Listing => {}
        }
    }

    fn children(&mut self, place: &str, children: &Children) {
        let roots: &[&str] =
            if children.parent.is_some() { &["page", "ids"] } else { &["page", "id", "row"] };
        self.listing(place, &children.request, &children.paging, roots);
        if children.parent.is_some() != children.request.names("ids", "") {
            self.say(place, "has a `parent` where its request names {ids}, and only there");
        }
        if children.into.is_empty() {
            self.say(place, "`into` names no member");
        }
    }

    fn incremental(&mut self, place: &str, def: &EntityDef, http: bool) {
        match &def.incremental {
            Incremental::Full => {}
            Incremental::Filter(filter) => self.filter(place, def, filter, http),
            Incremental::Feed(feed) => self.feed(place, feed),
            Incremental::Log(log) => self.events(place, &log.events),
        }
    }

    fn filter(&mut self, place: &str, def: &EntityDef, filter: &Filter, http: bool) {
        for template in filter.window.iter().chain(&filter.everything) {
            self.template(place, template, &["since"]);
        }
        let read = def.read.request.as_ref();
        let windowed = read.is_some_and(|read| read.names("window", ""));
        let filtered = windowed && filter.window.is_some();
        if http && !filtered && !read.is_some_and(|read| read.names("since", "")) {
            self.say(place, "needs a `window` that the listing names, or {since} in the listing");
        }
        self.streams(place, &filter.streams, filter.window.is_some());
    }

    fn feed(&mut self, place: &str, feed: &Feed) {
        if feed.time.names().is_empty() {
            self.say(place, "`time` is taken from the row");
        }
        self.streams(place, &feed.streams, false);
    }

    fn streams(&mut self, place: &str, streams: &[Stream], windows: bool) {
        for stream in streams {
            let place = format!("{place}.streams.{}", stream.name);
            self.listing(&place, &stream.request, &stream.paging, OTHER);
            let filtered =
                windows && stream.request.names("window", "") || stream.request.names("since", "");
            match &stream.newest_first {
                Some(order) => self.newest_first(&place, order),
                None if filtered => {}
                None => self.say(&place, "names {window} or {since}, or has `newest_first`"),
            }
        }
    }

    fn newest_first(&mut self, place: &str, order: &NewestFirst) {
        if order.time.names().is_empty() {
            self.say(place, "`newest_first.time` is taken from the row");
        }
    }

    fn events(&mut self, place: &str, events: &Events) {
        self.listing(place, &events.request, &events.paging, &["page", "since"]);
        match &events.reach {
            Reach::Since => {}
            Reach::NewestFirst(order) => self.newest_first(place, order),
            Reach::Checkpoint(checkpoint) => {
                let place = format!("{place}.checkpoint");
                self.request(&format!("{place}.latest"), &checkpoint.latest.request, &[]);
                if !matches!(events.paging, Paging::IdAfter(_) | Paging::Cursor(_)) {
                    self.say(&place, "goes with paging by `id_after` or `cursor`");
                }
                if events.overlap_seconds != 0 {
                    self.say(&place, "has no `overlap_seconds`");
                }
            }
        }
    }

    fn deletes(&mut self, place: &str, def: &EntityDef) {
        if let Some(archived) = &def.deletes.archived {
            let place = format!("{place}.archived");
            self.listing(&place, &archived.request, &archived.paging, OTHER);
        }
        if let Some(tombstones) = &def.deletes.tombstones {
            self.events(&format!("{place}.tombstones"), &tombstones.0);
        }
        let Some(sweep) = def.sweep() else { return };
        let place = format!("{place}.sweep");
        if let Some(request) = &sweep.request {
            self.listing(&place, request, &sweep.paging, &["page"]);
        } else if !sweep.rows.as_str().is_empty() || !sweep.id.as_str().is_empty() {
            self.say(&place, "has no request of its own: `rows` and `id` are the listing's");
        }
        if sweep.page_size == 0 || sweep.every_runs == 0 {
            self.say(&place, "page_size and every_runs are at least 1");
        }
    }

    /// A listing's request, and whether its pages go on: without `{page.after}` in it, or what else its
    /// kind of paging needs, it would read its first page for ever.
    fn listing(&mut self, place: &str, request: &Request, paging: &Paging, roots: &[&str]) {
        self.request(place, request, roots);
        let needed = paging.names();
        if !needed.is_empty() && !needed.iter().any(|name| request.names("page", name)) {
            let name = needed.join("} or {page.");
            self.say(place, format!("does not name {{page.{name}}}, by which its pages go on"));
        }
        for name in request.named("page") {
            if !PAGE.contains(&name) {
                self.say(place, format!("`{{page.{name}}}` is not known"));
            }
        }
        self.ending(place, paging);
    }

    fn ending(&mut self, place: &str, paging: &Paging) {
        use crate::manifest::Ending::{EmptyPage, More, Pages, ShortPage, Total};
        let fits = match paging.ends_with() {
            None | Some(EmptyPage | ShortPage | More(_)) => true,
            Some(Total(_)) => matches!(paging, Paging::Page(_) | Paging::Offset(_)),
            Some(Pages(_)) => matches!(paging, Paging::Page(_)),
        };
        if !fits {
            self.say(place, "its kind of paging does not end so");
        }
        if let Paging::Page(page) = paging
            && page.first > 1
        {
            self.say(place, "the first page has the number 0 or 1");
        }
    }
}

/// What `{page}` has.
const PAGE: &[&str] = &["after", "size", "number", "offset", "last", "cursor"];

impl Request {
    /// The paths that it names below a root.
    fn named<'a>(&'a self, root: &'a str) -> impl Iterator<Item = &'a str> {
        let placeholders =
            self.templates().into_iter().flat_map(crate::template::Template::placeholders);
        placeholders
            .filter(move |placeholder| placeholder.root == root)
            .map(|placeholder| Path::as_str(&placeholder.path))
    }
}
