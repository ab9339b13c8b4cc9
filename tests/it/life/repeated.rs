//! A connection that is asked for again under its idempotency key, because the one who made it died
//! before it answered.

use millwright_store::{Document, Key, Range, Table, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ground::{Ground, sandbox_request};

/// A row of an idempotency key, as it lies in the table.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Claim(Map<String, Value>);

impl Document for Claim {}

/// The claim as a process leaves it that dies once the connection is there, a minute ago.
async fn die_before_answering(ground: &Ground) {
    let store = ground.cloud.store();
    let pk = millwright_connection::idempotency_pk(&ground.workspace.id);
    let page = store.query_docs::<Claim>(Table::State, &pk, &Range::All, None, 10).await.unwrap();
    let [row] = <[_; 1]>::try_from(page.rows).ok().expect("one key was used");
    let key = Key::state(&pk, &row.key.sk);
    let mut row = store.get::<Claim>(&key).await.unwrap().unwrap();
    row.doc.0.insert("state".to_owned(), json!({ "running": 0 }));
    row.body = None;
    store.write(Write::replace(&row).unwrap()).await.unwrap();
}

#[tokio::test]
async fn who_asks_again_after_a_death_is_told_of_the_connection_that_was_made() {
    let ground = Ground::new().await;
    let api = ground.instance().await;
    let keyed = api.with_header("Idempotency-Key", "plant one");
    let made = keyed.post("/v1/connections", &sandbox_request(), 201).await;
    die_before_answering(&ground).await;
    let again = keyed.post("/v1/connections", &sandbox_request(), 201).await;
    assert_eq!(again["id"], made["id"]);
    // And once more, now out of what is kept under the key.
    let kept = keyed.post("/v1/connections", &sandbox_request(), 201).await;
    assert_eq!(kept["id"], made["id"]);
    let all = api.get("/v1/connections").await;
    assert_eq!(all["data"].as_array().map(Vec::len), Some(1), "{all:#}");
    assert_eq!(api.get("/v1/credits").await["used"], 1);
    let told = api.all("/v1/webhook-messages?limit=100").await;
    let created = told.iter().filter(|message| message["type"] == "connection.created");
    assert_eq!(created.count(), 1);
    // Another key is another connection.
    let other = api.with_header("Idempotency-Key", "plant two");
    let other = other.post("/v1/connections", &sandbox_request(), 201).await;
    assert_ne!(other["id"], made["id"]);
}
