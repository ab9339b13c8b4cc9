//! Pausing, resuming, checking, changing, disconnecting.

use std::time::Duration;

use http::Method;
use millwright_core::ConnectionId;
use millwright_sync::{Mode, NextRun, SyncState, sync_key};
use millwright_tests::api::Api;
use serde_json::{Value, json};

use super::ground::{Ground, sandbox_request};

/// A sandbox whose first load has ended, seen through one instance.
pub struct Scene {
    pub ground: Ground,
    pub api: Api,
    pub data: Api,
    pub id: ConnectionId,
}

impl Scene {
    pub async fn new() -> Self {
        let ground = Ground::new().await;
        let api = ground.instance().await;
        let made = api.post("/v1/connections", &sandbox_request(), 201).await;
        let id: ConnectionId = made["id"].as_str().unwrap().parse().unwrap();
        ground.sync_all(&id).await;
        let data = api.about(id.as_str());
        assert_eq!(data.get("/v1/connection").await["status"], "active");
        Self { ground, api, data, id }
    }

    pub fn path(&self, more: &str) -> String {
        format!("/v1/connections/{}{more}", self.id)
    }

    /// A call without a body that must succeed.
    pub async fn done(&self, more: &str) -> Value {
        self.api.call(Method::POST, &self.path(more), None).await.expect(200)
    }

    /// The status and code of a call.
    pub async fn refused(&self, method: Method, more: &str, body: Option<Value>) -> (u16, String) {
        let answer = self.api.call(method, &self.path(more), body.as_ref()).await;
        (answer.status, answer.code().unwrap_or_default().to_owned())
    }

    pub async fn tell(&self, scenario: Value) {
        self.api.put(&self.path("/scenario"), &scenario).await;
    }

    pub async fn shown(&self) -> Value {
        self.api.get(&self.path("")).await
    }

    /// The types of what has been told, newest last.
    pub async fn told(&self) -> Vec<String> {
        let messages = self.api.all("/v1/webhook-messages?limit=100").await;
        let kind = |message: &Value| message["type"].as_str().unwrap().to_owned();
        messages.iter().map(kind).collect()
    }
}

fn conflict(code: &str) -> (u16, String) {
    (409, code.to_owned())
}

#[tokio::test]
async fn a_paused_connection_keeps_its_credits_calls_nothing_and_goes_on_when_resumed() {
    let scene = Scene::new().await;
    let paused = scene.done("/pause").await;
    assert_eq!((&paused["status"], &paused["credits"]), (&json!("inactive"), &json!(1)));
    assert_eq!(paused["status_reason"], "paused by the workspace");
    assert_eq!(scene.done("/pause").await, paused, "once more is the same");
    assert_eq!(scene.api.get("/v1/credits").await["used"], 1);
    // Its system is down, and nobody finds out.
    scene.tell(json!({ "name": "down" })).await;
    for path in ["/v1/vendors", "/v1/vendors?live=true"] {
        let answer = scene.data.call(Method::GET, path, None).await;
        assert_eq!((answer.status, answer.code()), (409, Some("CONNECTION_INACTIVE")), "{path}");
    }
    let calls = [("/v1/sync", json!({})), ("/v1/vendors", json!({ "name": "Norton" }))];
    for (path, body) in calls {
        let answer = scene.data.call(Method::POST, path, Some(&body)).await;
        assert_eq!(answer.code(), Some("CONNECTION_INACTIVE"), "{path}");
    }
    assert_eq!(scene.refused(Method::POST, "/check", None).await, conflict("CONNECTION_INACTIVE"));
    due_now(&scene).await;
    scene.ground.sync_all(&scene.id).await;
    let states = scene.ground.states(&scene.id).await;
    assert!(states.iter().all(|state| state.run.is_none() && state.failures == 0), "they rest");
    // Information about it is still there.
    assert_eq!(scene.data.get("/v1/connection").await["status"], "inactive");
    scene.tell(json!({ "name": "ok" })).await;
    let resumed = scene.done("/resume").await;
    assert_eq!((&resumed["status"], &resumed["status_reason"]), (&json!("active"), &Value::Null));
    assert_eq!(scene.done("/resume").await["status"], "active", "once more is the same");
    let states = scene.ground.states(&scene.id).await;
    assert!(states.iter().all(|state| state.run.is_some()), "they go on");
    scene.ground.sync_all(&scene.id).await;
    scene.data.get("/v1/vendors").await;
    let told = scene.told().await;
    let changes = told.iter().filter(|kind| *kind == "connection.status_changed").count();
    assert_eq!(changes, 3, "loaded, paused, resumed: {told:?}");
}

