//! Each fault against an upstream small enough to be right.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    types::{AttributeValue, Delete, TransactWriteItem},
};
use axum::{Json, Router, extract::State, http::HeaderMap};
use serde_json::{Value, json};

use super::*;

/// What the upstream has been asked, and the rows and messages it holds.
#[derive(Clone, Default)]
struct Tiny(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    calls: Vec<String>,
    rows: Vec<Value>,
    messages: Vec<Value>,
}

impl Tiny {
    async fn start() -> (String, Self) {
        let tiny = Self::default();
        let router = Router::new().fallback(answer).with_state(tiny.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, tiny)
    }

    fn calls(&self) -> usize {
        self.0.lock().unwrap().calls.len()
    }
}

async fn answer(
    State(tiny): State<Tiny>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Json<Value> {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap().to_owned();
    let mut held = tiny.0.lock().unwrap();
    held.calls.push(operation.clone());
    Json(match operation.as_str() {
        "PutItem" => {
            held.rows.push(body["Item"].clone());
            json!({})
        }
        "Query" => json!({ "Items": held.rows, "Count": held.rows.len() }),
        "BatchGetItem" => json!({ "Responses": { "t": body["RequestItems"]["t"]["Keys"] } }),
        "BatchWriteItem" => {
            let requests = body["RequestItems"]["t"].as_array().unwrap();
            held.rows.extend(requests.iter().map(|request| request["PutRequest"]["Item"].clone()));
            json!({ "UnprocessedItems": {} })
        }
        "BatchExecuteStatement" => {
            let statements = body["Statements"].as_array().unwrap();
            let item = |statement: &Value| json!({ "pk": statement["Parameters"][0], "sk": statement["Parameters"][1] });
            held.rows.extend(statements.iter().map(item));
            json!({ "Responses": vec![json!({ "TableName": "t" }); statements.len()] })
        }
        "SendMessage" => {
            held.messages.push(json!({ "Body": body["MessageBody"] }));
            json!({ "MessageId": "1" })
        }
        "ReceiveMessage" => {
            let most = body["MaxNumberOfMessages"].as_u64().unwrap() as usize;
            let taken = most.min(held.messages.len());
            json!({ "Messages": held.messages.drain(..taken).collect::<Vec<_>>() })
        }
        _ => json!({}),
    })
}

fn sdk(url: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("k", "s", None, None, "test"))
        .region(Region::new("local"))
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// Makes a call; nothing when there was no answer.
async fn call(url: &str, operation: &str, body: &Value) -> Option<(u16, Value)> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let target = format!("Service_1.{operation}");
    let sent = client.post(url).header("x-amz-target", target).json(body).send().await.ok()?;
    let status = sent.status().as_u16();
    Some((status, sent.json().await.ok()?))
}

fn row(n: usize) -> Value {
    json!({ "pk": { "S": "p" }, "sk": { "S": n.to_string() } })
}

async fn put(url: &str, n: usize) -> Option<(u16, Value)> {
    call(url, "PutItem", &json!({ "TableName": "t", "Item": row(n) })).await
}

async fn query(url: &str) -> usize {
    let body = json!({ "TableName": "t", "IndexName": "due", "Limit": 10 });
    let (status, answer) = call(url, "Query", &body).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(answer["Count"], json!(answer["Items"].as_array().unwrap().len()));
    answer["Items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_throttle_is_one_the_sdk_knows_and_nothing_is_done() {
    let (url, tiny) = Tiny::start().await;
    let proxy = TableFaults { throttle: 1.0, ..TableFaults::NONE }.before(&url, 1).await.unwrap();
    let refused = sdk(proxy.url()).get_item().table_name("t");
    let refused = refused.key("pk", AttributeValue::S("p".to_owned())).send().await.unwrap_err();
    assert!(refused.as_service_error().unwrap().is_provisioned_throughput_exceeded_exception());
    assert_eq!((tiny.calls(), proxy.counts().of(Fault::Throttled)), (0, 1));
}

#[tokio::test]
async fn a_cancelled_transaction_names_the_item_that_met_another() {
    let (url, tiny) = Tiny::start().await;
    let faults = TableFaults { transaction_conflict: 1.0, ..TableFaults::NONE };
    let proxy = faults.before(&url, 1).await.unwrap();
    let delete = Delete::builder().table_name("t").key("pk", AttributeValue::S("p".to_owned()));
    let item = TransactWriteItem::builder().delete(delete.build().unwrap()).build();
    let transaction = sdk(proxy.url()).transact_write_items();
    let transaction = transaction.set_transact_items(Some(vec![item; 3]));
    let refused = transaction.send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(canceled) = refused else {
        panic!("{refused:?}");
    };
    let mut codes: Vec<_> =
        canceled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["None", "None", "TransactionConflict"]);
    assert_eq!(tiny.calls(), 0);
}

