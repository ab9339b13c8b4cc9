//! The catalogue: the unified model and who has which part of it.

use serde_json::{Value, json};

use super::scene::Scene;

#[tokio::test]
async fn every_entity_is_in_the_catalogue_also_what_no_connector_has() {
    let scene = Scene::calm().await;
    let all = scene.api.all("/v1/entities?limit=7").await;
    assert_eq!(all.len(), millwright_entities::Entity::ALL.len());
    let of = |slug: &str| all.iter().find(|own| own["entity"] == slug).unwrap();
    let orders = of("purchase-orders");
    assert_eq!((&orders["title"], &orders["available"]), (&json!("Purchase order"), &json!(true)));
    assert_eq!(orders["event_types"][1], "purchase_orders.updated");
    let connectors = orders["connectors"].as_array().unwrap();
    assert!(connectors.iter().any(|own| own["id"] == "tryton"), "{orders:#}");
    assert!(
        all.iter()
            .all(|own| { own["available"] == !own["connectors"].as_array().unwrap().is_empty() })
    );
    assert!(
        all.iter().any(|own| own["available"] == false),
        "the model is larger than the connectors"
    );
    assert!(all.iter().all(|own| own.get("schema").is_none()));
}

#[tokio::test]
async fn an_entitys_schema_is_served_whole() {
    let scene = Scene::calm().await;
    let entity = scene.api.get("/v1/entities/rfq").await;
    assert_eq!(entity["schema"]["$id"], "millwright:rfq");
    assert!(entity["schema"]["properties"]["key"].is_object());
    assert_eq!(scene.answer("/v1/entities/unicorns").await.status, 404);
    let connector = scene.api.get("/v1/connectors/tryton").await;
    let orders = connector["entities"].as_array().unwrap();
    let orders = orders.iter().find(|own| own["entity"] == "purchase-orders").unwrap();
    let operations: Vec<&Value> = orders["operations"].as_array().unwrap().iter().collect();
    assert!(operations.starts_with(&[&json!("list"), &json!("get"), &json!("create")]));
}

#[tokio::test]
async fn statuses_are_listed_wherever_what_a_connector_has_is_listed() {
    let scene = Scene::calm().await;
    let connector = scene.api.get("/v1/connectors/sandbox").await;
    let meta = scene.api.get("/v1/meta").await;
    assert_eq!(connector["entities"], meta["data"]);
    let listed = meta["data"].as_array().unwrap();
    let statuses = listed.iter().find(|own| own["entity"] == "statuses").unwrap();
    assert_eq!(statuses["operations"], json!(["list", "get"]));
    let model = scene.api.get("/v1/entities/statuses").await;
    let sandbox = model["connectors"].as_array().unwrap();
    assert!(sandbox.iter().any(|own| own["id"] == "sandbox"), "{model:#}");
    for own in listed {
        let path = format!("/v1/meta/{}", own["entity"].as_str().unwrap());
        assert_eq!(scene.answer(&path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_list_of_the_catalogue_is_paged_to_its_end() {
    let scene = Scene::calm().await;
    let whole = scene.api.all("/v1/connectors?limit=500").await;
    assert_eq!(scene.api.all("/v1/connectors?limit=1").await, whole);
    assert!(whole.len() > 1);
    let refused = scene.answer("/v1/connectors?cursor=x").await;
    assert_eq!(refused.code(), Some("CURSOR_INVALID"));
}
