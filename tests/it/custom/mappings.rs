//! Field mappings of a connection's own.

use std::time::Duration;

use http::Method;
use millwright_access::Role;
use millwright_connector::{MappedField, Overlay};
use millwright_sync::{SliceEnd, change_overlay};
use serde_json::{Value, json};

use crate::reading::scene::Scene;

const ORDERS: &str = "purchase-orders";

fn path(scene: &Scene) -> String {
    format!("/v1/connections/{}/mappings/{ORDERS}", scene.connection.id)
}

/// The order's own reference as its notes, and its number in small letters as its terms.
fn mapping() -> Value {
    json!({ "fields": [
        { "field": "notes", "path": "reference" },
        { "field": "terms", "jq": ".number | ascii_downcase" },
    ] })
}

async fn put(scene: &Scene, query: &str, body: &Value) -> Value {
    let path = format!("{}{query}", path(scene));
    scene.api.call(Method::PUT, &path, Some(body)).await.expect(200)
}

async fn an_order(scene: &Scene) -> Value {
    let orders = scene.api.all("/v1/purchase-orders").await;
    orders.into_iter().find(|order| order["vendorReference"].is_string()).unwrap()
}

#[tokio::test]
async fn a_changed_mapping_says_what_it_changes_and_makes_it_true_for_what_is_there() {
    let scene = Scene::calm().await;
    scene.sync(ORDERS).await;
    let order = an_order(&scene).await;
    let key = order["key"].as_str().unwrap();
    assert_eq!(order["notes"], Value::Null);
    let cursor = scene.api.get("/v1/changes?cursor=latest").await["next_cursor"].clone();

    let tried = put(&scene, &format!("?dry_run=true&key={key}"), &mapping()).await;
    let seen = &tried["changed"]["records"][0];
    assert_eq!((&seen["key"], &seen["before"]["notes"]), (&order["key"], &Value::Null));
    assert_eq!(seen["after"]["notes"], order["vendorReference"]);
    assert_eq!(seen["fields"], json!(["notes", "terms"]));
    assert_eq!(
        (&tried["changed"]["dry_run"], &tried["changed"]["sync"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(scene.api.get(&path(&scene)).await["fields"], json!([]), "nothing was changed");
    assert_eq!(scene.sync(ORDERS).await, SliceEnd::Done);
    assert_eq!(an_order(&scene).await["notes"], Value::Null);

    let made = put(&scene, "", &mapping()).await;
    assert_eq!(made["data"]["fields"], mapping()["fields"]);
    assert_eq!(made["changed"]["different"], json!(true));
    assert_eq!(made["changed"]["sync"]["entity"], json!(ORDERS));
    assert_eq!(made["changed"]["sync"]["status"], json!("in_progress"));
    let live = scene.api.get(&format!("/v1/purchase-orders/{key}?live=true")).await;
    assert_eq!(live["notes"], order["vendorReference"], "at once for what is read");
    assert_eq!(made["data"]["remapping"]["stage"], json!("asked"));

    scene.sync(ORDERS).await;
    let kept = scene.api.get(&format!("/v1/purchase-orders/{key}")).await;
    assert_eq!(kept["notes"], order["vendorReference"]);
    assert_eq!(kept["terms"], json!(order["orderNo"].as_str().unwrap().to_lowercase()));
    let told = scene.api.get(&path(&scene)).await;
    let remapping = &told["remapping"];
    assert_eq!(remapping["stage"], json!("done"), "{told:#}");
    let orders = scene.api.all("/v1/purchase-orders").await.len();
    assert_eq!(remapping["counts"]["updated"], json!(orders));
    let cursor = cursor.as_str().unwrap();
    let changes = scene.api.get(&format!("/v1/changes?limit=500&cursor={cursor}")).await;
    let changes = changes["data"].as_array().unwrap();
    assert_eq!(changes.len(), orders, "each is told once, to a cursor from before");
    assert!(changes.iter().all(|change| change["action"] == "upserted"));

    let again = put(&scene, "", &mapping()).await;
    assert_eq!(
        (&again["changed"]["different"], &again["changed"]["sync"]),
        (&json!(false), &Value::Null)
    );
    put(&scene, "", &json!({ "fields": [] })).await;
    scene.sync(ORDERS).await;
    assert_eq!(scene.api.get(&format!("/v1/purchase-orders/{key}")).await["notes"], Value::Null);
}

#[tokio::test]
async fn a_field_that_is_mapped_can_be_filtered_by_and_not_be_written() {
    let scene = Scene::calm().await;
    scene.sync(ORDERS).await;
    let meta = async || scene.api.get(&format!("/v1/meta/{ORDERS}")).await;
    let of = |meta: &Value, path: &str| {
        let fields = meta["fields"].as_array().unwrap();
        fields.iter().find(|field| field["path"] == path).unwrap().clone()
    };
    let before = meta().await;
    assert_eq!(of(&before, "title")["writable"], json!("both"));
    assert_eq!(scene.answer("/v1/purchase-orders?filter[siteKey]=x").await.status, 400);
    let body = json!({ "fields": [
        { "field": "title", "path": "reference" },
        { "field": "siteKey", "path": "vendor" },
    ] });
    put(&scene, "", &body).await;
    scene.sync(ORDERS).await;
    let after = meta().await;
    assert_eq!(of(&after, "title")["writable"], json!("never"));
    assert_eq!(of(&after, "siteKey")["filterable"], json!(true));
    let order = an_order(&scene).await;
    let site = order["siteKey"].as_str().unwrap();
    let found = scene.api.all(&format!("/v1/purchase-orders?filter[siteKey]={site}")).await;
    assert!(!found.is_empty() && found.iter().all(|order| order["siteKey"] == site));
    let drafts = scene.api.all("/v1/purchase-orders?filter[state]=draft").await;
    let at = format!("/v1/purchase-orders/{}", drafts[0]["key"].as_str().unwrap());
    let refused = scene.api.call(Method::PATCH, &at, Some(&json!({ "title": "Other" }))).await;
    assert_eq!((refused.status, refused.code()), (422, Some("FIELD_READ_ONLY")));
    assert_eq!(refused.body["error"]["fields"][0]["path"], "title");
}

#[tokio::test]
async fn every_faulty_field_of_a_mapping_is_named() {
    let scene = Scene::calm().await;
    let body = json!({ "fields": [
        { "field": "nothing", "path": "a" },
        { "field": "notes", "path": "a..b" },
        { "field": "terms", "jq": "env" },
        { "field": "dueAt", "path": "a", "codec": "no_such" },
        { "field": "key", "path": "a" },
    ] });
    let answer = scene.api.call(Method::PUT, &path(&scene), Some(&body)).await;
    assert_eq!((answer.status, answer.code()), (422, Some("VALIDATION_FAILED")));
    let named: Vec<&str> = answer.body["error"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["path"].as_str().unwrap())
        .collect();
    for place in
        ["fields[0].field", "fields[1].path", "fields[2].jq", "fields[3].codec", "fields[4].field"]
    {
        assert!(named.contains(&place), "{place} is not in {named:?}");
    }
    let unreadable = json!({ "fields": [{ "field": "dueAt", "path": "number", "codec": "time" }] });
    scene.sync(ORDERS).await;
    let answer = scene.api.call(Method::PUT, &path(&scene), Some(&unreadable)).await;
    assert_eq!(
        (answer.status, answer.code()),
        (422, Some("VALIDATION_FAILED")),
        "{:#}",
        answer.body
    );
    let tried = put(&scene, "?dry_run=true", &unreadable).await;
    assert_eq!(tried["changed"]["records"][0]["after"], Value::Null);
    assert_eq!(tried["changed"]["records"][0]["fault"]["field"], json!("dueAt"));
    assert_eq!(scene.api.get(&path(&scene)).await["fields"], json!([]));
}

#[tokio::test]
async fn a_mapping_is_its_workspaces_and_its_admins() {
    let scene = Scene::calm().await;
    let stranger = scene.stranger().await;
    let get = stranger.call(Method::GET, &path(&scene), None).await;
    let put = stranger.call(Method::PUT, &path(&scene), Some(&mapping())).await;
    assert_eq!((get.status, put.status), (404, 404));
    let writer = scene.caller(Role::Write).await;
    let put = writer.call(Method::PUT, &path(&scene), Some(&mapping())).await;
    assert_eq!((put.status, put.code()), (403, Some("PERMISSION_DENIED")));
    writer.get(&path(&scene)).await;
    let at = |entity: &str| format!("/v1/connections/{}/mappings/{entity}", scene.connection.id);
    assert_eq!(scene.answer(&at("unicorns")).await.status, 404);
    assert_eq!(scene.answer(&at("rfq")).await.status, 405);
}

#[tokio::test]
async fn a_running_sync_gives_way_to_a_changed_mapping_and_begins_anew() {
    let scene = Scene::calm().await;
    scene.sync(ORDERS).await;
    scene.api.post("/v1/sync", &json!({ "entities": [ORDERS], "mode": "full" }), 202).await;
    let scenario = format!("/v1/connections/{}/scenario", scene.connection.id);
    let slow = json!({ "name": "slow-1s" });
    scene.api.put(&scenario, &slow).await;
    let notes = MappedField {
        field: "notes".to_owned(),
        path: Some("reference".to_owned()),
        ..MappedField::default()
    };
    let change = |overlay: &mut Overlay| overlay.fields = vec![notes.clone()];
    let changed = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        change_overlay(&scene.context, &scene.connection, ORDERS, change).await.unwrap();
    };
    let (ended, ()) = tokio::join!(scene.sync(ORDERS), changed);
    assert!(matches!(ended, SliceEnd::Busy(_)), "it was fenced: {ended:?}");
    let ok = json!({ "name": "ok" });
    scene.api.put(&scenario, &ok).await;
    assert_eq!(scene.sync(ORDERS).await, SliceEnd::Done, "and gave its lease back");
    let order = an_order(&scene).await;
    assert_eq!(order["notes"], order["vendorReference"]);
    assert_eq!(scene.api.get(&path(&scene)).await["remapping"]["stage"], json!("done"));
}
