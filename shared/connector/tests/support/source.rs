//! A system with rows that tests change while it is read: every way of listing, several logs, and the
//! faults of real servers. It has a clock of its own, which goes on by a second with each change.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use millwright_core::{WallTime, from_iso};
use serde_json::{Value, json};

/// A system whose one entity is told by the test.
const BASE: &str = r#"
format: 1
id: made-up
name: Made up
vendor: Nobody
categories: [erp]
tier: 1
maturity: documented
settings:
  url: { title: Address, type: url, required: true }
protocol: { http: { base_url: "{settings.url}" } }
probe: { request: { method: GET, path: me }, instance: { id: [id] } }
limits: { page_size: 3, page_size_max: 500, ids_per_request: 4, concurrency: 3 }
entities:
  vendors:
    fields:
      name: { path: name, required: true }
      updatedAt: { path: at, codec: unix_seconds }
"#;

/// How rows are read by their ids, unless a test has another way.
const GET: &str =
    "get: { request: { method: GET, path: get, query: { ids: \"{ids|join}\" } }, rows: rows }";

/// A listing of `path` with these parameters, and how its pages go on.
pub fn read(path: &str, query: &str, paging: &str) -> String {
    format!(
        "read: {{ request: {{ method: GET, path: {path}, query: {{ limit: \"{{page.size}}\", {query} }} }}, \
         rows: rows, paging: {paging} }}"
    )
}

/// The manifest whose entity has these parts, one a line; with `get` where none of them is one.
pub fn manifest(parts: &[&str]) -> String {
    let own = parts.iter().any(|part| part.starts_with("get:"));
    let get = (!own).then_some(GET);
    let lines: String =
        parts.iter().copied().chain(get).map(|part| format!("    {part}\n")).collect();
    format!("{BASE}{lines}")
}

/// A row.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub name: String,
    /// When it was last changed, in seconds since the epoch.
    pub at: i64,
    pub archived: bool,
    pub pinned: bool,
    /// Notes by their ids, with the time at which each was changed.
    pub notes: BTreeMap<u64, i64>,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub row: u64,
    pub deleted: bool,
    pub at: i64,
}

/// What a server does with pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// What it should.
    #[default]
    Right,
    /// It gives its first page whatever it is asked for, with the same word on the next one.
    Stuck,
    /// It gives its first page whatever it is asked for, with a new word on the next one each time.
    StuckWithNewWords,
    /// It gives its first page and its second by turns.
    Circle,
    /// It takes a position for the number of a page.
    TakesPositionsForPages,
    /// It has no rows and always more pages.
    EndlesslyEmpty,
    /// It leads to another host.
    LeadsElsewhere,
    /// It asks to wait for 40 seconds.
    TooOften,
    /// It takes a request for rows and never answers it.
    Silent,
}

/// What the system holds.
#[derive(Default)]
pub struct World {
    pub now: i64,
    pub rows: BTreeMap<u64, Row>,
    pub log: Vec<Event>,
    pub manner: Manner,
    /// Rows whose details are refused with a status.
    pub refused: HashMap<u64, u16>,
    /// Rows that show their time in a form of their own since the system was updated.
    pub reformed: BTreeSet<u64>,
    /// Rows whose names it no longer shows.
    pub nameless: BTreeSet<u64>,
    /// Rows that no page of `rows` can be had with.
    pub poison: BTreeSet<u64>,
    /// The requests as they came.
    pub asked: Vec<String>,
    /// Events older than this are no longer in the log.
    pub log_from: usize,
    /// Whether its clock stands still: everything that changes meanwhile has one time.
    pub still: bool,
    pages: usize,
    meddle: Option<Meddle>,
    trouble: Option<Trouble>,
}

type Meddle = Box<dyn FnMut(usize, &mut World) + Send>;
type Trouble = Box<dyn FnMut() -> Option<u16> + Send>;

impl World {
    fn tick(&mut self) {
        self.now += i64::from(!self.still);
    }

    /// Makes or changes a row.
    pub fn put(&mut self, id: u64, name: &str) {
        self.tick();
        let row = self.rows.entry(id).or_default();
        name.clone_into(&mut row.name);
        row.at = self.now;
        row.archived = false;
        self.log.push(Event { row: id, deleted: false, at: self.now });
    }

    /// Removes a row.
    pub fn delete(&mut self, id: u64) {
        self.tick();
        if self.rows.remove(&id).is_some() {
            self.log.push(Event { row: id, deleted: true, at: self.now });
        }
    }

