//! Client credentials: tokens that nobody has to allow.

use millwright_connection::oauth::refresh_if_due;
use millwright_core::{ErrorCode, SecretString};
use millwright_sync::connect;
use serde_json::json;

use super::scene::{Scene, credentials, new, outlive};

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_given_its_token_and_asks_for_the_next_when_it_ends() {
    let scene = Scene::new().await;
    scene.server.set(&json!({"access_ttl": 4})).await;
    let new = new("machine", scene.settings(), credentials("machine"));
    let connection = connect(&scene.process(), &scene.workspace, new).await.unwrap();
    assert_eq!(scene.server.given("client_credentials").await, 1, "the probe and what is kept");
    outlive(4).await;
    scene.server.set(&json!({"access_ttl": 3600})).await;
    for _ in 0..3 {
        scene.call(&scene.process(), &connection).await.unwrap();
    }
    assert_eq!(scene.server.given("client_credentials").await, 2);
    assert_eq!(refresh_if_due(&scene.process(), &connection).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_told_while_connecting() {
    let scene = Scene::new().await;
    let mut wrong = credentials("machine");
    wrong.insert("client_secret".to_owned(), SecretString::from("planted-wrong"));
    let new = new("machine", scene.settings(), wrong);
    let error = connect(&scene.process(), &scene.workspace, new).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::CredentialsRefused);
    assert_eq!(error.upstream.as_ref().unwrap().code.as_deref(), Some("invalid_client"));
    assert!(!format!("{error:?}").contains("planted-wrong"));
}
