//! Calls of a system's own, and the log of them.

use http::Method;
use millwright_access::Role;
use serde_json::{Value, json};

use super::system::{KEY, System};
use crate::reading::scene::Scene;

async fn log(scene: &Scene, query: &str) -> Vec<Value> {
    scene.api.all(&format!("/v1/audit-log{query}")).await
}

#[tokio::test]
async fn a_native_call_goes_through_and_is_in_the_audit_log() {
    let (system, scene) = System::start().await;
    system.asked();
    let call = json!({
        "method": "POST", "path": "/echo/../echo/me", "query": { "page": 2 },
        "headers": { "X-Note": "n" }, "body": { "secret": "of the caller" },
    });
    let answer = scene.api.post("/v1/passthrough", &call, 200).await;
    assert_eq!((&answer["status"], &answer["is_base64"]), (&json!(200), &json!(false)));
    assert_eq!(answer["body"]["path"], json!("/api/echo/me"));
    assert_eq!(answer["body"]["body"], call["body"]);
    assert!(!answer.to_string().contains(KEY), "{answer:#}");
    assert_eq!(system.asked(), ["POST /api/echo/me?page=2"]);

    let refused = json!({ "method": "GET", "path": "/echo/teapot" });
    let answer = scene.api.post("/v1/passthrough", &refused, 200).await;
    assert_eq!((&answer["status"], &answer["body"]), (&json!(418), &json!("short and stout")));

    let entries = log(&scene, "?limit=1").await;
    let seen: Vec<(&Value, &Value, &Value)> =
        entries.iter().map(|own| (&own["method"], &own["path"], &own["status"])).collect();
    assert_eq!(
        seen,
        [
            (&json!("GET"), &json!("/echo/teapot"), &json!(418)),
            (&json!("POST"), &json!("/echo/../echo/me"), &json!(200)),
        ]
    );
    let entry = &entries[1];
    assert_eq!(entry["connection_id"], json!(scene.connection.id.as_str()));
    assert_eq!((&entry["action"], &entry["outcome"]), (&json!("passthrough"), &json!("done")));
    assert!(entry["api_key_id"].as_str().unwrap().starts_with("key_"));
    let text = serde_json::to_string(&entries).unwrap();
    assert!(!text.contains("of the caller") && !text.contains("page"), "{text}");
}

#[tokio::test]
async fn a_call_that_is_not_allowed_is_not_sent_and_is_in_the_log_all_the_same() {
    let (system, scene) = System::start().await;
    system.asked();
    for (call, status, code, field) in [
        (json!({ "method": "GET", "path": "/topics" }), 403, "PERMISSION_DENIED", None),
        (json!({ "method": "DELETE", "path": "/echo/me" }), 403, "PERMISSION_DENIED", None),
        (
            json!({ "method": "GET", "path": "/echo/..%2ftopics" }),
            422,
            "VALIDATION_FAILED",
            Some("path"),
        ),
        (
            json!({ "method": "GET", "path": "/echo/me?api_key=planted" }),
            422,
            "VALIDATION_FAILED",
            Some("path"),
        ),
        (
            json!({ "method": "GET", "path": "/echo/me", "headers": { "Api-Key": "x" } }),
            422,
            "VALIDATION_FAILED",
            Some("headers.Api-Key"),
        ),
        (json!({ "method": "BREW", "path": "/echo/me" }), 422, "VALIDATION_FAILED", Some("method")),
    ] {
        let answer = scene.api.call(Method::POST, "/v1/passthrough", Some(&call)).await;
        assert_eq!((answer.status, answer.code()), (status, Some(code)), "{call}");
        let named = answer.body["error"]["fields"][0]["path"].as_str();
        assert_eq!(named, field, "{call}");
    }
    assert!(system.asked().is_empty());
    let entries = log(&scene, "?action=passthrough").await;
    let codes: Vec<&Value> = entries.iter().map(|own| &own["code"]).collect();
    let (denied, failed) = (json!("PERMISSION_DENIED"), json!("VALIDATION_FAILED"));
    assert_eq!(
        codes,
        [&failed, &failed, &failed, &denied, &denied],
        "what has no method was never begun"
    );
    assert!(entries.iter().all(|own| own["outcome"] == "failed"));
    let paths: Vec<&Value> = entries.iter().map(|own| &own["path"]).collect();
    assert_eq!(paths, ["/echo/me", "/echo/me", "/echo/..", "/echo/me", "/topics"]);
    assert!(!json!(entries).to_string().contains("planted"));
    let first = entries.last().unwrap()["at"].as_str().unwrap().to_owned();
    assert_eq!(log(&scene, &format!("?since={first}")).await.len(), 5);
    assert!(log(&scene, &format!("?until={first}")).await.is_empty());
    assert!(log(&scene, "?action=hook_shown").await.is_empty());
}

