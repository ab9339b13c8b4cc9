//! A system of the tests' own behind HTTP: topics, which can be set and taken away.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use millwright_connection::NewConnection;
use millwright_connector::Credentials;
use millwright_core::SecretString;
use serde_json::{Map, Value, json};

use crate::reading::scene::Scene;

pub const SECRET: &str = "planted-hook-secret";
pub const KEY: &str = "planted-key";

const CONNECTOR: &str = r#"
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
  key: { title: Key, type: secret, required: true }
  hook: { title: Webhook secret, type: secret, required: true }
limits: { ids_per_request: 2 }
protocol: { http: { base_url: "{settings.url}/api" } }
auth: { api_key: { headers: { Api-Key: "{credentials.key}" } } }
probe: { request: { method: GET, path: me }, instance: { id: [id] } }
entities:
  topics:
    read: { request: { method: GET, path: topics, query: { after: "{page.after}" } }, rows: topics }
    get: { request: { method: GET, path: topics, query: { ids: "{ids|join}" } }, rows: topics }
    fields: { title: title }
passthrough:
  allow:
    - { methods: [GET, POST], path: "/echo/*" }
webhooks_in:
  verify:
    hmac: { header: X-Signature, prefix: "sha256=", algorithm: sha256, encoding: hex, key: "{credentials.hook}" }
  events:
    - { when: { path: topic }, entity: topics, id: topic }
    - { when: { path: gone }, entity: topics, id: gone, action: delete }
"#;

/// What the system has, and what it was asked.
#[derive(Clone, Default)]
pub struct System {
    topics: Arc<Mutex<BTreeMap<u32, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
    busy_for: Arc<Mutex<Option<String>>>,
}

impl System {
    /// A system with three topics, and a connection to it that has read them.
    pub async fn start() -> (Self, Scene) {
        let system = Self::default();
        (1..=3).for_each(|id| system.set(id, &format!("Topic {id}")));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(system.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let scene = Scene::with_connector(CONNECTOR, connection(&url)).await;
        scene.sync("topics").await;
        (system, scene)
    }

    pub fn set(&self, id: u32, title: &str) {
        self.topics.lock().unwrap().insert(id, title.to_owned());
    }

    pub fn take(&self, id: u32) {
        self.topics.lock().unwrap().remove(&id);
    }

    /// Lets it ask for patience whenever it is asked for exactly these ids.
    pub fn busy_for(&self, ids: &str) {
        *self.busy_for.lock().unwrap() = Some(ids.to_owned());
    }

    /// What it was asked since it was last told, as methods and paths.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn rows(&self, query: &BTreeMap<String, String>) -> Vec<Value> {
        let ids: Option<Vec<u32>> =
            query.get("ids").map(|ids| ids.split(',').filter_map(|id| id.parse().ok()).collect());
        let after: u32 = query.get("after").and_then(|id| id.parse().ok()).unwrap_or(0);
        let topics = self.topics.lock().unwrap();
        let wanted = topics.iter().filter(|(id, _)| match &ids {
            Some(ids) => ids.contains(id),
            None => **id > after,
        });
        wanted.map(|(id, title)| json!({ "id": id, "title": title })).collect()
    }
}

fn connection(url: &str) -> NewConnection {
    let secret = |name: &str, text: &str| (name.to_owned(), SecretString::from(text.to_owned()));
    NewConnection::to(
        "made-up",
        Map::from_iter([("url".to_owned(), json!(url))]),
        Credentials::from([secret("key", KEY), secret("hook", SECRET)]),
    )
}

async fn answer(
    State(system): State<System>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    system.asked.lock().unwrap().push(format!("{method} {uri}"));
    if headers.get("api-key").and_then(|value| value.to_str().ok()) != Some(KEY) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if query.contains_key("ids") && *system.busy_for.lock().unwrap() == query.get("ids").cloned() {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "600")]).into_response();
    }
    match uri.path() {
        "/api/me" => Json(json!({ "id": 1 })).into_response(),
        "/api/topics" => Json(json!({ "topics": system.rows(&query) })).into_response(),
        "/api/echo/teapot" => (StatusCode::IM_A_TEAPOT, "short and stout").into_response(),
        path => {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let answer = json!({ "path": path, "query": query, "body": body, "key": KEY });
            Json(answer).into_response()
        }
    }
}