#[tokio::test]
async fn what_a_batch_leaves_undone_is_given_back_and_can_be_asked_for_again() {
    let (url, tiny) = Tiny::start().await;
    let faults = TableFaults { unprocessed: 1.0, ..TableFaults::NONE };
    let proxy = faults.before(&url, 1).await.unwrap();
    let mut waiting: Vec<Value> =
        (0..25).map(|n| json!({ "PutRequest": { "Item": row(n) } })).collect();
    let mut calls = 0;
    while !waiting.is_empty() {
        let body = json!({ "RequestItems": { "t": waiting } });
        let (_, answer) = call(proxy.url(), "BatchWriteItem", &body).await.unwrap();
        waiting = answer["UnprocessedItems"]["t"].as_array().cloned().unwrap_or_default();
        calls += 1;
    }
    assert!(calls > 1);
    let rows: BTreeSet<String> = tiny.0.lock().unwrap().rows.iter().map(Value::to_string).collect();
    assert_eq!(rows.len(), 25);
    assert!(proxy.counts().of(Fault::Unprocessed) > 0);
}

#[tokio::test]
async fn statements_of_a_batch_are_refused_each_in_its_place() {
    let (url, tiny) = Tiny::start().await;
    let faults = TableFaults { unprocessed: 1.0, ..TableFaults::NONE };
    let proxy = faults.before(&url, 1).await.unwrap();
    let insert = |n: usize| {
        let values = [json!({ "S": "p" }), json!({ "S": n.to_string() })];
        json!({ "Statement": "INSERT INTO \"t\" VALUE {'pk': ?, 'sk': ?}", "Parameters": values })
    };
    let statements: Vec<Value> = (0..25).map(insert).collect();
    let body = json!({ "Statements": statements });
    let (_, answer) = call(proxy.url(), "BatchExecuteStatement", &body).await.unwrap();
    let answers = answer["Responses"].as_array().unwrap();
    assert_eq!(answers.len(), 25);
    let made = answers.iter().zip(0..).filter(|(answer, _)| answer["Error"].is_null());
    let made: Vec<Value> = made.map(|(_, n)| row(n)).collect();
    assert_eq!(tiny.0.lock().unwrap().rows, made);
    assert!(!made.is_empty() && made.len() < 25);
}

#[tokio::test]
async fn keys_that_a_batch_did_not_read_are_given_back_with_their_request() {
    let (url, _) = Tiny::start().await;
    let faults = TableFaults { unprocessed: 1.0, ..TableFaults::NONE };
    let proxy = faults.before(&url, 3).await.unwrap();
    let keys: Vec<Value> = (0..20).map(row).collect();
    let body = json!({ "RequestItems": { "t": { "Keys": keys, "ConsistentRead": true } } });
    let (_, answer) = call(proxy.url(), "BatchGetItem", &body).await.unwrap();
    let read = answer["Responses"]["t"].as_array().unwrap().len();
    let left = &answer["UnprocessedKeys"]["t"];
    assert_eq!(read + left["Keys"].as_array().unwrap().len(), 20);
    assert_eq!(left["ConsistentRead"], json!(true));
    assert!(read > 0);
}

#[tokio::test]
async fn an_index_shows_a_new_row_late_and_then_always() {
    let (url, _) = Tiny::start().await;
    let lag = Duration::from_millis(150);
    let faults = TableFaults { late_index: 1.0, index_lag: lag, ..TableFaults::NONE };
    let proxy = faults.before(&url, 1).await.unwrap();
    put(proxy.url(), 1).await.unwrap();
    assert_eq!(query(proxy.url()).await, 0);
    tokio::time::sleep(2 * lag).await;
    assert_eq!(query(proxy.url()).await, 1);
    assert_eq!(proxy.counts().of(Fault::LateIndex), 1);
}

