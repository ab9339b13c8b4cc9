//! Custom fields that a connection has chosen.

use http::Method;
use millwright_access::Role;
use serde_json::{Value, json};

use crate::reading::scene::Scene;

const ORDERS: &str = "purchase-orders";

fn path(scene: &Scene) -> String {
    format!("/v1/connections/{}/custom-fields/{ORDERS}", scene.connection.id)
}

async fn put(scene: &Scene, query: &str, names: &[&str]) -> Value {
    let path = format!("{}{query}", path(scene));
    let body = json!({ "fields": names });
    scene.api.put(&path, &body).await
}

fn selected(list: &Value) -> Vec<&str> {
    let fields = list["data"].as_array().unwrap().iter();
    fields.filter(|own| own["selected"] == true).map(|own| own["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn chosen_custom_fields_show_in_records_and_can_be_written() {
    let scene = Scene::calm().await;
    let row = json!({
        "number": "PO-1", "status": "draft", "vendor": "ven-0003", "lines": [],
        "custom": { "cost_centre": "CC-7", "delivery_zone": "north" },
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
    });
    scene.put_behind(ORDERS, "po-own", row).await;
    scene.sync("vendors").await;
    scene.sync(ORDERS).await;
    let at = format!("/v1/purchase-orders/{}", scene.key(ORDERS, "po-own"));
    assert_eq!(scene.api.get(&at).await.get("customFields"), None);
    let list = scene.api.get(&path(&scene)).await;
    assert!(list["data"].as_array().unwrap().len() > 3 && selected(&list).is_empty(), "{list:#}");

    let key = scene.key(ORDERS, "po-own");
    let query = format!("?dry_run=true&key={key}");
    let tried = put(&scene, &query, &["cost_centre"]).await;
    assert_eq!(tried["changed"]["fields"], json!(["customFields.cost_centre"]));
    assert!(selected(&scene.api.get(&path(&scene)).await).is_empty());

    let made = put(&scene, "", &["cost_centre"]).await;
    assert_eq!(selected(&made), ["cost_centre"]);
    scene.sync(ORDERS).await;
    assert_eq!(scene.api.get(&at).await["customFields"], json!({ "cost_centre": "CC-7" }));
    let patch = json!({ "customFields": { "cost_centre": "CC-8" } });
    let written = scene.api.call(Method::PATCH, &at, Some(&patch)).await.expect(200);
    assert_eq!(written["customFields"], json!({ "cost_centre": "CC-8" }));
}

#[tokio::test]
async fn a_choice_and_a_mapping_stand_beside_each_other() {
    let scene = Scene::calm().await;
    let mapping = format!("/v1/connections/{}/mappings/{ORDERS}", scene.connection.id);
    let fields = json!({ "fields": [{ "field": "notes", "path": "reference" }] });
    scene.api.put(&mapping, &fields).await;
    put(&scene, "", &["cost_centre"]).await;
    assert_eq!(scene.api.get(&mapping).await["fields"], fields["fields"]);
    scene.api.put(&mapping, &json!({ "fields": [] })).await;
    assert_eq!(selected(&scene.api.get(&path(&scene)).await), ["cost_centre"]);
}

#[tokio::test]
async fn a_choice_and_a_mapping_that_are_made_at_once_both_hold() {
    let scene = Scene::calm().await;
    let mapping = format!("/v1/connections/{}/mappings/{ORDERS}", scene.connection.id);
    let fields = json!({ "fields": [{ "field": "notes", "path": "reference" }] });
    tokio::join!(scene.api.put(&mapping, &fields), put(&scene, "", &["cost_centre"]));
    assert_eq!(scene.api.get(&mapping).await["fields"], fields["fields"]);
    assert_eq!(selected(&scene.api.get(&path(&scene)).await), ["cost_centre"]);
}

#[tokio::test]
async fn a_custom_field_that_is_none_is_refused_by_its_place() {
    let scene = Scene::calm().await;
    let body = json!({ "fields": ["cost_centre", "no_such", "cost_centre"] });
    let answer = scene.api.call(Method::PUT, &path(&scene), Some(&body)).await;
    assert_eq!((answer.status, answer.code()), (422, Some("VALIDATION_FAILED")));
    let faults = answer.body["error"]["fields"].as_array().unwrap();
    let places: Vec<&str> = faults.iter().map(|own| own["path"].as_str().unwrap()).collect();
    assert_eq!(places, ["fields[1]", "fields[2]"]);
}

#[tokio::test]
async fn custom_fields_are_their_workspaces_and_its_admins() {
    let scene = Scene::calm().await;
    let body = json!({ "fields": ["cost_centre"] });
    let stranger = scene.stranger().await;
    assert_eq!(stranger.call(Method::GET, &path(&scene), None).await.status, 404);
    assert_eq!(stranger.call(Method::PUT, &path(&scene), Some(&body)).await.status, 404);
    let writer = scene.caller(Role::Write).await;
    assert_eq!(writer.call(Method::PUT, &path(&scene), Some(&body)).await.status, 403);
}
