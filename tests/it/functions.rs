//! Each function's own binary, as cargo built it, with the variables that the template names, over
//! recorded events of its trigger.

use std::{collections::HashMap, path::Path, time::Duration};

use millwright_core::{Clock, EndpointId, MessageId, QueueName, Work, WorkspaceId};
use millwright_event::{FanoutTask, Message, NewMessage, Scope};
use millwright_queue::body_of;
use millwright_store::DUE_SHARDS;
use millwright_tests::{
    cloud::Cloud,
    lambda::{Function, Outcome},
    template::{Template, text},
};
use millwright_webhook::NewEndpoint;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    care::receivers::{Manner, Receivers},
    in_process,
};

const HTTP: &str = include_str!("events/http_get.json");
const SCHEDULE: &str = include_str!("events/schedule.json");
const SQS: &str = include_str!("events/sqs.json");

struct Deployed {
    function: Function,
    cloud: Cloud,
    folder: TempDir,
}

/// The values that this machine has for the variables that the template gives a function.
pub fn variables(name: &str, cloud: &Cloud, folder: &Path) -> HashMap<String, String> {
    let place = |part: &str| format!("file:{}", folder.join(part).display());
    let mut values = HashMap::new();
    for (variable, set) in Template::read().function(name).variables {
        let value = match variable.as_str() {
            "MILLWRIGHT_BLOB" => place("blobs"),
            "MILLWRIGHT_VAULT" => place("vault.key"),
            "MILLWRIGHT_ALLOW_TARGETS" => "127.0.0.0/8".to_owned(),
            "MILLWRIGHT_HTTPS_REQUIRED" => "false".to_owned(),
            "MILLWRIGHT_PUBLIC_URL" => "https://api.example.com".to_owned(),
            "MILLWRIGHT_OAUTH_CLIENTS" => "{}".to_owned(),
            name if name.starts_with("MILLWRIGHT_RATE_LIMIT_") => text(&set),
            name => cloud.variables().get(name).expect("a table or a queue").clone(),
        };
        values.insert(variable, value);
    }
    for (name, value) in cloud.variables() {
        if name.starts_with("AWS_") {
            values.insert(name.clone(), value.clone());
        }
    }
    values
}

async fn deploy(name: &str) -> Deployed {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::calm(folder.path()).await;
    millwright_vault::create_key_file(&folder.path().join("vault.key")).unwrap();
    let limit = Duration::from_secs(Template::read().function(name).timeout);
    let values = variables(name, &cloud, folder.path());
    let binary = format!("millwright-fn-{name}");
    let function = Function::start(&binary, &values, limit, folder.path()).await.unwrap();
    Deployed { function, cloud, folder }
}

impl Deployed {
    async fn answer(&mut self, event: &Value) -> Value {
        match self.function.invoke(event).await {
            Outcome::Answer(answer) => answer,
            Outcome::Failed(why) => panic!("{why:#}\n{}", self.function.log()),
        }
    }
}

