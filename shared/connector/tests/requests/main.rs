//! How the engine speaks to systems, against a real server on loopback: each kind of authentication,
//! errors, limits, passthrough, webhooks, permissions; and that no credential is ever told.

#[path = "../support/mod.rs"]
mod support;

mod auth;
mod errors;
mod hooks;
mod limits;
mod oauth;
mod passthrough;
mod permissions;
mod secrets;
mod shared_limits;
mod signing;

use millwright_connector::{
    Catalog, Engine, Manifest, PassthroughAnswer, PassthroughRequest, System, SystemError,
};
use serde_json::{Value, json};
use support::http::{Exchange, Server, on};

/// A system with nothing but an address, a probe and every native call allowed.
const BASE: &str = r#"
format: 1
id: made-up
name: Made up
vendor: Nobody
categories: [community]
tier: 1
maturity: documented
settings:
  url: { title: Address, type: url, required: true }
credentials:
  username: { title: Name, type: text }
  password: { title: Password, type: secret }
  key: { title: Key, type: secret }
  hook: { title: Webhook secret, type: secret }
protocol: { http: { base_url: "{settings.url}/api" } }
probe: { request: { method: GET, path: me }, instance: { id: [id] } }
entities:
  topics:
    read: { request: { method: GET, path: topics, query: { after: "{page.after}" } }, rows: topics }
    get: { request: { method: GET, path: topics, query: { ids: "{ids}" } }, rows: topics }
    fields: { title: title }
"#;

/// The credentials of every test. Each is planted: none of them may ever be told.
const CREDENTIALS: [(&str, &str); 4] = [
    ("username", "planted-user"),
    ("password", "planted pass/word"),
    ("key", "planted-key+1"),
    ("hook", "planted-hook"),
];

/// The made-up system's manifest with more in it: first what belongs to its entity, indented, then what
/// stands beside.
fn with(more: &str) -> String {
    format!("{BASE}{more}")
}

/// The system at a server that plays these answers.
async fn play(more: &str, answers: impl IntoIterator<Item = Exchange>) -> (Server, System) {
    let (server, url) = Server::start(answers).await;
    (server, open(&engine(more), &url))
}

fn engine(more: &str) -> Engine {
    let yaml = with(more);
    support::engine_with(Catalog::of([yaml.as_str()]).unwrap())
}

fn open(engine: &Engine, url: &str) -> System {
    engine.open(support::target("made-up", json!({"url": url}), &CREDENTIALS)).unwrap()
}

/// Why a manifest is refused.
fn refused(more: &str) -> String {
    Manifest::read(&with(more)).expect_err(more).to_string()
}

fn me() -> Exchange {
    on("GET /api/me", 200, json!({"id": 1}))
}

/// A native call without anything beside its path.
fn call(method: &str, path: &str) -> PassthroughRequest {
    PassthroughRequest {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        query: serde_json::Map::new(),
        headers: std::collections::BTreeMap::new(),
        body: None,
    }
}

async fn post(system: &System, path: &str, body: Value) -> Result<PassthroughAnswer, SystemError> {
    let request = PassthroughRequest { body: Some(body), ..call("POST", path) };
    system.passthrough(&request).await
}

/// The parameters of the query of a request, in their order.
fn query(request: &str) -> Vec<(String, String)> {
    let url = url::Url::parse(&format!("http://x{}", request.split(' ').nth(1).unwrap())).unwrap();
    url.query_pairs().into_owned().collect()
}
