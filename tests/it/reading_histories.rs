//! Random histories of a system behind HTTP, read through the real sync in slices that hand on after a
//! few pages or are dropped, on tables in memory with faults before them. The system's rows are made,
//! changed and removed, also while they are read and many at one time; it refuses requests now and then.
//! After quiet, for every strategy that promises it, the records equal the system's rows, the feed
//! replayed from its beginning equals the records, messages tell of every change in the feed, and the
//! feed of none that the system has not made.

#[path = "../../shared/connector/tests/support/source.rs"]
pub mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt;
use millwright_connection::{
    Connection, ConnectionContext, ConnectionTask, Health, NewConnection, find_connection, pause,
};
use millwright_connector::{Catalog, Credentials};
use millwright_core::{Clock, WorkspaceId};
use millwright_entities::record_key;
use millwright_event::{Body, Message};
use millwright_records::{
    FeedPage, Op, RecordDoc, Scope, Telling, feed_pk, publish_pages, read_changes, records_pk,
};
use millwright_store::{Range, Row, Store, Table};
use millwright_sync::{
    Mode, RequestedSync, SliceEnd, SliceLimits, SliceTask, SyncState, SyncStatus, check_connection,
    connect, request_sync, run_slice, sync_states,
};
use millwright_tests::{
    cloud::Cloud,
    faults::{QueueFaults, TableFaults},
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};
use source::{Manner, Source, World, manifest, read};

use crate::in_process::{self, with_connectors};

/// Histories of each strategy, unless told otherwise.
const USUAL: u64 = 4;
/// Rows at the beginning, and numbers of rows that may be made, changed and removed.
const ROWS: u64 = 8;
/// Histories that are played at the same time.
const AT_ONCE: usize = 8;
const LIMITS: SliceLimits = SliceLimits {
    lease: Duration::from_millis(150),
    // Half of it is for the second question after a page that did not come in time.
    margin: Duration::from_secs(6),
    interval: Duration::from_secs(900),
    vanish_percent: 100,
    spread: Duration::ZERO,
};

/// The parts that every strategy shares.
pub struct Place {
    pub context: ConnectionContext,
    pub clock: Clock,
    pub calm: Store,
    _cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl Place {
    pub async fn start() -> Self {
        Self::with(TableFaults::NONE, 0).await
    }

    /// Tables in memory, with these faults before them.
    async fn with(table: TableFaults, seed: u64) -> Self {
        let folder = in_memory();
        let clock = Clock::scaled(Clock::system().wall(), Duration::ZERO, 1.0);
        let queue = QueueFaults::NONE;
        let cloud = Cloud::start(folder.path(), table, queue, seed, clock.clone()).await;
        let variables = in_process::variables(&cloud, folder.path());
        let context = in_process::context(&variables, clock.clone(), &cloud.sdk());
        let calm = cloud.calm_store();
        Self { context, clock, calm, _cloud: cloud, _folder: folder }
    }

    /// A connection to a source by a manifest with these parts.
    pub async fn connect(&self, parts: &[String], source: &Source) -> Synced<'_> {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let catalog = Catalog::of([manifest(&parts).as_str()]).unwrap();
        let context = with_connectors(&self.context, catalog);
        let workspace = WorkspaceId::new_at(self.clock.wall().millis());
        let new = || {
            let settings = Map::from_iter([("url".to_owned(), json!(source.url))]);
            NewConnection::to("made-up", settings, Credentials::new())
        };
        let connection = loop {
            // A caller whose connect fails on the table's account asks again.
            match connect(&context, &workspace, new()).await {
                Ok(connection) => break connection,
                Err(error) => println!("connect: {error}"),
            }
        };
        Synced { place: self, context, workspace, connection, limits: LIMITS }
    }
}

/// A folder in memory where the machine has one: what is written there need not reach a disk.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A connection and what is known of it.
pub struct Synced<'a> {
    place: &'a Place,
    pub context: ConnectionContext,
    pub workspace: WorkspaceId,
    pub connection: Connection,
    /// How its slices are bounded.
    pub limits: SliceLimits,
}

