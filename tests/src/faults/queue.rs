//! Faults before the queue.

use std::{
    collections::HashMap,
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Counts, Fault, Proxy,
    chance::Chance,
    proxy::{Call, Meddler, Reply, Upstream},
};

/// How often each fault strikes, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueFaults {
    /// A message is delivered again later, though it may have been deleted by then.
    pub duplicate: f64,
    /// A message that was received is kept back and delivered by a later receive.
    pub hold_back: f64,
    /// How long a copy or a held message may wait. Shorter than the queue's visibility timeout.
    pub hold: Duration,
    /// The messages of one receive come in another order.
    pub reorder: f64,
    /// A message is taken and the sender is not told so.
    pub lost_send: f64,
}

impl QueueFaults {
    /// None at all.
    pub const NONE: Self = Self {
        duplicate: 0.0,
        hold_back: 0.0,
        hold: Duration::from_millis(500),
        reorder: 0.0,
        lost_send: 0.0,
    };

    /// More of everything than a bad day brings.
    pub const ROUGH: Self = Self {
        duplicate: 0.15,
        hold_back: 0.15,
        hold: Duration::from_millis(500),
        reorder: 0.5,
        lost_send: 0.05,
    };

    /// Starts the layer before the SQS endpoint `upstream`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before(self, upstream: &str, seed: u64) -> io::Result<Proxy> {
        let queue = Queues { rates: self, chance: Chance::new(seed), waiting: Mutex::default() };
        Proxy::start(upstream, queue).await
    }
}

struct Queues {
    rates: QueueFaults,
    chance: Chance,
    waiting: Mutex<HashMap<String, Vec<Waiting>>>,
}

/// A message that a later receive will bring.
struct Waiting {
    from: Instant,
    message: Value,
}

impl Meddler for Queues {
    fn counts(&self) -> Counts {
        self.chance.counts()
    }

    async fn meddle(&self, call: Call, upstream: &Upstream) -> Reply {
        match call.operation.as_str() {
            "ReceiveMessage" => self.receive(call, upstream).await,
            "SendMessage" | "SendMessageBatch" => self.send(&call, upstream).await,
            _ => upstream.forward(&call).await,
        }
    }
}

impl Queues {
    async fn send(&self, call: &Call, upstream: &Upstream) -> Reply {
        let reply = upstream.forward(call).await;
        if !self.chance.strikes(Fault::LostAnswer, self.rates.lost_send) {
            return reply;
        }
        if self.chance.falls(0.5) {
            return Reply::Broken;
        }
        let more = json!({ "message": "We encountered an internal error. Please try again." });
        Reply::error(StatusCode::INTERNAL_SERVER_ERROR, "com.amazonaws.sqs#InternalFailure", more)
    }

    async fn receive(&self, mut call: Call, upstream: &Upstream) -> Reply {
        let queue = call.body["QueueUrl"].as_str().unwrap_or_default().to_owned();
        let room = call.body["MaxNumberOfMessages"].as_u64().unwrap_or(1);
        let room = usize::try_from(room).unwrap_or(1);
        let due = self.take_due(&queue, room);
        if due.len() == room {
            return ok(&due);
        }
        call.body["MaxNumberOfMessages"] = Value::from(room - due.len());
        if !due.is_empty() {
            call.body["WaitTimeSeconds"] = Value::from(0);
        } else if self.has_waiting(&queue) {
            // The upstream would keep the caller waiting though there is something to bring.
            call.body["WaitTimeSeconds"] = Value::from(1);
        }
        let mut reply = upstream.forward(&call).await;
        if let Some(body) = reply.success_mut() {
            let messages = match body["Messages"].take() {
                Value::Array(messages) => messages,
                _ => Vec::new(),
            };
            body["Messages"] = Value::Array(self.disturb(&queue, messages, due));
        }
        reply
    }

    /// What the caller gets of what was received, with what was due from earlier.
    fn disturb(&self, queue: &str, received: Vec<Value>, due: Vec<Value>) -> Vec<Value> {
        let mut given = due;
        for message in received {
            if self.chance.strikes(Fault::HeldBack, self.rates.hold_back) {
                self.keep(queue, message);
                continue;
            }
            if self.chance.strikes(Fault::Duplicated, self.rates.duplicate) {
                self.keep(queue, message.clone());
            }
            given.push(message);
        }
        if given.len() > 1 && self.chance.strikes(Fault::Reordered, self.rates.reorder) {
            self.chance.shuffle(&mut given);
        }
        given
    }

    fn keep(&self, queue: &str, message: Value) {
        let longest = usize::try_from(self.rates.hold.as_millis()).unwrap_or(usize::MAX);
        let wait = Duration::from_millis(self.chance.below(longest) as u64);
        let waiting = Waiting { from: Instant::now() + wait, message };
        self.with(|all| all.entry(queue.to_owned()).or_default().push(waiting));
    }

    fn take_due(&self, queue: &str, room: usize) -> Vec<Value> {
        let now = Instant::now();
        self.with(|all| {
            let Some(waiting) = all.get_mut(queue) else { return Vec::new() };
            let mut due = Vec::new();
            waiting.retain_mut(|one| {
                let take = one.from <= now && due.len() < room;
                if take {
                    due.push(one.message.take());
                }
                !take
            });
            due
        })
    }

    fn has_waiting(&self, queue: &str) -> bool {
        self.with(|all| all.get(queue).is_some_and(|waiting| !waiting.is_empty()))
    }

    fn with<R>(&self, f: impl FnOnce(&mut HashMap<String, Vec<Waiting>>) -> R) -> R {
        f(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn ok(messages: &[Value]) -> Reply {
    let mut headers = http::HeaderMap::new();
    let kind = http::HeaderValue::from_static("application/x-amz-json-1.0");
    headers.insert(http::header::CONTENT_TYPE, kind);
    Reply::Answer { status: StatusCode::OK, headers, body: json!({ "Messages": messages }) }
}
