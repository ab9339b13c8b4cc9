//! Where a process dies, or stands still for a while: at the n-th thing that it asks others for, before or
//! after it is done.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use tokio::sync::Notify;

/// When a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Before its n-th request is done.
    Before(usize),
    /// After its n-th request is done, before it hears of it.
    After(usize),
}

/// Counts what a process asks for, and stops it there. Open once the process is dead.
#[derive(Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    death: std::sync::Mutex<Option<Death>>,
    asked: AtomicUsize,
    died: Notify,
    lives: Notify,
}

impl Gate {
    /// Lets the process that runs now die there.
    pub fn set(&self, death: Death) {
        *self.0.death.lock().unwrap() = Some(death);
    }

    /// Whatever comes now is another process's.
    pub fn open(&self) {
        *self.0.death.lock().unwrap() = None;
    }

    /// Lets who stands there go on after all.
    pub fn go_on(&self) {
        self.open();
        self.0.lives.notify_one();
    }

    /// Comes back when the process is to be dead.
    pub async fn died(&self) {
        self.0.died.notified().await;
    }

    /// A request comes through; its number, by which it is told that it is done.
    pub async fn before(&self) -> usize {
        let death = *self.0.death.lock().unwrap();
        if death.is_none() {
            return 0;
        }
        let number = self.0.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.stop(death == Some(Death::Before(number))).await;
        number
    }

    pub async fn after(&self, number: usize) {
        let death = *self.0.death.lock().unwrap();
        self.stop(death == Some(Death::After(number))).await;
    }

    async fn stop(&self, here: bool) {
        if here {
            self.0.died.notify_one();
            self.0.lives.notified().await;
        }
    }
}

#[derive(Clone)]
struct Front {
    gate: Gate,
    upstream: String,
    client: reqwest::Client,
}

/// A way to the table through the gate; its address.
pub async fn before_table(upstream: &str, gate: Gate) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let front = Front { gate, upstream: upstream.to_owned(), client };
    let app = Router::new().fallback(pass).with_state(front);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn pass(State(front): State<Front>, mut headers: HeaderMap, body: Bytes) -> Response {
    let number = front.gate.before().await;
    headers.remove("host");
    headers.remove("content-length");
    let asked = front.client.post(&front.upstream).headers(headers).body(body).send().await;
    let Ok(answer) = asked else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
    let text = answer.bytes().await.unwrap_or_default();
    front.gate.after(number).await;
    let kind = kind.unwrap_or_else(|| "application/x-amz-json-1.0".parse().unwrap());
    (status, [("content-type", kind)], text).into_response()
}