/// Makes every sync due now.
async fn due_now(scene: &Scene) {
    let store = scene.ground.cloud.store();
    let now = store.clock().schedule();
    for state in scene.ground.states(&scene.id).await {
        let key = sync_key(&state.workspace, &state.connection, &state.entity);
        let due = |state: &mut SyncState| {
            state.run = Some(NextRun::at(now, now));
            state.requested = Some(Mode::Full);
            Ok(())
        };
        store.modify(&key, due).await.unwrap();
    }
}

#[tokio::test]
async fn resuming_asks_first_and_lands_where_the_answer_says() {
    let scene = Scene::new().await;
    for (scenario, status) in [("down", "unavailable"), ("expired", "reauthorization_required")] {
        scene.done("/pause").await;
        scene.tell(json!({ "name": scenario })).await;
        let resumed = scene.done("/resume").await;
        assert_eq!(resumed["status"], status);
        assert!(resumed["status_reason"].is_string(), "{resumed:#}");
        let states = scene.ground.states(&scene.id).await;
        assert!(states.iter().all(|state| state.run.is_some()), "they try again by themselves");
        scene.tell(json!({ "name": "ok" })).await;
        let checked = scene.done("/check").await;
        assert_eq!(
            (&checked["status"], &checked["status_reason"]),
            (&json!("active"), &Value::Null)
        );
    }
}

#[tokio::test]
async fn a_check_finds_out_at_once_and_wakes_what_waited() {
    let scene = Scene::new().await;
    let before = scene.shown().await;
    let checked = scene.done("/check").await;
    assert_eq!(checked["status"], "active");
    assert!(checked["last_checked_at"].as_str() > before["last_checked_at"].as_str());
    scene.tell(json!({ "name": "expired" })).await;
    assert_eq!(scene.done("/check").await["status"], "reauthorization_required");
    due_now(&scene).await;
    scene.ground.sync_all(&scene.id).await;
    let states = scene.ground.states(&scene.id).await;
    let now = scene.ground.cloud.store().clock().schedule();
    assert!(states.iter().all(|state| state.failures > 0 && state.run.unwrap().at > now));
    scene.tell(json!({ "name": "ok" })).await;
    assert_eq!(scene.done("/check").await["status"], "active");
    let states = scene.ground.states(&scene.id).await;
    let now = scene.ground.cloud.store().clock().schedule();
    assert!(states.iter().all(|state| state.failures == 0 && state.run.unwrap().at <= now));
    // One bad answer alone is none.
    let once = json!({ "rules": [{ "match": { "operation": "probe" }, "respond": { "status": 401 }, "times": 1 }] });
    scene.tell(once).await;
    assert_eq!(scene.done("/check").await["status"], "active");
}

#[tokio::test]
async fn a_slice_under_way_stops_at_its_next_page_and_goes_on_when_resumed() {
    let scene = Scene::new().await;
    scene.tell(json!({ "name": "slow-1s" })).await;
    due_now(&scene).await;
    let pausing = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        scene.done("/pause").await
    };
    tokio::join!(scene.ground.sync(&scene.id, "purchase-orders"), pausing);
    let at = async || {
        let states = scene.ground.states(&scene.id).await;
        states.into_iter().find(|state| state.entity == "purchase-orders").unwrap()
    };
    let rests = at().await;
    assert!(!rests.is_at_rest() && rests.run.is_none() && rests.lease.until.is_none());
    scene.tell(json!({ "name": "ok" })).await;
    scene.done("/resume").await;
    scene.ground.sync_all(&scene.id).await;
    assert!(at().await.is_at_rest(), "the same pass has come to its end");
}

#[tokio::test]
async fn a_change_keeps_what_is_not_named_and_tries_settings_first() {
    let scene = Scene::new().await;
    let patch =
        async |body: Value| scene.api.call(Method::PATCH, &scene.path(""), Some(&body)).await;
    let named = json!({ "name": "Plant One", "customer": { "id": "7", "name": "Acme" },
                        "metadata": { "a": 1, "b": { "c": 2, "d": 3 } } });
    let _ = patch(named).await.expect(200);
    let own = patch(
        json!({ "metadata": { "a": null, "b": { "c": 4 } }, "customer": { "name": "Norton" } }),
    );
    let own = own.await.expect(200);
    assert_eq!(own["metadata"], json!({ "b": { "c": 4, "d": 3 } }));
    assert_eq!(own["customer"], json!({ "id": "7", "name": "Norton" }));
    assert_eq!((&own["name"], &own["status"]), (&json!("Plant One"), &json!("active")));
    let own = patch(json!({ "customer": null, "metadata": null })).await.expect(200);
    assert_eq!((&own["customer"], &own["metadata"]), (&Value::Null, &json!({})));

    let settled = patch(json!({ "settings": { "data": "draft" } })).await.expect(200);
    assert_eq!(settled["settings"], json!({ "stateful": true, "data": "draft" }));
    scene.tell(json!({ "name": "down" })).await;
    let faults = [
        (json!({ "settings": { "data": "stock" } }), "SYSTEM_UNREACHABLE"),
        (json!({ "settings": { "data": "none such" } }), "VALIDATION_FAILED"),
        (json!({ "settings": { "colour": "blue" } }), "VALIDATION_FAILED"),
        (json!({ "name": null }), "VALIDATION_FAILED"),
        (json!({ "name": "" }), "VALIDATION_FAILED"),
        (json!({ "colour": "blue" }), "VALIDATION_FAILED"),
        (json!({ "customer": { "name": "Acme" } }), "FIELD_REQUIRED"),
        (json!({ "metadata": { "long": "x".repeat(17_000) } }), "VALIDATION_FAILED"),
    ];
    for (body, code) in faults {
        let answer = patch(body.clone()).await;
        assert_eq!(answer.code(), Some(code), "{body}: {:#}", answer.body);
    }
    assert_eq!(scene.shown().await, settled, "nothing has changed");
    // A name is a name, whatever the system does.
    let _ = patch(json!({ "name": "Plant Two" })).await.expect(200);
}

