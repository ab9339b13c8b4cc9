//! A server that plays recorded answers in order and keeps what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;

/// An answer, and the JSON-RPC method it answers.
#[derive(Clone)]
pub struct Exchange {
    pub method: &'static str,
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// A request as it came.
pub struct Asked {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

#[derive(Clone, Default)]
pub struct Script {
    answers: Arc<Mutex<VecDeque<Exchange>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A recorded JSON answer with status 200.
pub fn json(method: &'static str, file: &str) -> Exchange {
    Exchange {
        method,
        status: 200,
        headers: vec![content_type("application/json")],
        body: read(file),
    }
}

/// A recorded answer of another status.
pub fn status(method: &'static str, status: u16, file: &str) -> Exchange {
    Exchange {
        method,
        status,
        headers: vec![content_type("text/html; charset=utf-8")],
        body: read(file),
    }
}

pub fn content_type(value: &str) -> (&'static str, String) {
    ("content-type", value.to_owned())
}

/// A recorded file; nothing for no name.
pub fn read(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/tryton/");
    if file.is_empty() {
        String::new()
    } else {
        std::fs::read_to_string(format!("{folder}{file}")).unwrap()
    }
}

impl Script {
    /// Starts a server on a free port that plays `answers`; it ends with the test.
    pub async fn start(answers: impl IntoIterator<Item = Exchange>) -> (Self, String) {
        let script = Self::default();
        script.answers.lock().unwrap().extend(answers);
        let app = Router::new().fallback(answer).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (script, format!("http://{address}"))
    }

    /// The parameters of each request, by the name of its method.
    pub fn params(&self) -> Vec<(String, Value)> {
        let asked = self.asked.lock().unwrap();
        let named = |asked: &Asked| {
            (asked.body["method"].as_str().unwrap().to_owned(), asked.body["params"].clone())
        };
        asked.iter().map(named).collect()
    }

    /// Looks at the requests as they came.
    pub fn asked<T>(&self, look: impl FnOnce(&[Asked]) -> T) -> T {
        look(&self.asked.lock().unwrap())
    }

    /// Fails when an answer was not asked for.
    pub fn assert_played(&self) {
        let left: Vec<_> =
            self.answers.lock().unwrap().iter().map(|exchange| exchange.method).collect();
        assert!(left.is_empty(), "nobody asked for {left:?}");
    }
}

async fn answer(
    State(script): State<Script>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let method = body["method"].as_str().unwrap().to_owned();
    let path = uri.path().to_owned();
    script.asked.lock().unwrap().push(Asked { path, headers, body });
    let next = script.answers.lock().unwrap().pop_front();
    let Some(next) = next.filter(|next| next.method == method) else {
        return (StatusCode::IM_A_TEAPOT, format!("{method} was not expected")).into_response();
    };
    let mut response = (StatusCode::from_u16(next.status).unwrap(), next.body).into_response();
    for (name, value) in next.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
