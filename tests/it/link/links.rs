//! Connect links: what they fix, and how they end.

use http::Method;
use serde_json::{Value, json};

use super::Scene;

const GOOD: [(&str, &str); 2] = [("settings.data", "standard"), ("credentials.username", "ok")];

#[tokio::test]
async fn a_link_fixes_what_its_user_cannot_change_and_its_address_is_shown_once() {
    let scene = Scene::new().await;
    let link = scene
        .link(json!({
            "name": "Plant One", "customer": { "id": "c1", "name": "Plant One Inc" },
            "metadata": { "tier": "gold" }, "connector_ids": ["sandbox", "tryton"],
            "return_url": "https://app.example.com/done?own=1", "expires_in": 3600,
        }))
        .await;
    assert_eq!(link["status"], "open");
    let id = link["connection_id"].as_str().unwrap();
    let connection = scene.api.get(&format!("/v1/connections/{id}")).await;
    assert_eq!(
        (&connection["status"], &connection["connector_id"]),
        (&json!("pending"), &Value::Null)
    );
    assert_eq!(connection["customer"]["id"], "c1");

    let path = format!("/v1/connect-links/{}", link["id"].as_str().unwrap());
    let again = scene.api.get(&path).await;
    assert!(again.get("url").is_none(), "{again}");
    let token = link["url"].as_str().unwrap().rsplit('/').next().unwrap();
    assert!(!again.to_string().contains(token));

    let mut visitor = scene.visitor();
    let page = visitor.get(&scene.path_of(&link["url"])).await;
    page.is_safe();
    assert_eq!(page.title(), "Which system do you want to connect?");
    assert!(!page.text.contains("Discourse"), "only the allowed systems are offered");
    let form = visitor.get(&page.after("class=\"systems\"", "href")).await;
    let (action, csrf) = form.form();
    assert!(action.ends_with("/connect/sandbox"), "{action}");
    let mut fields = vec![("csrf", csrf.as_str())];
    fields.extend(GOOD);
    // What the link fixes is no field of the form.
    fields.extend([("name", "Mine"), ("customer", "c2"), ("settings.customer", "c2")]);
    let sent = visitor.post(&action, &fields).await;
    assert_eq!(sent.status, 303);
    let connected = visitor.follow(sent).await;
    connected.is_safe();
    assert_eq!(connected.title(), "Your system is connected");

    let connection = scene.api.get(&format!("/v1/connections/{id}")).await;
    assert_eq!(
        (connection["name"].as_str(), connection["customer"]["id"].as_str()),
        (Some("Plant One"), Some("c1"))
    );
    assert_eq!(
        (&connection["status"], &connection["metadata"]["tier"]),
        (&json!("synchronizing"), &json!("gold"))
    );
    let left = visitor.get(&connected.after("class=\"actions\"", "href")).await;
    let back = format!("https://app.example.com/done?own=1&connection_id={id}");
    assert_eq!((left.status, left.location()), (303, Some(back)));
    assert_eq!(scene.api.get(&path).await["status"], "spent");
}

#[tokio::test]
async fn a_link_is_spent_by_success_and_not_by_being_opened() {
    let scene = Scene::new().await;
    let (link, path) = scene.sandbox_link().await;
    for _ in 0..3 {
        assert_eq!(scene.visitor().get(&path).await.status, 200);
    }
    let mut visitor = scene.visitor();
    let (action, csrf) = visitor.get(&path).await.form();
    let refused =
        visitor.post(&action, &[("csrf", &csrf), ("credentials.username", "expired")]).await;
    assert_eq!(refused.status, 422);
    assert_eq!(scene.visitor().get(&path).await.status, 200, "a failure spends nothing");
    let mut other = scene.visitor();
    let (other_action, other_csrf) = other.get(&path).await.form();
    let fields = [("csrf", csrf.as_str()), GOOD[0], GOOD[1]];
    assert_eq!(visitor.post(&action, &fields).await.status, 303);

    let spent = scene.visitor().get(&path).await;
    spent.is_safe();
    assert_eq!((spent.status, spent.title()), (410, "This link has been used"));
    // Who had its form open in another browser.
    let late = other.post(&other_action, &[("csrf", other_csrf.as_str()), GOOD[0], GOOD[1]]).await;
    assert_eq!((late.status, late.title()), (410, "This link has been used"));
    let path = format!("/v1/connect-links/{}", link["id"].as_str().unwrap());
    let revoked = scene.api.call(Method::DELETE, &path, None).await;
    assert_eq!(revoked.code(), Some("STATE_CONFLICT"));
}

