//! The whole way: a real ERP's purchase orders reach a receiver that somebody else's library judges.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use millwright_tests::{api::Api, tryton::Tryton, wait};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::scene::{
    Scene, changes_after, end_of_feed, sync_now, text, tryton_connection, wait_until_synced,
};

const ORDERS: &str = "purchase-orders";

#[tokio::test]
async fn purchase_orders_come_from_tryton_to_the_api_the_feed_and_the_receiver() {
    let scene = Scene::new(&[]).await;
    let tryton = Tryton::start(scene.folder.path(), "orders").await;
    let endpoint = json!({ "event_types": ["purchase_orders.*"] });
    scene.endpoint("orders", endpoint).await;

    let api = scene.connect(&tryton).await;
    wait_until_synced(&api).await;
    all_orders_are_there(&api, &tryton).await;
    nothing_was_told_of_the_first_load(&scene);

    let deleted = key_of(&api, "121").await;
    let before = end_of_feed(&api).await;
    tryton.does(&["edit-line", "120", "7", "12.3456"]);
    tryton.does(&["delete-order", "121"]);
    let added = tryton.does(&["add-order", "ADDED-1"]).to_string();
    sync_now(&api, &[ORDERS]).await;
    let edited = key_of(&api, "120").await;
    let added = key_of(&api, &added).await;
    exactly_these_changes(
        &api,
        &before,
        &[(&edited, "upserted"), (&deleted, "deleted"), (&added, "upserted")],
    )
    .await;
    exactly_these_were_told(
        &scene,
        &[(&edited, "updated"), (&deleted, "deleted"), (&added, "inserted")],
    )
    .await;
    the_edited_line_is_exact(&api, &edited).await;

    sync_now(&api, &[ORDERS]).await;
    assert_eq!(changes_after(&api, Some(&before)).await.len(), 3, "nothing more has changed");

    a_posted_draft_exists_in_tryton(&api, &tryton).await;
    nobody_sees_the_password(&scene, &tryton).await;
}

/// What is compared of an order: its reference, description, and lines of quantity and price.
type Seen = (String, Vec<(Decimal, Decimal)>);

fn decimal(value: &Value) -> Decimal {
    let text = value.as_str().unwrap_or_else(|| panic!("decimals are text: {value}"));
    text.parse::<Decimal>().unwrap_or_else(|e| panic!("{text}: {e}")).normalize()
}

