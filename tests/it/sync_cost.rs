//! What syncs cost: the units and requests that AWS bills, counted on the wire.
//!
//! `MILLWRIGHT_ORDERS` says how many records there are, as several numbers where commas part them.

use std::{
    collections::HashMap,
    env,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::get,
};
use millwright_access::{Environment, Role, create_key, create_workspace};
use millwright_core::{Clock, ExposeSecret};
use millwright_tests::{
    api::Api,
    cloud::Cloud,
    faults::{Bill, Used},
    parts,
    pump::{Pump, TIME_LIMIT},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::in_process;

const ENTITY: &str = "purchase-orders";
const PAGE: usize = 500;
/// Of so many orders one is changed.
const EVERY: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_changed_writes_no_row_and_what_has_changed_writes_its_own() {
    let asked = env::var("MILLWRIGHT_ORDERS").unwrap_or_else(|_| "1000".to_owned());
    for total in asked.split(',') {
        costs_of(total.parse().expect("a number of orders")).await;
    }
}

async fn costs_of(total: usize) {
    let scene = Scene::new(total).await;
    let first = scene.costs(async || scene.connect().await).await;
    scene.counted("inserted", total).await;
    let unchanged = scene.costs(async || scene.sync().await).await;
    scene.counted("unchanged", total).await;
    scene.source.touched.fetch_add(1, Ordering::Relaxed);
    let changed = scene.costs(async || scene.sync().await).await;
    scene.counted("updated", total / EVERY).await;
    for (what, cost) in [("first", first), ("unchanged", unchanged), ("changed", changed)] {
        tell(what, cost, total);
    }
    let [(first, _), (unchanged, _), (changed, _)] = [first, unchanged, changed];
    let (pages, changes) = ((total / PAGE) as u64, (total / EVERY) as u64);
    // What each page of the source and each end of a pass may take beside the records.
    let beside = 12 * pages + 60;
    assert!(first.writes <= total as u64 + beside, "{first:?}");
    assert!(unchanged.writes <= beside, "{unchanged:?}");
    assert!(changed.writes <= changes + beside, "{changed:?}");
    assert!(first.write_units >= total as f64, "{first:?}");
}

/// What AWS bills, and how often functions ran.
type Cost = (Used, u64);

fn tell(what: &str, (used, invocations): Cost, total: usize) {
    let million = |count: f64| (count * 1_000_000.0 / total as f64).round();
    let Used { writes, write_units, read_units, queue_requests } = used;
    println!(
        "{total} orders, {what}: for a million {} rows written, {} write units, {} read units, {} \
         queue requests, {} invocations",
        million(writes as f64),
        million(write_units),
        million(read_units),
        million(queue_requests as f64),
        million(invocations as f64),
    );
}

/// A connection to a source of orders, with a bill.
struct Scene {
    _folder: TempDir,
    _cloud: Cloud,
    bill: Bill,
    pump: Pump,
    api: Api,
    source: Arc<Source>,
    url: String,
}

impl Scene {
    async fn new(total: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bill = Bill::default();
        let cloud = Cloud::billed(folder.path(), &bill).await;
        let mut variables = in_process::variables(&cloud, folder.path());
        let own = parts::repository().join("tests/measure/orders");
        let connectors = folder.path().join("connectors");
        std::fs::create_dir(&connectors).unwrap();
        std::fs::copy(own.join("millwright.yaml"), connectors.join("orders.yaml")).unwrap();
        let connectors = format!("file:{}", connectors.display());
        variables.insert("MILLWRIGHT_CONNECTORS".to_owned(), connectors);
        let public = "http://127.0.0.1:1".to_owned();
        variables.entry("MILLWRIGHT_PUBLIC_URL".to_owned()).or_insert(public);
        let context = in_process::context(&variables, Clock::system(), &cloud.sdk());
        let workspace = create_workspace(&context.store, "Acme", Environment::Test).await.unwrap();
        let key = create_key(&context.store, &workspace, "all", Role::Admin, None).await.unwrap().1;
        let outbound = in_process::outbound_to_loopback();
        let api = in_process::serve_with(&context, outbound, |_| {}).await;
        let api = api.with_key(Some(key.expose_secret()));
        let pump = Pump::start(&cloud, &in_process::source(&variables), Clock::system()).await;
        let source = Arc::new(Source { total, touched: AtomicUsize::new(0) });
        let url = serve(Arc::clone(&source)).await;
        Self { _folder: folder, _cloud: cloud, bill, pump, api, source, url }
    }

    /// What is used until nothing is left to do.
    async fn costs(&self, begin: impl AsyncFn()) -> Cost {
        let (before, invoked) = (self.bill.used(), self.pump.invocations());
        begin().await;
        while self.pump.turn(TIME_LIMIT, None).await > 0 {}
        (self.bill.used() - before, self.pump.invocations() - invoked)
    }

    async fn connect(&self) {
        let asked = json!({
            "connector_id": "orders", "settings": { "url": self.url }, "credentials": {},
        });
        self.api.post("/v1/connections", &asked, 201).await;
    }

    async fn connection(&self) -> Api {
        let connections = self.api.get("/v1/connections").await;
        self.api.about(connections["data"][0]["id"].as_str().unwrap())
    }

    async fn sync(&self) {
        let asked = json!({ "entities": [ENTITY], "mode": "full" });
        self.connection().await.post("/v1/sync", &asked, 202).await;
    }

    /// The last sync has ended well and seen all, so many of them in this way.
    async fn counted(&self, what: &str, count: usize) {
        let states = self.connection().await.get("/v1/sync-status").await;
        let state = &states["data"][0];
        assert_eq!(state["status"], "completed", "{state:#}");
        assert_eq!(state["counts"]["seen"], self.source.total, "{state:#}");
        assert_eq!(state["counts"][what], count, "{state:#}");
    }
}

/// A source of so many orders, every hundredth of which has been touched so often.
struct Source {
    total: usize,
    touched: AtomicUsize,
}

async fn serve(source: Arc<Source>) -> String {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/po", get(page)).with_state(source);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn page(
    State(source): State<Arc<Source>>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let number: usize = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let (from, to) = ((number - 1) * PAGE, source.total.min(number * PAGE));
    let touched = source.touched.load(Ordering::Relaxed);
    let orders: Vec<Value> = (from..to).map(|id| order(id, touched)).collect();
    let next = (to < source.total).then_some(number + 1);
    Json(json!({ "data": orders, "meta": { "total": source.total }, "next_page": next }))
}

/// About 600 bytes.
fn order(id: usize, touched: usize) -> Value {
    let touched = if id.is_multiple_of(EVERY) { touched } else { 0 };
    let line = |number: usize| {
        json!({
            "line": number, "product_id": id * number % 5_003, "description": "Bearing 6204",
            "quantity": number, "unit_price": 12.25,
        })
    };
    let status = ["draft", "open", "received", "closed"][id % 4];
    json!({
        "id": id,
        "number": format!("PO-{id:07}"),
        "status": status,
        "vendor": { "id": id % 997, "name": format!("Vendor {}", id % 997) },
        "currency": "USD",
        "total": 100 + touched,
        "notes": "x".repeat(120),
        "lines": [line(1), line(2), line(3)],
        "created_at": "2026-01-01T08:00:00.000Z",
        "updated_at": format!("2026-01-01T08:00:{:02}.000Z", touched % 60),
    })
}
