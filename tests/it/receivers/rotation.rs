//! The rotation of secrets as receivers see it, judged by libraries that nobody here wrote: `standardwebhooks`
//! of crates.io, PyPI and npm.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, Method};
use millwright_core::{Clock, from_iso};
use millwright_tests::{api::Api, receiver::Delivery, wait};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::{send, snippets::judged_by_node};
use crate::scene::{LONG, Scene, text};

const ENDPOINTS: &str = "/v1/webhook-endpoints";
/// In milliseconds.
const MINUTE: i64 = 60 * 1000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The next message to a hook, whose receiver refuses what it cannot verify.
async fn next(scene: &Scene, hook: &str) -> Delivery {
    let id = send(&scene.api(), &format!("rotate.{hook}"), 1).await.remove(0);
    wait::until("the message comes", LONG, async || {
        let mut deliveries = scene.receiver.deliveries(hook).into_iter();
        deliveries.find(|delivery| delivery.id.as_deref() == Some(&id))
    })
    .await
}

async fn rotate(api: &Api, endpoint: &str, request: &Value) -> Value {
    let path = format!("/v1/webhook-endpoints/{endpoint}/rotate-secret");
    api.call(Method::POST, &path, Some(request)).await.expect(200)
}

/// What the library in Rust says.
fn verifies(secret: &str, delivery: &Delivery) -> bool {
    let header = |(name, value): (&String, &String)| {
        Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?))
    };
    let headers: HeaderMap = delivery.headers.iter().filter_map(header).collect();
    Webhook::new(secret).unwrap().verify(delivery.body.as_bytes(), &headers).is_ok()
}

#[tokio::test]
async fn both_secrets_verify_during_the_overlap_and_only_the_new_one_after_it() {
    let scene = Scene::new(&[]).await;
    let api = scene.api();
    let endpoint = scene.endpoint("over", json!({ "event_types": ["rotate.over"] })).await;
    let path = format!("/v1/webhook-endpoints/{endpoint}/secret");
    let old = text(&api.get(&path).await, "secret").to_owned();
    assert!(next(&scene, "over").await.verified);
    let chosen = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let request = json!({ "secret": chosen, "overlap_seconds": 8 });
    let rotated = rotate(&api, &endpoint, &request).await;
    assert_eq!(rotated["secret"], chosen);
    assert_eq!(rotated["former_secrets_end_at"].as_array().unwrap().len(), 1);
    let begun = std::time::Instant::now();
    // The receiver in Python still has the old secret.
    let during = next(&scene, "over").await;
    assert!(begun.elapsed() < Duration::from_secs(8), "too slow a machine to see an overlap");
    assert!(during.verified);
    assert!(verifies(&old, &during) && verifies(chosen, &during));
    assert!(judged_by_node(&old, &during) && judged_by_node(chosen, &during));
    tokio::time::sleep(Duration::from_secs(8).saturating_sub(begun.elapsed())).await;
    let after = next(&scene, "over").await;
    assert!(!after.verified);
    assert!(!verifies(&old, &after) && verifies(chosen, &after));
    assert!(!judged_by_node(&old, &after) && judged_by_node(chosen, &after));
    scene.receiver.know_secret("over", chosen).await;
    assert!(next(&scene, "over").await.verified);
    let shown = api.get(&path).await;
    assert_eq!(shown["former_secrets_end_at"], json!([]));
    several_former_secrets_sign_until_all_end_at_once(&scene).await;
    what_is_no_secret_is_refused_by_name(&api, &endpoint).await;
    rotations_are_in_the_audit_log(&api, &endpoint).await;
}

async fn several_former_secrets_sign_until_all_end_at_once(scene: &Scene) {
    let api = scene.api();
    let request = json!({ "event_types": ["rotate.many"], "body_signature": true });
    let endpoint = scene.endpoint("many", request).await;
    let shown = api.get(&format!("/v1/webhook-endpoints/{endpoint}/secret")).await;
    let mut secrets = vec![text(&shown, "secret").to_owned()];
    for _ in 0..10 {
        let rotated = rotate(&api, &endpoint, &json!({})).await;
        secrets.push(text(&rotated, "secret").to_owned());
    }
    let path = format!("/v1/webhook-endpoints/{endpoint}/rotate-secret");
    let refused = api.call(Method::POST, &path, None).await;
    assert_eq!((refused.status, refused.code()), (409, Some("STATE_CONFLICT")));
    let delivery = next(scene, "many").await;
    assert!(delivery.verified);
    assert!(secrets.iter().all(|secret| verifies(secret, &delivery)));
    assert!(delivery.headers.contains_key("x-webhook-signature"));
    // A key pair shares no secret that the signature of the body alone could be made with.
    let pair = api.call(Method::POST, &path, Some(&json!({ "signature": "v1a" }))).await;
    assert_eq!((pair.status, pair.code()), (422, Some("VALIDATION_FAILED")));
    assert!(text(&pair.body["error"], "message").contains("turn body_signature off"));
    let last = rotate(&api, &endpoint, &json!({ "overlap_seconds": 0 })).await;
    let delivery = next(scene, "many").await;
    assert!(!secrets.iter().any(|secret| verifies(secret, &delivery)));
    assert!(verifies(text(&last, "secret"), &delivery));
}

