//! A person's consent, from the first page to a connection.

use millwright_connection::{
    oauth::{authorize, exchange},
    open_system,
};
use millwright_core::{ErrorCode, SecretString};
use millwright_sync::connect;
use millwright_tests::authorization_server::REDIRECT_URI;
use serde_json::json;

use super::scene::{Scene, credentials, new};

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_becomes_a_connection_whose_calls_carry_its_token() {
    let scene = Scene::new().await;
    for (connector, client) in [
        ("guarded-basic", "basic-client"),
        ("guarded-post", "post-client"),
        ("guarded-public", "public-client"),
    ] {
        let authorized = scene.authorized(connector, client).await;
        let new = new(&authorized.connector_id, authorized.settings, authorized.credentials);
        let context = scene.process();
        let connection = connect(&context, &scene.workspace, new).await.unwrap();
        assert_eq!(connection.instance, "plant-1");
        let system = open_system(&scene.process(), &connection).await.unwrap();
        assert_eq!(system.probe().await.unwrap().name.as_deref(), Some("Plant One"));
    }
    let seen = scene.server.seen().await;
    assert_eq!(seen["given"], json!({"authorization_code": 3}), "{seen}");
    assert_eq!((&seen["refused"], &seen["api_refused"]), (&json!({}), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_asked_for_with_a_proof_and_an_answer_for_another_login_is_refused() {
    let scene = Scene::new().await;
    let context = scene.process();
    let (settings, credentials) = (scene.settings(), credentials("basic-client"));
    let start = async || {
        let begun = authorize(
            &context,
            &scene.workspace,
            "guarded-basic",
            &settings,
            &credentials,
            REDIRECT_URI,
        );
        begun.await.unwrap()
    };
    let (one, two) = (start().await, start().await);
    assert_ne!(one.state, two.state);
    for asked in ["code_challenge_method=S256", "response_type=code", "prompt=consent"] {
        assert!(one.url.contains(asked), "{}", one.url);
    }
    assert!(one.url.contains("scope=openid+offline_access+read"), "{}", one.url);
    let text = format!("{one:?}{}", String::from(one.sealed.clone()));
    assert!(!text.contains("basic-client-secret"), "nothing of it is told");

    let consent = scene.server.consent(&one.url).await;
    let code = SecretString::from(consent.code);
    let end = async |sealed, state: &str| {
        exchange(&scene.process(), &scene.workspace, sealed, state, &code).await
    };
    let mixed = end(&two.sealed, &consent.state).await.unwrap_err();
    assert_eq!(mixed.code, ErrorCode::ValidationFailed);
    // The other login's proof of possession does not fit the code either: the server says so itself.
    let stolen = end(&two.sealed, &two.state).await.unwrap_err();
    assert_eq!(stolen.code, ErrorCode::CredentialsRefused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once() {
    let scene = Scene::new().await;
    let context = scene.process();
    let (settings, credentials) = (scene.settings(), credentials("post-client"));
    let started = authorize(
        &context,
        &scene.workspace,
        "guarded-post",
        &settings,
        &credentials,
        REDIRECT_URI,
    );
    let started = started.await.unwrap();
    let consent = scene.server.consent(&started.url).await;
    let code = SecretString::from(consent.code);
    let end =
        async || exchange(&context, &scene.workspace, &started.sealed, &consent.state, &code).await;
    end().await.unwrap();
    let again = end().await.unwrap_err();
    assert_eq!(again.code, ErrorCode::CredentialsRefused);
    assert!(!format!("{again:?}").contains("secret"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_consent_there_is_no_connection() {
    let scene = Scene::new().await;
    let new = new("guarded-basic", scene.settings(), credentials("basic-client"));
    let error = connect(&scene.process(), &scene.workspace, new).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::FieldRequired);
    assert!(error.message.contains("login page"), "{}", error.message);
}
