//! Each function's own binary, as cargo built it, with the variables that the template names, over
//! recorded events of its trigger.

use std::{collections::HashMap, time::Duration};

use millwright_core::{QueueName, Work};
use millwright_queue::body_of;
use millwright_store::DUE_SHARDS;
use millwright_tests::{
    cloud::Cloud,
    lambda::{Function, Outcome},
    template::{Template, text},
};
use serde_json::{Value, json};
use tempfile::TempDir;

const HTTP: &str = include_str!("events/http_get.json");
const SCHEDULE: &str = include_str!("events/schedule.json");
const SQS: &str = include_str!("events/sqs.json");

struct Deployed {
    function: Function,
    cloud: Cloud,
    _folder: TempDir,
}

/// The values that this machine has for the variables that the template gives a function.
fn variables(name: &str, cloud: &Cloud, folder: &TempDir) -> HashMap<String, String> {
    let place = |part: &str| format!("file:{}", folder.path().join(part).display());
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
    let values = variables(name, &cloud, &folder);
    let binary = format!("millwright-fn-{name}");
    let function = Function::start(&binary, &values, limit, folder.path()).await.unwrap();
    Deployed { function, cloud, _folder: folder }
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

#[tokio::test]
async fn a_function_without_a_variable_says_which_and_does_not_start() {
    for name in ["api", "tick", "sync", "deliver"] {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::calm(folder.path()).await;
        millwright_vault::create_key_file(&folder.path().join("vault.key")).unwrap();
        let mut values = variables(name, &cloud, &folder);
        values.remove("MILLWRIGHT_QUEUE_FANOUT");
        let binary = format!("millwright-fn-{name}");
        let limit = Duration::from_secs(10);
        let function = Function::start(&binary, &values, limit, folder.path()).await.unwrap();
        let words = function.ends().await;
        assert!(words.contains("MILLWRIGHT_QUEUE_FANOUT"), "{name}: {words}");
    }
}