#[tokio::test]
async fn expired_and_withdrawn_links_say_so_and_disconnect_what_was_pending() {
    let scene = Scene::new().await;
    let (link, path) = scene.sandbox_link().await;
    let mut visitor = scene.visitor();
    let (action, csrf) = visitor.get(&path).await.form();
    let at = format!("/v1/connect-links/{}", link["id"].as_str().unwrap());
    let revoked = scene.api.call(Method::DELETE, &at, None).await.expect(200);
    assert_eq!(revoked["status"], "revoked");
    let own = format!("/v1/connections/{}", link["connection_id"].as_str().unwrap());
    assert_eq!(scene.api.get(&own).await["status"], "disconnected");
    for page in [
        scene.visitor().get(&path).await,
        visitor.post(&action, &[("csrf", csrf.as_str()), GOOD[0], GOOD[1]]).await,
    ] {
        page.is_safe();
        assert_eq!((page.status, page.title()), (410, "This link was withdrawn"));
    }

    let link = scene.link(json!({ "connector_ids": ["sandbox"], "expires_in": 60 })).await;
    let path = scene.path_of(&link["url"]);
    let mut visitor = scene.visitor();
    let (action, csrf) = visitor.get(&path).await.form();
    scene.context.store.clock().step(std::time::Duration::from_secs(61));
    for page in [
        scene.visitor().get(&path).await,
        visitor.post(&action, &[("csrf", csrf.as_str()), GOOD[0], GOOD[1]]).await,
    ] {
        page.is_safe();
        assert_eq!((page.status, page.title()), (410, "This link has expired"));
    }
    let listed = scene.api.all("/v1/connect-links?limit=1").await;
    let states: Vec<&str> = listed.iter().filter_map(|own| own["status"].as_str()).collect();
    assert_eq!(states, ["revoked", "expired"]);
}

#[tokio::test]
async fn a_link_is_made_of_sound_parts_only() {
    let scene = Scene::new().await;
    for (wrong, path) in [
        (json!({ "return_url": "javascript:alert(1)" }), "return_url"),
        (json!({ "return_url": "http://app.example.com/" }), "return_url"),
        (json!({ "connector_ids": ["tryton", "nope"] }), "connector_ids[1]"),
        (json!({ "expires_in": 59 }), "expires_in"),
        (json!({ "expires_in": 7_776_001 }), "expires_in"),
        (json!({ "application_id": "app_00000000000000000000000000" }), "application_id"),
        (json!({ "metadata": { "x": "y".repeat(17_000) } }), "metadata"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let answer = scene.api.call(Method::POST, "/v1/connect-links", Some(&wrong)).await;
        assert_eq!(answer.status, 422, "{wrong} {:#}", answer.body);
        assert_eq!(answer.body["error"]["fields"][0]["path"], path, "{wrong}");
    }
    let none =
        scene.api.call(Method::GET, "/v1/connect-links/link_00000000000000000000000000", None);
    assert_eq!(none.await.status, 404);
}

#[tokio::test]
async fn making_and_withdrawing_a_link_is_in_the_log() {
    let scene = Scene::new().await;
    let (link, path) = scene.sandbox_link().await;
    let id = link["id"].as_str().unwrap();
    let own = format!("/v1/connect-links/{id}");
    let _ = scene.api.call(Method::DELETE, &own, None).await.expect(200);
    for action in ["connect_link_created", "connect_link_revoked"] {
        let log = scene.api.get(&format!("/v1/audit-log?action={action}")).await;
        let entry = &log["data"][0];
        assert_eq!((&entry["target_id"], &entry["outcome"]), (&json!(id), &json!("done")));
        assert!(!log.to_string().contains(path.rsplit('/').next().unwrap()), "{log:#}");
    }
}
