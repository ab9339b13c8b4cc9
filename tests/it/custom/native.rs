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
    assert_eq!(codes, [&failed, &failed, &denied, &denied], "what has no method was never begun");
    assert!(entries.iter().all(|own| own["outcome"] == "failed"));
    let first = entries.last().unwrap()["at"].as_str().unwrap().to_owned();
    assert_eq!(log(&scene, &format!("?since={first}")).await.len(), 4);
    assert!(log(&scene, &format!("?until={first}")).await.is_empty());
    assert!(log(&scene, "?action=hook_shown").await.is_empty());
}

#[tokio::test]
async fn native_calls_and_the_log_are_for_admins_of_the_workspace() {
    let (_, scene) = System::start().await;
    let call = json!({ "method": "GET", "path": "/echo/me" });
    let writer = scene.caller(Role::Write).await;
    let answer = writer.call(Method::POST, "/v1/passthrough", Some(&call)).await;
    assert_eq!((answer.status, answer.code()), (403, Some("PERMISSION_DENIED")));
    assert_eq!(writer.call(Method::GET, "/v1/audit-log", None).await.status, 403);
    let stranger = scene.stranger().await;
    assert_eq!(stranger.call(Method::POST, "/v1/passthrough", Some(&call)).await.status, 404);
    scene.api.post("/v1/passthrough", &call, 200).await;
    assert!(stranger.all("/v1/audit-log").await.is_empty());
}

#[tokio::test]
async fn a_system_that_lets_nothing_through_says_so() {
    let scene = Scene::calm().await;
    let call = json!({ "method": "GET", "path": "/anything" });
    let answer = scene.api.call(Method::POST, "/v1/passthrough", Some(&call)).await;
    assert_eq!((answer.status, answer.code()), (405, Some("OPERATION_NOT_SUPPORTED")));
}
