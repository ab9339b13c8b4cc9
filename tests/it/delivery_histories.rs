//! Random histories of messages on their way, through the real functions on the real local stack with
//! faults before table and queues, and with functions that die at any point: before and after the
//! claim, while the receiver works, before the outcome is recorded, before the retry is sent. After
//! quiet every message that was acknowledged has arrived, and what is recorded is what the receiver saw.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use millwright_blob::Blob;
use millwright_core::{Clock, DeliveryId, EndpointId, MessageId, WorkspaceId};
use millwright_event::{Message, NewMessage, Scope, accept};
use millwright_tests::{
    cloud::Cloud,
    faults::{QueueFaults, TableFaults},
    pump::{Pump, TIME_LIMIT},
};
use millwright_webhook::{
    AttemptEnd, Delivery, DeliveryStatus, NewEndpoint, Outcome, Trigger, Webhooks,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::in_process;

/// How long it may take until nothing is left to do: a claim of who died lasts 16 seconds.
const QUIET_WITHIN: Duration = Duration::from_secs(240);
const MINUTE: Duration = Duration::from_secs(60);

/// What a receiver has seen of one message under one name: how it answered, in order.
type Seen = BTreeMap<(String, String), Vec<u16>>;

/// A receiver in this process.
#[derive(Clone)]
struct Receiver(Arc<Mutex<Inner>>);

struct Inner {
    chance: StdRng,
    failing: f64,
    seen: Seen,
}

impl Receiver {
    async fn start(seed: u64) -> (Self, String) {
        let chance = StdRng::seed_from_u64(seed);
        let inner = Inner { chance, failing: 0.5, seen: Seen::new() };
        let receiver = Self(Arc::new(Mutex::new(inner)));
        let app = Router::new().route("/{hook}", post(receive)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (receiver, base)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn recovers(&self) {
        self.with(|inner| inner.failing = 0.0);
    }

    fn seen(&self) -> Seen {
        self.with(|inner| inner.seen.clone())
    }
}

/// Notes what came, before anybody can break off, and answers after a moment.
async fn receive(
    State(receiver): State<Receiver>,
    Path(hook): Path<String>,
    headers: HeaderMap,
) -> Response {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let (status, pause) = receiver.with(|inner| {
        let status = match inner.chance.random_bool(inner.failing) {
            true => [500, 503, 429][inner.chance.random_range(0..3)],
            false => 204,
        };
        inner.seen.entry((hook, id)).or_default().push(status);
        (status, inner.chance.random_range(0..120))
    });
    tokio::time::sleep(Duration::from_millis(pause)).await;
    (StatusCode::from_u16(status).unwrap(), [("retry-after", "2")]).into_response()
}

struct World {
    clock: Clock,
    cloud: Cloud,
    pump: Pump,
    receiver: Receiver,
    /// Without faults: to look at what has come of it, and to prepare it.
    calm: Webhooks,
    workspace: WorkspaceId,
    endpoints: BTreeMap<String, EndpointId>,
    acknowledged: BTreeSet<MessageId>,
    posted: BTreeSet<MessageId>,
    blob: Blob,
    _folder: tempfile::TempDir,
}

impl World {
    async fn begin(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(Clock::system().wall(), Duration::ZERO, 1.0);
        let (table, queue) = (TableFaults::ROUGH, QueueFaults::ROUGH);
        let cloud = Cloud::start(folder.path(), table, queue, seed, clock.clone()).await;
        let variables = in_process::variables(&cloud, folder.path());
        let pump = Pump::start(&cloud, &in_process::source(&variables), clock.clone()).await;
        let context = in_process::context(&variables, clock.clone(), &cloud.sdk());
        let outbound = in_process::outbound_to_loopback();
        let (blob, vault) = (context.blob.clone(), context.vault.clone());
        let calm = Webhooks::new(cloud.calm_store(), context.queue, blob.clone(), vault, outbound);
        let (receiver, base) = Receiver::start(seed).await;
        let workspace = WorkspaceId::new_at(clock.wall().millis());
        let mut world = Self {
            clock,
            cloud,
            pump,
            receiver,
            calm,
            workspace,
            endpoints: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            posted: BTreeSet::new(),
            blob,
            _folder: folder,
        };
        world.endpoint(&base, "promised", None).await;
        world.endpoint(&base, "own", Some(vec![5, 5, 20, 20, 60, 60, 60, 600, 600, 3600])).await;
        world
    }

    async fn endpoint(&mut self, base: &str, hook: &str, retry_schedule: Option<Vec<i64>>) {
        let new = NewEndpoint {
            url: Some(format!("{base}/{hook}")),
            event_types: vec!["order.*".to_owned()],
            timeout_seconds: Some(1),
            retry_schedule,
            ..NewEndpoint::default()
        };
        let made = self.calm.create_endpoint(&self.workspace, new).await.unwrap();
        self.endpoints.insert(hook.to_owned(), made.id);
    }

    /// Posts a message as the API does, through the faults: only what the queue took is acknowledged.
    async fn post(&mut self, number: u32) {
        let data = json!({ "number": number });
        let id = MessageId::new_at(self.clock.schedule().millis());
        let new = NewMessage {
            workspace: &self.workspace,
            id: id.clone(),
            event_type: "order.shipped",
            data: &data,
            scope: Scope::default(),
        };
        let message = Message::render(&self.blob, &self.clock, new).await.unwrap();
        self.posted.insert(id.clone());
        match accept(&self.cloud.queues(), &message).await {
            Ok(()) => drop(self.acknowledged.insert(id)),
            Err(error) => println!("not acknowledged: {error}"),
        }
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let mut found = Vec::new();
        for message in &self.posted {
            for endpoint in self.endpoints.values() {
                let id = DeliveryId { endpoint: endpoint.clone(), message: message.clone() };
                // It may have yet to be made.
                found.extend(self.calm.get_delivery(&self.workspace, &id).await);
            }
        }
        found
    }

    /// Works, with nobody dying, until every acknowledged message has arrived everywhere.
    async fn quiet(&self) {
        let give_up = Instant::now() + QUIET_WITHIN;
        loop {
            for _ in 0..50 {
                if self.pump.turn(TIME_LIMIT, None).await == 0 {
                    break;
                }
            }
            let deliveries = self.deliveries().await;
            let arrived = |one: &Delivery| one.status() == DeliveryStatus::Delivered;
            let open: Vec<_> = deliveries.iter().filter(|one| !arrived(one)).collect();
            let promised = deliveries.iter().filter(|one| self.acknowledged.contains(&one.message));
            let missing = self.acknowledged.len() * self.endpoints.len() - promised.count();
            if open.is_empty() && missing == 0 {
                return;
            }
            assert!(Instant::now() < give_up, "{missing} are missing, and open are {open:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.clock.step(MINUTE * 10);
            self.pump.tick().await;
        }
    }

    /// What is recorded is what was seen.
    async fn check(&self) {
        let (mut unknown, seen) = (0, self.receiver.seen());
        let deliveries = self.deliveries().await;
        for delivery in &deliveries {
            let hook = self.endpoints.iter().find(|(_, id)| **id == delivery.endpoint).unwrap().0;
            let saw = seen.get(&(hook.clone(), delivery.message.to_string()));
            unknown += agree(delivery, saw.map_or(&[], Vec::as_slice));
        }
        for (_, message) in seen.keys() {
            assert!(self.posted.iter().any(|one| one.as_str() == message), "{message} is made up");
        }
        let sightings: usize = seen.values().map(Vec::len).sum();
        println!(
            "{} deliveries, {sightings} requests, {unknown} attempts of unknown outcome",
            deliveries.len()
        );
    }
}

/// Whether a delivery's log agrees with what its receiver saw; how many of its attempts are `unknown`.
fn agree(delivery: &Delivery, saw: &[u16]) -> usize {
    let attempts = &delivery.attempts;
    let numbers = attempts.iter().map(|attempt| attempt.number);
    assert!(numbers.eq(1..=u32::try_from(attempts.len()).unwrap()), "{delivery:#?}");
    let unknown = attempts.iter().filter(|one| one.end.outcome() == Outcome::Unknown).count();
    let unanswered =
        attempts.iter().filter(|one| matches!(one.end, AttemptEnd::Unanswered { .. })).count();
    let answered = |status: u16| {
        let is = |end: &AttemptEnd| matches!(end, AttemptEnd::Answered(a) if a.status == status);
        attempts.iter().filter(|one| is(&one.end)).count()
    };
    let (mut recorded, mut arrived) = (0, 0);
    for status in [204, 429, 500, 503] {
        let times = saw.iter().filter(|one| **one == status).count();
        assert!(answered(status) <= times, "{status} was never answered: {saw:?} {delivery:#?}");
        recorded += answered(status);
        arrived += usize::from(status == 204) * times;
    }
    assert!(saw.len() - recorded <= unknown + unanswered, "not recorded: {saw:?} {delivery:#?}");
    assert!(arrived >= 1, "recorded as delivered and never seen: {saw:?} {delivery:#?}");
    assert!(answered(204) >= 1, "{delivery:#?}");
    // Once an arrival is recorded nothing is sent any more: what came twice was unknown before.
    assert!(arrived <= 1 + unknown + unanswered, "sent again for no reason: {saw:?} {delivery:#?}");
    assert_ne!(attempts[0].trigger, Trigger::Reconnect);
    unknown
}

/// A history and all of its checks.
async fn history(seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut world = World::begin(seed).await;
    let mut number = 0;
    for _ in 0..chance.random_range(4..8) {
        for _ in 0..chance.random_range(0..5) {
            number += 1;
            world.post(number).await;
        }
        for _ in 0..chance.random_range(1..4) {
            let dies = chance.random_bool(0.5);
            let after = Duration::from_millis(chance.random_range(1..600));
            world.pump.turn(TIME_LIMIT, dies.then_some(after)).await;
        }
        world.clock.step(Duration::from_secs(chance.random_range(0..90)));
        if chance.random_bool(0.5) {
            world.pump.tick().await;
        }
    }
    world.receiver.recovers();
    world.quiet().await;
    world.check().await;
}

/// One history, or as many as `MILLWRIGHT_HISTORIES` says, from `MILLWRIGHT_SEED` on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_message_is_lost_and_the_log_is_what_the_receiver_saw() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("MILLWRIGHT_SEED").unwrap_or(7);
    let count = number("MILLWRIGHT_HISTORIES").unwrap_or(1);
    for seed in first..first + count {
        println!("history {seed}");
        history(seed).await;
    }
}
