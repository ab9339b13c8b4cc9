//! Random histories of a source, through the real engine on the real local stack with faults before
//! table and queues, and with functions that die at any point. After quiet, the records equal the
//! source, the feed replayed from zero equals the records, and every change of the feed was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use millwright_connection::{Connection, ConnectionContext, NewConnection, open_system};
use millwright_connector::{Credentials, Pull, SandboxControl, SandboxRow};
use millwright_core::{Clock, SecretString, WorkspaceId};
use millwright_event::{Body, Message};
use millwright_records::{
    FeedHead, FeedPage, RecordDoc, Scope, feed_pk, head_key, read_changes, records_pk,
};
use millwright_store::{Range, Row, Store, Table};
use millwright_sync::{Mode, RequestedSync, request_sync, sync_states};
use millwright_tests::{
    cloud::Cloud,
    pump::{Pump, TIME_LIMIT},
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};

use crate::rough::Rough;

const ENTITIES: [&str; 3] = ["vendors", "materials", "purchase-orders"];
/// A little more than a slice's margin.
const SHORT_LIMIT: Duration = Duration::from_millis(1_150);
/// How long it may take until nothing is left to do.
const QUIET_WITHIN: Duration = Duration::from_secs(90);
const MINUTE: Duration = Duration::from_secs(60);

struct World {
    clock: Clock,
    pump: Pump,
    context: ConnectionContext,
    calm: Store,
    connection: Connection,
    workspace: WorkspaceId,
    cloud: Cloud,
    _folder: tempfile::TempDir,
}

/// A history and all of its checks.
async fn history(seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let world = begin(seed).await;
    for _ in 0..chance.random_range(2..5) {
        for _ in 0..chance.random_range(0..8) {
            world.change(&mut chance).await;
        }
        if chance.random_bool(0.7) {
            world.ask(&mut chance).await;
        }
        for _ in 0..chance.random_range(1..6) {
            let crash = chance.random_bool(0.5);
            let after = Duration::from_millis(chance.random_range(1..400));
            // A short limit leaves a slice little more than its margin: it hands on between pages.
            let limit = if chance.random_bool(0.4) { SHORT_LIMIT } else { TIME_LIMIT };
            world.pump.turn(limit, crash.then_some(after)).await;
        }
        if chance.random_bool(0.5) {
            world.clock.step(MINUTE * chance.random_range(1..20));
            world.pump.tick().await;
        }
    }
    world.quiet().await;
    world.check().await;
    println!("seed {seed}: {:?}", world.cloud.table_faults().all());
}

async fn begin(seed: u64) -> World {
    let Rough { clock, pump, context, calm, connection, cloud, folder } = Rough::connected(
        seed,
        &[("LEASE_SECONDS", "1"), ("MARGIN_SECONDS", "1"), ("VANISH_PERCENT", "100")],
        sandbox,
    )
    .await;
    let workspace = connection.workspace.clone();
    World { clock, pump, context, calm, connection, workspace, cloud, _folder: folder }
}

fn sandbox() -> NewConnection {
    let settings = Map::from_iter([("stateful".to_owned(), json!(true))]);
    let credentials =
        Credentials::from([("username".to_owned(), SecretString::from("ok".to_owned()))]);
    NewConnection::to("sandbox", settings, credentials)
}

impl World {
    fn source(&self) -> SandboxControl {
        SandboxControl::new(self.calm.clone(), &self.workspace, &self.connection.id)
    }

    /// One insert, edit or deletion behind Millwright's back.
    async fn change(&self, chance: &mut StdRng) {
        let entity = ENTITIES[chance.random_range(0..2)];
        let id = format!("x{}", chance.random_range(0..12));
        if chance.random_bool(0.3) {
            return self.source().delete(entity, &id).await.unwrap();
        }
        let name = format!("name {}", chance.next_u32());
        let row = SandboxRow::from_iter([
            ("name".to_owned(), json!(name)),
            ("code".to_owned(), json!(id)),
        ]);
        self.source().put(entity, &id, row).await.unwrap();
    }

    async fn ask(&self, chance: &mut StdRng) {
        let mode = if chance.random_bool(0.3) { Mode::Full } else { Mode::Incremental };
        let request = RequestedSync { entities: None, mode, confirm_deletions: false };
        if let Err(error) = request_sync(&self.context, &self.connection, &request).await {
            println!("not started: {error}");
        }
    }

    /// Runs until nothing is left to do: one more sync of everything, then ticks until all is idle.
    async fn quiet(&self) {
        let mut asked = false;
        let give_up = Instant::now() + QUIET_WITHIN;
        for round in 0.. {
            if Instant::now() > give_up {
                break;
            }
            // Work may keep coming for a while, but not for ever.
            for _ in 0..50 {
                if self.pump.turn(TIME_LIMIT, None).await == 0 {
                    break;
                }
            }
            if self.idle().await {
                if asked {
                    return;
                }
                let request = RequestedSync {
                    entities: None,
                    mode: Mode::Incremental,
                    confirm_deletions: false,
                };
                asked = request_sync(&self.context, &self.connection, &request).await.is_ok();
            }
            // Leases, visibility and held-back messages end on the wall clock.
            tokio::time::sleep(Duration::from_millis(100)).await;
            if round % 5 == 0 {
                self.clock.step(MINUTE);
                self.pump.tick().await;
            }
        }
        panic!(
            "never quiet: {:?}",
            sync_states(&self.calm, &self.workspace, &self.connection.id).await
        );
    }

