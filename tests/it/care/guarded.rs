//! The rule by which addresses are judged: the same where an endpoint is saved, tested and sent to.

use http::Method;
use millwright_outbound::{Outbound, OutboundConfig};
use millwright_tests::api::Api;
use serde_json::{Value, json};

use super::world::World;
use crate::in_process;

/// A caller of an instance whose operator allows this.
async fn instance(world: &World, config: OutboundConfig) -> Api {
    let context = in_process::context(&world.variables, world.clock.clone(), &world.sdk());
    let outbound = Outbound::new(config).unwrap();
    in_process::serve_with(&context, outbound, |_| {}).await.with_key(Some(&world.key))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_allows_no_more_is_neither_saved_nor_tested_nor_sent_to() {
    let world = World::begin().await;
    let endpoint = world.endpoint(Some("own"), "guard.a", json!({})).await;
    world.send("guard.a", 1).await;
    world.drain(&world.pump).await;
    assert_eq!(world.count(&endpoint, "delivered").await, 1);
    let loopback = vec!["127.0.0.0/8".parse().unwrap()];
    let closed = OutboundConfig { https_required: false, ..OutboundConfig::default() };
    let https = OutboundConfig { allowed: loopback, ..OutboundConfig::default() };
    for (config, taken, class) in [
        (closed, "MILLWRIGHT_ALLOW_TARGETS", "blocked_address"),
        (https, "MILLWRIGHT_HTTPS_REQUIRED", "invalid_url"),
    ] {
        let api = instance(&world, config).await;
        is_refused(&api, &world, &endpoint).await;
        world.send("guard.a", 1).await;
        let pump = world.process_without(taken).await;
        world.drain(&pump).await;
        let tried = world.deliveries(&endpoint, "waiting").await.remove(0);
        let path = format!("/v1/webhook-deliveries/{}", tried["id"].as_str().unwrap());
        let attempts = world.api.get(&format!("{path}/attempts")).await;
        assert_eq!(attempts["data"][0]["error_class"], class, "{attempts:#}");
        assert_eq!(world.act(&format!("{path}/abort")).await.status, 200);
    }
    assert_eq!(world.receivers.seen("own").messages.len(), 1, "nothing more was sent");
}

/// Saving it, moving to it and testing it are refused, and the field is named.
async fn is_refused(api: &Api, world: &World, endpoint: &str) {
    let (paths, url) = ("/v1/webhook-endpoints", json!({ "url": world.receivers.url("new") }));
    let one = format!("{paths}/{endpoint}");
    for (method, path, body) in [
        (Method::POST, paths.to_owned(), Some(&url)),
        (Method::PATCH, one.clone(), Some(&url)),
        (Method::POST, format!("{one}/test"), None::<&Value>),
    ] {
        let refused = api.call(method, &path, body).await;
        assert_eq!(refused.status, 422, "{path}: {:#}", refused.body);
        assert_eq!(refused.body["error"]["fields"][0]["path"], "url", "{path}");
    }
}
