//! What the host does around functions, with functions that tell what they saw.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::{Client, types::QueueAttributeName};
use axum::{
    Router,
    body::Bytes,
    extract::{OriginalUri, Request},
    http::{HeaderMap, header::SET_COOKIE},
    response::{AppendHeaders, IntoResponse},
    routing::{any, get, post},
};
use futures::FutureExt;
use millwright_core::{Clock, WallTime};
use millwright_local::{
    host::{Functions, Host, SqsFunction, create_queues},
    sdk,
    sqs::Sqs,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::{send, sleep};

struct Running {
    _folder: TempDir,
    sqs: Sqs,
    client: Client,
    host: Host,
}

impl Running {
    async fn start(functions: Functions, clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sqs = Sqs::start(&folder.path().join("queue.sqlite"), clock.clone()).await.unwrap();
        let sdk = sdk::config("http://127.0.0.1:0", &sqs.url());
        let client = Client::new(&sdk);
        create_queues(&client).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Host::start(listener, &sdk, clock, functions, None).await.unwrap();
        Self { _folder: folder, sqs, client, host }
    }

    async fn url(&self, name: &str) -> String {
        let found = self.client.get_queue_url().queue_name(name).send().await.unwrap();
        found.queue_url.unwrap()
    }

    /// How many messages are ready and in flight.
    async fn counts(&self, name: &str) -> (String, String) {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.client.get_queue_attributes().queue_url(self.url(name).await);
        let shown = call.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        let shown = shown.attributes.unwrap();
        (shown[&names[0]].clone(), shown[&names[1]].clone())
    }
}

fn nothing() -> SqsFunction {
    Arc::new(|_, _| async { SqsBatchResponse::default() }.boxed())
}

fn functions(api: Router) -> Functions {
    let tick = Arc::new(|_| async { Ok(()) }.boxed());
    Functions { api, tick, sync: nothing(), deliver: nothing() }
}

async fn start_api(api: Router) -> Running {
    Running::start(functions(api), Clock::system()).await
}

/// Sends a request as bytes and answers with the whole response as text.
async fn request(running: &Running, head: &str, body: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = running.host.url().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head =
        format!("{head}\r\nhost: local\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn echo(OriginalUri(uri): OriginalUri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let told = json!({
        "path": uri.path(), "query": uri.query(), "body": String::from_utf8_lossy(&body),
        "cookie": header("cookie"), "twice": header("x-twice"),
    });
    (AppendHeaders([(SET_COOKIE, "a=1"), (SET_COOKIE, "b=2")]), told.to_string())
}

