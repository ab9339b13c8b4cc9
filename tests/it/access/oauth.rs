//! The token endpoint: what is given, and what is refused how.

use http::Method;
use millwright_core::PublicUrl;
use millwright_tests::api::{Answer, Api};
use serde_json::{Value, json};

use super::scene::{BACK, Scene, VERIFIER, text};
use crate::{in_process, life::ground::Ground};

/// Whether an answer is an error of RFC 6749, 5.2.
fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(
        (answer.status, &answer.body["error"]),
        (status, &json!(error)),
        "{:#}",
        answer.body
    );
    assert!(answer.body["error_description"].is_string());
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
}

/// Whether a token opens its connection.
async fn opens(scene: &Scene, token: &str) -> u16 {
    scene.with_token(token).call(Method::GET, "/v1/connection", None).await.status
}

#[tokio::test]
async fn a_code_gives_tokens_once_and_its_second_use_kills_them() {
    let scene = Scene::new().await;
    let (application, connection) = (scene.application(json!({})).await, scene.connect().await);
    let code = scene.code(&application, &connection).await;
    let answer = scene.exchange(&application, &code).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let tokens = answer.expect(200);
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 86_400);
    assert_eq!(tokens["connection_id"], connection.as_str());
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    assert!(access.starts_with("mw_ct_") && refresh.starts_with("mw_rt_"));
    assert_eq!(opens(&scene, &access).await, 200);

    refused(&scene.exchange(&application, &code).await, 400, "invalid_grant");
    assert_eq!(opens(&scene, &access).await, 401);
    refused(&scene.refresh(&application, &refresh).await, 400, "invalid_grant");
    let log = scene.admin.get("/v1/audit-log?action=token_replayed").await;
    assert_eq!(log["data"][0]["connection_id"], connection.as_str());
    assert_eq!(log["data"][0]["actor"]["id"], application["id"]);
}

#[tokio::test]
async fn a_code_is_bound_to_its_client_its_address_and_its_verifier() {
    let scene = Scene::new().await;
    let (application, connection) = (scene.application(json!({})).await, scene.connect().await);
    let other = scene.application(json!({})).await;
    let code = scene.code(&application, &connection).await;
    refused(&scene.exchange(&other, &code).await, 400, "invalid_grant");
    let mut right = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    for (at, wrong, error) in [
        (1, ("code", "mw_ac_x"), "invalid_grant"),
        (2, ("redirect_uri", "http://127.0.0.1:9/other"), "invalid_grant"),
        (2, ("x", "unknown parameters are passed over"), "invalid_grant"),
        (3, ("code_verifier", "0123456789012345678901234567890123456789012"), "invalid_grant"),
        (3, ("x", "PKCE is required"), "invalid_request"),
        (0, ("grant_type", "password"), "unsupported_grant_type"),
        (0, ("x", "no grant type"), "invalid_request"),
        (0, ("code", "twice"), "invalid_request"),
    ] {
        let before = std::mem::replace(&mut right[at], wrong);
        refused(&scene.tokens(&application, &right).await, 400, error);
        right[at] = before;
    }
    drop(scene.tokens(&application, &right).await.expect(200));
}

#[tokio::test]
async fn a_client_proves_itself_once_and_rightly() {
    let scene = Scene::new().await;
    let application = scene.application(json!({})).await;
    let (id, secret) = (text(&application, "client_id"), text(&application, "client_secret"));
    let own = ("grant_type", "client_credentials");
    for pairs in [
        &[own][..],
        &[own, ("client_id", id.as_str())],
        &[own, ("client_id", id.as_str()), ("client_secret", "mw_cs_wrong")],
        &[own, ("client_id", "nobody"), ("client_secret", secret.as_str())],
    ] {
        refused(&scene.form("/oauth/token", pairs).await, 401, "invalid_client");
    }
    let json = scene.admin.with_key(None);
    let body =
        json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
    let answer = json.call(Method::POST, "/oauth/token", Some(&body)).await;
    refused(&answer, 400, "invalid_request");
    let right = scene.tokens(&application, &[own]).await.expect(200);
    assert_eq!(right["expires_in"], 3600);
    assert!(right.get("refresh_token").is_none() && right.get("connection_id").is_none());
}

