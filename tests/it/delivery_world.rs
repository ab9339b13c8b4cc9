//! What histories of messages are played on: endpoints in a table and queues with faults before them, and
//! a receiver in this process that fails now and then. After quiet every message that was acknowledged has
//! arrived, and what is recorded is what the receiver saw.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
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
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::in_process;

/// How long it may take until nothing is left to do: a claim of who died lasts 16 seconds.
const QUIET_WITHIN: Duration = Duration::from_secs(240);
const MINUTE: Duration = Duration::from_secs(60);
/// The name of the endpoint that gets its messages alone.
const ALONE: &str = "alone";

/// Whom a message goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Two endpoints.
    Both,
    /// One that gets nothing else.
    One,
}

impl To {
    /// The one or the other, as often.
    pub fn by_chance(chance: &mut StdRng) -> Self {
        if chance.random_bool(0.5) { Self::Both } else { Self::One }
    }

    fn event_type(self) -> &'static str {
        match self {
            Self::Both => "order.shipped",
            Self::One => "parcel.shipped",
        }
    }

    fn pattern(self) -> &'static str {
        match self {
            Self::Both => "order.*",
            Self::One => "parcel.*",
        }
    }
}

/// When a receiver fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// At any request, and it may ask to be left alone.
    Often,
    /// At the first request of some messages.
    AtFirst,
    Never,
}

/// What a receiver has seen of one message under one name: how it answered, in order.
type Seen = BTreeMap<(String, String), Vec<u16>>;

/// A receiver in this process.
#[derive(Clone)]
struct Receiver(Arc<Mutex<Inner>>);

struct Inner {
    chance: StdRng,
    fails: Fails,
    seen: Seen,
    /// The `webhook-id`s under which the content of each number came.
    ids: BTreeMap<u64, BTreeSet<String>>,
}

impl Inner {
    /// Notes a request; how it is answered.
    fn note(&mut self, hook: String, id: String, number: u64) -> u16 {
        let is_first = !self.seen.contains_key(&(hook.clone(), id.clone()));
        let status = self.status(&hook, is_first);
        self.ids.entry(number).or_default().insert(id.clone());
        self.seen.entry((hook, id)).or_default().push(status);
        status
    }

    /// The endpoint that gets its messages alone does not ask to be left alone: whoever does gets no first
    /// attempts on the spot.
    fn status(&mut self, hook: &str, is_first: bool) -> u16 {
        let rate = match self.fails {
            Fails::Often if hook == ALONE => 0.25,
            Fails::Often => 0.5,
            Fails::AtFirst if is_first => 0.4,
            Fails::AtFirst | Fails::Never => 0.0,
        };
        if !self.chance.random_bool(rate) {
            return 204;
        }
        match self.fails {
            Fails::Often if hook != ALONE => [500, 503, 429][self.chance.random_range(0..3)],
            _ => 500,
        }
    }
}

impl Receiver {
    async fn start(seed: u64, fails: Fails) -> (Self, String) {
        let chance = StdRng::seed_from_u64(seed);
        let inner = Inner { chance, fails, seen: Seen::new(), ids: BTreeMap::new() };
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
}

/// Notes what came, before anybody can break off, and answers after a moment.
async fn receive(
    State(receiver): State<Receiver>,
    Path(hook): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let number = body["data"]["number"].as_u64().unwrap();
    let (status, pause) = receiver.with(|inner| {
        let status = inner.note(hook, id, number);
        (status, inner.chance.random_range(0..120))
    });
    tokio::time::sleep(Duration::from_millis(pause)).await;
    (StatusCode::from_u16(status).unwrap(), [("retry-after", "2")]).into_response()
}

/// An endpoint and the name under which it is called.
struct Hook {
    name: &'static str,
    to: To,
    endpoint: EndpointId,
}

/// A message that was posted.
struct Posted {
    to: To,
    number: u64,
}

pub struct World {
    pub clock: Clock,
    pub cloud: Cloud,
    pub pump: Pump,
    pub folder: TempDir,
    receiver: Receiver,
    /// Without faults: to look at what has come of it, and to prepare it.
    calm: Webhooks,
    workspace: WorkspaceId,
    hooks: Vec<Hook>,
    acknowledged: BTreeSet<MessageId>,
    posted: BTreeMap<MessageId, Posted>,
    blob: Blob,
}

impl World {
    /// Endpoints that wait as long as is promised, or as long as `own` says, before they are tried again.
    pub async fn begin(seed: u64, fails: Fails, own: &[i64]) -> Self {
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
        let (receiver, base) = Receiver::start(seed, fails).await;
        let workspace = WorkspaceId::new_at(clock.wall().millis());
        let mut world = Self {
            clock,
            cloud,
            pump,
            folder,
            receiver,
            calm,
            workspace,
            hooks: Vec::new(),
            acknowledged: BTreeSet::new(),
            posted: BTreeMap::new(),
            blob,
        };
        world.endpoint(&base, "promised", To::Both, None).await;
        world.endpoint(&base, "own", To::Both, Some(own.to_vec())).await;
        world.endpoint(&base, ALONE, To::One, Some(own.to_vec())).await;
        world
    }

