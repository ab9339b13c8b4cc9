//! Random histories of a system behind HTTP, read through the real sync in slices that hand on after a
//! few pages or are dropped: after quiet, the records equal the system's rows, for every strategy that
//! promises it.

#[path = "../../shared/connector/tests/support/source.rs"]
mod source;

use std::{collections::BTreeMap, time::Duration};

use millwright_connection::{Connection, ConnectionContext, NewConnection};
use millwright_connector::{Catalog, Credentials};
use millwright_core::{Clock, WorkspaceId};
use millwright_records::{RecordDoc, records_pk};
use millwright_store::{Range, Row, Table};
use millwright_sync::{
    SliceEnd, SliceLimits, SliceTask, SyncState, connect, run_slice, sync_states,
};
use millwright_tests::{
    cloud::Cloud,
    faults::{QueueFaults, TableFaults},
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};
use source::{Source, World, manifest, read};

use crate::in_process::{self, with_connectors};

const LIMITS: SliceLimits = SliceLimits {
    lease: Duration::from_millis(150),
    margin: Duration::from_secs(1),
    interval: Duration::from_secs(900),
};

/// The parts that every strategy shares.
struct Place {
    context: ConnectionContext,
    clock: Clock,
    _cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(Clock::system().wall(), Duration::ZERO, 1.0);
        let (table, queue) = (TableFaults::NONE, QueueFaults::NONE);
        let cloud = Cloud::start(folder.path(), table, queue, 0, clock.clone()).await;
        let variables = in_process::variables(&cloud, folder.path());
        let context = in_process::context(&variables, clock.clone(), &cloud.sdk());
        Self { context, clock, _cloud: cloud, _folder: folder }
    }

    /// A connection to a source by a manifest with these parts.
    async fn connect(&self, parts: &[String], source: &Source) -> Synced<'_> {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let catalog = Catalog::of([manifest(&parts).as_str()]).unwrap();
        let context = with_connectors(&self.context, catalog);
        let workspace = WorkspaceId::new_at(self.clock.wall().millis());
        let new = NewConnection::to(
            "made-up",
            Map::from_iter([("url".to_owned(), json!(source.url))]),
            Credentials::new(),
        );
        let connection = connect(&context, &workspace, new).await.unwrap();
        Synced { place: self, context, workspace, connection }
    }
}

/// A connection and what is known of it.
struct Synced<'a> {
    place: &'a Place,
    context: ConnectionContext,
    workspace: WorkspaceId,
    connection: Connection,
}

impl Synced<'_> {
    async fn state(&self) -> SyncState {
        let states = sync_states(&self.context.store, &self.workspace, &self.connection.id).await;
        states.unwrap().pop().unwrap()
    }

    /// One slice, which has time for some pages; or is dropped after a while.
    async fn slice(&self, time: Duration, dropped_after: Option<Duration>) {
        let task = SliceTask {
            workspace: self.workspace.clone(),
            connection: self.connection.id.clone(),
            entity: "vendors".to_owned(),
        };
        let deadline = self.place.clock.wall() + LIMITS.margin + time;
        let slice = run_slice(&self.context, LIMITS, &task, 0, deadline);
        let ended = match dropped_after {
            None => slice.await,
            Some(after) => match tokio::time::timeout(after, slice).await {
                Ok(ended) => ended,
                Err(_) => return,
            },
        };
        if let SliceEnd::Busy(until) = ended.unwrap() {
            tokio::time::sleep(until.since(self.place.clock.wall())).await;
        }
    }

    /// A whole pass, in slices of some pages of which some are dropped.
    async fn pass(&self, chance: &mut StdRng) {
        self.place.clock.step(LIMITS.interval * 2);
        let before = self.state().await.last_success_at;
        for _ in 0..400 {
            let time = Duration::from_millis(chance.random_range(1..150));
            let dropped = chance.random_bool(0.1);
            let dropped = dropped.then(|| Duration::from_millis(chance.random_range(1..60)));
            self.slice(time, dropped).await;
            let state = self.state().await;
            assert!(state.last_error.is_none(), "{:?}", state.last_error);
            if state.is_at_rest() && state.last_success_at != before {
                return;
            }
        }
        panic!("the pass never ended: {:?}", self.state().await);
    }

    async fn records(&self) -> BTreeMap<u64, String> {
        let pk = records_pk(&self.workspace, &self.connection.id, "vendors");
        let rows: Vec<Row<RecordDoc>> =
            self.context.store.query_all(Table::Records, &pk, &Range::All).await.unwrap();
        let live = rows.into_iter().filter(|row| row.doc.deleted_at.is_none());
        live.map(|row| {
            let body: Value = serde_json::from_str(&row.body.unwrap()).unwrap();
            (row.doc.remote_id.parse().unwrap(), body["name"].as_str().unwrap().to_owned())
        })
        .collect()
    }
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

/// One change.
fn step(world: &mut World, chance: &mut StdRng, archives: bool) {
    let id = chance.random_range(1..30);
    match (chance.random_bool(0.4), archives) {
        (true, true) => world.archive(id),
        (true, false) => world.delete(id),
        (false, _) => world.put(id, &format!("name {}", chance.next_u32())),
    }
}

async fn history(place: &Place, strategy: &Strategy, seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let source = Source::start(20).await;
    let synced = place.connect(&strategy.parts, &source).await;
    for round in 0..4 {
        let in_peace = strategy.loses && round % 2 == 1;
        let (archives, mut own) = (strategy.archives, StdRng::seed_from_u64(chance.next_u64()));
        source.change(|world| {
            for _ in 0..chance.random_range(0..5) {
                step(world, &mut chance, archives);
            }
        });
        source.meddle(move |_, world| {
            if !in_peace && own.random_bool(0.3) {
                step(world, &mut own, archives);
            }
        });
        synced.pass(&mut chance).await;
    }
    source.meddle(|_, _| {});
    for _ in 0..3 {
        synced.pass(&mut chance).await;
    }
    let truth: BTreeMap<u64, String> = source.change(|world| {
        let there = world.rows.iter().filter(|(_, row)| !row.archived);
        there.map(|(id, row)| (*id, row.name.clone())).collect()
    });
    assert_eq!(synced.records().await, truth, "{} with seed {seed}", strategy.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_quiet_the_records_equal_the_system_for_every_strategy() {
    // `MILLWRIGHT_SEED=n` plays that history of each, `MILLWRIGHT_HISTORIES=n` more of them.
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("MILLWRIGHT_SEED").unwrap_or(1);
    let count = number("MILLWRIGHT_HISTORIES").unwrap_or(1);
    let place = Place::start().await;
    for strategy in strategies() {
        for seed in first..first + count {
            history(&place, &strategy, seed).await;
        }
    }
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