    async fn idle(&self) -> bool {
        let states = sync_states(&self.calm, &self.workspace, &self.connection.id).await.unwrap();
        let head = head_key(&self.workspace, &self.connection.id);
        let head = self.calm.get::<FeedHead>(&head).await.unwrap();
        states.iter().all(|state| state.is_at_rest() && state.requested.is_none())
            && head.is_some_and(|head| head.doc.published == head.doc.last)
    }

    async fn check(&self) {
        let scope = Scope {
            workspace: self.workspace.clone(),
            connection: self.connection.id.clone(),
            customer: None,
        };
        let replayed = self.replay(&scope).await;
        for entity in ENTITIES {
            let records = self.records(entity).await;
            assert_eq!(records, self.truth(entity).await, "{entity}: records against source");
            let replayed = replayed.get(entity).cloned().unwrap_or_default();
            let keys: BTreeSet<&String> = records.keys().collect();
            assert_eq!(replayed.iter().collect::<BTreeSet<_>>(), keys, "{entity}: feed");
        }
        let (told, changed) = (self.told().await, self.changed().await);
        assert_eq!(told, changed, "messages against feed pages");
    }

    /// What the source has now, mapped.
    async fn truth(&self, entity: &str) -> BTreeMap<String, Value> {
        let context = ConnectionContext {
            store: self.calm.clone(),
            engine: millwright_connector::Engine::new(
                self.context.engine.catalog().clone(),
                millwright_outbound::Outbound::new(millwright_outbound::OutboundConfig::default())
                    .unwrap(),
                self.calm.clone(),
            ),
            ..self.context.clone()
        };
        let system = open_system(&context, &self.connection).await.unwrap();
        let mut all = BTreeMap::new();
        let mut pull = Pull::default();
        loop {
            let page = system.pull(entity, &pull).await.unwrap();
            for row in page.records {
                let key = row.record["key"].as_str().unwrap().to_owned();
                all.insert(key, Value::Object(row.record));
            }
            match page.next {
                Some(next) => pull.position = next,
                None => return all,
            }
        }
    }

    async fn records(&self, entity: &str) -> BTreeMap<String, Value> {
        let pk = records_pk(&self.workspace, &self.connection.id, entity);
        let rows: Vec<Row<RecordDoc>> =
            self.calm.query_all(Table::Records, &pk, &Range::All).await.unwrap();
        let live = rows.into_iter().filter(|row| row.doc.deleted_at.is_none());
        live.map(|row| (row.key.sk, serde_json::from_str(&row.body.unwrap()).unwrap())).collect()
    }

    /// The keys that the feed leaves, read from its beginning in pages of seven.
    async fn replay(&self, scope: &Scope) -> BTreeMap<String, BTreeSet<String>> {
        let mut kept: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = read_changes(&self.calm, scope, None, after, 7).await.unwrap();
            for change in page.changes {
                let keys = kept.entry(change.entity).or_default();
                let fresh = match change.record {
                    Some(_) => keys.insert(change.key.clone()),
                    None => !keys.remove(&change.key),
                };
                assert!(fresh, "{} stands in the feed twice in its latest state", change.key);
            }
            after = Some(page.next);
            if !page.has_more {
                return kept;
            }
        }
    }

    /// Every change in the feed's pages, as (page, entity, kind, key).
    async fn changed(&self) -> BTreeSet<(String, String, String)> {
        let pk = feed_pk(&self.workspace, &self.connection.id);
        let pages: Vec<Row<FeedPage>> =
            self.calm.query_all(Table::Records, &pk, &Range::All).await.unwrap();
        let entries = pages.iter().flat_map(|row| {
            let page = &row.doc;
            page.entries.iter().map(move |entry| {
                let event = page.entity.replace('-', "_");
                (event, entry.op.as_str().to_owned(), entry.key.clone())
            })
        });
        entries.collect()
    }

    /// Every change that a message tells of.
    async fn told(&self) -> BTreeSet<(String, String, String)> {
        let mut told = BTreeSet::new();
        for day in self.days() {
            let pk = format!("{}#message#{day}", self.workspace);
            let rows: Vec<Row<Message>> =
                self.calm.query_all(Table::State, &pk, &Range::All).await.unwrap();
            for message in rows.into_iter().map(|row| row.doc) {
                let Some((event, op)) = message.event_type.split_once('.') else { continue };
                if !["inserted", "updated", "deleted"].contains(&op) {
                    continue;
                }
                let Body::Inline(body) = &message.body else { panic!("a short body is inline") };
                let body: Value = serde_json::from_str(body).unwrap();
                for key in body["data"]["keys"].as_array().unwrap() {
                    let key = key.as_str().unwrap().to_owned();
                    told.insert((event.to_owned(), op.to_owned(), key));
                }
            }
        }
        told
    }

    /// The days of the schedule clock that the history may have touched.
    fn days(&self) -> BTreeSet<String> {
        let (from, to) = (self.clock.wall().millis(), self.clock.schedule().millis());
        let hours = (from - 3_600_000..=to + 3_600_000).step_by(3_600_000);
        hours.map(|at| millwright_core::WallTime::from_millis(at).iso()[..10].to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_quiet_records_equal_the_source_and_the_feed_equals_the_records() {
    // `MILLWRIGHT_SEED=n` begins with that history, and ends with it unless told how many.
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("MILLWRIGHT_SEED");
    let usual = if seed.is_some() { 1 } else { 4 };
    let (first, count) = (seed.unwrap_or(1), number("MILLWRIGHT_HISTORIES").unwrap_or(usual));
    for seed in first..first + count {
        history(seed).await;
    }
}