#[tokio::test]
async fn a_request_reaches_the_function_and_its_answer_the_caller() {
    let running = start_api(Router::new().route("/v1/{*rest}", any(echo))).await;
    let head = "PATCH /v1/a%20b/c?x=1&x=2&y=%26 HTTP/1.1\r\ncookie: s=1; t=2\r\nx-twice: one\r\n\
                x-twice: two\r\ncontent-type: application/json";
    let answer = request(&running, head, "{\"größe\": 1.10}".as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains(r#""path":"/v1/a%20b/c","query":"x=1&x=2&y=%26""#), "{answer}");
    assert!(answer.contains(r#""body":"{\"größe\": 1.10}""#), "{answer}");
    assert!(answer.contains(r#""cookie":"s=1; t=2","twice":"one,two""#), "{answer}");
    assert!(answer.contains("set-cookie: a=1\r\n") && answer.contains("set-cookie: b=2\r\n"));
    let answer = request(&running, "GET /nowhere HTTP/1.1", b"").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[tokio::test]
async fn bytes_pass_both_ways_unchanged() {
    let api = Router::new().route("/", post(|body: Bytes| async move { body }));
    let running = start_api(api).await;
    let bytes: Vec<u8> = (0..=255).collect();
    let head = "POST / HTTP/1.1\r\ncontent-type: application/octet-stream";
    let answer = request(&running, head, &bytes).await;
    assert!(answer.contains("content-length: 256"), "{answer}");
    assert!(answer.ends_with(String::from_utf8_lossy(&bytes).as_ref()));
}

#[tokio::test]
async fn the_limits_of_aws_hold() {
    let large = || async { "x".repeat(6 * 1024 * 1024) };
    async fn panics() {
        panic!("as it must")
    }
    let api = Router::new()
        .route("/", post(|request: Request| async move { drop(request) }))
        .route("/large", get(large))
        .route("/panics", get(panics));
    let running = start_api(api).await;
    let head = "POST / HTTP/1.1\r\ncontent-type: text/plain";
    let answer = request(&running, head, &vec![b'x'; 5 * 1024 * 1024]).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = request(&running, head, &vec![b'x'; 6 * 1024 * 1024]).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.ends_with(r#"{"message":"Request Entity Too Large"}"#), "{answer}");
    // Bytes grow by a third on their way.
    let head = "POST / HTTP/1.1\r\ncontent-type: image/png";
    let answer = request(&running, head, &vec![b'x'; 5 * 1024 * 1024]).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    for path in ["large", "panics"] {
        let answer = request(&running, &format!("GET /{path} HTTP/1.1"), b"").await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{path}: {answer}");
        assert!(answer.ends_with(r#"{"message":"Internal Server Error"}"#), "{answer}");
    }
}

/// A function that keeps its events and fails messages whose body begins with `bad`.
fn recording(seen: &Arc<Mutex<Vec<(SqsEvent, WallTime)>>>) -> SqsFunction {
    let seen = Arc::clone(seen);
    Arc::new(move |event, deadline| {
        let bad =
            |body: &Option<String>| body.as_deref().is_some_and(|body| body.starts_with("bad"));
        let mut response = SqsBatchResponse::default();
        for record in event.records.iter().filter(|record| bad(&record.body)) {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = record.message_id.clone().unwrap();
            response.batch_item_failures.push(failure);
        }
        seen.lock().unwrap().push((event, deadline));
        async { response }.boxed()
    })
}

#[tokio::test]
async fn messages_reach_their_function_as_lambda_hands_them_over() {
    let (sync, deliver) = (Arc::default(), Arc::default());
    let mut functions = functions(Router::new());
    functions.sync = recording(&sync);
    functions.deliver = recording(&deliver);
    let clock = Clock::system();
    let running = Running::start(functions, clock.clone()).await;
    send(&running.client, &running.url("millwright-sync").await, "slice").await;
    let call = running.client.send_message().queue_url(running.url("millwright-fanout").await);
    call.message_body("good").message_group_id("acme").send().await.unwrap();
    send(&running.client, &running.url("millwright-fanout").await, "bad").await;
    send(&running.client, &running.url("millwright-dead").await, "dead").await;
    sleep(700).await;

    let sync = sync.lock().unwrap().clone();
    let [(event, deadline)] = sync.as_slice() else { panic!("{sync:?}") };
    let record = &event.records[0];
    assert_eq!(record.body.as_deref(), Some("slice"));
    assert_eq!(
        record.event_source_arn.as_deref(),
        Some("arn:aws:sqs:local:000000000000:millwright-sync")
    );
    assert_eq!(record.event_source.as_deref(), Some("aws:sqs"));
    assert_eq!(record.attributes["ApproximateReceiveCount"], "1");
    assert!(record.receipt_handle.is_some() && record.md5_of_body.is_some());
    let left = deadline.since(clock.wall());
    assert!((Duration::from_secs(115)..Duration::from_secs(120)).contains(&left), "{left:?}");

    let deliver = deliver.lock().unwrap().clone();
    let mut records: Vec<_> = deliver.iter().flat_map(|(event, _)| event.records.clone()).collect();
    records.sort_by_key(|record| record.body.clone());
    let bodies: Vec<_> = records.iter().map(|record| record.body.as_deref().unwrap()).collect();
    assert_eq!(bodies, ["bad", "dead", "good"]);
    assert!(records[1].event_source_arn.as_deref().unwrap().ends_with(":millwright-dead"));
    assert_eq!(records[2].attributes["MessageGroupId"], "acme");

    // Only what failed is left, hidden until its timeout ends.
    let left = ("0".to_owned(), "1".to_owned());
    assert_eq!(running.counts("millwright-fanout").await, left);
    let none = ("0".to_owned(), "0".to_owned());
    assert_eq!(running.counts("millwright-sync").await, none);
    assert_eq!(running.counts("millwright-dead").await, none);
}

#[tokio::test]
async fn a_panic_fails_its_batch_alone() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let mut functions = functions(Router::new());
    functions.deliver = Arc::new(move |_, _| {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(call > 0, "the first call panics");
            SqsBatchResponse::default()
        }
        .boxed()
    });
    let running = Running::start(functions, Clock::system()).await;
    let url = running.url("millwright-sweep").await;
    for body in ["one", "two"] {
        send(&running.client, &url, body).await;
    }
    sleep(500).await;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let left = ("0".to_owned(), "1".to_owned());
    assert_eq!(running.counts("millwright-sweep").await, left);
}

#[tokio::test]
async fn stopping_ends_what_is_running_and_takes_nothing_more() {
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ended);
    let mut functions = functions(Router::new());
    functions.deliver = Arc::new(move |event, _| {
        let counted = Arc::clone(&counted);
        async move {
            sleep(600).await;
            counted.fetch_add(event.records.len(), Ordering::SeqCst);
            SqsBatchResponse::default()
        }
        .boxed()
    });
    let running = Running::start(functions, Clock::system()).await;
    let url = running.url("millwright-retry").await;
    send(&running.client, &url, "running").await;
    sleep(200).await;
    running.host.stop().await;
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    send(&running.client, &url, "late").await;
    sleep(300).await;
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    running.sqs.stop().await.unwrap();
}

#[tokio::test]
async fn ticks_come_each_minute_of_the_schedule_clock() {
    async fn ticks(clock: Clock, within: u64) -> usize {
        let ticks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&ticks);
        let mut functions = functions(Router::new());
        functions.tick = Arc::new(move |input| {
            assert_eq!(input, json!({}));
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }.boxed()
        });
        let _running = Running::start(functions, clock).await;
        sleep(within).await;
        ticks.load(Ordering::SeqCst)
    }
    let now = Clock::system().wall();
    let quick = |speed| Clock::scaled(now, Duration::ZERO, speed);
    assert_eq!(ticks(quick(1.0), 500).await, 1);
    let of_two_seconds = ticks(quick(240.0), 2000).await;
    assert!((7..=9).contains(&of_two_seconds), "{of_two_seconds}");
    // Never closer than 50 ms, however fast the clock.
    let of_one_second = ticks(quick(1_000_000.0), 1000).await;
    assert!((10..=20).contains(&of_one_second), "{of_one_second}");
}
