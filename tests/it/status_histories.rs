//! Random histories of a connection whose system comes and goes, through the real functions on the real
//! local stack with faults before table and queues, and with functions that die at any point. After
//! quiet it has recovered alone, each change is recorded once, told once, and its issues are closed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;
use millwright_connection::{
    Admin, Connection, ConnectionContext, ConnectionEvent, Issue, IssueFilter, NewConnection,
    NewPending, Observation, Occasion, Status, Trigger, change, find_connection, list_events,
    list_issues, observe, pending,
};
use millwright_connector::{Credentials, SandboxControl, Scenario};
use millwright_core::{Clock, SecretString, WallTime};
use millwright_event::{Body, Message};
use millwright_store::{Range, Row, Store, Table};
use millwright_sync::sync_states;
use millwright_tests::{
    cloud::Cloud,
    pump::{Pump, TIME_LIMIT},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};

use crate::rough::Rough;

/// How long it may take until nothing is left to do.
const QUIET_WITHIN: Duration = Duration::from_secs(120);
const MINUTE: Duration = Duration::from_secs(60);
const QUIET_TIME: Duration = Duration::from_secs(300);

struct World {
    clock: Clock,
    pump: Pump,
    context: ConnectionContext,
    calm: Store,
    connection: Connection,
    _cloud: Cloud,
    _folder: tempfile::TempDir,
}

/// A history and all of its checks.
async fn history(seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let world = World::begin(seed).await;
    world.quiet().await;
    for _ in 0..chance.random_range(4..9) {
        world.something_happens(&mut chance).await;
        for _ in 0..chance.random_range(1..4) {
            let crash = chance.random_bool(0.3);
            let after = Duration::from_millis(chance.random_range(1..1_500));
            world.pump.turn(TIME_LIMIT, crash.then_some(after)).await;
        }
        let step = if chance.random_bool(0.2) { 27 * 60 } else { chance.random_range(0..20) };
        world.clock.step(MINUTE * step);
        world.pump.tick().await;
    }
    world.tell("ok").await;
    world.wish(Admin::Enabled).await;
    // Refused credentials are tried again within a day.
    world.clock.step(27 * 60 * MINUTE);
    world.quiet().await;
    world.check().await;
}

impl World {
    async fn begin(seed: u64) -> Self {
        let own = [("LEASE_SECONDS", "3"), ("MARGIN_SECONDS", "1"), ("INTERVAL_SECONDS", "3600")];
        let Rough { clock, pump, context, calm, connection, cloud, folder } =
            Rough::connected(seed, &own, sandbox).await;
        Self { clock, pump, context, calm, connection, _cloud: cloud, _folder: folder }
    }

    async fn something_happens(&self, chance: &mut StdRng) {
        match chance.random_range(0..8) {
            0 | 1 => self.tell("down").await,
            2 => self.tell("expired").await,
            3 | 4 => self.tell("ok").await,
            5 => self.wish(Admin::Paused).await,
            6 => self.wish(Admin::Enabled).await,
            _ => self.several_notice_at_once().await,
        }
    }

    async fn tell(&self, scenario: &str) {
        let Connection { workspace, id, .. } = &self.connection;
        let control = SandboxControl::new(self.calm.clone(), workspace, id);
        let scenario: Scenario = scenario.parse().unwrap();
        control.tell(scenario.into()).await.unwrap();
    }

    /// Pauses or resumes, as the workspace would; it asks again when it fails.
    async fn wish(&self, admin: Admin) {
        let Connection { workspace, id, .. } = &self.connection;
        let wish = |own: &mut Connection, _| {
            own.facts.admin = admin;
            Ok(Some(Occasion::new(Trigger::Workspace, "wished")))
        };
        for _ in 0..5 {
            match change(&self.context, workspace, id, &[], wish).await {
                Ok(_) => return,
                Err(error) => println!("not wished: {error}"),
            }
        }
        panic!("it fails all the time");
    }

    /// Several calls learn at the same time, and not the same.
    async fn several_notice_at_once(&self) {
        let Connection { workspace, id, .. } = &self.connection;
        let seen = [
            Observation::Answered,
            Observation::Unreachable("no route".to_owned()),
            Observation::Refused("wrong password".to_owned()),
            Observation::Unreachable("no route".to_owned()),
        ];
        let calls =
            seen.iter().map(|seen| observe(&self.context, workspace, id, seen, Trigger::Call));
        for noted in join_all(calls).await {
            if let Err(error) = noted {
                println!("not noted: {error}");
            }
        }
    }

