//! Nine healthy endpoints alone, and then beside one that hangs and one that always fails: how long
//! messages take to the healthy ones.
//!
//! `fairness MILLWRIGHT [MESSAGES] [PER_SECOND] [flush|process]`: starts the binary MILLWRIGHT on an empty
//! folder and posts MESSAGES of 1 KB, PER_SECOND of them, however fast the ones before are delivered. Prints
//! one line of JSON: the times from post to arrival, and how many requests the bad ones ever held open.
//! Fails when a message is lost or comes twice to a healthy endpoint, or when 99 of 100 messages take more
//! than twice as long beside the bad ones as without them.

use std::{
    collections::HashMap,
    env,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use millwright_measure::{Fault, Own, percentile};
use serde_json::{Value, json};

const HEALTHY: usize = 9;
/// The whole body of a message is about this long.
const BODY: usize = 1024;
const WARM_UP: usize = 100;
/// How long a bad endpoint that hangs may take, in seconds.
const HANGS_FOR: u64 = 30;
/// Nothing arrived for this long: what is missing is lost.
const QUIET: Duration = Duration::from_secs(60);
/// How many times as long messages may take beside bad endpoints.
const TIMES_MAX: f64 = 2.0;

/// What a receiver has seen.
#[derive(Default)]
struct Seen {
    /// When each message first came to each healthy hook, and how often.
    arrivals: HashMap<(String, String), (Instant, usize)>,
    /// How many requests are open at each bad hook, and the most that ever were.
    open: HashMap<String, (usize, usize)>,
}

#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Seen>>);

/// A request to a bad hook.
struct Open(Receiver, String);

impl Drop for Open {
    fn drop(&mut self) {
        if let Some((open, _)) = self.0.seen().open.get_mut(&self.1) {
            *open -= 1;
        }
    }
}

impl Receiver {
    async fn start() -> Result<(Self, SocketAddr), Fault> {
        let receiver = Self::default();
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let app = Router::new().route("/{hook}", post(arrived)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok((receiver, address))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, hook: &str) -> Open {
        let mut seen = self.seen();
        let (open, most) = seen.open.entry(hook.to_owned()).or_default();
        *open += 1;
        *most = (*most).max(*open);
        Open(self.clone(), hook.to_owned())
    }

    fn most_open(&self, hook: &str) -> usize {
        self.seen().open.get(hook).map_or(0, |(_, most)| *most)
    }
}

async fn arrived(
    State(receiver): State<Receiver>,
    Path(hook): Path<String>,
    headers: HeaderMap,
) -> StatusCode {
    let at = Instant::now();
    if hook == "hangs" {
        let _open = receiver.open(&hook);
        tokio::time::sleep(Duration::from_secs(HANGS_FOR * 2)).await;
        return StatusCode::NO_CONTENT;
    }
    if hook == "fails" {
        let _open = receiver.open(&hook);
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    receiver.seen().arrivals.entry((hook, id.to_owned())).or_insert((at, 0)).1 += 1;
    StatusCode::NO_CONTENT
}

/// How many messages to post, and how fast.
#[derive(Clone, Copy)]
struct Load {
    messages: usize,
    per_second: f64,
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let mut arguments = env::args().skip(1);
    let binary = arguments.next().ok_or("the path of the millwright binary is needed")?;
    let messages = arguments.next().as_deref().unwrap_or("2000").parse()?;
    let per_second = arguments.next().as_deref().unwrap_or("20").parse()?;
    let durability = arguments.next().unwrap_or_else(|| "flush".to_owned());
    let load = Load { messages, per_second };
    let (receiver, address) = Receiver::start().await?;
    let folder = tempfile::tempdir()?;
    let own = Own::start(&binary, folder.path(), &durability).await?;
    for n in 1..=HEALTHY {
        endpoint(&own, address, &format!("healthy-{n}"), 10).await?;
    }
    run(&own, &receiver, Load { messages: WARM_UP, ..load }).await?;
    let idle = run(&own, &receiver, load).await?;
    endpoint(&own, address, "hangs", HANGS_FOR).await?;
    endpoint(&own, address, "fails", 10).await?;
    let beside = run(&own, &receiver, load).await?;
    let times = p99(&beside)? / p99(&idle)?;
    let most =
        json!({ "hanging": receiver.most_open("hangs"), "failing": receiver.most_open("fails") });
    println!(
        "{}",
        json!({
            "messages": messages, "per_second": per_second, "healthy_endpoints": HEALTHY,
            "durability": durability, "idle": idle, "beside_bad_ones": beside,
            "p99_times_idle": times, "most_open": most, "peak_mb": own.peak_memory()?,
        })
    );
    if times > TIMES_MAX {
        return Err(format!("beside bad endpoints messages take {times:.2} times as long").into());
    }
    Ok(())
}

fn p99(line: &Value) -> Result<f64, Fault> {
    line["p99_ms"].as_f64().ok_or_else(|| "nothing has arrived".into())
}

async fn endpoint(own: &Own, at: SocketAddr, hook: &str, timeout: u64) -> Result<(), Fault> {
    let url = format!("http://{at}/{hook}");
    let request = json!({ "url": url, "event_types": ["fair.*"], "timeout_seconds": timeout });
    own.post("/v1/webhook-endpoints", &request).await.map(drop)
}

/// Posts the messages in their time, waits until the healthy endpoints have them, and tells how long each
/// took to each.
async fn run(own: &Own, receiver: &Receiver, load: Load) -> Result<Value, Fault> {
    receiver.seen().arrivals.clear();
    let (started, before) = (Instant::now(), own.cpu_seconds()?);
    let body = json!({ "type": "fair.play", "data": { "text": "x".repeat(BODY - 110) } });
    let one = |n: usize| {
        let body = &body;
        async move {
            let due = started + Duration::from_secs_f64(n as f64 / load.per_second);
            tokio::time::sleep_until(due.into()).await;
            let at = Instant::now();
            let message = own.post("/v1/webhook-messages", body).await?;
            Ok::<_, Fault>((message["id"].as_str().unwrap_or_default().to_owned(), at))
        }
    };
    let posted = futures::future::try_join_all((0..load.messages).map(one)).await?;
    await_all(receiver, load.messages * HEALTHY).await;
    let cpu = own.cpu_seconds()? - before;
    let posted: HashMap<String, Instant> = posted.into_iter().collect();
    let seen = receiver.seen();
    let waits = seen.arrivals.iter().filter_map(|((_, id), (at, _))| Some(*at - *posted.get(id)?));
    let mut waits: Vec<f64> = waits.map(|wait| wait.as_secs_f64() * 1000.0).collect();
    waits.sort_by(f64::total_cmp);
    let twice: usize = seen.arrivals.values().map(|(_, times)| times - 1).sum();
    let lost = load.messages * HEALTHY - waits.len();
    if lost + twice > 0 {
        return Err(format!("{lost} messages were lost and {twice} came twice").into());
    }
    let at = |share: f64| percentile(&waits, share);
    let cpu_share = cpu / started.elapsed().as_secs_f64();
    Ok(json!({ "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99), "cpu_share": cpu_share }))
}

/// Waits until so much has arrived, or nothing has for a while.
async fn await_all(receiver: &Receiver, count: usize) {
    let (mut before, mut since) = (0, Instant::now());
    while before < count && since.elapsed() < QUIET {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let arrived = receiver.seen().arrivals.len();
        if arrived > before {
            (before, since) = (arrived, Instant::now());
        }
    }
}
