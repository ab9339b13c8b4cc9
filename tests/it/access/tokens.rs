//! What tokens open, and when they die.

use http::Method;
use millwright_access::{Environment, Role, create_key, create_workspace};
use millwright_core::ExposeSecret;
use serde_json::{Value, json};

use super::scene::{Scene, text};

async fn status(api: &millwright_tests::api::Api, method: Method, path: &str) -> u16 {
    let body = (method == Method::POST).then(|| json!({}));
    api.call(method, path, body.as_ref()).await.status
}

#[tokio::test]
async fn a_connection_token_opens_its_connections_data_and_nothing_else() {
    let scene = Scene::new().await;
    let (own, other) = (scene.connect().await, scene.connect().await);
    let path = format!("/v1/connections/{own}/token");
    let token = scene.admin.call(Method::POST, &path, None).await.expect(201);
    assert!(token.get("refresh_token").is_none());
    let api = scene.with_token(&text(&token, "access_token"));
    let connection = api.get("/v1/connection").await;
    assert_eq!(connection["id"], own.as_str());
    assert_eq!(api.about(&own).get("/v1/connection").await["id"], own.as_str());
    let elsewhere = api.about(&other).call(Method::GET, "/v1/connection", None).await;
    assert_eq!((elsewhere.status, elsewhere.code()), (403, Some("PERMISSION_DENIED")));
    assert_eq!(status(&api, Method::POST, "/v1/sync").await, 202);
    for path in
        ["/v1/connections", &format!("/v1/connections/{own}"), "/v1/api-keys", "/v1/connectors"]
    {
        assert_eq!(status(&api, Method::GET, path).await, 403, "{path}");
    }
    assert_eq!(status(&api, Method::POST, &path).await, 403);
    assert_eq!(status(&api, Method::POST, "/v1/passthrough").await, 403);
}

#[tokio::test]
async fn tokens_may_do_what_their_application_may_do_now() {
    let scene = Scene::new().await;
    let connection = scene.connect().await;
    let application = scene.application(json!({ "role": "read" })).await;
    let path = format!("/v1/applications/{}", text(&application, "id"));
    let patch = async |body: Value| {
        drop(scene.admin.call(Method::PATCH, &path, Some(&body)).await.expect(200));
    };
    let tokens = scene.granted(&application, &connection).await;
    let data = scene.with_token(&text(&tokens, "access_token"));
    let own = scene.tokens(&application, &[("grant_type", "client_credentials")]).await.expect(200);
    let system = scene.with_token(&text(&own, "access_token"));
    assert_eq!(status(&data, Method::GET, "/v1/connection").await, 200);
    assert_eq!(status(&data, Method::POST, "/v1/sync").await, 403);
    assert_eq!(status(&system, Method::GET, "/v1/applications").await, 200);
    assert_eq!(status(&system, Method::GET, "/v1/connection").await, 400, "needs Connection-Id");
    assert_eq!(status(&system.about(&connection), Method::GET, "/v1/connection").await, 200);
    let delete = format!("/v1/connections/{connection}");
    assert_eq!(status(&system, Method::DELETE, &delete).await, 403);

    patch(json!({ "role": "write" })).await;
    assert_eq!(status(&data, Method::POST, "/v1/sync").await, 202);
    // The sandbox offers no native calls: whoever may make them is told so.
    assert_eq!(status(&data, Method::POST, "/v1/passthrough").await, 403);
    patch(json!({ "role": "read", "scopes": ["passthrough"] })).await;
    assert_eq!(status(&data, Method::POST, "/v1/sync").await, 403);
    assert_eq!(status(&data, Method::POST, "/v1/passthrough").await, 403, "not granted before");
    let wider = scene.granted(&application, &connection).await;
    assert_eq!(wider["scope"], "passthrough");
    let wider = scene.with_token(&text(&wider, "access_token"));
    assert_eq!(
        status(&wider, Method::POST, "/v1/passthrough").await,
        422,
        "only the body is wrong"
    );

    drop(scene.admin.call(Method::DELETE, &path, None).await.expect(200));
    for api in [&data, &system, &wider] {
        assert_eq!(status(api, Method::GET, "/v1/connection").await, 401);
    }
}