    async fn endpoint(
        &mut self,
        base: &str,
        name: &'static str,
        to: To,
        retry_schedule: Option<Vec<i64>>,
    ) {
        let new = NewEndpoint {
            url: Some(format!("{base}/{name}")),
            event_types: vec![to.pattern().to_owned()],
            timeout_seconds: Some(1),
            retry_schedule,
            ..NewEndpoint::default()
        };
        let made = self.calm.create_endpoint(&self.workspace, new).await.unwrap();
        self.hooks.push(Hook { name, to, endpoint: made.id });
    }

    /// Posts a message as the API does, through the faults: only what the queue took is acknowledged.
    pub async fn post(&mut self, to: To) {
        let number = self.posted.len() as u64;
        let data = json!({ "number": number });
        let id = MessageId::new_at(self.clock.schedule().millis());
        let new = NewMessage {
            workspace: &self.workspace,
            id: id.clone(),
            event_type: to.event_type(),
            data: &data,
            scope: Scope::default(),
        };
        let message = Message::render(&self.blob, &self.clock, new).await.unwrap();
        self.posted.insert(id.clone(), Posted { to, number });
        match accept(&self.cloud.queues(), &message).await {
            Ok(()) => drop(self.acknowledged.insert(id)),
            Err(error) => println!("not acknowledged: {error}"),
        }
    }

    /// The endpoints that get a message.
    fn hooks_of(&self, message: &MessageId) -> Vec<&Hook> {
        let to = self.posted[message].to;
        self.hooks.iter().filter(|hook| hook.to == to).collect()
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let mut found = Vec::new();
        for message in self.posted.keys() {
            for hook in self.hooks_of(message) {
                let id = DeliveryId { endpoint: hook.endpoint.clone(), message: message.clone() };
                // It may have yet to be made.
                found.extend(self.calm.get_delivery(&self.workspace, &id).await);
            }
        }
        found
    }

    /// Works, with a receiver that fails no more and nobody dying, until every acknowledged message has
    /// arrived everywhere.
    pub async fn quiet(&self) {
        self.receiver.with(|inner| inner.fails = Fails::Never);
        let give_up = Instant::now() + QUIET_WITHIN;
        let wanted: usize = self.acknowledged.iter().map(|id| self.hooks_of(id).len()).sum();
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
            let missing = wanted - promised.count();
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
    pub async fn check(&self) {
        let seen = self.receiver.with(|inner| inner.seen.clone());
        let deliveries = self.deliveries().await;
        let mut unknown = 0;
        for delivery in &deliveries {
            let hook = self.hooks.iter().find(|hook| hook.endpoint == delivery.endpoint).unwrap();
            let saw = seen.get(&(hook.name.to_owned(), delivery.message.to_string()));
            unknown += agree(delivery, saw.map_or(&[], Vec::as_slice));
        }
        self.nothing_is_made_up(&seen);
        self.each_message_has_one_id();
        let claims = self.claims_in_messages().await;
        let sightings: usize = seen.values().map(Vec::len).sum();
        println!(
            "{} deliveries, {claims} first claimed in their message, {sightings} requests, {unknown} \
             attempts of unknown outcome",
            deliveries.len()
        );
    }

    /// Every request was for a message that was posted, to an endpoint that gets it.
    fn nothing_is_made_up(&self, seen: &Seen) {
        for (name, message) in seen.keys() {
            let posted = self.posted.keys().find(|one| one.as_str() == message);
            let posted = posted.unwrap_or_else(|| panic!("{message} is made up"));
            let is_wanted = self.hooks_of(posted).iter().any(|hook| hook.name == name);
            assert!(is_wanted, "{name} was sent {message}");
        }
    }

    /// What came twice came under the same `webhook-id`.
    fn each_message_has_one_id(&self) {
        let ids = self.receiver.with(|inner| inner.ids.clone());
        for (number, ids) in ids {
            let posted = self.posted.iter().find(|(_, posted)| posted.number == number);
            let (id, _) = posted.unwrap_or_else(|| panic!("{number} is made up"));
            assert_eq!(ids, BTreeSet::from([id.to_string()]), "of number {number}");
        }
    }

    /// How many first attempts were claimed in their message's row. The first to the endpoint that gets its
    /// messages alone was: nothing was known against it.
    async fn claims_in_messages(&self) -> usize {
        let (mut alone, mut claims) = (0, 0);
        for id in self.posted.keys() {
            // One that was not acknowledged may have no row.
            let Ok(message) = self.calm.get_message(&self.workspace, id).await else { continue };
            alone += usize::from(self.posted[id].to == To::One);
            claims += usize::from(message.first.is_some());
        }
        assert!(claims > 0 || alone == 0, "none of {alone} was claimed in its message");
        claims
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
    assert_eq!(recorded + unknown + unanswered, attempts.len(), "{delivery:#?}");
    assert!(saw.len() - recorded <= unknown + unanswered, "not recorded: {saw:?} {delivery:#?}");
    assert!(arrived >= 1, "recorded as delivered and never seen: {saw:?} {delivery:#?}");
    assert!(answered(204) >= 1, "{delivery:#?}");
    // Once an arrival is recorded nothing is sent any more: what came twice was unknown before.
    assert!(arrived <= 1 + unknown + unanswered, "sent again for no reason: {saw:?} {delivery:#?}");
    assert_ne!(attempts[0].trigger, Trigger::Reconnect);
    unknown
}
