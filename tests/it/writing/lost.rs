//! Answers that are lost.

use millwright_records::RecordDoc;
use serde_json::json;

use super::{
    plant::Fault::{LoseAnswer, LoseRequest},
    scene::{QUICK, Scene, place},
};

#[tokio::test]
async fn a_lost_create_is_known_by_the_system_itself() {
    let scene = Scene::new(QUICK).await;
    for (fault, name) in [(LoseAnswer, "a"), (LoseRequest, "b")] {
        scene.plant.next([fault]);
        let made = scene.post("/v1/vendors", json!({"name": name})).await.expect(201);
        assert_eq!(made["name"], name);
    }
    assert_eq!(scene.plant.rows("vendors").len(), 2);
    assert_eq!(scene.plant.writes().len(), 4, "each was sent again under its token");
}

#[tokio::test]
async fn a_lost_create_is_looked_up_by_its_token_before_it_is_sent_again() {
    let scene = Scene::new(QUICK).await;
    scene.plant.next([LoseAnswer]);
    let made = scene.order("R-1").await;
    assert_eq!(scene.plant.writes(), ["POST /purchase-orders"], "it was there");
    assert_eq!(scene.api.get(&place(&made)).await["vendorReference"], "R-1");

    scene.plant.next([LoseRequest]);
    scene.order("R-2").await;
    assert_eq!(scene.plant.writes().len(), 3, "it was not there, and was sent once more");
    assert_eq!(scene.plant.rows("purchase-orders").len(), 2);
}

#[tokio::test]
async fn a_create_that_is_lost_twice_and_is_not_there_may_be_tried_again() {
    let scene = Scene::new(QUICK).await;
    scene.plant.next([LoseRequest, LoseRequest]);
    let body = json!({"vendorReference": "R-1"});
    let lost = scene.post("/v1/purchase-orders", body).await;
    assert_eq!((lost.status, lost.code()), (503, Some("CONNECTION_UNAVAILABLE")));
    assert!(lost.headers.contains_key("retry-after"));
    assert_eq!(scene.plant.rows("purchase-orders").len(), 0);
}

#[tokio::test]
async fn where_nothing_tells_the_outcome_is_unknown_and_stays_so_for_its_key() {
    let scene = Scene::new(QUICK).await;
    let api = scene.api.with_header("Idempotency-Key", "k-1");
    for fault in [LoseAnswer, LoseRequest] {
        scene.plant.next([fault]);
        let answer = scene.post("/v1/materials", json!({"name": "bolt"})).await;
        assert_eq!((answer.status, answer.code()), (504, Some("WRITE_OUTCOME_UNKNOWN")));
    }
    scene.plant.next([LoseAnswer]);
    for again in [false, true] {
        let body = json!({"name": "nut"});
        let answer = api.call(http::Method::POST, "/v1/materials", Some(&body)).await;
        assert_eq!(answer.code(), Some("WRITE_OUTCOME_UNKNOWN"));
        assert_eq!(answer.headers.contains_key("idempotent-replayed"), again);
    }
    assert_eq!(scene.plant.writes().len(), 3, "nothing was sent twice");
}

#[tokio::test]
async fn another_record_that_says_the_same_is_not_taken_for_the_lost_one() {
    let scene = Scene::new(QUICK).await;
    let body = json!({"customerReference": "C-1"});
    let first = scene.post("/v1/sales-orders", body.clone()).await.expect(201);

    scene.plant.next([LoseRequest]);
    let second = scene.post("/v1/sales-orders", body.clone()).await.expect(201);
    assert_ne!(first["key"], second["key"]);
    assert_eq!(scene.plant.rows("sales-orders").len(), 2);

    // Now there are several, and which of them is the one cannot be told.
    scene.plant.next([LoseAnswer]);
    let third = scene.post("/v1/sales-orders", body).await;
    assert_eq!(third.code(), Some("WRITE_OUTCOME_UNKNOWN"));
    assert_eq!(scene.plant.rows("sales-orders").len(), 3);
}

#[tokio::test]
async fn a_lost_create_is_found_by_what_it_says() {
    let scene = Scene::new(QUICK).await;
    scene.plant.next([LoseAnswer]);
    let body = json!({"customerReference": "C-1"});
    let _ = scene.post("/v1/sales-orders", body).await.expect(201);
    assert_eq!(scene.plant.writes().len(), 1);
}

#[tokio::test]
async fn a_lost_change_is_seen_in_the_record() {
    let scene = Scene::new(QUICK).await;
    let order = scene.order("R-1").await;
    let place = place(&order);

    scene.plant.next([LoseAnswer]);
    let changed = scene.patch(&place, json!({"notes": "a"})).await.expect(200);
    assert_eq!(changed["notes"], "a");
    scene.plant.next([LoseRequest]);
    let changed = scene.patch(&place, json!({"notes": "b"})).await.expect(200);
    assert_eq!(changed["notes"], "b");

    scene.plant.next([LoseAnswer]);
    let sent = scene.post(&format!("{place}/actions/send"), json!({})).await.expect(200);
    assert_eq!(sent["state"], "sent");

    // The header is changed and the line is not there: neither done nor not done.
    let path = format!("PATCH {}", place.replace(order["key"].as_str().unwrap(), "0001"));
    scene.plant.next([LoseAnswer]);
    let patch = json!({"notes": "c", "lineItems": [{"quantity": "7"}]});
    let answer = scene.patch(&place, patch).await;
    assert_eq!(answer.code(), Some("WRITE_OUTCOME_UNKNOWN"));
    assert_eq!(scene.plant.writes().last().unwrap(), &path.replace("/v1", ""));

    scene.plant.next([LoseAnswer]);
    let gone = scene.api.call(http::Method::DELETE, &place, None).await.expect(200);
    assert_eq!(gone["meta"]["delete_mode"], "hard");
    let row = scene.scope().record("purchase-orders", order["key"].as_str().unwrap());
    let row = scene.context.store.get_doc::<RecordDoc>(&row).await.unwrap().unwrap();
    assert!(row.doc.deleted_at.is_some());
}
