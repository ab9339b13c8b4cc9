//! Webhooks of a system's own.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method};
use millwright_access::Role;
use millwright_connection::{Admin, find_connection};
use millwright_core::WallTime;
use millwright_store::Write;
use millwright_sync::{HintTask, HintsEnd, run_hints};
use serde_json::{Value, json};
use sha2::Sha256;

use super::system::{SECRET, System};
use crate::reading::scene::Scene;

async fn address(scene: &Scene) -> String {
    let hook = scene.api.get(&format!("/v1/connections/{}/hook", scene.connection.id)).await;
    assert_eq!(hook["entities"], json!(["topics"]));
    let url = hook["url"].as_str().unwrap();
    format!("/hooks/{}", url.rsplit_once("/hooks/").unwrap().1)
}

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256={hex}")
}

async fn send(scene: &Scene, path: &str, secret: &str, body: &Value) -> (u16, HeaderMap) {
    let body = body.to_string();
    let api = scene.api.with_key(None).with_header("X-Signature", &signature(secret, &body));
    let api = api.with_header("Idempotency-Key", "the system's own");
    let answer = api.raw(Method::POST, path, Some(("application/json", body))).await;
    (answer.status, answer.headers)
}

async fn work(scene: &Scene) -> HintsEnd {
    let task = HintTask {
        workspace: scene.workspace.clone(),
        connection: scene.connection.id.clone(),
        entity: "topics".to_owned(),
    };
    let deadline = WallTime::from_millis(scene.now().millis() + 300_000);
    run_hints(&scene.context, &task, 0, deadline).await.unwrap()
}

async fn title(scene: &Scene, id: u32) -> Value {
    let key = scene.key("topics", &id.to_string());
    scene.answer(&format!("/v1/topics/{key}")).await.body["title"].clone()
}

#[tokio::test]
async fn what_a_webhook_tells_of_is_read_again_and_told_once() {
    let (system, scene) = System::start().await;
    let path = address(&scene).await;
    let cursor = scene.api.get("/v1/changes?cursor=latest").await["next_cursor"].clone();
    system.set(2, "Changed");
    system.set(9, "New");
    system.asked();
    for id in [2, 9, 2, 2] {
        assert_eq!(send(&scene, &path, SECRET, &json!({ "topic": id })).await.0, 202);
    }
    assert!(system.asked().is_empty(), "it is answered before anything is read");
    assert_eq!(work(&scene).await, HintsEnd::Done);
    assert_eq!(system.asked().len(), 1, "each record once, together");
    assert_eq!((title(&scene, 2).await, title(&scene, 9).await), (json!("Changed"), json!("New")));
    let cursor = cursor.as_str().unwrap();
    let changes = scene.api.get(&format!("/v1/changes?cursor={cursor}")).await;
    assert_eq!(changes["data"].as_array().unwrap().len(), 2, "{changes:#}");
    assert_eq!(work(&scene).await, HintsEnd::Done);
    assert!(system.asked().is_empty(), "nothing is left to do");
    assert_eq!(send(&scene, &path, SECRET, &json!({ "topic": 2 })).await.0, 202);
    work(&scene).await;
    let later = scene.api.get(&format!("/v1/changes?cursor={cursor}")).await;
    assert_eq!(later["data"], changes["data"], "what is as it was is not told");
}

#[tokio::test]
async fn a_deletion_is_one_only_when_the_record_is_not_found() {
    let (system, scene) = System::start().await;
    let path = address(&scene).await;
    system.take(1);
    for id in [1, 3] {
        assert_eq!(send(&scene, &path, SECRET, &json!({ "gone": id })).await.0, 202);
    }
    work(&scene).await;
    assert_eq!(title(&scene, 1).await, Value::Null);
    assert_eq!(title(&scene, 3).await, json!("Topic 3"), "it is still there");
    assert_eq!(scene.ids("/v1/topics?include=deleted").await.len(), 3);
}

#[tokio::test]
async fn what_was_read_before_the_system_asks_for_patience_counts() {
    let (system, scene) = System::start().await;
    let path = address(&scene).await;
    system.busy_for("3");
    for id in [1, 2, 3] {
        system.set(id, "Changed");
        assert_eq!(send(&scene, &path, SECRET, &json!({ "topic": id })).await.0, 202);
    }
    assert_eq!(work(&scene).await, HintsEnd::Done);
    assert_eq!(
        (title(&scene, 1).await, title(&scene, 2).await),
        (json!("Changed"), json!("Changed"))
    );
    assert_eq!(title(&scene, 3).await, json!("Topic 3"), "it waits");
}

