//! A server that plays answers in order, each for the request that it names, and keeps what it was
//! asked.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;

/// An answer, and the request that it answers: `POST /po`, with the query if there is one.
#[derive(Clone)]
pub struct Exchange {
    request: String,
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// Whether the connection is closed in place of an answer.
    lost: bool,
}

/// A JSON answer.
pub fn on(request: &str, status: u16, body: Value) -> Exchange {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Exchange { request: request.to_owned(), status, headers: Vec::new(), body, lost: false }
}

/// A request that is taken and never answered: the connection is closed.
pub fn lost(request: &str) -> Exchange {
    Exchange { lost: true, ..on(request, 200, Value::Null) }
}

/// An answer that is a text.
pub fn page(request: &str, status: u16, kind: &str, text: &str) -> Exchange {
    let body = text.to_owned();
    Exchange { body, ..on(request, status, Value::Null).header("content-type", kind) }
}

impl Exchange {
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub request: String,
    pub headers: HeaderMap,
    /// The body, if it is JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

#[derive(Clone, Default)]
pub struct Server {
    answers: Arc<Mutex<VecDeque<Exchange>>>,
    always: Arc<Mutex<BTreeMap<String, Exchange>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts one on a free port that plays `answers`; it ends with the test.
    pub async fn start(answers: impl IntoIterator<Item = Exchange>) -> (Self, String) {
        let server = Self::default();
        server.answers.lock().unwrap().extend(answers);
        let app = Router::new().fallback(answer).with_state(server.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (server, format!("http://{address}"))
    }

    /// Plays an answer whenever its request comes.
    pub fn always(&self, answer: Exchange) {
        self.always.lock().unwrap().insert(answer.request.clone(), answer);
    }

    /// The requests as they came.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Each request and its body.
    pub fn bodies(&self) -> Vec<(String, Value)> {
        self.asked().into_iter().map(|asked| (asked.request, asked.body)).collect()
    }

    /// Fails when an answer was not asked for.
    pub fn assert_played(&self) {
        let left = self.answers.lock().unwrap();
        let left: Vec<_> = left.iter().map(|one| one.request.clone()).collect();
        assert!(left.is_empty(), "nobody asked for {left:?}");
    }
}

async fn answer(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = format!("{method} {uri}");
    let text = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    server.asked.lock().unwrap().push(Asked { request: request.clone(), headers, body, text });
    let standing = server.always.lock().unwrap().get(&request).cloned();
    let next = standing.or_else(|| server.answers.lock().unwrap().pop_front());
    let Some(next) = next.filter(|next| next.request == request) else {
        return (StatusCode::IM_A_TEAPOT, format!("{request} was not expected")).into_response();
    };
    if next.lost {
        // Hyper closes the connection of a service that panics.
        panic!("the answer to {request} is lost");
    }
    let mut response = (StatusCode::from_u16(next.status).unwrap(), next.body).into_response();
    for (name, value) in next.headers {
        let first = name != "set-cookie";
        let value = value.parse().unwrap();
        if first {
            response.headers_mut().insert(name, value);
        } else {
            response.headers_mut().append(name, value);
        }
    }
    response
}