async fn what_is_no_secret_is_refused_by_name(api: &Api, endpoint: &str) {
    let path = format!("/v1/webhook-endpoints/{endpoint}/rotate-secret");
    let requests = [
        (json!({ "secret": "whsec_c2hvcnQ=" }), "secret"),
        (json!({ "secret": "no base64!" }), "secret"),
        (json!({ "overlap_seconds": 604_801 }), "overlap_seconds"),
        (json!({ "overlap_seconds": -1 }), "overlap_seconds"),
        (json!({ "signature": "v2" }), "signature"),
    ];
    for (request, field) in requests {
        let answer = api.call(Method::POST, &path, Some(&request)).await;
        assert_eq!(answer.status, 422, "{request}: {:?}", answer.body);
        assert_eq!(answer.body["error"]["fields"][0]["path"], field, "{request}");
    }
}

async fn rotations_are_in_the_audit_log(api: &Api, endpoint: &str) {
    let log = api.all("/v1/audit-log?action=endpoint_secret_rotated").await;
    let own: Vec<&Value> = log.iter().filter(|entry| entry["target_id"] == endpoint).collect();
    let outcomes: Vec<&str> = own.iter().map(|entry| text(entry, "outcome")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "done").count(), 1);
    assert!(outcomes.contains(&"failed"));
    assert!(!serde_json::to_string(&log).unwrap().contains("whsec_"));
}

#[tokio::test]
async fn secrets_are_for_admins_may_be_chosen_and_end_a_day_after_a_rotation() {
    let scene = Scene::new(&[]).await;
    let api = scene.api();
    let endpoint = a_chosen_secret_signs_from_the_start(&scene).await;
    lesser_keys_neither_see_nor_change_it(&api, &endpoint).await;
    without_a_word_the_former_ends_in_a_day(&api, &endpoint).await;
}

/// A secret of so many bytes.
fn secret_of(length: usize) -> String {
    let bytes: Vec<u8> = (0..=u8::MAX).take(length).collect();
    format!("whsec_{}", STANDARD.encode(bytes))
}

/// The shortest and the longest; answers with the last endpoint.
async fn a_chosen_secret_signs_from_the_start(scene: &Scene) -> String {
    let api = scene.api();
    for length in [23, 65] {
        let url = scene.receiver.url("never");
        let request = json!({ "url": url, "secret": secret_of(length) });
        let refused = api.post(ENDPOINTS, &request, 422).await;
        assert_eq!(refused["error"]["fields"][0]["path"], "secret", "{length}");
    }
    let mut last = String::new();
    for (length, other) in [(24, 64), (64, 24)] {
        let (hook, chosen) = (format!("chosen{length}"), secret_of(length));
        let request = json!({ "event_types": [format!("rotate.{hook}")], "secret": chosen });
        last = scene.endpoint(&hook, request).await;
        let shown = api.get(&format!("{ENDPOINTS}/{last}/secret")).await;
        assert_eq!(shown["secret"], chosen);
        let delivery = next(scene, &hook).await;
        assert!(delivery.verified, "{:?}", delivery.refusal);
        assert!(verifies(&chosen, &delivery) && !verifies(&secret_of(other), &delivery));
        assert!(judged_by_node(&chosen, &delivery));
    }
    last
}

async fn lesser_keys_neither_see_nor_change_it(api: &Api, endpoint: &str) {
    let path = format!("{ENDPOINTS}/{endpoint}");
    let (secret, rotate) = (format!("{path}/secret"), format!("{path}/rotate-secret"));
    let before = api.get(&secret).await;
    for role in ["read", "write"] {
        let made = api.post("/v1/api-keys", &json!({ "name": role, "role": role }), 201).await;
        let lesser = api.with_key(Some(text(&made, "key")));
        assert_eq!(text(&lesser.get(&path).await, "id"), endpoint);
        for (method, path) in [(Method::GET, &secret), (Method::POST, &rotate)] {
            let refused = lesser.call(method, path, None).await;
            let answer = (refused.status, refused.code());
            assert_eq!(answer, (403, Some("PERMISSION_DENIED")), "{role}: {path}");
            assert!(!refused.body.to_string().contains("whsec_"), "{role}: {path}");
        }
    }
    assert_eq!(api.get(&secret).await, before);
}

/// A rotation that does not say for how long the secret so far is to sign beside the new one.
async fn without_a_word_the_former_ends_in_a_day(api: &Api, endpoint: &str) {
    let path = format!("{ENDPOINTS}/{endpoint}/rotate-secret");
    let chosen = json!({ "secret": secret_of(32) });
    for (former, request) in [None, Some(json!({})), Some(chosen)].iter().enumerate() {
        let now = Clock::system().wall().millis();
        let rotated = api.call(Method::POST, &path, request.as_ref()).await.expect(200);
        let ends = rotated["former_secrets_end_at"].as_array().expect("times");
        assert_eq!(ends.len(), former + 1);
        let newest = ends[0].as_str().and_then(from_iso).expect("a time");
        let lasts = newest - now;
        assert!((DAY - MINUTE..=DAY + MINUTE).contains(&lasts), "{lasts} ms");
    }
}
