//! No token, code or secret of a client lies anywhere in the clear.

use millwright_core::ExposeSecret;
use millwright_tests::planted::Planted;
use serde_json::json;

use super::scene::{Scene, credentials, outlive};

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_stored_or_told_in_the_clear() {
    let scene = Scene::new().await;
    scene.server.set(&json!({"access_ttl": 4})).await;
    let connection = scene.connected().await;
    outlive(4).await;
    scene.call(&scene.process(), &connection).await.unwrap();
    scene.server.set(&json!({"token_status": 503})).await;
    outlive(4).await;
    let mut told = Vec::new();
    for _ in 0..2 {
        let error = scene.call(&scene.process(), &connection).await.unwrap_err();
        told.push(format!("{error} {error:?}"));
    }
    scene.server.set(&json!({"token_status": 0, "revoke": "all"})).await;
    scene.clock.step(std::time::Duration::from_secs(3600));
    let error = scene.call(&scene.process(), &connection).await.unwrap_err();
    told.push(format!("{error} {error:?} {:?}", scene.now(&connection).await));

    let seen = scene.server.seen().await;
    let mut planted = Planted::default();
    for token in seen["issued"].as_array().unwrap() {
        planted.plant("a token or a code", token.as_str().unwrap());
    }
    let secret = credentials("basic-client")["client_secret"].expose_secret().to_owned();
    planted.plant("the client's secret", &secret);
    assert!(planted.names().len() >= 6, "{seen}");
    let mut found = planted.found_in("errors", told.join("\n").as_bytes());
    let log = scene.folder.path().join("provider.log");
    std::fs::remove_file(log).unwrap();
    found.extend(planted.found_under(scene.folder.path()));
    assert_eq!(found, [""; 0]);
}
