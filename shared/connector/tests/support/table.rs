//! A stand-in for the table: the four calls that the sandbox makes, over DynamoDB's own wire format.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};

type Rows = Arc<Mutex<BTreeMap<(String, String), Value>>>;

/// Starts one on a free port; it ends with the test. Answers with its address.
pub async fn start() -> String {
    let app = Router::new().route("/", post(answer)).with_state(Rows::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

async fn answer(State(rows): State<Rows>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let target = headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap();
    let mut rows = rows.lock().unwrap();
    let answer = match target {
        "PutItem" => {
            if !holds(&request, rows.get(&key(&request["Item"]))) {
                return refused("ConditionalCheckFailedException", "as it says");
            }
            rows.insert(key(&request["Item"]), request["Item"].clone());
            json!({})
        }
        "GetItem" => match rows.get(&key(&request["Key"])) {
            Some(item) => json!({"Item": item}),
            None => json!({}),
        },
        "BatchGetItem" => {
            let (table, wanted) =
                request["RequestItems"].as_object().unwrap().iter().next().unwrap();
            let keys: Vec<_> = wanted["Keys"].as_array().unwrap().iter().map(key).collect();
            if keys.iter().collect::<BTreeSet<_>>().len() < keys.len() {
                return refused(
                    "ValidationException",
                    "Provided list of item keys contains duplicates",
                );
            }
            let found: Vec<&Value> = keys.iter().filter_map(|key| rows.get(key)).collect();
            json!({"Responses": {table: found}, "UnprocessedKeys": {}})
        }
        "Query" => query(&rows, &request),
        other => panic!("{other} is not played"),
    };
    (StatusCode::OK, answer.to_string())
}

/// The two conditions that rows are put on: that there is none, or that it is as it was read.
fn holds(request: &Value, row: Option<&Value>) -> bool {
    match request["ConditionExpression"].as_str() {
        None => true,
        Some("version = :version") => {
            let wanted = &request["ExpressionAttributeValues"][":version"];
            row.is_some_and(|row| row["version"] == *wanted)
        }
        Some(absent) if absent.starts_with("attribute_not_exists") => row.is_none(),
        Some(other) => panic!("{other} is not played"),
    }
}

fn refused(kind: &str, message: &str) -> (StatusCode, String) {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
    (StatusCode::BAD_REQUEST, json!({"__type": kind, "message": message}).to_string())
}

fn query(rows: &BTreeMap<(String, String), Value>, request: &Value) -> Value {
    let values = &request["ExpressionAttributeValues"];
    let pk = values[":pk"]["S"].as_str().unwrap();
    let prefix = values[":prefix"]["S"].as_str().unwrap();
    let after = request["ExclusiveStartKey"]["sk"]["S"].as_str().unwrap_or("");
    let limit = usize::try_from(request["Limit"].as_u64().unwrap()).unwrap();
    let found: Vec<&Value> = rows
        .iter()
        .filter(|((of, sk), _)| of == pk && sk.starts_with(prefix) && sk.as_str() > after)
        .map(|(_, item)| item)
        .take(limit)
        .collect();
    let mut answer = json!({"Items": found});
    if let Some(last) = found.last().filter(|_| found.len() == limit) {
        answer["LastEvaluatedKey"] = json!({"pk": last["pk"], "sk": last["sk"]});
    }
    answer
}

fn key(item: &Value) -> (String, String) {
    let text = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
    (text("pk"), text("sk"))
}