fn seen_in_tryton(order: &Value) -> (String, Seen) {
    let mut lines: Vec<_> = order["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (decimal(&line["quantity"]), decimal(&line["unit_price"])))
        .collect();
    lines.sort();
    (order["id"].to_string(), (text(order, "reference").to_owned(), lines))
}

fn seen_in_the_api(order: &Value) -> (String, Seen) {
    let mut lines: Vec<_> = order["lineItems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (decimal(&line["quantity"]), decimal(&line["price"])))
        .collect();
    lines.sort();
    (text(order, "remoteId").to_owned(), (text(order, "vendorReference").to_owned(), lines))
}

async fn all_orders_are_there(api: &Api, tryton: &Tryton) {
    let orders = api.all(&format!("/v1/{ORDERS}?limit=70")).await;
    let ours: BTreeMap<_, _> = orders.iter().map(seen_in_the_api).collect();
    let theirs = tryton.does(&["orders"]);
    let theirs: BTreeMap<_, _> = theirs.as_array().unwrap().iter().map(seen_in_tryton).collect();
    assert_eq!((orders.len(), ours.len(), theirs.len()), (300, 300, 300));
    for (id, order) in &theirs {
        assert_eq!(ours.get(id), Some(order), "order {id}");
    }
    let states: BTreeMap<String, usize> = orders.iter().fold(BTreeMap::new(), |mut all, order| {
        *all.entry(text(order, "state").to_owned()).or_default() += 1;
        all
    });
    assert!(states.len() >= 3, "{states:?}");
    let one = &orders[17];
    let key = text(one, "key");
    assert_eq!(&api.get(&format!("/v1/{ORDERS}/{key}")).await, one);
    let vendor = text(one, "vendorKey");
    assert_eq!(api.get(&format!("/v1/vendors/{vendor}")).await["key"], vendor);
}

fn nothing_was_told_of_the_first_load(scene: &Scene) {
    let told = scene.receiver.deliveries("orders");
    assert!(told.is_empty(), "{told:#?}");
}

/// The key of the order that Tryton knows by this id.
async fn key_of(api: &Api, id: &str) -> String {
    let orders = api.all(&format!("/v1/{ORDERS}?limit=500")).await;
    let order = orders.iter().find(|order| order["remoteId"] == id);
    text(order.unwrap_or_else(|| panic!("no order {id}")), "key").to_owned()
}

async fn exactly_these_changes(api: &Api, before: &str, expected: &[(&str, &str)]) {
    let changes = changes_after(api, Some(before)).await;
    let seen: BTreeSet<(&str, &str)> =
        changes.iter().map(|change| (text(change, "key"), text(change, "action"))).collect();
    assert_eq!(seen, expected.iter().copied().collect(), "{changes:#?}");
    assert_eq!(changes.len(), expected.len(), "{changes:#?}");
    for change in &changes {
        assert_eq!((&change["entity"], &change["origin"]), (&json!(ORDERS), &json!("sync")));
        let record = &change["record"];
        assert_eq!(record["key"].is_string(), change["action"] == "upserted", "{change:#}");
    }
}

async fn exactly_these_were_told(scene: &Scene, expected: &[(&str, &str)]) {
    let wanted: BTreeMap<(String, String), usize> = expected
        .iter()
        .map(|(key, event)| ((format!("purchase_orders.{event}"), (*key).to_owned()), 1))
        .collect();
    let limit = Duration::from_secs(60);
    wait::until_equal("the receiver knows", limit, wanted.clone(), async || told(scene)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(told(scene), wanted, "and nothing else comes after");
    assert_eq!(scene.receiver.counts("orders").await.refused, 0);
}

/// How often each key was told under each event type, by verified messages.
fn told(scene: &Scene) -> BTreeMap<(String, String), usize> {
    let mut told = BTreeMap::new();
    for delivery in scene.receiver.deliveries("orders") {
        assert!(delivery.verified, "{delivery:?}");
        let data = delivery.data();
        assert_eq!(data["entity"], ORDERS);
        for key in data["keys"].as_array().expect("keys") {
            let event = delivery.event_type.clone().unwrap();
            *told.entry((event, key.as_str().unwrap().to_owned())).or_default() += 1;
        }
    }
    told
}

async fn the_edited_line_is_exact(api: &Api, key: &str) {
    let order = api.get(&format!("/v1/{ORDERS}/{key}")).await;
    let lines = order["lineItems"].as_array().unwrap();
    let edited = (Decimal::from(7), "12.3456".parse::<Decimal>().unwrap());
    let is_edited = |line: &&Value| (decimal(&line["quantity"]), decimal(&line["price"])) == edited;
    assert_eq!(lines.iter().filter(is_edited).count(), 1, "{lines:#?}");
}

async fn a_posted_draft_exists_in_tryton(api: &Api, tryton: &Tryton) {
    let vendors = api.all("/v1/vendors").await;
    let vendor = vendors.iter().find(|vendor| vendor["name"] == "Acme Bearings").unwrap();
    let materials = api.all("/v1/materials").await;
    let line = |material: &Value, quantity: &str, price: &str| json!({ "materialKey": material["key"], "quantity": quantity, "price": price });
    let draft = json!({
        "vendorKey": vendor["key"],
        "vendorReference": "POSTED-1",
        "lineItems": [line(&materials[0], "5", "12.3456"), line(&materials[1], "2", "0.0001")],
    });
    let posted = api.post(&format!("/v1/{ORDERS}"), &draft, 201).await;
    let id = text(&posted, "remoteId");
    let (_, (reference, lines)) = seen_in_tryton(&tryton.does(&["orders", id])[0]);
    assert_eq!(reference, "POSTED-1");
    let exact = |text: &str| text.parse::<Decimal>().unwrap();
    assert_eq!(lines, [(exact("2"), exact("0.0001")), (exact("5"), exact("12.3456"))]);
    let key = text(&posted, "key");
    assert_eq!(seen_in_the_api(&api.get(&format!("/v1/{ORDERS}/{key}")).await).0, id);
    let again = end_of_feed(api).await;
    sync_now(api, &[ORDERS]).await;
    let after = changes_after(api, Some(&again)).await;
    assert!(after.iter().all(|change| change["action"] != "deleted"), "{after:#?}");
    let ours = api.all(&format!("/v1/{ORDERS}?limit=500")).await;
    assert_eq!(ours.iter().filter(|order| order["remoteId"] == id).count(), 1);
}

async fn nobody_sees_the_password(scene: &Scene, tryton: &Tryton) {
    let (_, password) = tryton.credentials();
    let made = tryton_connection(tryton);
    assert!(made.to_string().contains(password), "the test looks for the right thing");
    for path in ["/v1/connections", "/v1/webhook-endpoints", "/v1/webhook-messages"] {
        let shown = scene.api().get(path).await.to_string();
        assert!(!shown.contains(password) && !shown.contains("whsec_"), "{path}");
    }
}