#[tokio::test]
async fn native_calls_are_for_admins_and_the_log_for_readers_of_the_workspace() {
    let (_, scene) = System::start().await;
    let call = json!({ "method": "GET", "path": "/echo/me" });
    let writer = scene.caller(Role::Write).await;
    let answer = writer.call(Method::POST, "/v1/passthrough", Some(&call)).await;
    assert_eq!((answer.status, answer.code()), (403, Some("PERMISSION_DENIED")));
    let stranger = scene.stranger().await;
    assert_eq!(stranger.call(Method::POST, "/v1/passthrough", Some(&call)).await.status, 404);
    scene.api.post("/v1/passthrough", &call, 200).await;
    assert!(stranger.all("/v1/audit-log").await.is_empty());
    let reader = scene.caller(Role::Read).await;
    assert_eq!(reader.all("/v1/audit-log").await, log(&scene, "").await);
}

#[tokio::test]
async fn a_shown_signing_secret_and_made_and_revoked_keys_are_in_the_log_without_their_texts() {
    let scene = Scene::calm().await;
    let endpoint = json!({ "url": "https://8.8.8.8/webhooks" });
    let endpoint = scene.api.post("/v1/webhook-endpoints", &endpoint, 201).await;
    let endpoint = endpoint["id"].as_str().unwrap();
    let at = format!("/v1/webhook-endpoints/{endpoint}/secret");
    let secret = scene.api.get(&at).await["secret"].as_str().unwrap().to_owned();
    let key = json!({ "name": "ci", "role": "read" });
    let key = scene.api.post("/v1/api-keys", &key, 201).await;
    let id = key["id"].as_str().unwrap();
    let revoke = format!("/v1/api-keys/{id}");
    let _ = scene.api.call(Method::DELETE, &revoke, None).await.expect(200);
    let unknown = millwright_core::ApiKeyId::new_at(1);
    let nobodys = format!("/v1/api-keys/{unknown}");
    assert_eq!(scene.api.call(Method::DELETE, &nobodys, None).await.status, 404);

    let entries = log(&scene, "").await;
    let seen: Vec<(&Value, &Value, &Value)> =
        entries.iter().map(|own| (&own["action"], &own["target_id"], &own["outcome"])).collect();
    let expected = [
        ("api_key_revoked", unknown.as_str(), "failed"),
        ("api_key_revoked", id, "done"),
        ("api_key_created", id, "done"),
        ("endpoint_secret_shown", endpoint, "done"),
    ]
    .map(|(action, target, outcome)| (json!(action), json!(target), json!(outcome)));
    let expected: Vec<(&Value, &Value, &Value)> =
        expected.iter().map(|(action, target, outcome)| (action, target, outcome)).collect();
    assert_eq!(seen, expected);
    let text = json!(entries).to_string();
    assert!(!text.contains(&secret) && !text.contains(key["key"].as_str().unwrap()), "{text}");
    assert_eq!(log(&scene, "?action=endpoint_secret_shown").await.len(), 1);
}

#[tokio::test]
async fn a_system_that_lets_nothing_through_says_so() {
    let scene = Scene::calm().await;
    let call = json!({ "method": "GET", "path": "/anything" });
    let answer = scene.api.call(Method::POST, "/v1/passthrough", Some(&call)).await;
    assert_eq!((answer.status, answer.code()), (405, Some("OPERATION_NOT_SUPPORTED")));
}
