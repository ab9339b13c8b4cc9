//! How systems are read, against a server on loopback whose rows change meanwhile: every kind of paging,
//! of finding changes, of finding deletions; and servers that never come to an end.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/source.rs"]
mod source;

mod changes;
mod completing;
mod deletions;
mod endless;
mod paging;
mod shifting;

use millwright_connector::{Catalog, Engine, IdPage, Position, Pull, Pulled, System, SystemError};
use serde_json::json;
use source::{Manner, Source, World, manifest, read};

fn engine(parts: &[&str]) -> Engine {
    let yaml = manifest(parts);
    let catalog = Catalog::of([yaml.as_str()]);
    support::engine_with(catalog.unwrap_or_else(|error| panic!("{error}\n{yaml}")))
}

/// The system behind a source. Each is new: nothing is kept between two of them.
fn open(engine: &Engine, source: &Source) -> System {
    engine.open(support::target("made-up", json!({"url": source.url}), &[])).unwrap()
}

/// What a reading came to.
#[derive(Debug, Default)]
struct Reading {
    /// The ids of the records, in the order in which they came.
    ids: Vec<u64>,
    deleted: Vec<u64>,
    faults: Vec<u64>,
    pages: usize,
    /// Where the next one begins.
    from: Option<i64>,
    checkpoint: Option<millwright_connector::Checkpoint>,
    lost_track: bool,
}

impl Reading {
    fn take(&mut self, page: Pulled) {
        let number = |id: &String| id.parse::<u64>().unwrap();
        self.ids.extend(page.records.iter().map(|record| number(&record.remote_id)));
        self.deleted.extend(page.deleted.iter().map(number));
        self.faults.extend(page.faults.iter().map(|fault| number(&fault.remote_id)));
        self.pages += 1;
        self.from = self.from.or(page.source_time);
        self.checkpoint = page.checkpoint.or(self.checkpoint.take());
        self.lost_track |= page.lost_track;
    }

    /// The ids, each once, in order.
    fn each(&self) -> Vec<u64> {
        let each: std::collections::BTreeSet<u64> = self.ids.iter().copied().collect();
        each.into_iter().collect()
    }
}

/// Reads to the end. Each page is read by a system opened anew, at a position that was kept as JSON.
async fn read_all(
    engine: &Engine,
    source: &Source,
    mut pull: Pull,
) -> Result<Reading, SystemError> {
    let mut reading = Reading::default();
    loop {
        let page = open(engine, source).pull("vendors", &pull).await?;
        let next = page.next.clone();
        reading.take(page);
        match next {
            Some(next) => pull.position = kept(&next),
            None => return Ok(reading),
        }
        assert!(reading.pages < 5_000, "it never ends");
    }
}

fn kept(position: &Position) -> Position {
    serde_json::from_str(&serde_json::to_string(position).unwrap()).unwrap()
}

/// Everything.
async fn first(engine: &Engine, source: &Source) -> Reading {
    read_all(engine, source, Pull::default()).await.unwrap()
}

/// What has happened since the reading before.
async fn later(engine: &Engine, source: &Source, before: &Reading) -> Reading {
    let pull = Pull { from: before.from, checkpoint: before.checkpoint.clone(), ..Pull::default() };
    read_all(engine, source, pull).await.unwrap()
}

/// The ids that a sweep lists.
async fn listed(engine: &Engine, source: &Source) -> Result<Vec<u64>, SystemError> {
    let (mut ids, mut at): (Vec<u64>, Option<Position>) = (Vec::new(), None);
    loop {
        let IdPage { ids: page, next } =
            open(engine, source).list_ids("vendors", at.as_ref()).await?;
        ids.extend(page.iter().map(|id| id.parse::<u64>().unwrap()));
        match next {
            Some(next) => at = Some(kept(&next)),
            None => return Ok(ids),
        }
    }
}

/// Every kind of paging in each of its forms: its name, and the entity's listing.
fn kinds() -> Vec<(&'static str, String)> {
    let of = |path, query: &str, paging: &str| read(path, query, paging);
    let (after, number) = ("after: \"{page.after}\"", "number: \"{page.number}\"");
    let (offset, token) = ("offset: \"{page.offset}\"", "token: \"{page.cursor}\"");
    let range = "read: { request: { method: GET, path: rows, headers: { Range: \
                 \"rows={page.offset}-{page.last}\" } }, rows: rows, paging: range }";
    vec![
        ("id_after", of("rows", after, "{ id_after: { start: '0' } }")),
        ("id_after short", of("rows", after, "{ id_after: { ends_with: short_page } }")),
        ("id_after more", of("rows", after, "{ id_after: { ends_with: { more: more } } }")),
        ("page", of("rows", number, "{ page: {} }")),
        ("page short", of("rows", number, "{ page: { ends_with: short_page } }")),
        ("page more", of("rows", number, "{ page: { ends_with: { more: more } } }")),
        ("page total", of("rows", number, "{ page: { ends_with: { total: total } } }")),
        ("page pages", of("rows", number, "{ page: { ends_with: { pages: pages } } }")),
        ("offset", of("rows", offset, "{ offset: {} }")),
        ("offset short", of("rows", offset, "{ offset: { ends_with: short_page } }")),
        ("offset more", of("rows", offset, "{ offset: { ends_with: { more: more } } }")),
        ("offset total", of("rows", offset, "{ offset: { ends_with: { total: total } } }")),
        ("cursor", of("rows", token, "{ cursor: { at: cursor } }")),
        ("cursor stable", of("stable", token, "{ cursor: { at: cursor, stable: true } }")),
        ("cursor empty", of("rows", token, "{ cursor: { at: cursor, ends_with: empty_page } }")),
        ("next_url", of("rows", "", "{ next_url: { at: next } }")),
        ("link_header", of("rows", "", "{ link_header: {} }")),
        ("skiptoken", of("rows", token, "{ skiptoken: { at: next, parameter: token } }")),
        ("range", range.to_owned()),
        ("none", "read: { request: { method: GET, path: rows }, rows: rows, paging: none }".into()),
    ]
}

/// Whether pages begin with the last row of the page before.
fn overlaps(kind: &str) -> bool {
    kind.starts_with("offset") || kind == "range"
}
