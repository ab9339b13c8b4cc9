//! Messages of a workspace's own, over HTTP, with a real receiver.

use std::time::Duration;

use http::Method;
use millwright_core::{MessageId, from_iso};
use millwright_event::{Message, message_key};
use millwright_local::dynamo;
use millwright_store::Table;
use millwright_tests::{
    api::{Answer, Api},
    receiver::Delivery,
    wait,
};
use serde_json::{Value, json};

use crate::{
    care::world::World,
    scene::{LONG, Scene, text},
};

const PATH: &str = "/v1/webhook-messages";
/// The most bytes that a request may have.
const MIB: usize = 1024 * 1024;
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn send(api: &Api, body: String) -> Answer {
    api.raw(Method::POST, PATH, Some(("application/json", body))).await
}

async fn arrived(scene: &Scene, hook: &str, id: &str) -> Delivery {
    wait::until("the message arrives", LONG, async || {
        scene.receiver.deliveries(hook).into_iter().find(|one| one.id.as_deref() == Some(id))
    })
    .await
}

async fn settled(api: &Api, message: &str, status: &str) -> Value {
    wait::until("the delivery is there", LONG, async || {
        let all = api.all("/v1/webhook-deliveries?limit=100").await;
        let own = |one: &Value| one["message_id"] == message && one["status"] == status;
        all.into_iter().find(own)
    })
    .await
}

#[tokio::test]
async fn messages_keep_their_bytes_and_names_and_end_when_they_are_told_to() {
    let scene = Scene::new(&[]).await;
    scene.endpoint("taker", json!({ "event_types": ["own.*"] })).await;
    bytes_stay_as_they_are(&scene).await;
    a_request_has_at_most_1_mib(&scene).await;
    a_name_stands_for_one_message(&scene).await;
    what_it_is_about_is_chosen_by(&scene).await;
    a_first_attempt_is_told_of_while_it_is_made(&scene).await;
    an_abort_ends_what_is_left(&scene).await;
    expunging_leaves_the_record_without_the_content(&scene).await;
    retention_is_the_workspaces(&scene).await;
}

