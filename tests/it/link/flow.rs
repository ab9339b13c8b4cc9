//! The whole way, over HTTP.

use http::Method;
use millwright_access::Environment;
use millwright_connection::{Observation, Trigger, observe};
use serde_json::{Value, json};

use super::{Scene, authorization};

#[tokio::test]
async fn an_application_sends_a_user_and_gets_a_code_for_a_connection() {
    let scene = Scene::new().await;
    let callback = "https://app.example.com/callback?own=1";
    let logo = "https://cdn.example.com/logo.png";
    let application = scene.application(callback, Some(logo)).await;
    let (id, secret) = (application["client_id"].clone(), application["client_secret"].clone());
    let mut visitor = scene.visitor();
    let state = "s/t?a&te=1";
    let opened = authorization(id.as_str().unwrap(), callback, &[("state", state)]);
    let page = visitor.get(&opened).await;
    page.is_safe();
    assert!(page.text.contains("Acme &lt;b&gt;Planner&lt;/b&gt;") && page.text.contains(logo));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("img-src https://cdn.example.com;"), "{policy}");

    let systems = page.after("<form", "action");
    let form = visitor.get(&systems.replace("/systems", "/connect/sandbox")).await;
    let (action, csrf) = form.form();
    let wrong = [("csrf", csrf.as_str()), ("credentials.username", "denied")];
    let refused = visitor.post(&action, &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("data-cause=\""), "{}", refused.text);
    let right = [("csrf", csrf.as_str()), ("credentials.username", "ok")];
    let sent = visitor.post(&action, &right).await;
    let connected = visitor.follow(sent).await;
    connected.is_safe();
    assert!(connected.text.contains("Purchase orders"), "the first load is shown");
    let left = visitor.get(&connected.after("class=\"actions\"", "href")).await;
    let back = url::Url::parse(&left.location().unwrap()).unwrap();
    let told: std::collections::BTreeMap<_, _> = back.query_pairs().into_owned().collect();
    assert_eq!(back.host_str(), Some("app.example.com"));
    assert_eq!((told["own"].as_str(), told["state"].as_str()), ("1", state));

    let exchange = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", &told["code"])
        .append_pair("redirect_uri", callback)
        .append_pair("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        .append_pair("client_id", id.as_str().unwrap())
        .append_pair("client_secret", secret.as_str().unwrap())
        .finish();
    let api = scene.api.with_key(None);
    let kind = "application/x-www-form-urlencoded";
    let tokens = api.raw(Method::POST, "/oauth/token", Some((kind, exchange))).await.expect(200);
    let token = tokens["access_token"].as_str().unwrap();
    let own = scene.api.with_key(Some(token)).get("/v1/connection").await;
    assert_eq!(own["id"], tokens["connection_id"]);
    assert_eq!(own["connector_id"], "sandbox");
}

#[tokio::test]
async fn whoever_cancels_goes_back_and_the_application_hears_it() {
    let scene = Scene::new().await;
    let callback = "https://app.example.com/callback";
    let application = scene.application(callback, None).await;
    let id = application["client_id"].as_str().unwrap();
    let mut visitor = scene.visitor();
    let page = visitor.get(&authorization(id, callback, &[("state", "s")])).await;
    let left = visitor.get(&page.after("class=\"cancel\"", "href")).await;
    let back = left.location().unwrap();
    assert!(back.starts_with(callback), "{back}");
    assert!(back.contains("error=access_denied") && back.contains("state=s"), "{back}");
    // What is wrong with a request of a known application is told to it.
    let path = authorization(id, callback, &[("state", "s")]).replace("S256", "plain");
    let refused = scene.visitor().get(&path).await.location().unwrap();
    assert!(
        refused.starts_with(callback) && refused.contains("error=invalid_request"),
        "{refused}"
    );
    // In a window that another page has opened, that page is told, and nobody else.
    let popup = authorization(id, callback, &[("state", "s"), ("display", "popup")]);
    let page = visitor.get(&popup).await;
    let told = visitor.get(&page.after("class=\"cancel\"", "href")).await;
    assert_eq!(told.after("id=\"told\"", "data-origin"), "https://app.example.com");
    assert!(
        told.text.contains("access_denied")
            && told.header("content-security-policy").contains("script-src 'self'")
    );
}

#[tokio::test]
async fn a_live_workspace_does_not_offer_sandboxes_unless_a_link_names_them() {
    let scene = Scene::in_environment(Environment::Live).await;
    let link = scene.link(json!({})).await;
    let page = scene.visitor().get(&scene.path_of(&link["url"])).await;
    assert!(page.text.contains("Tryton") && !page.text.contains("Sandbox"), "{}", page.text);
    let (_, path) = scene.sandbox_link().await;
    assert_eq!(scene.visitor().get(&path).await.title(), "Connect Sandbox");
}

/// Connects a sandbox, lets the system refuse it, and answers with the connection.
async fn refused(scene: &Scene) -> Value {
    let request = json!({ "connector_id": "sandbox", "settings": { "data": "empty" } });
    let made = scene.api.post("/v1/connections", &request, 201).await;
    let id = made["id"].as_str().unwrap().parse().unwrap();
    let said = Observation::Refused("login refused".to_owned());
    observe(&scene.context, &scene.workspace, &id, &said, Trigger::Sync).await.unwrap();
    scene.api.get(&format!("/v1/connections/{id}")).await
}

#[tokio::test]
async fn logging_in_again_keeps_the_connection_and_ends_its_link() {
    let scene = Scene::new().await;
    let connection = refused(&scene).await;
    assert_eq!(connection["status"], "reauthorization_required");
    let path = scene.path_of(&connection["reconnect_url"]);
    let mut visitor = scene.visitor();
    let page = visitor.get(&path).await;
    page.is_safe();
    assert_eq!(page.title(), "Log in again to Sandbox");
    assert!(page.text.contains("<option value=\"empty\" selected>"), "settings are filled in");
    let (action, csrf) = page.form();
    let other = action.replace("/sandbox", "/tryton");
    assert_eq!(visitor.get(&other).await.status, 404, "another kind of system cannot be chosen");
    let wrong =
        [("csrf", csrf.as_str()), ("settings.data", "empty"), ("credentials.username", "expired")];
    assert_eq!(visitor.post(&action, &wrong).await.status, 422);
    let right =
        [("csrf", csrf.as_str()), ("settings.data", "empty"), ("credentials.username", "ok")];
    let at = format!("/v1/connections/{}", connection["id"].as_str().unwrap());
    let elsewhere = json!({ "rules": [{
        "match": { "operation": "probe" },
        "respond": { "status": 200, "body": { "instance": "elsewhere" } },
    }] });
    scene.api.put(&format!("{at}/scenario"), &elsewhere).await;
    let another = visitor.post(&action, &right).await;
    another.is_safe();
    assert_eq!(another.status, 409);
    assert!(another.text.contains("This is another system than before"), "{}", another.text);
    scene.api.put(&format!("{at}/scenario"), &json!({ "name": "ok" })).await;
    let sent = visitor.post(&action, &right).await;
    let page = visitor.follow(sent).await;
    assert_eq!(page.title(), "You are connected again", "{}", page.text);
    let after = scene.api.get(&at).await;
    assert_eq!((&after["id"], &after["reconnect_url"]), (&connection["id"], &Value::Null));
    assert_ne!(after["status"], "reauthorization_required");
    assert_eq!(scene.visitor().get(&path).await.status, 410, "the address is spent");
}
