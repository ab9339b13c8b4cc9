//! What pulling, mapping and comparing costs, without a store.
//!
//! `mapping pull URL` reads every order from a server of `orders` twice: the first time to know the
//! hashes of their contents, as the records layer reckons them; the second time to compare. The second
//! time is measured. `mapping ceiling URL` only fetches the pages. Both print one line of JSON.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fs,
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Region},
};
use http::Method;
use millwright_connector::{Catalog, Engine, Position, Pull, System, Target};
use millwright_core::{Clock, ConnectionId, WorkspaceId, sha256_hex};
use millwright_outbound::{Outbound, OutboundConfig, Request, Url};
use millwright_records::content_hash;
use millwright_store::{Store, Tables};
use serde_json::{Value, json};

type Failure = Box<dyn Error>;

const ENTITY: &str = "purchase-orders";
const MANIFEST: &str = include_str!("../../orders/millwright.yaml");
/// Of so many records the hash that is held is spoiled, so that comparing has something to find.
const SPOILED_EVERY: usize = 100;
/// How often the pages are fetched for the ceiling: once takes too little time to be told.
const LAPS: u32 = 20;
/// How many clock ticks a second has in `/proc` (`getconf CLK_TCK`, the same on every Linux).
const TICKS: f64 = 100.0;

/// The hash of each record's content, by its remote id.
type Hashes = HashMap<String, String>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, url] = words.as_slice() else { return Err("mapping pull|ceiling URL".into()) };
    let told = match what.as_str() {
        "pull" => pull(url).await?,
        "ceiling" => ceiling(url).await?,
        _ => return Err("mapping pull|ceiling URL".into()),
    };
    println!("{told}");
    Ok(())
}

/// Reads everything twice, and tells what the second time took.
async fn pull(url: &str) -> Result<Value, Failure> {
    let system = system(url)?;
    let mut held = Hashes::new();
    for_each(&system, |id, hash| drop(held.insert(id, hash))).await?;
    let mut ids: Vec<&str> = held.keys().map(String::as_str).collect();
    ids.sort_unstable();
    let sum = sha256_hex(ids.join("\n").as_bytes());
    spoil(&mut held);
    let (mut same, mut different) = (0_usize, 0_usize);
    let before = Spent::by_now(&Clock::system())?;
    for_each(
        &system,
        |id, hash| {
            if held.get(&id) == Some(&hash) { same += 1 } else { different += 1 }
        },
    )
    .await?;
    let spent = Spent::by_now(&Clock::system())?.less(&before);
    let records = held.len();
    if same + different != records || different != records.div_ceil(SPOILED_EVERY) {
        return Err(format!("of {records} records {different} differ and {same} do not").into());
    }
    Ok(json!({
        "records": records, "ids": sum, "cpu": spent.cpu, "wall": spent.wall, "peak_kib": peak()?,
    }))
}

/// Every hundredth held hash, in the order of the ids, becomes another.
fn spoil(held: &mut Hashes) {
    let mut ids: Vec<String> = held.keys().cloned().collect();
    ids.sort_unstable();
    for id in ids.iter().step_by(SPOILED_EVERY) {
        held.insert(id.clone(), "another".to_owned());
    }
}

/// Pulls every record and hands over its id and the hash of its content.
async fn for_each(system: &System, mut with: impl FnMut(String, String)) -> Result<(), Failure> {
    let mut position = Some(Position::default());
    while let Some(at) = position {
        let pulled = system.pull(ENTITY, &Pull { position: at, ..Pull::default() }).await?;
        if let Some(fault) = pulled.faults.first() {
            return Err(format!("{fault:?}").into());
        }
        for record in pulled.records {
            let hash = content_hash(ENTITY, &record.record)?;
            with(record.remote_id, hash);
        }
        position = pulled.next;
    }
    Ok(())
}

/// Fetches every page, so many times, and looks only for the number of the next.
async fn ceiling(url: &str) -> Result<Value, Failure> {
    let outbound = outbound()?;
    let before = Spent::by_now(&Clock::system())?;
    let mut bytes = 0;
    for _ in 0..LAPS {
        bytes = fetch(&outbound, url).await?;
    }
    let spent = Spent::by_now(&Clock::system())?.less(&before);
    Ok(json!({ "laps": LAPS, "bytes": bytes, "cpu": spent.cpu, "wall": spent.wall }))
}

async fn fetch(outbound: &Outbound, url: &str) -> Result<usize, Failure> {
    let (mut bytes, mut page) = (0, 1);
    loop {
        let url = Url::parse(&format!("{url}/po?page={page}"))?;
        let answer = outbound.send(Request::new(Method::GET, url)).await?;
        bytes += answer.body.len();
        page += 1;
        if answer.body.ends_with(b"null}") {
            return Ok(bytes);
        }
    }
}

/// The system at `url`, with no table behind it.
fn system(url: &str) -> Result<System, Failure> {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url("http://127.0.0.1:1")
        .build();
    let tables = Tables { state: "state".to_owned(), records: "records".to_owned() };
    let store = Store::new(Client::from_conf(config), tables, Clock::system());
    let engine = Engine::new(Catalog::of([MANIFEST])?, outbound()?, store).alone();
    let settings = json!({ "url": url }).as_object().cloned().unwrap_or_default();
    let target = Target {
        workspace: WorkspaceId::derived(&["measure"]),
        connection: ConnectionId::derived(&["measure"]),
        connector_id: "orders".to_owned(),
        settings,
        credentials: BTreeMap::new(),
        overlays: BTreeMap::new(),
        tokens: None,
        scenario: None,
    };
    Ok(engine.open(target)?)
}

/// The one client, which here may reach this machine.
fn outbound() -> Result<Outbound, Failure> {
    let allowed = vec!["127.0.0.0/8".parse()?];
    let config = OutboundConfig { allowed, https_required: false, ..OutboundConfig::default() };
    Ok(Outbound::new(config)?)
}

/// What the process has spent so far, in seconds.
struct Spent {
    /// By the clock on the wall.
    wall: f64,
    /// Of processors, its own and the kernel's for it, over all threads.
    cpu: f64,
}

impl Spent {
    fn by_now(clock: &Clock) -> Result<Self, Failure> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        // Behind the program's name, which may hold anything: state, parent, ... user and system time.
        let (_, behind) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
        let ticks: Vec<u32> =
            behind.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        let wall = Duration::from_millis(u64::try_from(clock.wall().millis())?).as_secs_f64();
        Ok(Self { wall, cpu: f64::from(ticks.iter().sum::<u32>()) / TICKS })
    }

    fn less(&self, before: &Self) -> Self {
        Self { wall: self.wall - before.wall, cpu: self.cpu - before.cpu }
    }
}

/// The most memory that the process has held, in KiB.
fn peak() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.ok_or("/proc/self/status has no VmHWM")?;
    Ok(words.trim().trim_end_matches("kB").trim().parse()?)
}