impl Synced<'_> {
    pub async fn state(&self) -> SyncState {
        let states = sync_states(&self.place.calm, &self.workspace, &self.connection.id).await;
        states.unwrap().pop().unwrap()
    }

    /// What is known of the system behind the connection.
    async fn health(&self) -> Health {
        self.found().await.facts.health
    }

    async fn found(&self) -> Connection {
        let Connection { workspace, id, .. } = &self.connection;
        find_connection(&self.place.calm, workspace, id).await.unwrap().doc
    }

    /// A busy machine may be too slow for a page and a probe: then the connection's own check asks
    /// again, and wakes what waits.
    async fn look_after(&self) {
        let connection = self.found().await;
        if connection.facts.health == Health::Ok {
            return;
        }
        let now = self.place.clock.schedule();
        self.place.clock.step(connection.next_check_at.map(|at| at.since(now)).unwrap_or_default());
        let task = ConnectionTask {
            workspace: self.workspace.clone(),
            connection: self.connection.id.clone(),
        };
        let checked = check_connection(&self.context, self.limits, &task, 0).await;
        println!("{} was looked after: {checked:?}", connection.id);
    }

    /// One slice, which has time for some pages; or is dropped after a while.
    pub async fn slice(&self, time: Duration, dropped_after: Option<Duration>) {
        let task = SliceTask {
            workspace: self.workspace.clone(),
            connection: self.connection.id.clone(),
            entity: "vendors".to_owned(),
        };
        let deadline = self.place.clock.wall() + LIMITS.margin + time;
        let slice = run_slice(&self.context, self.limits, &task, 0, deadline);
        let ended = match dropped_after {
            None => slice.await,
            Some(after) => match tokio::time::timeout(after, slice).await {
                Ok(ended) => ended,
                Err(_) => return,
            },
        };
        match ended {
            Ok(SliceEnd::Done) => {}
            Ok(SliceEnd::Busy(until)) => {
                tokio::time::sleep(until.since(self.place.clock.wall()).min(LIMITS.lease)).await;
            }
            // The queue's message comes again.
            Err(error) => println!("slice: {error}"),
        }
    }

    /// A whole pass in one slice, if nothing goes wrong; else as many as it takes.
    pub async fn calm_pass(&self) {
        self.place.clock.step(LIMITS.interval * 2);
        let before = self.state().await.last_success_at;
        for _ in 0..30 {
            self.slice(Duration::from_secs(30), None).await;
            self.look_after().await;
            let state = self.state().await;
            if state.is_at_rest() && state.last_success_at != before {
                return;
            }
            let now = self.place.clock.schedule();
            self.place.clock.step(state.run.map(|run| run.at.since(now)).unwrap_or_default());
        }
        panic!("the pass never ended: {:?}", self.state().await);
    }

    /// A whole pass, in slices of some pages of which some are dropped.
    pub async fn pass(&self, chance: &mut StdRng) {
        self.place.clock.step(LIMITS.interval * 2);
        let before = self.state().await.last_success_at;
        for round in 0..400 {
            // A busy machine comes to the end as well.
            let time = Duration::from_millis(chance.random_range(20..300)) * (1 + round / 20);
            let dropped = chance.random_bool(0.1);
            let dropped = dropped.then(|| Duration::from_millis(chance.random_range(1..60)));
            self.slice(time, dropped).await;
            self.look_after().await;
            let state = self.state().await;
            if state.is_at_rest() && state.last_success_at != before {
                return;
            }
            let now = self.place.clock.schedule();
            if let Some(wait) =
                state.run.map(|run| run.at.since(now)).filter(|wait| !wait.is_zero())
            {
                // A failure, or a system that asks to wait.
                self.place.clock.step(wait);
            }
        }
        panic!("the pass never ended: {:?}", self.state().await);
    }

    /// The feed replayed from its beginning is the records; every change is told by a message; and none
    /// is told that the system has not made.
    async fn check_feed(
        &self,
        truth: &BTreeMap<u64, String>,
        done: &BTreeMap<u64, [usize; 3]>,
        what: &str,
    ) {
        let store = &self.place.calm;
        let scope = Scope::of(&self.connection);
        let (mut replayed, mut after) = (BTreeMap::new(), None);
        loop {
            let page = read_changes(store, &scope, Some("vendors"), after, 7).await.unwrap();
            for change in page.changes {
                let told = match change.record {
                    Some(record) => {
                        replayed.insert(change.key.clone(), record["name"].clone()).is_none()
                    }
                    None => replayed.remove(&change.key).is_none(),
                };
                assert!(told, "{what}: {} is twice in the feed in its latest state", change.key);
            }
            after = Some(page.next);
            if !page.has_more {
                break;
            }
        }
        let key = |id: &u64| record_key(&self.connection.id, "vendors", &id.to_string());
        let expected: BTreeMap<String, Value> =
            truth.iter().map(|(id, name)| (key(id), json!(name))).collect();
        assert_eq!(replayed, expected, "{what}: the feed");
        let counts = self.changes().await;
        for (id, done) in done {
            let told = counts.get(&key(id)).copied().unwrap_or_default();
            // What was removed and made again between two readings was, for who reads, changed.
            let [made, changed, removed] = *done;
            let again = made.saturating_sub(told[0]).min(removed.saturating_sub(told[2]));
            assert!(
                told[0] <= made && told[1] <= changed + again && told[2] <= removed,
                "{what}: {id} was made, changed, removed {done:?} times, and told {told:?}"
            );
        }
        assert!(counts.keys().all(|told| done.keys().any(|id| key(id) == *told)), "{what}");
        self.check_messages(what).await;
    }

    pub async fn pages(&self) -> Vec<FeedPage> {
        let pk = feed_pk(&self.workspace, &self.connection.id);
        let rows = self.place.calm.query_all(Table::Records, &pk, &Range::All).await.unwrap();
        rows.into_iter().map(|row: Row<FeedPage>| row.doc).collect()
    }

    /// How often the feed tells of each record that it was made, changed, removed.
    async fn changes(&self) -> BTreeMap<String, [usize; 3]> {
        let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
        for entry in self.pages().await.into_iter().flat_map(|page| page.entries) {
            let what = match entry.op {
                Op::Inserted => 0,
                Op::Updated => 1,
                Op::Deleted => 2,
            };
            counts.entry(entry.key).or_default()[what] += 1;
        }
        counts
    }

    /// Publishes the feed, with a process that dies now and then, and holds the messages against it.
    async fn check_messages(&self, what: &str) {
        let scope = Scope::of(&self.connection);
        let ConnectionContext { store, queue, blob, .. } = &self.context;
        let telling = Telling { store, queue, blob, with_records: false };
        let deadline = self.place.clock.wall() + Duration::from_secs(60);
        for dies_after in [5, 20, 60, 5_000] {
            let publishing = publish_pages(telling, &scope, 0, deadline);
            let _ = tokio::time::timeout(Duration::from_millis(dies_after), publishing).await;
        }
        while publish_pages(telling, &scope, 0, deadline).await.is_err() {}
        let mut told = Vec::new();
        let days: BTreeSet<String> =
            self.pages().await.iter().map(|page| page.scheduled.iso()[..10].to_owned()).collect();
        for day in days {
            let pk = format!("{}#message#{day}", self.workspace);
            let rows: Vec<Row<Message>> =
                self.place.calm.query_all(Table::State, &pk, &Range::All).await.unwrap();
            told.extend(rows.into_iter().flat_map(|row| keys_of(&row.doc)));
        }
        let pages = self.pages().await;
        let entries = pages.into_iter().flat_map(|page| page.entries);
        let mut changed: Vec<(String, String)> =
            entries.map(|entry| (entry.op.as_str().to_owned(), entry.key)).collect();
        changed.sort();
        told.sort();
        assert_eq!(told, changed, "{what}: messages");
    }

    /// The names of the records that are there, by their ids.
    pub async fn records(&self) -> BTreeMap<u64, String> {
        let pk = records_pk(&self.workspace, &self.connection.id, "vendors");
        let rows: Vec<Row<RecordDoc>> =
            self.place.calm.query_all(Table::Records, &pk, &Range::All).await.unwrap();
        let live = rows.into_iter().filter(|row| row.doc.deleted_at.is_none());
        live.map(|row| {
            let body: Value = serde_json::from_str(&row.body.unwrap()).unwrap();
            (row.doc.remote_id.parse().unwrap(), body["name"].as_str().unwrap().to_owned())
        })
        .collect()
    }
}

