//! What is not told: that an event about a failure has not arrived itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::{receivers::Manner, world::World};
use crate::scene::text;

/// An endpoint for events of these types at which nothing ever arrives; its id.
async fn failing(world: &World, hook: &str, types: &[&str]) -> String {
    world.receivers.set(hook, Manner::Status(500));
    let url = world.receivers.url(hook);
    let request = json!({ "url": url, "event_types": types, "retry_schedule": [1] });
    text(&world.api.post("/v1/webhook-endpoints", &request, 201).await, "id").to_owned()
}

/// Of which endpoints' failures the watcher was told.
fn told(world: &World) -> Vec<Value> {
    let told = world.receivers.told("watcher", "delivery.failed").into_iter();
    told.map(|data| data["endpoint_id"].clone()).collect()
}

/// The types of the deliveries that have failed for good at an endpoint, in order.
async fn failed_types(world: &World, endpoint: &str) -> Vec<String> {
    let failed = world.deliveries(endpoint, "failed").await;
    let mut types: Vec<String> =
        failed.iter().map(|one| text(one, "event_type").to_owned()).collect();
    types.sort();
    types
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_an_event_about_a_failure_has_failed_is_not_told() {
    let world = World::begin().await;
    world.endpoint(Some("watcher"), "delivery.failed", json!({})).await;
    let deaf = failing(&world, "deaf", &["delivery.failed", "endpoint.disabled"]).await;
    let poor = failing(&world, "poor", &["poor.a"]).await;
    let idle = world.endpoint(Some("idle"), "idle.a", json!({})).await;
    world.send("poor.a", 1).await;
    world.have(&idle, "disable").await;
    world.until_count(&poor, "failed", 1).await;
    world.until_count(&deaf, "failed", 2).await;
    assert_eq!(failed_types(&world, &deaf).await, ["delivery.failed", "endpoint.disabled"]);
    // Whatever were told of these would have come by now.
    for _ in 0..5 {
        world.pass(Duration::from_secs(20));
        world.drain(&world.pump).await;
    }
    let path = "/v1/webhook-messages?event_type=delivery.failed&limit=100";
    assert_eq!(world.api.all(path).await.len(), 1, "the first failure, and no other");
    assert_eq!(told(&world), [json!(poor)]);
    // The watcher still hears.
    world.send("poor.a", 1).await;
    world.until_count(&poor, "failed", 2).await;
    assert_eq!(told(&world), [json!(poor), json!(poor)]);
}
