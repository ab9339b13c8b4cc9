//! Posts messages to a Millwright of its own, receives what it delivers, and tells how fast and how well.
//!
//! `webhooks MILLWRIGHT [MESSAGES] [IN_FLIGHT,...] [flush|process] [GOAL]`: starts the binary MILLWRIGHT on
//! an empty folder with one endpoint on loopback, and posts MESSAGES of 1 KB for each number in flight.
//! Prints one line of JSON for each. `flush`: every commit is on the disk before it is acknowledged.
//! `process`: it survives `kill -9`, not a loss of power. Fails in the end when a message was lost or came
//! twice, and where there is a GOAL also when fewer a second were delivered with 16 or more in flight, or
//! half of them took longer than is promised with 1 or 16.

use std::{
    collections::HashMap,
    env,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use millwright_measure::{Fault, Own, percentile};
use serde_json::{Value, json};

/// The whole body of a message is about this long.
const BODY: usize = 1024;
/// Nothing arrived for this long: what is missing is lost.
const QUIET: Duration = Duration::from_secs(60);
const WARM_UP: usize = 200;
/// From so many in flight on the goal counts.
const MANY: usize = 16;
/// How many milliseconds half of the messages may take, by how many are in flight.
const P50_MAX: [(usize, f64); 2] = [(1, 2.5), (MANY, 24.0)];

/// What has arrived: when, and how often, by `webhook-id`.
type Arrivals = Arc<Mutex<HashMap<String, (Instant, usize)>>>;

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let mut arguments = env::args().skip(1);
    let binary = arguments.next().ok_or("the path of the millwright binary is needed")?;
    let messages: usize = arguments.next().as_deref().unwrap_or("10000").parse()?;
    let levels = arguments.next().unwrap_or_else(|| "1,16,64".to_owned());
    let durability = arguments.next().unwrap_or_else(|| "flush".to_owned());
    let goal = arguments.next().map(|text| text.parse::<f64>()).transpose()?;
    let arrivals = Arrivals::default();
    let receiver = receive(arrivals.clone()).await?;
    let folder = tempfile::tempdir()?;
    let own = Own::start(&binary, folder.path(), &durability).await?;
    let endpoint = json!({ "url": format!("http://{receiver}/"), "event_types": ["measure.*"] });
    own.post("/v1/webhook-endpoints", &endpoint).await?;
    load(&own, &arrivals, WARM_UP, 8).await?;
    let mut missed = Vec::new();
    for level in levels.split(',') {
        let in_flight = level.parse()?;
        let line = load(&own, &arrivals, messages, in_flight).await?;
        missed.extend(missed_by(&line, in_flight, goal));
        let limit = direct(receiver, messages, in_flight).await?;
        println!("{}", with(line, json!({ "durability": durability, "direct_per_s": limit })));
    }
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ").into()) }
}

/// What a line does not keep of what is promised.
fn missed_by(line: &Value, in_flight: usize, goal: Option<f64>) -> Vec<String> {
    let number = |name: &str| line[name].as_f64().unwrap_or_default();
    let limit = P50_MAX.iter().find(|(level, _)| *level == in_flight).map(|(_, limit)| *limit);
    let least = goal.filter(|_| in_flight >= MANY);
    let checks = [
        ("lost", number("lost") > 0.0),
        ("duplicates", number("duplicates") > 0.0),
        ("delivered_per_s", least.is_some_and(|least| number("delivered_per_s") < least)),
        ("p50_ms", goal.and(limit).is_some_and(|limit| number("p50_ms") > limit)),
    ];
    let missed = checks.into_iter().filter(|(_, missed)| *missed);
    missed.map(|(name, _)| format!("{in_flight} in flight: {name} {}", line[name])).collect()
}

fn with(mut line: Value, more: Value) -> Value {
    if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
        line.extend(more);
    }
    line
}

async fn receive(arrivals: Arrivals) -> Result<SocketAddr, Fault> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/", post(arrived)).with_state(arrivals);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn arrived(State(arrivals): State<Arrivals>, headers: HeaderMap, _body: Bytes) {
    let at = Instant::now();
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    if let Ok(mut arrivals) = arrivals.lock() {
        arrivals.entry(id.to_owned()).or_insert((at, 0)).1 += 1;
    }
}

/// The limit: the same posts straight to the receiver, per second.
async fn direct(receiver: SocketAddr, messages: usize, in_flight: usize) -> Result<f64, Fault> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (next, body) = (Arc::new(AtomicUsize::new(0)), vec![b'x'; BODY]);
    let started = Instant::now();
    let posts = (0..in_flight).map(|_| {
        let (client, next, body) = (client.clone(), Arc::clone(&next), body.clone());
        tokio::spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < messages {
                client.post(format!("http://{receiver}/")).body(body.clone()).send().await?;
            }
            Ok::<_, reqwest::Error>(())
        })
    });
    for post in posts.collect::<Vec<_>>() {
        post.await??;
    }
    Ok(per_second(messages, started.elapsed()))
}

fn per_second(count: usize, took: Duration) -> f64 {
    (count as f64 / took.as_secs_f64()).round()
}

/// Posts, waits for what is to arrive, and tells how it went.
async fn load(
    own: &Own,
    arrivals: &Arrivals,
    messages: usize,
    in_flight: usize,
) -> Result<Value, Fault> {
    arrivals.lock().map_err(|_| "the receiver failed")?.clear();
    let (next, before) = (AtomicUsize::new(0), own.cpu_seconds()?);
    let body = json!({ "type": "measure.load", "data": { "text": "x".repeat(BODY - 110) } });
    let started = Instant::now();
    let one = async || {
        let mut posted = Vec::new();
        while next.fetch_add(1, Ordering::Relaxed) < messages {
            let at = Instant::now();
            let message = own.post("/v1/webhook-messages", &body).await?;
            posted.push((message["id"].as_str().unwrap_or_default().to_owned(), at));
        }
        Ok::<_, Fault>(posted)
    };
    let posted = futures::future::try_join_all((0..in_flight).map(|_| one())).await?;
    let accepted = started.elapsed();
    let posted: Vec<(String, Instant)> = posted.into_iter().flatten().collect();
    let delivered = await_all(arrivals, messages, started).await?;
    let cpu = own.cpu_seconds()? - before;
    let arrived = arrivals.lock().map_err(|_| "the receiver failed")?;
    let mut waits: Vec<f64> = posted
        .iter()
        .filter_map(|(id, at)| Some((arrived.get(id)?.0 - *at).as_secs_f64() * 1000.0))
        .collect();
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| percentile(&waits, share);
    let twice: usize = arrived.values().map(|(_, times)| times - 1).sum();
    Ok(json!({
        "in_flight": in_flight,
        "messages": messages,
        "accepted_per_s": per_second(messages, accepted),
        "delivered_per_s": per_second(waits.len(), delivered),
        "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99),
        "lost": messages - waits.len(),
        "duplicates": twice,
        "cpu_s_per_10000": cpu * 10_000.0 / messages as f64,
        "peak_mb": own.peak_memory()?,
    }))
}

/// Waits until everything has arrived, or nothing has for a while; answers when the last did.
async fn await_all(
    arrivals: &Arrivals,
    messages: usize,
    started: Instant,
) -> Result<Duration, Fault> {
    loop {
        let (count, last) = {
            let arrived = arrivals.lock().map_err(|_| "the receiver failed")?;
            (arrived.len(), arrived.values().map(|(at, _)| *at).max().unwrap_or(started))
        };
        if count >= messages || last.elapsed() > QUIET {
            return Ok(last - started);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
