//! A small stub of the Lambda Runtime API: enough to run a function's real binary on real events.
//!
//! Source: "Using the Lambda runtime API for custom runtimes" in the Lambda developer guide.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Path as InPath, State},
    http::{Response, StatusCode},
    routing::{get, post},
};
use bytes::Bytes;
use millwright_core::Clock;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{parts, process::Process};

/// How often to see whether the process is still there.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a function answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its answer.
    Answer(Value),
    /// It failed, with this description.
    Failed(Value),
}

/// A function's binary, started as Lambda starts it.
#[derive(Debug)]
pub struct Function {
    events: mpsc::UnboundedSender<Event>,
    server: JoinHandle<()>,
    process: Process,
    shared: Arc<Shared>,
    /// How long an invocation may take, as the function is told.
    timeout: Duration,
}

#[derive(Debug)]
struct Event {
    id: String,
    body: Value,
    deadline_ms: i64,
}

#[derive(Debug)]
struct Shared {
    next: AsyncMutex<mpsc::UnboundedReceiver<Event>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
    init_error: Mutex<Option<Value>>,
    invocations: AtomicU64,
}

impl Function {
    /// Starts the binary `name` with these variables beside Lambda's own. Its log goes to `folder`.
    ///
    /// # Errors
    /// When no port can be had or the binary does not start.
    pub async fn start(
        name: &str,
        variables: &HashMap<String, String>,
        timeout: Duration,
        folder: &Path,
    ) -> io::Result<Self> {
        let (events, next) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            next: AsyncMutex::new(next),
            waiting: Mutex::default(),
            init_error: Mutex::default(),
            invocations: AtomicU64::new(0),
        });
        let (address, server) = serve(shared.clone()).await?;
        let mut command = Command::new(parts::binary(name));
        command.env_clear().envs(lambda_variables(name, address)).envs(variables);
        let process = Process::start(&mut command, &folder.join(format!("{name}.log")))?;
        Ok(Self { events, server, process, shared, timeout })
    }

    /// Gives the function an event and waits for what it makes of it.
    ///
    /// # Panics
    /// When it ends, or does not answer in its time.
    pub async fn invoke(&mut self, event: &Value) -> Outcome {
        let number = self.shared.invocations.fetch_add(1, Ordering::SeqCst);
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let (tell, mut told) = oneshot::channel();
        self.shared.waiting.lock().expect("unpoisoned").insert(id.clone(), tell);
        let deadline_ms = (Clock::system().wall() + self.timeout).millis();
        let event = Event { id, body: event.clone(), deadline_ms };
        self.events.send(event).expect("the stub runs");
        let end = Instant::now() + self.timeout;
        loop {
            if let Ok(Ok(outcome)) = tokio::time::timeout(LOOK_EVERY, &mut told).await {
                return outcome;
            }
            let is_running = self.process.ended().is_none() && Instant::now() < end;
            assert!(is_running, "no answer in {:?}:\n{}", self.timeout, self.process.last_words());
        }
    }

    /// Gives the function an event and kills it after a while; nothing when it had not answered by then.
    ///
    /// # Panics
    /// When it ends by itself.
    pub async fn invoke_or_kill(&mut self, event: &Value, after: Duration) -> Option<Outcome> {
        let answer = tokio::time::timeout(after, self.invoke(event)).await.ok();
        if answer.is_none() {
            self.process.kill_9();
        }
        answer
    }

    /// Waits until the process has ended by itself and answers with what it printed.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ends(mut self) -> String {
        for _ in 0..400 {
            if self.process.ended().is_some() {
                return self.process.output();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it does not end:\n{}", self.process.last_words());
    }

    /// What the function has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// What it told the Runtime API about a failed start.
    #[must_use]
    pub fn init_error(&self) -> Option<Value> {
        self.shared.init_error.lock().expect("unpoisoned").clone()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What Lambda sets for every function.
fn lambda_variables(name: &str, address: SocketAddr) -> HashMap<String, String> {
    let pairs = [
        ("AWS_LAMBDA_RUNTIME_API", address.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/millwright/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "stream".to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn serve(shared: Arc<Shared>) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(shared);
    let task = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok((address, task))
}

async fn next(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let Some(event) = shared.next.lock().await.recv().await else {
        return answer(StatusCode::GONE, Body::empty());
    };
    let mut response = answer(StatusCode::OK, Body::from(event.body.to_string()));
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:test";
    let deadline = event.deadline_ms.to_string();
    let headers = [
        ("lambda-runtime-aws-request-id", event.id.as_str()),
        ("lambda-runtime-deadline-ms", deadline.as_str()),
        ("lambda-runtime-invoked-function-arn", arn),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"),
        ("content-type", "application/json"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

async fn response(
    State(shared): State<Arc<Shared>>,
    InPath(id): InPath<String>,
    body: Bytes,
) -> Response<Body> {
    tell(&shared, &id, Outcome::Answer(json_of(&body)))
}

async fn error(
    State(shared): State<Arc<Shared>>,
    InPath(id): InPath<String>,
    body: Bytes,
) -> Response<Body> {
    tell(&shared, &id, Outcome::Failed(json_of(&body)))
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    *shared.init_error.lock().expect("unpoisoned") = Some(json_of(&body));
    answer(StatusCode::ACCEPTED, Body::empty())
}

fn tell(shared: &Shared, id: &str, outcome: Outcome) -> Response<Body> {
    if let Some(waiting) = shared.waiting.lock().expect("unpoisoned").remove(id) {
        let _ = waiting.send(outcome);
    }
    answer(StatusCode::ACCEPTED, Body::empty())
}

fn answer(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn json_of(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or(Value::Null)
}
