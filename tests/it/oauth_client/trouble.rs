//! What goes wrong with an authorization server, and what becomes of the connection.

use std::time::{Duration, Instant};

use millwright_connection::Status;
use millwright_connector::{SystemError, SystemErrorClass};
use serde_json::json;

use super::scene::{Scene, outlive};

/// More than the longest wait between tries.
const COOLED_DOWN: Duration = Duration::from_secs(16 * 60);

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_consent_is_told_once_it_is_confirmed_and_then_left_alone_for_a_day() {
    let scene = Scene::new().await;
    scene.server.set(&json!({"access_ttl": 4})).await;
    let connection = scene.connected().await;
    scene.server.set(&json!({"revoke": "all"})).await;
    outlive(4).await;
    let context = scene.process();
    let error = scene.call(&context, &connection).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Reauthorize);
    let row = scene.now(&connection).await;
    assert_eq!(row.status(), Status::ReauthorizationRequired);
    assert!(row.status_reason.as_deref().unwrap().contains("authorization server"), "{row:?}");
    let refused = async || {
        scene.server.seen().await["refused"]["refresh_token: invalid_grant"].as_u64().unwrap()
    };
    assert_eq!(refused().await, 2, "the refusal and its confirmation");
    for _ in 0..5 {
        let error = scene.call(&scene.process(), &connection).await.unwrap_err();
        assert_eq!(error.class, SystemErrorClass::Reauthorize);
    }
    assert_eq!(refused().await, 2, "nobody asks again today");
    scene.clock.step(Duration::from_secs(24 * 3600 + 1));
    scene.call(&scene.process(), &connection).await.unwrap_err();
    assert_eq!(refused().await, 3, "once a day");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_authorization_server_is_an_outage_that_heals() {
    for silence in [json!("reset"), json!(503)] {
        let scene = Scene::new().await;
        scene.server.set(&json!({"access_ttl": 4})).await;
        let connection = scene.connected().await;
        outlive(4).await;
        scene.server.set(&json!({"token_status": silence, "access_ttl": 3600})).await;
        let context = scene.process();
        let error = scene.call(&context, &connection).await.unwrap_err();
        assert_eq!(error.class, SystemErrorClass::Unreachable, "{silence}");
        assert_eq!(scene.status(&connection).await, Status::Unavailable);
        let asked = async || scene.server.seen().await["token_requests"].as_u64().unwrap();
        let so_far = asked().await;
        let error = scene.call(&context, &connection).await.unwrap_err();
        assert_eq!(error.class, SystemErrorClass::Unreachable);
        assert!(error.retry_after.is_some_and(|wait| wait <= Duration::from_secs(30)));
        assert_eq!(asked().await, so_far, "it is left alone for a while");
        scene.server.set(&json!({"token_status": 0})).await;
        scene.clock.step(COOLED_DOWN);
        scene.call(&context, &connection).await.unwrap();
        assert_eq!(scene.status(&connection).await, Status::Synchronizing);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_is_used_while_it_cannot_be_renewed() {
    // On a busy machine a short life may be over before the calls are: then nothing is said of them.
    for life in [24, 60, 150] {
        if let Some(called) = calls_late_in_a_life(Duration::from_secs(life)).await {
            return called.unwrap();
        }
    }
    panic!("three calls take more than a quarter of a token's life");
}

/// Calls after three quarters of a token's life, while it cannot be renewed: it is time, and there is
/// time. Nothing when there was none.
async fn calls_late_in_a_life(life: Duration) -> Option<Result<(), SystemError>> {
    let scene = Scene::new().await;
    scene.server.set(&json!({"access_ttl": life.as_secs()})).await;
    let began = Instant::now();
    let connection = scene.connected().await;
    tokio::time::sleep(life * 3 / 4 + Duration::from_millis(200)).await;
    scene.server.set(&json!({"token_status": 503})).await;
    let mut called = Ok(());
    for _ in 0..3 {
        called = called.and(scene.call(&scene.process(), &connection).await);
    }
    if began.elapsed() >= life {
        return None;
    }
    assert_eq!(scene.status(&connection).await, Status::Synchronizing);
    assert!(scene.server.seen().await["token_requests"].as_u64().unwrap() >= 2, "it was tried");
    Some(called)
}