#[tokio::test]
async fn a_disconnected_connection_has_nothing_left_but_its_history() {
    let scene = Scene::new().await;
    let credentials = format!("{}#{} secret", scene.ground.workspace.id, scene.id);
    let is_there = async || scene.ground.rows().await.iter().any(|(_, key, _)| *key == credentials);
    assert!(is_there().await);
    let gone = scene.done("/disconnect").await;
    assert_eq!(gone["status"], "disconnected");
    assert!(!is_there().await, "its credentials are destroyed");
    assert_eq!(scene.api.get("/v1/credits").await["used"], 0);
    assert_eq!(scene.done("/disconnect").await, gone, "once more is the same");
    assert_eq!(scene.api.get("/v1/credits").await["used"], 0);
    for path in ["/v1/vendors", "/v1/connection", "/v1/sync-status", "/v1/changes", "/v1/meta"] {
        let answer = scene.data.call(Method::GET, path, None).await;
        let told = (answer.status, answer.code());
        assert_eq!(told, (410, Some("CONNECTION_DISCONNECTED")), "{path}");
    }
    let disconnected = (410, "CONNECTION_DISCONNECTED".to_owned());
    for more in ["/check", "/pause", "/resume"] {
        assert_eq!(scene.refused(Method::POST, more, None).await, disconnected, "{more}");
    }
    let settings = json!({ "settings": { "data": "draft" } });
    assert_eq!(scene.refused(Method::PATCH, "", Some(settings)).await, disconnected);
    due_now(&scene).await;
    scene.ground.sync_all(&scene.id).await;
    assert!(scene.ground.states(&scene.id).await.iter().all(|state| state.run.is_none()));
    assert_eq!(
        scene.told().await.iter().filter(|kind| *kind == "connection.disconnected").count(),
        1
    );
}

#[tokio::test]
async fn what_is_done_to_a_connection_is_for_admins_and_in_the_log() {
    let scene = Scene::new().await;
    for role in ["read", "write"] {
        let key = json!({ "name": role, "role": role });
        let made = scene.api.post("/v1/api-keys", &key, 201).await;
        let lesser = scene.api.with_key(made["key"].as_str());
        for more in ["/check", "/pause", "/resume", "/reconnect", "/disconnect"] {
            let answer = lesser.call(Method::POST, &scene.path(more), None).await;
            assert_eq!(answer.status, 403, "{role} {more}");
        }
        let named = json!({ "name": "x" });
        let answer = lesser.call(Method::PATCH, &scene.path(""), Some(&named)).await;
        assert_eq!(answer.status, 403, "{role}");
        let limit = json!({ "limit": 1 });
        assert_eq!(lesser.call(Method::PUT, "/v1/credits", Some(&limit)).await.status, 403);
        lesser.get("/v1/credits").await;
    }
    scene.done("/pause").await;
    scene.done("/resume").await;
    scene.done("/reconnect").await;
    let named = json!({ "name": "x" });
    let _ = scene.api.call(Method::PATCH, &scene.path(""), Some(&named)).await.expect(200);
    scene.done("/disconnect").await;
    let path = format!("/v1/audit-log?connection_id={}", scene.id);
    let log = scene.api.all(&path).await;
    let action = |entry: &Value| entry["action"].as_str().unwrap().to_owned();
    let actions: Vec<String> = log.iter().rev().map(action).collect();
    let expected = ["created", "paused", "resumed", "reconnected", "updated", "disconnected"];
    assert_eq!(actions, expected.map(|own| format!("connection_{own}")));
}
