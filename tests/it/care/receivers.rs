//! Receivers that count how many requests they hold open at the same time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
};
use bytes::Bytes;
use http::HeaderMap;
use tokio::net::TcpListener;

/// How a hook answers.
#[derive(Clone, Copy, Debug, Default)]
pub enum Manner {
    /// 204 at once.
    #[default]
    Well,
    /// This status at once.
    Status(u16),
    /// Not at all, and 204 once it is told to.
    Waits,
}

/// What has been seen of a hook.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    manner: Manner,
    /// Whether requests that wait are to be answered.
    told: bool,
    /// How many requests are open.
    pub open: usize,
    /// The most that ever were.
    pub most_open: usize,
    /// How often each message came.
    pub messages: BTreeMap<String, usize>,
    /// When each request came.
    pub times: Vec<Instant>,
    /// The type and body of each.
    pub bodies: Vec<serde_json::Value>,
}

type Hooks = Arc<Mutex<BTreeMap<String, Seen>>>;

/// Receivers under the names of their hooks.
#[derive(Clone)]
pub struct Receivers {
    url: String,
    hooks: Hooks,
}

/// A request that is open.
struct Open(Hooks, String);

impl Open {
    fn begin(hooks: &Hooks, name: &str, message: String, body: &[u8]) -> (Self, Manner) {
        let mut all = hooks.lock().unwrap();
        let hook = all.entry(name.to_owned()).or_default();
        hook.open += 1;
        hook.most_open = hook.most_open.max(hook.open);
        *hook.messages.entry(message).or_default() += 1;
        hook.times.push(Instant::now());
        hook.bodies.push(serde_json::from_slice(body).unwrap_or_default());
        (Self(Arc::clone(hooks), name.to_owned()), hook.manner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(hook) = self.0.lock().unwrap().get_mut(&self.1) {
            hook.open -= 1;
        }
    }
}

impl Receivers {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hooks = Hooks::default();
        let app = Router::new()
            .route("/{hook}", axum::routing::post(take))
            .with_state(Arc::clone(&hooks));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, hooks }
    }

    pub fn url(&self, hook: &str) -> String {
        format!("{}/{hook}", self.url)
    }

    pub fn set(&self, hook: &str, manner: Manner) {
        self.hooks.lock().unwrap().entry(hook.to_owned()).or_default().manner = manner;
    }

    /// Has requests that wait answered.
    pub fn tell(&self, hook: &str) {
        self.hooks.lock().unwrap().entry(hook.to_owned()).or_default().told = true;
    }

    pub fn seen(&self, hook: &str) -> Seen {
        self.hooks.lock().unwrap().get(hook).cloned().unwrap_or_default()
    }

    /// What came of this type, by its `data`.
    pub fn told(&self, hook: &str, event_type: &str) -> Vec<serde_json::Value> {
        let bodies = self.seen(hook).bodies.into_iter();
        bodies.filter(|body| body["type"] == event_type).map(|body| body["data"].clone()).collect()
    }
}

async fn take(
    State(hooks): State<Hooks>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let told = || hooks.lock().unwrap().get(&name).is_some_and(|hook| hook.told);
    let (_open, manner) = Open::begin(&hooks, &name, id.to_owned(), &body);
    match manner {
        Manner::Well => StatusCode::NO_CONTENT,
        Manner::Status(status) => StatusCode::from_u16(status).unwrap(),
        Manner::Waits => {
            while !told() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            StatusCode::NO_CONTENT
        }
    }
}