    /// Puts a row away.
    pub fn archive(&mut self, id: u64) {
        self.tick();
        if let Some(row) = self.rows.get_mut(&id) {
            row.archived = true;
            row.at = self.now;
            self.log.push(Event { row: id, deleted: true, at: self.now });
        }
    }

    /// Makes or changes a note, which leaves its row as it is.
    pub fn note(&mut self, id: u64, note: u64) {
        self.tick();
        let now = self.now;
        if let Some(row) = self.rows.get_mut(&id) {
            row.notes.insert(note, now);
        }
    }

    fn json(&self, id: u64) -> Value {
        let row = &self.rows[&id];
        // A row that was never changed has no time.
        let at = (row.at != 0).then_some(row.at);
        let name = (!self.nameless.contains(&id)).then_some(&row.name);
        let at = if self.reformed.contains(&id) { json!("yesterday") } else { json!(at) };
        json!({"id": id, "name": name, "at": at, "archived": row.archived,
               "pinned": row.pinned, "notes": row.notes.values().collect::<Vec<_>>()})
    }
}

/// The running system.
#[derive(Clone, Default)]
pub struct Source {
    world: Arc<Mutex<World>>,
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// How long a call for one row takes.
    pub slow: Duration,
    pub url: String,
}

impl Source {
    /// Starts one with rows 1 to `rows` on a free port; it ends with the test.
    pub async fn start(rows: u64) -> Self {
        Self::start_slow(rows, Duration::ZERO).await
    }

    pub async fn start_slow(rows: u64, slow: Duration) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let source = Self { url, slow, ..Self::default() };
        source.change(|world| {
            world.now = from_iso("2026-03-01T00:00:00Z").unwrap() / 1_000;
            (1..=rows).for_each(|id| world.put(id, "first"));
        });
        let app = Router::new()
            .route("/me", get(|| async { axum::Json(json!({"id": 1})) }))
            .route("/row/{id}", get(one))
            .route("/row/{id}/notes", get(notes))
            .fallback(listing)
            .with_state(source.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        source
    }

    /// Changes what it holds.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.world.lock().unwrap())
    }

    /// Changes what it holds before each page of a listing, which are counted from 0.
    pub fn meddle(&self, meddle: impl FnMut(usize, &mut World) + Send + 'static) {
        self.change(|world| {
            world.pages = 0;
            world.meddle = Some(Box::new(meddle));
        });
    }

    /// Refuses listings, pages and rows by their ids with the statuses that this gives.
    pub fn trouble(&self, trouble: impl FnMut() -> Option<u16> + Send + 'static) {
        self.change(|world| world.trouble = Some(Box::new(trouble)));
    }

    /// The requests since this was last asked.
    pub fn asked(&self) -> Vec<String> {
        self.change(|world| std::mem::take(&mut world.asked))
    }

    /// How many calls for single rows were under way at the same time, at most.
    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    async fn single(&self, answer: impl FnOnce(&World) -> Response) -> Response {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(self.slow).await;
        let answer = self.change(|world| dated(world, answer(world)));
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

fn dated(world: &World, mut answer: Response) -> Response {
    let at = WallTime::from_millis(world.now * 1_000).iso();
    let at = jiff_date(&at);
    answer.headers_mut().insert(header::DATE, at.parse().unwrap());
    answer
}

/// `2026-03-01T00:00:00.000Z` as HTTP writes it.
fn jiff_date(iso: &str) -> String {
    let at: jiff::Timestamp = iso.parse().unwrap();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

async fn one(State(source): State<Source>, Path(id): Path<u64>, uri: Uri) -> Response {
    source.change(|world| world.asked.push(uri.to_string()));
    source
        .single(|world| match (world.refused.get(&id), world.rows.contains_key(&id)) {
            (Some(status), _) => StatusCode::from_u16(*status).unwrap().into_response(),
            (None, false) => StatusCode::NOT_FOUND.into_response(),
            (None, true) => axum::Json(world.json(id)).into_response(),
        })
        .await
}

async fn notes(
    State(source): State<Source>,
    Path(id): Path<u64>,
    Query(query): Query<HashMap<String, String>>,
    uri: Uri,
) -> Response {
    source.change(|world| world.asked.push(uri.to_string()));
    source
        .single(|world| {
            if let Some(status) = world.refused.get(&id) {
                return StatusCode::from_u16(*status).unwrap().into_response();
            }
            let all = world.rows.get(&id).map(|row| row.notes.clone()).unwrap_or_default();
            let number: usize = query["number"].parse().unwrap();
            let page = all.iter().map(|(note, at)| json!({"id": note, "at": at, "of": id}));
            let page: Vec<Value> = page.skip((number - 1) * 2).take(2).collect();
            axum::Json(json!({"rows": page})).into_response()
        })
        .await
}

async fn listing(
    State(source): State<Source>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if source.change(|world| world.manner == Manner::Silent) {
        std::future::pending::<()>().await;
    }
    source.change(|world| {
        world.asked.push(uri.to_string());
        if let Some(status) = world.trouble.as_mut().and_then(|trouble| trouble()) {
            let status = StatusCode::from_u16(status).unwrap();
            return dated(world, (status, [(header::RETRY_AFTER, "0")]).into_response());
        }
        if uri.path() != "/get"
            && let Some(mut meddle) = world.meddle.take()
        {
            meddle(world.pages, world);
            world.pages += 1;
            world.meddle = Some(meddle);
        }
        if world.manner == Manner::TooOften {
            let answer = (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "40")]);
            return dated(world, answer.into_response());
        }
        let ask =
            Ask { kind: uri.path().trim_start_matches('/'), query: &query, headers: &headers };
        let answer = ask.answer(world);
        dated(world, answer)
    })
}