/// The kinds and keys of the changes that a message tells of.
fn keys_of(message: &Message) -> Vec<(String, String)> {
    let kinds = ["inserted", "updated", "deleted"];
    let kind = message.event_type.split_once('.').map(|(_, kind)| kind);
    let Some(kind) = kind.filter(|kind| kinds.contains(kind)) else { return Vec::new() };
    let Body::Inline(body) = &message.body else { panic!("a short body is inline") };
    let body: Value = serde_json::from_str(body).unwrap();
    let keys = body["data"]["keys"].as_array().unwrap().iter();
    keys.map(|key| (kind.to_owned(), key.as_str().unwrap().to_owned())).collect()
}

/// How changes and deletions are found, and what a history may hold.
struct Strategy {
    name: String,
    parts: Vec<String>,
    /// Rows are put away and not removed.
    archives: bool,
    /// One pass may lose a row unseen: every other one is left in peace.
    loses: bool,
}

fn strategies() -> Vec<Strategy> {
    let mut all = by_paging();
    all.extend(by_deletions());
    all.extend(by_log());
    all
}

const FILTER: &str = "incremental: { filter: { window: \"{since|unix_seconds}\" } }";
const TOMBS: &str = "deletes: { tombstones: { request: { method: GET, path: tombs, query: { limit: \
    \"{page.size}\", after: \"{page.after}\", since: \"{since|unix_seconds}\" } }, rows: rows, record: row } }";