fn recorded(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A batch of these bodies, as a queue delivers it.
fn batch(queue: QueueName, bodies: &[String]) -> Value {
    let mut event = recorded(SQS);
    let record = event["Records"][0].clone();
    let records = bodies.iter().enumerate().map(|(n, body)| {
        let mut record = record.clone();
        record["messageId"] = format!("message-{n}").into();
        record["body"] = body.as_str().into();
        record["eventSourceARN"] = format!("arn:aws:sqs:eu-central-1:123456789012:{queue}").into();
        record
    });
    event["Records"] = records.collect();
    event
}

fn body(queue: QueueName, task: &Value) -> String {
    body_of(queue, &Work::new("group", task).unwrap(), 0).unwrap()
}

fn request(method: &str, path: &str, text: Option<&str>) -> Value {
    let mut event = recorded(HTTP);
    event["rawPath"] = path.into();
    event["requestContext"]["http"]["method"] = method.into();
    event["requestContext"]["http"]["path"] = path.into();
    if let Some(text) = text {
        event["headers"]["content-type"] = "application/json".into();
        event["body"] = text.into();
    }
    event
}

/// The ids that were reported as failed.
fn failed(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    failures.iter().map(|f| f["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_tick_asks_for_a_sweep_of_every_shard() {
    let mut tick = deploy("tick").await;
    tick.answer(&recorded(SCHEDULE)).await;
    let client = aws_sdk_sqs::Client::new(&tick.cloud.sdk());
    let url = &tick.cloud.variables()["MILLWRIGHT_QUEUE_SWEEP"];
    let mut asked = 0;
    loop {
        let call = client.receive_message().queue_url(url).max_number_of_messages(10);
        let messages = call.send().await.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        asked += messages.len();
    }
    assert_eq!(asked, QueueName::SWEPT.len() * DUE_SHARDS as usize);
}

#[tokio::test]
async fn the_api_answers_events_of_an_http_api() {
    let mut api = deploy("api").await;
    let health = api.answer(&request("GET", "/health", None)).await;
    assert_eq!(health["statusCode"], json!(200), "{health:#}");
    let unknown = api.answer(&request("GET", "/v1/nothing", None)).await;
    assert_eq!(unknown["statusCode"], json!(404));
    let error: Value = serde_json::from_str(unknown["body"].as_str().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "NOT_FOUND");
    let stranger = api.answer(&request("POST", "/v1/connections", Some("{}"))).await;
    assert_eq!(stranger["statusCode"], json!(401), "{stranger:#}");
}

#[tokio::test]
async fn one_bad_body_fails_alone_in_sync() {
    let mut sync = deploy("sync").await;
    // A connection that was deleted meanwhile: its work is over.
    let gone = json!({ "slice": {
        "workspace": "ws_00000000000000000000000001",
        "connection": "conn_00000000000000000000000001",
        "entity": "vendors",
    } });
    let good = body(QueueName::Sync, &gone);
    let bad = "not even JSON".to_owned();
    let answer = sync.answer(&batch(QueueName::Sync, &[good.clone(), bad, good])).await;
    assert_eq!(failed(&answer), ["message-1"], "{}", sync.function.log());
}

#[tokio::test]
async fn one_bad_body_fails_alone_in_deliver() {
    let mut deliver = deploy("deliver").await;
    for queue in [QueueName::Fanout, QueueName::Retry, QueueName::Sweep] {
        let gone = match queue {
            QueueName::Fanout => json!({ "message": {
                "workspace": "ws_00000000000000000000000001",
                "message": "msg_00000000000000000000000001",
            } }),
            QueueName::Retry => json!({
                "delivery": "dlv_0000000000000000000000000100000000000000000000000001",
                "workspace": "ws_00000000000000000000000001",
                "number": 2,
            }),
            _ => json!({ "queue": "retry", "shard": 0 }),
        };
        let good = body(queue, &gone);
        let wrong = body(queue, &json!({ "nothing": "of ours" }));
        let bodies = [wrong, good.clone(), "{".to_owned(), good];
        let answer = deliver.answer(&batch(queue, &bodies)).await;
        let mut reported = failed(&answer);
        reported.sort();
        assert_eq!(reported, ["message-0", "message-2"], "{queue}: {}", deliver.function.log());
    }
}

#[tokio::test]
async fn a_dead_letter_is_put_back_into_the_due_index_and_raises_an_alarm() {
    let mut deliver = deploy("deliver").await;
    let work = json!({ "queue": "retry", "shard": 0 });
    let bodies = [body(QueueName::Sweep, &work), "unreadable".to_owned()];
    let mut event = batch(QueueName::Sweep, &bodies);
    for record in event["Records"].as_array_mut().unwrap() {
        record["eventSourceARN"] = "arn:aws:sqs:eu-central-1:123456789012:dead".into();
    }
    let answer = deliver.answer(&event).await;
    assert_eq!(failed(&answer), Vec::<String>::new());
    let log = deliver.function.log();
    assert!(log.contains(r#""CloudWatchMetrics""#), "{log}");
    assert!(!log.contains(r#""body":"unreadable""#), "a body is not logged: {log}");
    let store = deliver.cloud.store();
    let later = store.clock().schedule() + Duration::from_secs(3600);
    let mut parked = 0;
    for shard in 0..DUE_SHARDS {
        parked += store.due(QueueName::Sweep, shard, later, 10).await.unwrap().len();
    }
    assert_eq!(parked, 1);
}

/// The lines of a log that are this metric of an endpoint.
fn metrics(log: &str, name: &str, endpoint: &EndpointId) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let fits = |line: &Value| line["endpoint"] == endpoint.as_str() && line[name].is_number();
    lines.filter(fits).collect()
}

#[tokio::test]
async fn attempts_and_waits_are_metrics_of_their_endpoints() {
    let mut deliver = deploy("deliver").await;
    let receivers = Receivers::start().await;
    // It asks to be left alone: its second message is put off without an attempt.
    receivers.set("busy", Manner::Status(429));
    let values = variables("api", &deliver.cloud, deliver.folder.path());
    let context = in_process::context(&values, Clock::system(), &deliver.cloud.sdk());
    let webhooks = in_process::webhooks(&context);
    let workspace = WorkspaceId::new_at(1);
    let make = async |hook: &str| {
        let new = NewEndpoint { url: Some(receivers.url(hook)), ..NewEndpoint::default() };
        webhooks.create_endpoint(&workspace, new).await.unwrap().id
    };
    let (well, busy) = (make("well").await, make("busy").await);
    for _ in 0..2 {
        let now = Clock::system().wall();
        let accepted = Clock::system().schedule() - Duration::from_secs(60);
        let (id, event_type) = (MessageId::new_at(accepted.millis()), "order.shipped");
        let (data, scope) = (json!({}), Scope::default());
        let new = NewMessage { workspace: &workspace, id, event_type, data: &data, scope };
        let message = Message::render_at(&context.blob, accepted, now, new).await.unwrap();
        let task = json!(FanoutTask::Inline(Box::new(message)));
        let event = batch(QueueName::Fanout, &[body(QueueName::Fanout, &task)]);
        let answer = deliver.answer(&event).await;
        assert_eq!(failed(&answer), Vec::<String>::new(), "{}", deliver.function.log());
    }
    let log = deliver.function.log();
    for (endpoint, attempts, arrivals, waits) in [(&well, 2, 1, 0), (&busy, 1, 0, 2)] {
        let attempted = metrics(&log, "WebhookAttempts", endpoint);
        assert_eq!(attempted.len(), attempts, "{log}");
        for line in attempted {
            let about = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(about["Dimensions"], json!([["endpoint"], []]), "{line:#}");
            assert_eq!(line["WebhookArrivals"], json!(arrivals), "{line:#}");
        }
        let waiting = metrics(&log, "WebhookWaiting", endpoint);
        assert_eq!(waiting.len(), waits, "{log}");
        for line in waiting {
            // Since it was accepted, not since it was tried.
            assert!(line["WebhookWaiting"].as_u64() >= Some(60_000), "{line:#}");
        }
    }
}

#[tokio::test]
async fn a_function_without_a_variable_says_which_and_does_not_start() {
    for name in ["api", "tick", "sync", "deliver"] {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::calm(folder.path()).await;
        millwright_vault::create_key_file(&folder.path().join("vault.key")).unwrap();
        let mut values = variables(name, &cloud, folder.path());
        values.remove("MILLWRIGHT_QUEUE_FANOUT");
        let binary = format!("millwright-fn-{name}");
        let limit = Duration::from_secs(10);
        let function = Function::start(&binary, &values, limit, folder.path()).await.unwrap();
        let words = function.ends().await;
        assert!(words.contains("MILLWRIGHT_QUEUE_FANOUT"), "{name}: {words}");
    }
}