#[tokio::test]
async fn what_is_told_of_while_a_connection_is_paused_is_read_when_it_is_wanted_again() {
    let (system, scene) = System::start().await;
    let path = address(&scene).await;
    want(&scene, Admin::Paused).await;
    system.set(2, "Changed");
    system.asked();
    assert_eq!(send(&scene, &path, SECRET, &json!({ "topic": 2 })).await.0, 202);
    assert_eq!(work(&scene).await, HintsEnd::Done);
    assert!(system.asked().is_empty(), "a paused connection is left alone");
    want(&scene, Admin::Enabled).await;
    assert_eq!(work(&scene).await, HintsEnd::Done);
    assert_eq!(title(&scene, 2).await, json!("Changed"));
}

async fn want(scene: &Scene, admin: Admin) {
    let store = &scene.context.store;
    let found = find_connection(store, &scene.workspace, &scene.connection.id).await;
    let mut row = found.unwrap();
    row.doc.facts.admin = admin;
    store.write(Write::replace(&row).unwrap()).await.unwrap();
}

#[tokio::test]
async fn what_is_not_signed_or_not_known_is_refused_without_a_word_too_many() {
    let (system, scene) = System::start().await;
    let path = address(&scene).await;
    system.asked();
    let body = json!({ "topic": 2 });
    assert_eq!(send(&scene, &path, "another", &body).await.0, 401);
    assert_eq!(send(&scene, "/hooks/unknown", SECRET, &body).await.0, 404);
    assert_eq!(send(&scene, &path, SECRET, &json!({ "other": 1 })).await.0, 202);
    let large = json!({ "topic": 2, "more": "x".repeat(1_100_000) });
    assert_eq!(send(&scene, &path, SECRET, &large).await.0, 413);
    let api = scene.api.with_key(None);
    let unsigned = api.call(Method::POST, &path, Some(&body)).await;
    assert_eq!((unsigned.status, unsigned.code()), (401, Some("AUTHENTICATION_FAILED")));
    assert!(!unsigned.body.to_string().contains("secret"), "{:#}", unsigned.body);
    assert_eq!(work(&scene).await, HintsEnd::Done);
    assert!(system.asked().is_empty());
}

#[tokio::test]
async fn the_address_is_for_admins_and_an_old_one_is_dead() {
    let (_, scene) = System::start().await;
    let at = format!("/v1/connections/{}/hook", scene.connection.id);
    let writer = scene.caller(Role::Write).await;
    assert_eq!(writer.call(Method::GET, &at, None).await.status, 403);
    let stranger = scene.stranger().await;
    assert_eq!(stranger.call(Method::GET, &at, None).await.status, 404);
    let first = address(&scene).await;
    assert_eq!(address(&scene).await, first);
    let rotated = scene.api.call(Method::POST, &format!("{at}/rotate"), None).await.expect(200);
    let body = json!({ "topic": 2 });
    assert_eq!(send(&scene, &first, SECRET, &body).await.0, 404);
    let second = rotated["url"].as_str().unwrap().rsplit_once("/hooks/").unwrap().1.to_owned();
    assert_eq!(send(&scene, &format!("/hooks/{second}"), SECRET, &body).await.0, 202);
    let log = scene.api.all("/v1/audit-log").await;
    let actions: Vec<&Value> = log.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["hook_rotated", "hook_shown", "hook_shown"]);
    assert!(log.iter().all(|entry| entry["outcome"] == "done"), "{log:#?}");
    assert!(!json!(log).to_string().contains(&second));
    let gone = format!("/v1/connections/{}/disconnect", scene.connection.id);
    let _ = scene.api.call(Method::POST, &gone, None).await.expect(200);
    assert_eq!(send(&scene, &format!("/hooks/{second}"), SECRET, &body).await.0, 404);
    let sandbox = Scene::calm().await;
    let none = format!("/v1/connections/{}/hook", sandbox.connection.id);
    assert_eq!(sandbox.answer(&none).await.status, 405);
}