const SWEEP: &str = "deletes: { sweep: { every_runs: 3 } }";

/// Each kind of paging: with a filter and a list of deletions, where only pages find changes; and with
/// everything read each time and a sweep over the same pages.
fn by_paging() -> Vec<Strategy> {
    let token = "token: \"{page.cursor}\"";
    let kinds = [
        ("id_after", "rows", "after: \"{page.after}\"", "{ id_after: {} }", false),
        ("page", "rows", "number: \"{page.number}\"", "{ page: {} }", true),
        (
            "offset",
            "rows",
            "offset: \"{page.offset}\"",
            "{ offset: { ends_with: short_page } }",
            false,
        ),
        ("cursor", "rows", token, "{ cursor: { at: cursor } }", true),
        ("stable cursor", "stable", token, "{ cursor: { at: cursor, stable: true } }", false),
        ("next_url", "rows", "", "{ next_url: { at: next } }", true),
        ("link_header", "rows", "", "{ link_header: {} }", true),
        ("skiptoken", "rows", token, "{ skiptoken: { at: next, parameter: token } }", true),
    ];
    let mut all = Vec::new();
    for (kind, path, query, paging, loses) in kinds {
        let filtered = read(path, &format!("since: \"{{window}}\", {query}"), paging);
        let parts = vec![filtered, FILTER.to_owned(), TOMBS.to_owned()];
        all.push(strategy(format!("filter, tombstones, {kind}"), parts, loses));
        let parts = vec![read(path, query, paging), SWEEP.to_owned()];
        all.push(strategy(format!("full, sweep, {kind}"), parts, loses));
    }
    let range = "read: { request: { method: GET, path: rows, headers: { Range: \
                 \"rows={page.offset}-{page.last}\" } }, rows: rows, paging: range }";
    all.push(strategy(
        "full, sweep, range".to_owned(),
        vec![range.to_owned(), SWEEP.to_owned()],
        false,
    ));
    all
}

fn strategy(name: String, parts: Vec<String>, loses: bool) -> Strategy {
    Strategy { name, parts, archives: false, loses }
}

fn by_deletions() -> Vec<Strategy> {
    let own = |more: &str| {
        read(
            "rows",
            &format!("after: \"{{page.after}}\", since: \"{{window}}\"{more}"),
            "{ id_after: {} }",
        )
    };
    let archived = "deletes: { archived: { request: { method: GET, path: rows, query: { archived: only, \
        after: \"{page.after}\", limit: \"{page.size}\" } }, rows: rows } }";
    let feed = "incremental: { feed: { time: { path: at, codec: unix_seconds } } }";
    let flag = "deletes: { flag: { set: archived } }";
    let of = |name: &str, parts: [&str; 3], archives, loses| Strategy {
        name: name.to_owned(),
        parts: parts.map(str::to_owned).to_vec(),
        archives,
        loses,
    };
    let sorted = read("feed", "number: \"{page.number}\"", "{ page: {} }");
    vec![
        of("filter, flag", [&own(""), FILTER, flag], true, false),
        of("filter, archived", [&own(", archived: \"no\""), FILTER, archived], true, false),
        of("filter, sweep", [&own(""), FILTER, SWEEP], false, false),
        of("feed, tombstones", [&sorted, feed, TOMBS], false, true),
        of("feed, sweep", [&sorted, feed, SWEEP], false, true),
    ]
}

