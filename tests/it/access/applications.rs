//! Applications and API keys.

use http::Method;
use serde_json::json;

use super::scene::{BACK, Scene, text};

#[tokio::test]
async fn an_application_is_made_shown_changed_and_revoked() {
    let scene = Scene::new().await;
    let made = scene.application(json!({ "logo_url": "https://a.example/logo.png" })).await;
    let path = format!("/v1/applications/{}", text(&made, "id"));
    assert!(text(&made, "client_id").starts_with("mw_ci_"));
    assert!(text(&made, "client_secret").starts_with("mw_cs_"));
    assert_eq!((&made["role"], &made["public"]), (&json!("write"), &json!(false)));

    let shown = scene.admin.get(&path).await;
    assert!(shown.get("client_secret").is_none(), "shown once");
    let patch = json!({ "name": "Other", "logo_url": null, "scopes": ["passthrough"] });
    let answer = scene.admin.call(Method::PATCH, &path, Some(&patch)).await.expect(200);
    assert_eq!((&answer["name"], &answer["logo_url"]), (&json!("Other"), &json!(null)));
    assert_eq!((&answer["redirect_uris"], &answer["role"]), (&json!([BACK]), &json!("write")));
    assert_eq!(scene.admin.get("/v1/applications").await["data"][0], answer);

    let revoked = scene.admin.call(Method::DELETE, &path, None).await.expect(200);
    assert!(revoked["revoked_at"].is_string());
    let late = scene.admin.call(Method::PATCH, &path, Some(&patch)).await;
    assert_eq!((late.status, late.code()), (409, Some("STATE_CONFLICT")));

    let log = scene.admin.get("/v1/audit-log").await;
    let actions: Vec<&str> =
        log["data"].as_array().unwrap().iter().filter_map(|own| own["action"].as_str()).collect();
    assert_eq!(
        actions,
        [
            "application_changed",
            "application_revoked",
            "application_changed",
            "application_created"
        ]
    );
    assert_eq!(log["data"][3]["target_id"], made["id"]);
    assert_eq!(log["data"][3]["actor"]["type"], "api_key");
}

#[tokio::test]
async fn what_is_wrong_with_an_application_is_told_field_by_field() {
    let scene = Scene::new().await;
    let body = json!({
        "name": "", "logo_url": "http://a.example/", "role": "owner",
        "redirect_uris": ["http://a.example/"], "colour": 1,
    });
    let answer = scene.admin.call(Method::POST, "/v1/applications", Some(&body)).await;
    assert_eq!((answer.status, answer.code()), (422, Some("VALIDATION_FAILED")));
    let body = json!({ "name": "x", "redirect_uris": [BACK, "http://a.example/", "x://y"] });
    let answer = scene.admin.call(Method::POST, "/v1/applications", Some(&body)).await;
    let paths: Vec<&str> = answer.body["error"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|field| field["path"].as_str())
        .collect();
    assert_eq!(paths, ["redirect_uris[1]", "redirect_uris[2]"]);
    let reader = scene.key("write").await;
    let refused =
        reader.call(Method::POST, "/v1/applications", Some(&json!({ "name": "x" }))).await;
    assert_eq!((refused.status, refused.code()), (403, Some("PERMISSION_DENIED")));
}

#[tokio::test]
async fn a_secret_is_replaced_with_or_without_an_overlap() {
    let scene = Scene::new().await;
    let mut first = scene.application(json!({})).await;
    let own = [("grant_type", "client_credentials")];
    let rotate = format!("/v1/applications/{}/rotate-secret", text(&first, "id"));
    let second = scene.admin.post(&rotate, &json!({ "overlap_seconds": 60 }), 200).await;
    for secret in [&first, &second] {
        drop(scene.tokens(secret, &own).await.expect(200));
    }
    let third = scene.admin.call(Method::POST, &rotate, None).await.expect(200);
    for secret in [&first, &second] {
        let refused = scene.tokens(secret, &own).await;
        assert_eq!((refused.status, &refused.body["error"]), (401, &json!("invalid_client")));
    }
    drop(scene.tokens(&third, &own).await.expect(200));
    // A public one has none.
    first = scene.application(json!({ "public": true })).await;
    assert!(first.get("client_secret").is_none());
    let rotate = format!("/v1/applications/{}/rotate-secret", text(&first, "id"));
    let refused = scene.admin.call(Method::POST, &rotate, None).await;
    assert_eq!((refused.status, refused.code()), (409, Some("STATE_CONFLICT")));
    let refused = scene.tokens(&first, &own).await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("unauthorized_client")));
}

#[tokio::test]
async fn an_api_key_gets_another_text_and_keeps_its_id() {
    let scene = Scene::new().await;
    let body = json!({ "name": "ci", "role": "read" });
    let made = scene.admin.post("/v1/api-keys", &body, 201).await;
    let path = format!("/v1/api-keys/{}", text(&made, "id"));
    let opens = async |key: &str| {
        let answer = scene.with_token(key).call(Method::GET, "/v1/api-keys", None).await;
        answer.status == 200
    };
    let rotate = format!("{path}/rotate");
    let second = scene.admin.post(&rotate, &json!({ "overlap_seconds": 3600 }), 200).await;
    assert_eq!((&second["id"], &second["role"]), (&made["id"], &made["role"]));
    let (first_key, second_key) = (text(&made, "key"), text(&second, "key"));
    assert!(opens(&first_key).await && opens(&second_key).await);
    let third = text(&scene.admin.call(Method::POST, &rotate, None).await.expect(200), "key");
    assert!(!opens(&first_key).await && !opens(&second_key).await && opens(&third).await);
    let fourth = scene.admin.post(&rotate, &json!({ "overlap_seconds": 3600 }), 200).await;
    assert!(opens(&third).await && opens(&text(&fourth, "key")).await);
    drop(scene.admin.call(Method::DELETE, &path, None).await.expect(200));
    assert!(!opens(&third).await && !opens(&text(&fourth, "key")).await, "revoked with both");
    let late = scene.admin.call(Method::POST, &rotate, None).await;
    assert_eq!((late.status, late.code()), (409, Some("STATE_CONFLICT")));
}
