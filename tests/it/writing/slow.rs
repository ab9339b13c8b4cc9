//! Systems that take their time.

use std::time::Duration;

use millwright_records::WriteTiming;
use millwright_tests::wait;
use serde_json::{Value, json};

use super::{
    plant::Fault,
    scene::{QUICK, Scene},
};

const IMPATIENT: WriteTiming = WriteTiming { answer_within: Duration::from_millis(800), ..QUICK };
const LATE: Duration = Duration::from_secs(3);

/// Waits until a write has ended.
async fn ended(scene: &Scene, write: &Value) -> Value {
    let path = format!("/v1/writes/{}", write["write_id"].as_str().unwrap());
    wait::until("the write ends", Duration::from_secs(60), async || {
        let write = scene.api.get(&path).await;
        (write["status"] != "pending").then_some(write)
    })
    .await
}

#[tokio::test]
async fn a_slow_write_is_answered_with_its_id_and_can_be_asked_for_until_it_has_ended() {
    let scene = Scene::new(IMPATIENT).await;
    scene.plant.next([Fault::Slow(LATE)]);
    let body = json!({"vendorReference": "R-1"});
    let answer = scene.post("/v1/purchase-orders", body).await;
    let place = answer.headers["location"].to_str().unwrap().to_owned();
    let write = answer.expect(202);
    assert_eq!(place, format!("/v1/writes/{}", write["write_id"].as_str().unwrap()));
    assert_eq!((&write["status"], &write["operation"]), (&json!("pending"), &json!("create")));

    let write = ended(&scene, &write).await;
    assert_eq!(write["status"], "succeeded", "{write:#}");
    assert_eq!(write["record"]["vendorReference"], "R-1");
    let key = write["key"].as_str().unwrap();
    let record = scene.api.get(&format!("/v1/purchase-orders/{key}")).await;
    assert_eq!(record["vendorReference"], "R-1", "it shows in the next read");
    assert_eq!(scene.plant.rows("purchase-orders").len(), 1);
}

#[tokio::test]
async fn a_slow_refusal_is_told_in_the_systems_words() {
    let scene = Scene::new(IMPATIENT).await;
    scene.plant.next([Fault::SlowRefusal(LATE)]);
    let write = scene.post("/v1/materials", json!({"name": "bolt"})).await.expect(202);
    let write = ended(&scene, &write).await;
    assert_eq!(write["status"], "failed");
    assert_eq!(write["error"]["code"], "BUSINESS_RULE_VIOLATED");
    assert_eq!(write["error"]["upstream"]["message"], "not today");
    assert_eq!(write["error"]["retryable"], false);
}

#[tokio::test]
async fn a_write_belongs_to_its_connection() {
    let scene = Scene::new(IMPATIENT).await;
    scene.plant.next([Fault::Slow(LATE)]);
    let write = scene.post("/v1/materials", json!({"name": "bolt"})).await.expect(202);
    let workspace = &scene.connection.workspace;
    let other = super::scene::connected(&scene.context, workspace, &scene.plant).await;
    let path = format!("/v1/writes/{}", write["write_id"].as_str().unwrap());
    let api = scene.api.about(other.id.as_str());
    assert_eq!(api.call(http::Method::GET, &path, None).await.code(), Some("NOT_FOUND"));
}