fn by_log() -> Vec<Strategy> {
    let log = |name: &str, query: &str, more: &str| {
        let own = read("rows", "after: \"{page.after}\"", "{ id_after: {} }");
        let log = format!(
            "incremental: {{ log: {{ request: {{ method: GET, path: log, query: {{ limit: \
             \"{{page.size}}\", {query} }} }}, rows: rows, record: row, deleted: {{ what: [deleted] }}, \
             {more} }} }}"
        );
        strategy(format!("log, {name}"), vec![own, log], false)
    };
    let newest = "paging: { page: {} }, newest_first: { time: { path: at, codec: unix_seconds } }";
    let latest = "checkpoint: { latest: { request: { method: GET, path: log/last }, at: id } }";
    vec![
        log("since", "after: \"{page.after}\", since: \"{since|unix_seconds}\"", ""),
        log("newest first", "number: \"{page.number}\", newest: 1", newest),
        log("checkpoint", "after: \"{page.after}\"", latest),
    ]
}

/// What has been done to each row: made, changed, removed.
type Done = Arc<Mutex<BTreeMap<u64, [usize; 3]>>>;

/// One change, or some that have one time.
fn step(world: &mut World, chance: &mut StdRng, archives: bool, done: &Done) {
    world.still = chance.random_bool(0.3);
    let id = chance.random_range(1..ROWS + 6);
    let there = world.rows.get(&id).is_some_and(|row| !row.archived);
    let removes = chance.random_bool(0.4);
    match (removes, archives) {
        (true, true) => world.archive(id),
        (true, false) => world.delete(id),
        (false, _) => world.put(id, &format!("name {}", chance.next_u32())),
    }
    let what = match (removes, there) {
        (true, true) => 2,
        (true, false) => return,
        (false, there) => usize::from(there),
    };
    done.lock().unwrap().entry(id).or_default()[what] += 1;
}

/// What a system answers instead of its rows now and then: that it is asked too often, that it is
/// confused, that there is nothing.
fn trouble(seed: u64) -> impl FnMut() -> Option<u16> {
    let mut chance = StdRng::seed_from_u64(seed);
    move || {
        let status = [429, 429, 429, 409, 404][chance.random_range(0..5)];
        chance.random_bool(0.04).then_some(status)
    }
}

