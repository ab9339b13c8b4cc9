//! What is refused, by whom, and what did not stick.

use serde_json::json;

use super::{
    plant::Fault::{Ignore, Refuse},
    scene::{QUICK, Scene, place},
};

#[tokio::test]
async fn a_field_that_the_system_passes_over_is_told() {
    let scene = Scene::new(QUICK).await;
    scene.plant.next([Ignore("notes")]);
    let body = json!({"vendorReference": "R-1", "notes": "important"});
    let made = scene.post("/v1/purchase-orders", body).await.expect(201);
    assert_eq!(made["meta"]["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(made["meta"]["warnings"][0]["path"], "notes");

    scene.plant.next([Ignore("notes")]);
    let changed = scene.patch(&place(&made), json!({"notes": "still"})).await.expect(200);
    assert_eq!(changed["meta"]["warnings"][0]["path"], "notes");
    let changed = scene.patch(&place(&made), json!({"notes": "still"})).await.expect(200);
    assert_eq!(changed["meta"].get("warnings"), None);
}

#[tokio::test]
async fn what_the_system_refuses_has_a_code_and_its_own_words() {
    let scene = Scene::new(QUICK).await;
    let body = json!({"vendorReference": "R-1", "notes": "x"});
    let said = json!({"text": "too long for us", "code": "P1", "field": "notes"});
    scene.plant.next([Refuse(422, said)]);
    let refused = scene.post("/v1/purchase-orders", body.clone()).await;
    let error = &refused.body["error"];
    assert_eq!((refused.status, refused.code()), (422, Some("BUSINESS_RULE_VIOLATED")));
    assert_eq!(error["fields"][0]["path"], "notes", "by its unified name");
    assert_eq!(
        error["upstream"],
        json!({"status": 422, "code": "P1", "message": "too long for us"})
    );
    for (status, expected) in [(403, "PERMISSION_DENIED"), (404, "NOT_FOUND")] {
        scene.plant.next([Refuse(status, json!({"message": "no"}))]);
        let refused = scene.post("/v1/purchase-orders", body.clone()).await;
        assert_eq!(refused.code(), Some(expected), "{:#}", refused.body);
        assert_eq!(refused.body["error"]["upstream"]["status"], status);
    }
    assert_eq!(scene.plant.rows("purchase-orders").len(), 0);
    assert_eq!(scene.plant.writes().len(), 3, "a refusal is not sent again");
}

#[tokio::test]
async fn all_faults_are_told_before_anything_is_sent() {
    let scene = Scene::new(QUICK).await;
    let body = json!({"orderNo": "1", "lineItems": [{"quantity": "x"}]});
    let refused = scene.post("/v1/purchase-orders", body).await;
    assert_eq!((refused.status, refused.code()), (422, Some("VALIDATION_FAILED")));
    let fields = refused.body["error"]["fields"].as_array().unwrap();
    let mut paths: Vec<&str> = fields.iter().map(|one| one["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["lineItems[0].quantity", "orderNo", "vendorReference"]);
    assert_eq!(scene.plant.writes(), [""; 0]);
}

#[tokio::test]
async fn what_the_account_may_not_do_is_shown_and_not_sent() {
    let scene = Scene::new(QUICK).await;
    scene.plant.allow(json!({"create": false, "update": true}));
    let operations = scene.api.get("/v1/meta/locations").await["operations"].clone();
    let permission = |name: &str| operations[name]["permission"].as_str().unwrap().to_owned();
    assert_eq!(permission("create"), "missing");
    assert_eq!((permission("update"), permission("delete")), ("granted".into(), "unknown".into()));

    let refused = scene.post("/v1/locations", json!({"name": "Ulm"})).await;
    assert_eq!((refused.status, refused.code()), (403, Some("PERMISSION_DENIED")));
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("the role of a planner"), "{message}");
    assert_eq!(scene.plant.writes(), [""; 0]);
    let status = scene.api.get("/v1/connection").await["status"].clone();
    assert_ne!(status, "reauthorization_required", "it says nothing of the connection");
}

#[tokio::test]
async fn where_the_system_does_not_say_what_the_account_may_it_is_asked() {
    let scene = Scene::new(QUICK).await;
    let _ = scene.post("/v1/locations", json!({"name": "Ulm"})).await.expect(201);
    assert_eq!(scene.plant.rows("locations").len(), 1);
}

#[tokio::test]
async fn a_patch_without_change_sends_nothing_and_answers_with_the_record() {
    let scene = Scene::new(QUICK).await;
    let order = scene.order("R-1").await;
    for patch in [json!({}), json!({"vendorReference": "R-1"})] {
        let same = scene.patch(&place(&order), patch).await.expect(200);
        assert_eq!(same["meta"]["etag"], order["meta"]["etag"]);
        assert_eq!(same["meta"].get("dry_run"), None);
    }
    assert_eq!(scene.plant.writes().len(), 1);
}
