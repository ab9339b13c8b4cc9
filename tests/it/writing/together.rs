//! Several who write at the same time.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use super::{
    plant::Fault,
    scene::{QUICK, Scene, place},
};

#[tokio::test]
async fn of_two_who_change_the_same_version_exactly_one_wins() {
    let scene = Scene::new(QUICK).await;
    for round in 0..4 {
        let order = scene.order(&format!("R-{round}")).await;
        let (place, etag) = (place(&order), order["meta"]["etag"].as_str().unwrap());
        let api = scene.api.with_header("If-Match", &format!("\"{etag}\""));
        scene.plant.next([Fault::Slow(Duration::from_millis(300))]);
        let (left, right) = (json!({"notes": "left"}), json!({"notes": "right"}));
        let (left, right) = tokio::join!(
            api.call(http::Method::PATCH, &place, Some(&left)),
            api.call(http::Method::PATCH, &place, Some(&right)),
        );
        let (won, lost) = if left.status == 200 { (left, right) } else { (right, left) };
        assert_eq!((won.status, lost.status), (200, 412), "{:#} {:#}", won.body, lost.body);
        assert_eq!(lost.code(), Some("PRECONDITION_FAILED"));
        assert_eq!(scene.api.get(&place).await["notes"], won.body["notes"]);
    }
}

#[tokio::test]
async fn after_a_refused_condition_the_record_reads_as_the_system_has_it() {
    let scene = Scene::new(QUICK).await;
    let order = scene.order("R-1").await;
    let (place, etag) = (place(&order), order["meta"]["etag"].as_str().unwrap());
    let end = scene.api.get("/v1/changes?cursor=latest").await["next_cursor"].clone();
    scene.plant.change("purchase-orders", "0001", "notes", json!("changed there"));
    assert_eq!(scene.api.get(&place).await["meta"]["etag"], etag, "nobody has noticed yet");

    let api = scene.api.with_header("If-Match", etag);
    let patch = json!({"notes": "mine"});
    let refused = api.call(http::Method::PATCH, &place, Some(&patch)).await;
    assert_eq!(refused.code(), Some("PRECONDITION_FAILED"));
    let now = scene.api.get(&place).await;
    assert_eq!(now["notes"], "changed there");
    let changes = format!("/v1/changes?cursor={}", end.as_str().unwrap());
    let changes = scene.api.get(&changes).await["data"].clone();
    assert_eq!((&changes[0]["key"], &changes[0]["origin"]), (&order["key"], &json!("sync")));

    let api = scene.api.with_header("If-Match", now["meta"]["etag"].as_str().unwrap());
    let _ = api.call(http::Method::PATCH, &place, Some(&patch)).await.expect(200);
}

#[tokio::test]
async fn what_a_state_forbids_is_read_as_it_stands_too() {
    let scene = Scene::new(QUICK).await;
    let order = scene.order("R-1").await;
    scene.plant.change("purchase-orders", "0001", "status", json!("sent"));
    let refused = scene.post(&format!("{}/actions/send", place(&order)), json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, Some("STATE_CONFLICT")));
    assert_eq!(scene.api.get(&place(&order)).await["state"], "sent");
}

#[tokio::test]
async fn one_key_makes_one_record_however_many_use_it_at_once() {
    let scene = Scene::new(QUICK).await;
    let api = scene.api.with_header("Idempotency-Key", "k-1");
    scene.plant.next([Fault::Slow(Duration::from_millis(300))]);
    let body = json!({"name": "bolt"});
    let ask = || api.call(http::Method::POST, "/v1/materials", Some(&body));
    for answer in join_all((0..8).map(|_| ask())).await {
        let waits = (409, Some("IDEMPOTENCY_IN_PROGRESS"));
        assert!(answer.status == 201 || (answer.status, answer.code()) == waits, "{answer:?}");
    }
    let again = ask().await;
    assert!(again.headers.contains_key("idempotent-replayed"));
    assert_eq!(again.expect(201)["name"], "bolt");
    assert_eq!(scene.plant.writes().len(), 1);
}