#[tokio::test]
async fn refreshing_rotates_repeats_a_lost_answer_and_finds_a_replay() {
    // Long enough for the slowest machine, and none at all.
    for (grace, found) in [(60, "repeated"), (0, "replayed")] {
        let scene = Scene::with(|settings| settings.refresh_grace_seconds = grace).await;
        let (application, connection) = (scene.application(json!({})).await, scene.connect().await);
        let first = scene.granted(&application, &connection).await;
        let old = text(&first, "refresh_token");
        let second = scene.refresh(&application, &old).await.expect(200);
        assert_ne!(text(&second, "refresh_token"), old);
        for tokens in [&first, &second] {
            assert_eq!(opens(&scene, &text(tokens, "access_token")).await, 200);
        }
        let again = scene.refresh(&application, &old).await;
        if found == "repeated" {
            let again = again.expect(200);
            assert_eq!(opens(&scene, &text(&again, "access_token")).await, 200);
            let next = text(&again, "refresh_token");
            drop(scene.refresh(&application, &next).await.expect(200));
            // Two uses ago is a replay however soon it comes.
            refused(&scene.refresh(&application, &old).await, 400, "invalid_grant");
        } else {
            refused(&again, 400, "invalid_grant");
        }
        assert_eq!(opens(&scene, &text(&second, "access_token")).await, 401, "the family is dead");
    }
}

#[tokio::test]
async fn of_many_who_use_one_code_at_once_one_is_given_tokens_and_keeps_none() {
    let scene = Scene::new().await;
    let (application, connection) = (scene.application(json!({})).await, scene.connect().await);
    let code = scene.code(&application, &connection).await;
    let all = (0..12).map(|_| scene.exchange(&application, &code));
    let answers: Vec<Answer> = futures::future::join_all(all).await;
    let given: Vec<&Value> =
        answers.iter().filter(|answer| answer.status == 200).map(|answer| &answer.body).collect();
    assert_eq!(given.len(), 1);
    assert_eq!(opens(&scene, &text(given[0], "access_token")).await, 401);
}

#[tokio::test]
async fn many_who_refresh_at_once_all_get_working_tokens_within_the_grace() {
    let scene = Scene::with(|settings| settings.refresh_grace_seconds = 60).await;
    let (application, connection) = (scene.application(json!({})).await, scene.connect().await);
    let old = text(&scene.granted(&application, &connection).await, "refresh_token");
    let answers =
        futures::future::join_all((0..5).map(|_| scene.refresh(&application, &old))).await;
    for answer in answers {
        let token = text(&answer.expect(200), "access_token");
        assert_eq!(opens(&scene, &token).await, 200);
    }
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_nobody_elses_is_touched() {
    let scene = Scene::new().await;
    let (application, connection) = (scene.application(json!({})).await, scene.connect().await);
    let other = scene.application(json!({})).await;
    let revoke = async |by: &Value, token: &str| {
        let (id, secret) = (text(by, "client_id"), text(by, "client_secret"));
        let pairs = [("token", token), ("client_id", &id), ("client_secret", &secret)];
        let answer = scene.form("/oauth/revoke", &pairs).await;
        assert_eq!(answer.status, 200, "{:#}", answer.body);
    };
    let tokens = scene.granted(&application, &connection).await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    for token in [access.as_str(), refresh.as_str(), "mw_ct_nothing", "x"] {
        revoke(&other, token).await;
    }
    assert_eq!(opens(&scene, &access).await, 200);
    revoke(&application, &access).await;
    assert_eq!(opens(&scene, &access).await, 401);
    let next = scene.refresh(&application, &refresh).await.expect(200);
    revoke(&application, &text(&next, "refresh_token")).await;
    assert_eq!(opens(&scene, &text(&next, "access_token")).await, 401);
    let late = scene.refresh(&application, &text(&next, "refresh_token")).await;
    refused(&late, 400, "invalid_grant");

    let own = scene.tokens(&application, &[("grant_type", "client_credentials")]).await.expect(200);
    let own = text(&own, "access_token");
    let lists = async || scene.with_token(&own).call(Method::GET, "/v1/connections", None).await;
    assert_eq!(lists().await.status, 200);
    revoke(&other, &own).await;
    assert_eq!(lists().await.status, 200);
    revoke(&application, &own).await;
    assert_eq!(lists().await.status, 401);
    refused(&scene.form("/oauth/revoke", &[("token", &own)]).await, 401, "invalid_client");
}

#[tokio::test]
async fn the_metadata_leads_to_the_endpoints() {
    let scene = Scene::new().await;
    let nobody = Api::new(&scene.base, None);
    let metadata = nobody.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(metadata["issuer"], scene.base.as_str());
    assert_eq!(metadata["token_endpoint"], format!("{}/oauth/token", scene.base));
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
}

#[tokio::test]
async fn the_metadata_of_a_server_with_a_path_stand_behind_the_well_known_part() {
    let ground = Ground::new().await;
    let issuer = "https://api.example.com/millwright";
    let context = ground.context();
    let nobody = in_process::serve(&context, |settings| {
        settings.public_url = PublicUrl::new(issuer);
    });
    let path = "/.well-known/oauth-authorization-server/millwright";
    let metadata = nobody.await.get(path).await;
    assert_eq!(metadata["issuer"], issuer);
    assert_eq!(metadata["token_endpoint"], format!("{issuer}/oauth/token"));
}