#[tokio::test]
async fn an_index_may_answer_as_it_did_a_moment_ago() {
    let (url, _) = Tiny::start().await;
    let lag = Duration::from_millis(300);
    let faults = TableFaults { stale_index: 1.0, index_lag: lag, ..TableFaults::NONE };
    let proxy = faults.before(&url, 1).await.unwrap();
    assert_eq!(query(proxy.url()).await, 0);
    put(proxy.url(), 1).await.unwrap();
    assert_eq!(query(proxy.url()).await, 0);
    tokio::time::sleep(2 * lag).await;
    assert_eq!(query(proxy.url()).await, 1);
}

#[tokio::test]
async fn a_lost_answer_is_lost_after_the_write_was_done() {
    let (url, tiny) = Tiny::start().await;
    let faults = TableFaults { lost_answer: 1.0, ..TableFaults::NONE };
    let proxy = faults.before(&url, 1).await.unwrap();
    let mut kinds = BTreeSet::new();
    for n in 0..20 {
        kinds.insert(put(proxy.url(), n).await.map(|(status, _)| status));
    }
    assert_eq!(kinds, BTreeSet::from([None, Some(500)]));
    assert_eq!(tiny.0.lock().unwrap().rows.len(), 20);
}

async fn send(url: &str, n: usize) -> Option<(u16, Value)> {
    call(url, "SendMessage", &json!({ "QueueUrl": "q", "MessageBody": n.to_string() })).await
}

/// Receives until nothing has come for longer than anything is held.
async fn receive_all(url: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut empty = 0;
    while empty < 10 {
        let ask = json!({ "QueueUrl": "q", "MaxNumberOfMessages": 10 });
        let (_, answer) = call(url, "ReceiveMessage", &ask).await.unwrap();
        let messages = answer["Messages"].as_array().unwrap();
        assert!(messages.len() <= 10);
        bodies.extend(messages.iter().map(|m| m["Body"].as_str().unwrap().to_owned()));
        empty = if messages.is_empty() { empty + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bodies
}

#[tokio::test]
async fn messages_are_held_back_and_reordered_and_none_is_lost() {
    let (url, _) = Tiny::start().await;
    let hold = Duration::from_millis(100);
    let faults = QueueFaults { hold_back: 0.5, hold, reorder: 1.0, ..QueueFaults::NONE };
    let proxy = faults.before(&url, 5).await.unwrap();
    for n in 0..50 {
        send(proxy.url(), n).await.unwrap();
    }
    let received = receive_all(proxy.url()).await;
    let sent: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_ne!(received, sent);
    assert_eq!(received.len(), 50);
    assert_eq!(received.iter().collect::<BTreeSet<_>>(), sent.iter().collect());
    assert!(proxy.counts().of(Fault::HeldBack) > 0);
    assert!(proxy.counts().of(Fault::Reordered) > 0);
}

#[tokio::test]
async fn a_duplicated_message_comes_twice() {
    let (url, _) = Tiny::start().await;
    let hold = Duration::from_millis(100);
    let faults = QueueFaults { duplicate: 1.0, hold, ..QueueFaults::NONE };
    let proxy = faults.before(&url, 5).await.unwrap();
    for n in 0..12 {
        send(proxy.url(), n).await.unwrap();
    }
    let received = receive_all(proxy.url()).await;
    assert_eq!(received.len(), 24);
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>().len(), 12);
}

#[tokio::test]
async fn a_sender_that_is_not_told_has_sent_all_the_same() {
    let (url, tiny) = Tiny::start().await;
    let proxy = QueueFaults { lost_send: 1.0, ..QueueFaults::NONE }.before(&url, 2).await.unwrap();
    for n in 0..10 {
        let answer = send(proxy.url(), n).await;
        assert!(answer.is_none_or(|(status, _)| status == 500));
    }
    assert_eq!(tiny.0.lock().unwrap().messages.len(), 10);
}