    async fn now(&self) -> Connection {
        let Connection { workspace, id, .. } = &self.connection;
        find_connection(&self.calm, workspace, id).await.unwrap().doc
    }

    /// Runs until it is well, with nothing held back and nothing left to do.
    async fn quiet(&self) {
        let give_up = Instant::now() + QUIET_WITHIN;
        loop {
            for _ in 0..50 {
                if self.pump.turn(TIME_LIMIT, None).await == 0 {
                    break;
                }
            }
            if self.is_quiet().await {
                return;
            }
            assert!(Instant::now() < give_up, "never quiet: {:#?}", self.now().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.clock.step(MINUTE);
            self.pump.tick().await;
        }
    }

    /// Ticks and works until what is due now has been done, or a while.
    async fn settle_down(&self) {
        for _ in 0..25 {
            self.pump.tick().await;
            while self.pump.turn(TIME_LIMIT, None).await > 0 {}
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn is_quiet(&self) -> bool {
        let own = self.now().await;
        let soon = own.duties(self.clock.schedule() + QUIET_TIME);
        let states = sync_states(&self.calm, &own.workspace, &own.id).await.unwrap();
        let all_well = states.iter().all(|state| state.is_at_rest() && state.failures == 0);
        own.status() == Status::Active
            && !soon.tell
            && soon.wake.or(soon.over).is_none()
            && all_well
    }

    async fn check(&self) {
        let own = self.now().await;
        let history = self.history(&own).await;
        recorded_without_a_gap(&own, &history);
        let told = self.messages("connection.").await;
        told_once_and_in_order(&own, &history, &told);
        self.issues_are_over(&own).await;
        println!("{} changes, {} messages", history.len(), told.len());
    }

    /// The connection's history, oldest first, read in small pages.
    async fn history(&self, own: &Connection) -> Vec<ConnectionEvent> {
        let mut all = Vec::new();
        let mut before = None;
        loop {
            let (page, next) = list_events(&self.calm, own, before.as_ref(), 3).await.unwrap();
            all.extend(page);
            match next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        all.reverse();
        all
    }

    /// Every message whose type begins so, in the order in which they were accepted.
    async fn messages(&self, prefix: &str) -> Vec<(Message, Value)> {
        let mut all = Vec::new();
        let (from, to) = (self.clock.wall().millis(), self.clock.schedule().millis());
        let mut days: Vec<String> = (from - 3_600_000..=to + 3_600_000)
            .step_by(3_600_000)
            .map(|at| WallTime::from_millis(at).iso()[..10].to_owned())
            .collect();
        days.dedup();
        for day in days {
            let pk = format!("{}#message#{day}", self.connection.workspace);
            let rows: Vec<Row<Message>> =
                self.calm.query_all(Table::State, &pk, &Range::All).await.unwrap();
            for message in rows.into_iter().map(|row| row.doc) {
                let Body::Inline(body) = &message.body else { continue };
                if message.event_type.starts_with(prefix) {
                    let body: Value = serde_json::from_str(body).unwrap();
                    all.push((message, body["data"].clone()));
                }
            }
        }
        all.sort_by_key(|(message, _)| message.created_at);
        all
    }

    async fn issues_are_over(&self, own: &Connection) {
        let filter = IssueFilter::default();
        let (issues, _) =
            list_issues(&self.calm, &own.workspace, &filter, None, 1000).await.unwrap();
        let mut last_closed: BTreeMap<String, WallTime> = BTreeMap::new();
        let mut by_time: Vec<&Issue> = issues.iter().collect();
        by_time.sort_by_key(|issue| issue.opened_at);
        for issue in by_time {
            let closed = issue.closed_at.unwrap_or_else(|| panic!("{issue:?} is still open"));
            let name = format!("{}/{:?}", issue.kind.as_str(), issue.entity);
            let before = last_closed.insert(name, closed);
            assert!(
                before.is_none_or(|before| before <= issue.opened_at),
                "two at once: {issue:?}"
            );
        }
        let told = self.messages("issue.").await;
        for kind in ["issue.opened", "issue.closed"] {
            let of_kind = told.iter().filter(|(message, _)| message.event_type == kind).count();
            assert_eq!(of_kind, issues.len(), "{kind}");
        }
    }
}

fn sandbox() -> NewConnection {
    let credentials =
        Credentials::from([("username".to_owned(), SecretString::from("ok".to_owned()))]);
    NewConnection::to("sandbox", Map::from_iter([("data".to_owned(), json!("empty"))]), credentials)
}

fn recorded_without_a_gap(own: &Connection, history: &[ConnectionEvent]) {
    assert_eq!(history[0].from, None, "it begins with the connection");
    for two in history.windows(2) {
        assert_eq!(two[1].from, Some(two[0].to), "{two:?}");
        assert!(two[0].at < two[1].at && two[0].id < two[1].id, "{two:?}");
    }
    let last = history.last().unwrap();
    assert_eq!((last.to, last.at), (own.status(), own.status_since));
    assert_eq!(own.watch.changes + 1, history.len() as u64, "each change once");
    assert!(history.iter().all(|event| !event.reason.is_empty()));
}

fn told_once_and_in_order(
    own: &Connection,
    history: &[ConnectionEvent],
    told: &[(Message, Value)],
) {
    let of = |kind: &str| -> Vec<&(Message, Value)> {
        told.iter().filter(|(message, _)| message.event_type == kind).collect()
    };
    let changes = of("connection.status_changed");
    assert!(changes.len() < history.len(), "each change is told once at most");
    let mut known = history[0].to.to_string();
    let mut flapped_at = None;
    for (message, data) in &changes {
        assert_eq!(data["previous_status"], known, "{changes:#?}");
        known = data["status"].as_str().unwrap().to_owned();
        let flap = ["previous_status", "status"].iter().all(|name| {
            let status = data[name].as_str().unwrap();
            ["active", "unavailable", "reauthorization_required"].contains(&status)
        });
        if flap {
            let apart = flapped_at.map(|at| message.created_at.since(at));
            assert!(apart.is_none_or(|apart| apart >= QUIET_TIME), "{apart:?}: {changes:#?}");
            flapped_at = Some(message.created_at);
        }
    }
    assert_eq!(known, own.status().as_str(), "the final state is told");
    for kind in ["unavailable", "reauthorization_required"] {
        let named = of(&format!("connection.{kind}")).len();
        assert_eq!(named, changes.iter().filter(|(_, data)| data["status"] == kind).count());
    }
    for (_, data) in of("connection.reauthorization_required") {
        assert!(data["reconnect_url"].is_string() && data["instructions"].is_string(), "{data}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_comes_and_goes_is_recorded_told_once_and_recovers_alone() {
    // `MILLWRIGHT_SEED=n` begins with that history, and ends with it unless told how many.
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("MILLWRIGHT_SEED");
    let usual = if seed.is_some() { 1 } else { 3 };
    let (first, count) = (seed.unwrap_or(1), number("MILLWRIGHT_HISTORIES").unwrap_or(usual));
    for seed in first..first + count {
        history(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_asked_and_one_that_was_just_heard_of_is_not() {
    let world = World::begin(101).await;
    world.quiet().await;
    let Connection { workspace, id, .. } = &world.connection;
    let asked = async || world.now().await.last_checked_at;
    // Some syncs may have noted nothing, being too close to each other.
    world.clock.step(2 * MINUTE);
    observe(&world.context, workspace, id, &Observation::Answered, Trigger::Call).await.unwrap();
    let heard = asked().await;
    world.clock.step(14 * MINUTE);
    world.settle_down().await;
    assert_eq!(asked().await, heard, "14 minutes are not long enough");
    world.clock.step(2 * MINUTE);
    world.settle_down().await;
    let own = world.now().await;
    assert!(own.last_checked_at > heard, "it was asked: {own:#?}");
    assert_eq!((own.status(), own.watch.changes), (Status::Active, 1), "and nothing has changed");
    assert!(own.next_check_at.unwrap() > world.clock.schedule());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pending_connection_whose_time_runs_out_is_disconnected() {
    let world = World::begin(102).await;
    let workspace = world.connection.workspace.clone();
    let new = NewPending {
        connector_id: None,
        name: Some("Plant Two".to_owned()),
        customer: None,
        metadata: Map::new(),
        application_id: None,
        until: world.clock.schedule() + 30 * MINUTE,
    };
    let (made, writes) = pending(&world.context, &workspace, new).unwrap();
    world.calm.transact(writes).await.unwrap();
    let status = async || {
        let row = find_connection(&world.calm, &workspace, &made.id).await.unwrap();
        (row.doc.status(), row.doc.status_reason)
    };
    world.clock.step(29 * MINUTE);
    world.settle_down().await;
    assert_eq!(status().await.0, Status::Pending);
    world.clock.step(2 * MINUTE);
    world.settle_down().await;
    let (ended, reason) = status().await;
    assert_eq!(ended, Status::Disconnected);
    assert!(reason.unwrap().contains("expired"));
    let told = world.messages("connection.disconnected").await;
    assert_eq!(told.len(), 1);
}