#[tokio::test]
async fn tokens_die_with_their_connection() {
    let scene = Scene::new().await;
    let (application, connection) = (scene.application(json!({})).await, scene.connect().await);
    let tokens = scene.granted(&application, &connection).await;
    let unused = scene.code(&application, &connection).await;
    let api = scene.with_token(&text(&tokens, "access_token"));
    assert_eq!(status(&api, Method::GET, "/v1/connection").await, 200);
    let disconnect = format!("/v1/connections/{connection}/disconnect");
    scene.admin.post(&disconnect, &json!({}), 200).await;
    let dead = api.call(Method::GET, "/v1/purchase-orders", None).await;
    assert_eq!((dead.status, dead.code()), (401, Some("AUTHENTICATION_FAILED")));
    let with_key = scene.admin.about(&connection).call(Method::GET, "/v1/vendors", None).await;
    assert_eq!((with_key.status, with_key.code()), (410, Some("CONNECTION_DISCONNECTED")));
    for answer in [
        scene.refresh(&application, &text(&tokens, "refresh_token")).await,
        scene.exchange(&application, &unused).await,
    ] {
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_grant")));
    }
    let token = format!("/v1/connections/{connection}/token");
    let late = scene.admin.call(Method::POST, &token, None).await;
    assert_eq!((late.status, late.code()), (410, Some("CONNECTION_DISCONNECTED")));
}

#[tokio::test]
async fn nothing_of_a_workspace_opens_another() {
    let scene = Scene::new().await;
    let connection = scene.connect().await;
    let application = scene.application(json!({})).await;
    let store = &scene.context.store;
    let other = create_workspace(store, "Other", Environment::Test).await.unwrap();
    let (_, key) = create_key(store, &other, "all", Role::Admin, None).await.unwrap();
    let theirs = scene.with_token(key.expose_secret());
    let id = text(&application, "id");
    for (method, path) in [
        (Method::GET, format!("/v1/applications/{id}")),
        (Method::DELETE, format!("/v1/applications/{id}")),
        (Method::POST, format!("/v1/applications/{id}/rotate-secret")),
        (Method::POST, format!("/v1/connections/{connection}/token")),
    ] {
        assert_eq!(status(&theirs, method, &path).await, 404, "{path}");
    }
    assert_eq!(theirs.get("/v1/applications").await["data"], json!([]));
    let own = scene.tokens(&application, &[("grant_type", "client_credentials")]).await.expect(200);
    let api = scene.with_token(&text(&own, "access_token"));
    let made = theirs.post("/v1/connections", &json!({ "connector_id": "sandbox" }), 201).await;
    let about = api.about(&text(&made, "id"));
    assert_eq!(status(&about, Method::GET, "/v1/connection").await, 404);
}

#[tokio::test]
async fn holders_of_connection_tokens_do_not_meet_under_one_idempotency_key() {
    let scene = Scene::new().await;
    let mut started = Vec::new();
    for _ in 0..2 {
        let connection = scene.connect().await;
        let path = format!("/v1/connections/{connection}/token");
        let token = scene.admin.call(Method::POST, &path, None).await.expect(201);
        let api = scene.with_token(&text(&token, "access_token"));
        let api = api.with_header("Idempotency-Key", "order 1");
        let body = json!({ "entities": ["vendors"] });
        let answer = api.call(Method::POST, "/v1/sync", Some(&body)).await;
        assert!(answer.headers.get("idempotent-replayed").is_none());
        started.push(answer.expect(202));
        let again = api.call(Method::POST, "/v1/sync", Some(&body)).await;
        assert_eq!(again.headers["idempotent-replayed"], "true");
    }
}

#[tokio::test]
async fn the_audit_log_says_who_it_was() {
    let scene = Scene::new().await;
    let connection = scene.connect().await;
    let application = scene.application(json!({ "role": "admin" })).await;
    let own = scene.tokens(&application, &[("grant_type", "client_credentials")]).await.expect(200);
    let api = scene.with_token(&text(&own, "access_token"));
    let path = format!("/v1/connections/{connection}/token");
    drop(api.call(Method::POST, &path, None).await.expect(201));
    let log = scene.admin.get("/v1/audit-log?action=connection_token_issued").await;
    let entry = &log["data"][0];
    assert_eq!(entry["actor"]["type"], "application");
    assert_eq!(entry["actor"]["id"], application["id"]);
    assert_eq!((&entry["api_key_id"], &entry["outcome"]), (&json!(null), &json!("done")));
}