async fn history(place: &Place, strategy: &Strategy, seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let (source, done) = (Source::start(ROWS).await, Done::default());
    done.lock().unwrap().extend((1..=ROWS).map(|id| (id, [1, 0, 0])));
    let synced = place.connect(&strategy.parts, &source).await;
    source.trouble(trouble(seed));
    for round in 0..3 {
        let in_peace = strategy.loses && round % 2 == 1;
        let (archives, mut own) = (strategy.archives, StdRng::seed_from_u64(chance.next_u64()));
        source.change(|world| {
            for _ in 0..chance.random_range(0..5) {
                step(world, &mut chance, archives, &done);
            }
        });
        let counted = done.clone();
        source.meddle(move |_, world| {
            if !in_peace && own.random_bool(0.3) {
                step(world, &mut own, archives, &counted);
            }
        });
        synced.pass(&mut chance).await;
    }
    source.meddle(|_, _| {});
    source.trouble(|| None);
    source.change(|world| world.still = false);
    for _ in 0..if strategy.loses { 3 } else { 1 } {
        synced.calm_pass().await;
    }
    let truth: BTreeMap<u64, String> = source.change(|world| {
        let there = world.rows.iter().filter(|(_, row)| !row.archived);
        there.map(|(id, row)| (*id, row.name.clone())).collect()
    });
    let what = format!("{} with seed {seed}", strategy.name);
    assert_eq!(synced.records().await, truth, "{what}");
    let done = done.lock().unwrap().clone();
    synced.check_feed(&truth, &done, &what).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_quiet_the_records_equal_the_system_for_every_strategy() {
    // `MILLWRIGHT_SEED=n` plays that history of each, `MILLWRIGHT_HISTORIES=n` more of them,
    // `MILLWRIGHT_STRATEGY=text` only those whose name has it inside.
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("MILLWRIGHT_SEED");
    let usual = if seed.is_some() { 1 } else { USUAL };
    let (first, count) = (seed.unwrap_or(1), number("MILLWRIGHT_HISTORIES").unwrap_or(usual));
    let named = std::env::var("MILLWRIGHT_STRATEGY").unwrap_or_default();
    let mut strategies = strategies();
    strategies.retain(|strategy| strategy.name.contains(&named));
    for seed in first..first + count {
        // New faults, and new tables, so that neither is for ever.
        let place = Place::with(TableFaults::ROUGH, seed).await;
        let place = &place;
        let played = strategies.iter().map(|strategy| history(place, strategy, seed));
        futures::stream::iter(played).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }
}

#[tokio::test]
async fn a_system_that_is_too_slow_with_a_page_and_answers_otherwise_is_not_down() {
    let (place, source) = (Place::start().await, Source::start(5).await);
    let parts = [read("rows", "after: \"{page.after}\"", "{ id_after: {} }")];
    let synced = place.connect(&parts, &source).await;
    source.change(|world| world.manner = Manner::Silent);
    while synced.state().await.failures == 0 {
        synced.slice(Duration::from_secs(1), None).await;
    }
    let why = synced.state().await.last_error;
    assert!(why.is_none_or(|why| why.contains("within the time")), "the page did not come");
    assert_eq!(synced.health().await, Health::Ok, "the probe was answered");
    source.change(|world| world.manner = Manner::Right);
    synced.calm_pass().await;
    assert_eq!(synced.records().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_behind_a_pass_is_there_once_the_sync_has_ended_that_was_asked_for_then() {
    let (place, source) = (Place::start().await, Source::start(9).await);
    let parts = [read("rows", "after: \"{page.after}\"", "{ id_after: {} }"), SWEEP.to_owned()];
    let synced = place.connect(&parts, &source).await;
    synced.calm_pass().await;
    let asked = RequestedSync { entities: None, mode: Mode::Full, confirm_deletions: false };
    request_sync(&synced.context, &synced.connection, &asked).await.unwrap();
    // Each page takes longer than a slice has time for.
    source.meddle(|_, _| std::thread::sleep(Duration::from_millis(300)));
    source.asked();
    while source.asked().is_empty() {
        synced.slice(Duration::from_millis(250), None).await;
    }
    source.meddle(|_, _| {});
    source.change(|world| world.put(1, "behind it"));
    request_sync(&synced.context, &synced.connection, &asked).await.unwrap();
    let mut slices = 0;
    while synced.state().await.status != SyncStatus::Completed {
        assert!(slices < 10, "it never ended: {:?}", synced.state().await);
        synced.slice(Duration::from_secs(30), None).await;
        slices += 1;
    }
    assert_eq!(synced.records().await[&1], "behind it");
    assert!(slices > 1, "the first was half way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_connection_is_left_alone_also_while_pages_wait_for_each_other() {
    let (place, source) = (Place::start().await, Source::start(75).await);
    let parts = [read("rows", "after: \"{page.after}\"", "{ id_after: {} }"), SWEEP.to_owned()];
    let mut synced = place.connect(&parts, &source).await;
    synced.limits.lease = Duration::from_secs(60);
    synced.calm_pass().await;
    let asked = RequestedSync { entities: None, mode: Mode::Full, confirm_deletions: false };
    request_sync(&synced.context, &synced.connection, &asked).await.unwrap();
    // 25 pages, five seconds in all.
    source.meddle(|_, _| std::thread::sleep(Duration::from_millis(200)));
    let paused = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let (context, id) = (&synced.context, &synced.connection.id);
        pause(context, &synced.workspace, id).await.unwrap();
        source.asked();
    };
    tokio::join!(synced.slice(Duration::from_secs(30), None), paused);
    let after = source.asked().len();
    assert!(after < 10, "{after} pages were read of a paused connection");
    let state = synced.state().await;
    assert!(state.lease.until.is_none() && !state.is_at_rest(), "it goes on later: {state:?}");
}

#[tokio::test]
async fn rows_that_a_sweep_lists_and_nobody_may_see_do_not_fail_the_pass() {
    let (place, source) = (Place::start().await, Source::start(5).await);
    source.change(|world| {
        world.archive(4);
        world.refused.insert(4, 403);
    });
    let parts = [
        read("rows", "after: \"{page.after}\", archived: \"no\"", "{ id_after: {} }"),
        "get: { request: { method: GET, path: \"row/{id}\" } }".to_owned(),
        "deletes: { sweep: { request: { method: GET, path: rows, query: { after: \"{page.after}\", \
         limit: \"{page.size}\" } }, rows: rows, id: id, every_runs: 1 } }"
            .to_owned(),
    ];
    let synced = place.connect(&parts, &source).await;
    synced.pass(&mut StdRng::seed_from_u64(1)).await;
    assert_eq!(synced.records().await.into_keys().collect::<Vec<_>>(), [1, 2, 3, 5]);
}