async fn bytes_stay_as_they_are(scene: &Scene) {
    let data = r#"{ "n" : 1.50e+2,"big":123456789012345678901234567890.10 , "s":"\u00fc ü\/" }"#;
    let made = send(&scene.api(), format!(r#"{{"type":"own.exact", "data":{data}}}"#)).await;
    let made = made.expect(202);
    let delivery = arrived(scene, "taker", text(&made, "id")).await;
    assert!(delivery.verified, "{:?}", delivery.refusal);
    assert!(delivery.body.ends_with(&format!(r#","data":{data}}}"#)), "{}", delivery.body);
    let path = format!("{PATH}/{}", text(&made, "id"));
    let shown = scene.api().get(&path).await;
    assert_eq!(shown["data"]["big"].to_string(), "123456789012345678901234567890.10");
    for wrong in [
        r#"{"type":"own.exact"}"#,
        r#"{"type":"own.exact","data":1,"more":1}"#,
        r#"{"type":"own.exact","data":1,"ttl_seconds":0}"#,
    ] {
        assert_eq!(send(&scene.api(), wrong.to_owned()).await.status, 422, "{wrong}");
    }
    assert_eq!(send(&scene.api(), r#"{"type":"own.exact","data":{"#.to_owned()).await.status, 400);
}

async fn a_request_has_at_most_1_mib(scene: &Scene) {
    let body = |length: usize| {
        let frame = r#"{"type":"own.large","data":""}"#;
        format!(r#"{{"type":"own.large","data":"{}"}}"#, "x".repeat(length - frame.len()))
    };
    let made = send(&scene.api(), body(MIB)).await.expect(202);
    let delivery = arrived(scene, "taker", text(&made, "id")).await;
    assert!(delivery.verified && delivery.body.len() > MIB, "{}", delivery.body.len());
    let refused = send(&scene.api(), body(MIB + 1)).await;
    assert_eq!((refused.status, refused.code()), (413, Some("PAYLOAD_TOO_LARGE")));
}

async fn a_name_stands_for_one_message(scene: &Scene) {
    let api = scene.api();
    let replayed = |answer: &Answer| answer.headers.contains_key("idempotent-replayed");
    let body = |n: u32| json!({ "type": "own.named", "data": n, "event_id": "event 1" });
    let first = api.call(Method::POST, PATH, Some(&body(1))).await;
    assert!(!replayed(&first));
    let again = api.call(Method::POST, PATH, Some(&body(1))).await;
    assert!(replayed(&again));
    let (first, again) = (first.expect(202), again.expect(202));
    assert_eq!(first, again);
    let other = api.call(Method::POST, PATH, Some(&body(2))).await;
    assert_eq!((other.status, other.code()), (409, Some("IDEMPOTENCY_CONFLICT")));

    let keyed = api.with_header("Idempotency-Key", "key 1");
    let body = json!({ "type": "own.named", "data": "keyed" });
    let by_key = keyed.call(Method::POST, PATH, Some(&body)).await.expect(202);
    // Once it is known, and while it may not be.
    for _ in 0..3 {
        let again = keyed.call(Method::POST, PATH, Some(&body)).await;
        assert!(replayed(&again));
        assert_eq!(again.expect(202), by_key);
    }
    let other = json!({ "type": "own.named", "data": "other" });
    let refused = keyed.call(Method::POST, PATH, Some(&other)).await;
    assert_eq!(refused.code(), Some("IDEMPOTENCY_CONFLICT"));
    let many = futures::future::join_all((0..8).map(|_| {
        let body = json!({ "type": "own.named", "data": "many", "event_id": "event 2" });
        let api = api.clone();
        async move { api.call(Method::POST, PATH, Some(&body)).await.expect(202) }
    }))
    .await;
    assert!(many.iter().all(|one| *one == many[0]), "{many:#?}");
    for id in [text(&first, "id"), text(&by_key, "id"), text(&many[0], "id")] {
        settled(&api, id, "delivered").await;
        let copies = scene.receiver.deliveries("taker");
        let copies = copies.iter().filter(|one| one.id.as_deref() == Some(id)).count();
        assert_eq!(copies, 1, "{id}");
    }
}

async fn what_it_is_about_is_chosen_by(scene: &Scene) {
    let api = scene.api();
    let about = json!({ "event_types": ["about.*"], "customer_ids": ["acme"] });
    scene.endpoint("about", about).await;
    let message = json!({ "type": "about.them", "data": 1, "customer_id": "acme" });
    let made = api.post(PATH, &message, 202).await;
    arrived(scene, "about", text(&made, "id")).await;
    let stranger = json!({ "type": "about.others", "data": 1, "customer_id": "other" });
    let made = api.post(PATH, &stranger, 202).await;
    let path = format!("{PATH}/{}", text(&made, "id"));
    let shown = wait::until("it is fanned out", LONG, async || {
        let answer = api.call(Method::GET, &path, None).await;
        (answer.status == 200).then_some(answer.body)
    })
    .await;
    assert_eq!(shown["endpoint_ids"], json!([]));
    let nobody = "conn_01jd8r2v7m5w3k9x1c4t6z8q0a";
    let unknown = json!({ "type": "about.them", "data": 1, "connection_id": nobody });
    let refused = api.post(PATH, &unknown, 422).await;
    assert_eq!(refused["error"]["code"], "REFERENCE_NOT_FOUND");
}

/// Its row is made when it is over; until then its message tells of it.
async fn a_first_attempt_is_told_of_while_it_is_made(scene: &Scene) {
    let api = scene.api();
    let endpoint = scene.endpoint("sleeper", json!({ "event_types": ["slow.*"] })).await;
    scene.receiver.set("sleeper", &json!({ "hang_seconds": 3 })).await;
    let made = api.post(PATH, &json!({ "type": "slow.one", "data": 1 }), 202).await;
    let (message, endpoint) = (text(&made, "id"), endpoint.as_str());
    let random = |id: &str| id.split_once('_').expect("a prefix").1.to_owned();
    let id = format!("dlv_{}{}", random(message), random(endpoint));
    let path = format!("/v1/webhook-deliveries/{id}");
    let delivery = wait::until("its attempt begins", LONG, async || {
        let answer = api.call(Method::GET, &path, None).await;
        (answer.status == 200).then(|| answer.body.clone())
    })
    .await;
    assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("pending"), &json!(0)));
    for act in ["retry", "abort"] {
        let refused = api.call(Method::POST, &format!("{path}/{act}"), None).await;
        assert_eq!((refused.status, refused.code()), (409, Some("STATE_CONFLICT")), "{act}");
    }
    let delivered = settled(&api, message, "delivered").await;
    assert_eq!((&delivered["id"], &delivered["attempt_count"]), (&json!(id), &json!(1)));
}

async fn an_abort_ends_what_is_left(scene: &Scene) {
    let api = scene.api();
    scene.endpoint("refuser", json!({ "event_types": ["stuck.*"] })).await;
    scene.receiver.set("refuser", &json!({ "answer": 500 })).await;
    let made = api.post(PATH, &json!({ "type": "stuck.here", "data": 1 }), 202).await;
    let id = text(&made, "id");
    settled(&api, id, "waiting").await;
    let path = format!("{PATH}/{id}/abort");
    let aborted = api.call(Method::POST, &path, None).await.expect(200);
    assert!(aborted["aborted_at"].is_string());
    assert_eq!(api.call(Method::POST, &path, None).await.expect(200), aborted);
    settled(&api, id, "aborted").await;
}

async fn expunging_leaves_the_record_without_the_content(scene: &Scene) {
    let api = scene.api();
    for length in [10, 100_000] {
        let secret = "planted ".repeat(length / 8);
        let event = format!("secret {length}");
        let request = json!({ "type": "own.secret", "data": secret, "event_id": event });
        let made = api.post(PATH, &request, 202).await;
        let id = text(&made, "id");
        let delivery = settled(&api, id, "delivered").await;
        let path = format!("{PATH}/{id}");
        let expunge = format!("{path}/expunge");
        let expunged = api.call(Method::POST, &expunge, None).await.expect(200);
        assert_eq!(expunged["expunged"], json!(true));
        assert_eq!(api.call(Method::POST, &expunge, None).await.expect(200), expunged);
        assert_eq!(api.post(PATH, &request, 202).await, made, "a replay brings nothing back");
        let shown = api.get(&path).await;
        assert!(shown.get("data").is_none() && shown["type"] == "own.secret", "{shown:#}");
        let path = format!("/v1/webhook-deliveries/{}", text(&delivery, "id"));
        assert_eq!(api.get(&path).await["status"], "delivered");
        let attempts = api.get(&format!("{path}/attempts")).await;
        assert_eq!(attempts["data"].as_array().unwrap().len(), 1, "{attempts:#}");
        let blobs = scene.folder.path().join("data");
        let left = walk(&blobs).into_iter().filter(|path| path.to_string_lossy().contains(id));
        assert_eq!(left.count(), 0);
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = |path: std::path::PathBuf| if path.is_dir() { walk(&path) } else { vec![path] };
    entries.flat_map(|entry| below(entry.path())).collect()
}

async fn retention_is_the_workspaces(scene: &Scene) {
    let api = scene.api();
    assert_eq!(api.get("/v1/workspace").await["webhook_retention_days"], json!(30));
    for (days, status) in [(0, 422), (91, 422), (90, 200), (1, 200)] {
        let change = json!({ "webhook_retention_days": days });
        let answer = api.call(Method::PATCH, "/v1/workspace", Some(&change)).await;
        assert_eq!(answer.status, status, "{days}");
    }
    assert_eq!(api.get("/v1/workspace").await["webhook_retention_days"], json!(1));
    let other = json!({ "webhook_retention_days": null });
    let other = api.call(Method::PATCH, "/v1/workspace", Some(&other)).await.expect(200);
    assert_eq!(other["webhook_retention_days"], json!(30));
}

/// Whichever way a message is fanned out: to one endpoint, to two, or from the row that an event of
/// Millwright's own was written as.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rows_of_messages_and_deliveries_end_when_their_workspace_says() {
    let world = World::begin().await;
    let change = json!({ "webhook_retention_days": 1 });
    let _ = world.api.call(Method::PATCH, "/v1/workspace", Some(&change)).await.expect(200);
    let wanted = [
        ("alone", "kept.alone"),
        ("left", "kept.both"),
        ("right", "kept.both"),
        ("told", "endpoint.disabled"),
    ];
    for (hook, event_type) in wanted {
        world.endpoint(Some(hook), event_type, json!({})).await;
    }
    let idle = world.endpoint(Some("idle"), "kept.never", json!({})).await;
    let own = json!({ "type": "kept.not", "data": {} });
    let answer = world.api.call(Method::POST, PATH, Some(&own)).await.expect(202);
    let at = |field: &str| from_iso(text(&answer, field)).expect("a time");
    let kept = at("kept_until") - at("timestamp");
    assert_eq!(kept, 24 * 3600 * 1000, "{answer}");
    world.send("kept.alone", 1).await;
    world.send("kept.both", 1).await;
    world.have(&idle, "disable").await;
    world.drain(&world.pump).await;
    for (event_type, rows) in [("kept.alone", 2), ("kept.both", 3), ("endpoint.disabled", 2)] {
        rows_end_after_a_day(&world, event_type, rows).await;
    }
}

/// The message of this type, with its deliveries, has so many rows, which all end a day after it happened.
async fn rows_end_after_a_day(world: &World, event_type: &str, rows: usize) {
    let messages = world.api.all(&format!("{PATH}?event_type={event_type}&limit=100")).await;
    assert_eq!(messages.len(), 1, "{messages:#?}");
    let id: MessageId = text(&messages[0], "id").parse().unwrap();
    let key = message_key(&world.workspace, &id);
    let row = world.store.get::<Message>(&key).await.unwrap().expect("the message's row");
    let end = (row.doc.timestamp + DAY).seconds();
    assert_eq!(ends_of(world, &id).await, vec![end; rows], "{event_type}");
}

/// When the rows of a message and its deliveries end, as the table has it.
async fn ends_of(world: &World, id: &MessageId) -> Vec<i64> {
    let client = aws_sdk_dynamodb::Client::new(&world.sdk());
    let name = dynamo::tables().name(Table::State).to_owned();
    let mut items = client.scan().table_name(name).into_paginator().items().send();
    let mut ends = Vec::new();
    while let Some(item) = items.next().await {
        let item = item.unwrap();
        if item["sk"].as_s().is_ok_and(|sk| sk == id.as_str()) {
            ends.push(item["expires_at"].as_n().unwrap().parse().unwrap());
        }
    }
    ends
}