/// A request for a page.
struct Ask<'a> {
    kind: &'a str,
    query: &'a HashMap<String, String>,
    headers: &'a HeaderMap,
}

impl Ask<'_> {
    fn number(&self, name: &str) -> Option<usize> {
        self.query.get(name)?.parse().ok()
    }

    fn answer(&self, world: &mut World) -> Response {
        let rows = match self.kind {
            "get" => return self.by_ids(world),
            "log/last" => return axum::Json(json!({"id": world.log.len()})).into_response(),
            "log" if self.after() < world.log_from => return StatusCode::GONE.into_response(),
            "log" | "tombs" => self.events(world),
            "children" => children(world, self.number("since")),
            "feed" => feed(world),
            _ => self.rows(world),
        };
        let size = self.number("limit").unwrap_or(usize::MAX);
        self.page(world, rows, size)
    }

    fn after(&self) -> usize {
        self.number("after").unwrap_or(0)
    }

    fn by_ids(&self, world: &World) -> Response {
        let ids = self.query["ids"].split(',').filter_map(|id| id.parse().ok());
        let rows: Vec<Value> =
            ids.filter(|id| world.rows.contains_key(id)).map(|id| world.json(id)).collect();
        axum::Json(json!({"rows": rows})).into_response()
    }

    /// The rows in the order of their ids.
    fn rows(&self, world: &World) -> Vec<Value> {
        let since = self.number("since").unwrap_or(0) as i64;
        let shown = match self.query.get("archived").map(String::as_str) {
            Some("only") => Some(true),
            Some("no") => Some(false),
            _ => None,
        };
        let fits = |row: &Row| row.at >= since && shown.is_none_or(|shown| row.archived == shown);
        let ids = world.rows.iter().filter(|(_, row)| fits(row)).map(|(id, _)| *id);
        ids.map(|id| world.json(id)).collect()
    }

    fn events(&self, world: &World) -> Vec<Value> {
        let since = self.number("since").unwrap_or(0) as i64;
        let events = world.log.iter().enumerate().filter(|(_, event)| event.at >= since);
        let events = events.filter(|(_, event)| self.kind == "log" || event.deleted);
        let mut events: Vec<Value> = events
            .map(|(number, event)| {
                json!({"id": number + 1, "row": event.row, "at": event.at,
                       "what": if event.deleted { "deleted" } else { "changed" }})
            })
            .collect();
        if self.query.contains_key("newest") {
            events.reverse();
        }
        events
    }

    /// Where the page begins, and how long it is.
    fn place(&self, world: &World, rows: &[Value], size: usize) -> (usize, usize) {
        let size_of = |from: usize| (from, size);
        if let Some(range) = self.headers.get("range") {
            let range = range.to_str().unwrap().trim_start_matches("rows=");
            let (from, to) = range.split_once('-').unwrap();
            let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
            let pages = world.manner == Manner::TakesPositionsForPages;
            return if pages {
                (from * (to + 1 - from), to + 1 - from)
            } else {
                (from, to + 1 - from)
            };
        }
        if let Some(after) = self.query.get("after").filter(|after| !after.is_empty()) {
            let after: u64 = after.parse().unwrap();
            return size_of(rows.iter().filter(|row| row["id"].as_u64().unwrap() <= after).count());
        }
        if let Some(number) = self.number("number") {
            return size_of((number.max(1) - 1).saturating_mul(size));
        }
        if let Some(offset) = self.number("offset") {
            let pages = world.manner == Manner::TakesPositionsForPages;
            return size_of(if pages { offset * size } else { offset });
        }
        // `@3` is a position, `4` the id of the last row, so that nothing moves.
        match self.query.get("token").map(|token| token.split('/').next().unwrap()) {
            None | Some("") => size_of(0),
            Some(token) => size_of(match token.strip_prefix('@') {
                Some(offset) => offset.parse().unwrap(),
                None => {
                    let after: u64 = token.parse().unwrap();
                    rows.iter().filter(|row| row["id"].as_u64().unwrap() <= after).count()
                }
            }),
        }
    }

    fn page(&self, world: &mut World, rows: Vec<Value>, size: usize) -> Response {
        let (mut from, size) = self.place(world, &rows, size);
        match world.manner {
            Manner::Stuck | Manner::StuckWithNewWords => from = 0,
            Manner::Circle => from = world.asked.len().saturating_sub(1) % 2 * size,
            _ => {}
        }
        let from = from.min(rows.len());
        let to = from.saturating_add(size).min(rows.len());
        if self.headers.contains_key("range") && from == rows.len() && from > 0 {
            return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        }
        let total = rows.len();
        let page = match world.manner {
            Manner::EndlesslyEmpty => Vec::new(),
            _ => rows[from..to].to_vec(),
        };
        let spoiled = |row: &Value| row["id"].as_u64().is_some_and(|id| world.poison.contains(&id));
        if self.kind == "rows" && page.iter().any(spoiled) {
            return StatusCode::UNPROCESSABLE_ENTITY.into_response();
        }
        let token = self.token(world, &page, to, total);
        let mut body = json!({"total": total, "pages": total.div_ceil(size.max(1)), "rows": page,
                              "more": to < total});
        let mut headers = HeaderMap::new();
        if self.headers.contains_key("range") {
            let range = format!("rows {from}-{}/{total}", to.max(1) - 1);
            headers.insert(header::CONTENT_RANGE, range.parse().unwrap());
        }
        if let Some(token) = token {
            let host = match world.manner {
                Manner::LeadsElsewhere => "http://127.0.0.2:9",
                _ => "",
            };
            let limit = self.query.get("limit").map(String::as_str).unwrap_or_default();
            let since = self.query.get("since").map(|since| format!("&since={since}"));
            let next = format!(
                "{host}/{}?limit={limit}&token={token}{}",
                self.kind,
                since.unwrap_or_default()
            );
            headers.insert(header::LINK, format!("<{next}>; rel=\"next\"").parse().unwrap());
            body["cursor"] = json!(token);
            body["next"] = json!(next);
        }
        (headers, axum::Json(body)).into_response()
    }

    /// What leads to the next page.
    fn token(&self, world: &World, page: &[Value], to: usize, total: usize) -> Option<String> {
        let right = || match self.query.contains_key("stable") || self.kind == "stable" {
            true => page.last().map(|row| row["id"].to_string()),
            false => Some(format!("@{to}")),
        };
        match world.manner {
            Manner::Stuck => Some("@0".to_owned()),
            Manner::StuckWithNewWords | Manner::EndlesslyEmpty => {
                Some(format!("@0/{}", world.asked.len()))
            }
            Manner::Circle => Some(format!("@{}", world.asked.len() % 2)),
            _ if to < total => right(),
            _ => None,
        }
    }
}

/// Newest first, but pinned rows before all others.
fn feed(world: &World) -> Vec<Value> {
    let mut rows: Vec<(&u64, &Row)> = world.rows.iter().filter(|(_, row)| !row.archived).collect();
    rows.sort_by_key(|(id, row)| (!row.pinned, -row.at, **id));
    rows.into_iter().map(|(id, _)| world.json(*id)).collect()
}

/// The notes of all rows, in the order of their ids.
fn children(world: &World, since: Option<usize>) -> Vec<Value> {
    let since = since.unwrap_or(0) as i64;
    let notes = world.rows.iter().flat_map(|(id, row)| {
        row.notes.iter().map(move |(note, at)| json!({"id": note, "at": at, "of": id}))
    });
    let mut notes: Vec<Value> =
        notes.filter(|note| note["at"].as_i64().unwrap() >= since).collect();
    notes.sort_by_key(|note| note["id"].as_u64());
    notes
}
