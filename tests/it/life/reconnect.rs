//! New credentials for the same system.

use http::Method;
use millwright_connection::{Observation, Trigger, find_connection, find_reconnect, observe_known};
use serde_json::{Value, json};

use super::cycle::Scene;

fn other_instance() -> Value {
    let body = json!({ "instance": "elsewhere", "name": "Elsewhere" });
    json!({ "rules": [{ "match": { "operation": "probe" }, "respond": { "status": 200, "body": body } }] })
}

/// The vendors' keys.
async fn keys(scene: &Scene) -> Vec<Value> {
    scene.data.all("/v1/vendors").await.into_iter().map(|record| record["key"].clone()).collect()
}

#[tokio::test]
async fn another_instance_is_refused_and_nothing_changes() {
    let scene = Scene::new().await;
    let rows = async || {
        let mut rows = scene.ground.rows().await;
        // The audit log grows, and what the sandbox was asked is counted.
        rows.retain(|(_, key, _)| !key.contains("#audit#") && !key.ends_with("scenario-counts"));
        rows
    };
    // As long as it has not been told anything, its login decides.
    let before = rows().await;
    for (username, code) in [("denied", "CREDENTIALS_REFUSED"), ("down", "SYSTEM_UNREACHABLE")] {
        let body = json!({ "credentials": { "username": username } });
        let told = scene.refused(Method::POST, "/reconnect", Some(body)).await;
        assert_eq!(told, (422, code.to_owned()));
    }
    let unknown = json!({ "credentials": { "unicorn": "x" } });
    let told = scene.refused(Method::POST, "/reconnect", Some(unknown)).await;
    assert_eq!(told, (422, "VALIDATION_FAILED".to_owned()));
    assert_eq!(rows().await.len(), before.len());
    scene.tell(other_instance()).await;
    let before = rows().await;
    let credentials = json!({ "credentials": { "username": "slow-1s" } });
    let told = scene.refused(Method::POST, "/reconnect", Some(credentials)).await;
    assert_eq!(told, (409, "DIFFERENT_SYSTEM".to_owned()));
    let settings = json!({ "settings": { "data": "draft" } });
    let told = scene.refused(Method::PATCH, "", Some(settings)).await;
    assert_eq!(told, (409, "DIFFERENT_SYSTEM".to_owned()));
    assert_eq!(rows().await.len(), before.len());
    let secret = |rows: &[(millwright_store::Table, String, String)]| {
        let own = rows.iter().find(|(_, key, _)| key.ends_with(" secret")).unwrap();
        own.2.clone()
    };
    assert_eq!(secret(&rows().await), secret(&before), "the credentials are the old ones");
}

#[tokio::test]
async fn a_refused_connection_goes_on_with_new_credentials() {
    let scene = Scene::new().await;
    let before = (keys(&scene).await, scene.data.get("/v1/changes?cursor=latest").await);
    scene.tell(json!({ "name": "expired" })).await;
    scene.done("/check").await;
    let asked = scene.done("/reconnect").await;
    assert_eq!(asked["status"], "reauthorization_required");
    let url = asked["reconnect_url"].as_str().expect("an address").to_owned();
    assert_eq!(scene.done("/reconnect").await["reconnect_url"], url.as_str(), "it is stable");
    let secret = url.rsplit('/').next().unwrap();
    let context = scene.ground.context();
    assert!(find_reconnect(&context, secret).await.unwrap().is_some());
    scene.tell(json!({ "name": "ok" })).await;
    let body = json!({ "credentials": { "username": "ok" } });
    let own = scene.api.post(&scene.path("/reconnect"), &body, 200).await;
    assert_eq!((&own["status"], &own["reconnect_url"]), (&json!("active"), &Value::Null));
    assert_eq!(own["id"], scene.id.as_str());
    assert!(find_reconnect(&context, secret).await.unwrap().is_none(), "the address is dead");
    let page = scene.api.with_key(None).raw(Method::GET, &format!("/link/{secret}"), None).await;
    assert_eq!(page.status, 410, "and says that it has done its work");
    scene.ground.sync_all(&scene.id).await;
    assert_eq!((keys(&scene).await, scene.data.get("/v1/changes?cursor=latest").await), before);
}

#[tokio::test]
async fn a_disconnected_connection_is_connected_again_with_its_credits_and_its_history() {
    let scene = Scene::new().await;
    let before = keys(&scene).await;
    scene.done("/disconnect").await;
    let asked = scene.done("/reconnect").await;
    assert_eq!(asked["status"], "disconnected");
    assert!(asked["reconnect_url"].is_string(), "its user may be sent one");
    let body = json!({ "credentials": { "username": "ok" } });
    scene.api.put("/v1/credits", &json!({ "limit": 0 })).await;
    let told = scene.refused(Method::POST, "/reconnect", Some(body.clone())).await;
    assert_eq!(told, (409, "CREDITS_EXHAUSTED".to_owned()));
    assert_eq!(scene.shown().await["status"], "disconnected");
    scene.api.put("/v1/credits", &json!({ "limit": 1 })).await;
    let own = scene.api.post(&scene.path("/reconnect"), &body, 200).await;
    assert_eq!((&own["id"], &own["status"]), (&json!(scene.id), &json!("active")));
    assert_eq!(scene.api.get("/v1/credits").await["used"], 1);
    assert_eq!(keys(&scene).await, before);
    let states = scene.ground.states(&scene.id).await;
    assert!(states.iter().all(|state| state.run.is_some()), "its syncs go on");
    scene.ground.sync_all(&scene.id).await;
    assert_eq!(keys(&scene).await, before);
}

#[tokio::test]
async fn a_paused_connection_takes_new_credentials_and_stays_paused() {
    let scene = Scene::new().await;
    scene.done("/pause").await;
    let body = json!({ "credentials": { "username": "ok" } });
    let own = scene.api.post(&scene.path("/reconnect"), &body, 200).await;
    assert_eq!(
        (&own["status"], &own["status_reason"]),
        (&json!("inactive"), &json!("paused by the workspace"))
    );
    assert_eq!(scene.done("/resume").await["status"], "active");
}

#[tokio::test]
async fn what_the_old_credentials_met_says_nothing_of_the_new_ones() {
    let scene = Scene::new().await;
    let context = scene.ground.context();
    let workspace = &scene.ground.workspace.id;
    let known = find_connection(&context.store, workspace, &scene.id).await.unwrap().doc;
    let body = json!({ "credentials": { "username": "ok" } });
    scene.api.post(&scene.path("/reconnect"), &body, 200).await;
    // A slice that began before, and was refused.
    let refused = Observation::Refused("wrong password".to_owned());
    observe_known(&context, &known, &refused, Trigger::Sync).await.unwrap();
    assert_eq!(scene.shown().await["status"], "active");
    let known = find_connection(&context.store, workspace, &scene.id).await.unwrap().doc;
    observe_known(&context, &known, &refused, Trigger::Sync).await.unwrap();
    assert_eq!(scene.shown().await["status"], "reauthorization_required");
}
