//! Renewing: once, however many want it, and nothing lost.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use millwright_connection::{Status, oauth::refresh_if_due, open_system};
use serde_json::json;
use tokio::time::timeout;

use super::scene::{Scene, outlive};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_callers_in_five_processes_one_renews() {
    let scene = Arc::new(Scene::new().await);
    scene.server.set(&json!({"access_ttl": 4})).await;
    let connection = scene.connected().await;
    outlive(4).await;
    scene.server.set(&json!({"access_ttl": 3600, "token_delay_ms": 400})).await;
    let processes: Vec<_> = (0..5).map(|_| scene.process()).collect();
    let callers = (0..50).map(|at| {
        let (context, connection) = (processes[at % 5].clone(), connection.clone());
        tokio::spawn(async move {
            let system = open_system(&context, &connection).await.unwrap();
            system.probe().await.map(drop)
        })
    });
    for called in join_all(callers).await {
        called.unwrap().unwrap();
    }
    let seen = scene.server.seen().await;
    // The server gives a new token to renew with each time, and withdraws the consent when it sees an
    // old one: a second renewal would not go unnoticed.
    assert_eq!(seen["given"]["refresh_token"], 1, "{seen}");
    assert_eq!(seen["most_at_once"], 1, "{seen}");
    assert_eq!((&seen["refused"], &seen["api_refused"]), (&json!({}), &json!(0)), "{seen}");
    assert_eq!(seen["api_calls"], 1 + 50, "the one of connecting, and theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_renewal_goes_on_from_the_token_that_the_last_one_gave() {
    let scene = Scene::new().await;
    scene.server.set(&json!({"access_ttl": 4})).await;
    let connection = scene.connected().await;
    for round in 1..=3 {
        outlive(4).await;
        scene.call(&scene.process(), &connection).await.unwrap();
        assert_eq!(scene.server.given("refresh_token").await, round);
    }
    assert_eq!(scene.status(&connection).await, Status::Synchronizing);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_to_renew_with_is_kept_where_the_answer_leaves_it_out() {
    let scene = Scene::new().await;
    scene.server.set(&json!({"access_ttl": 4, "rotate": false, "omit_refresh": true})).await;
    let connection = scene.connected().await;
    for round in 1..=2 {
        outlive(4).await;
        scene.call(&scene.process(), &connection).await.unwrap();
        assert_eq!(scene.server.given("refresh_token").await, round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_is_stored_though_its_caller_has_gone() {
    let scene = Scene::new().await;
    scene.server.set(&json!({"access_ttl": 4})).await;
    let connection = scene.connected().await;
    outlive(4).await;
    scene.server.set(&json!({"access_ttl": 3600, "token_delay_ms": 600})).await;
    let context = scene.process();
    let system = open_system(&context, &connection).await.unwrap();
    let gone = timeout(Duration::from_millis(200), system.probe()).await;
    assert!(gone.is_err(), "the caller has gone");
    scene.call(&scene.process(), &connection).await.unwrap();
    assert_eq!(scene.server.given("refresh_token").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_system_refuses_is_renewed_once_and_the_call_made_again() {
    let scene = Scene::new().await;
    let connection = scene.connected().await;
    let context = scene.process();
    scene.call(&context, &connection).await.unwrap();
    scene.server.set(&json!({"revoke": "access"})).await;
    scene.call(&context, &connection).await.unwrap();
    let seen = scene.server.seen().await;
    assert_eq!((&seen["given"]["refresh_token"], &seen["api_refused"]), (&json!(1), &json!(1)));

    // Where the next one is refused too, what the system says stands.
    scene.server.set(&json!({"api_refuses": true})).await;
    scene.call(&context, &connection).await.unwrap_err();
    assert_eq!(scene.server.given("refresh_token").await, 1);
    assert_eq!(scene.status(&connection).await, Status::ReauthorizationRequired);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_nobody_uses_are_renewed_daily() {
    let scene = Scene::new().await;
    let connection = scene.connected().await;
    let context = scene.process();
    let due = refresh_if_due(&context, &connection).await.unwrap().unwrap();
    let wait = due.since(scene.clock.schedule());
    assert!(wait > Duration::from_secs(86_000), "{wait:?}");
    assert_eq!(scene.server.given("refresh_token").await, 0);
    scene.clock.step(wait + Duration::from_secs(1));
    let next = refresh_if_due(&context, &connection).await.unwrap().unwrap();
    assert!(next > due);
    assert_eq!(scene.server.given("refresh_token").await, 1);
    refresh_if_due(&context, &connection).await.unwrap();
    scene.call(&context, &connection).await.unwrap();
    assert_eq!(scene.server.given("refresh_token").await, 1);
}

/// The row of the credentials, as it lies in the table.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Raw(serde_json::Map<String, serde_json::Value>);

impl millwright_store::Document for Raw {}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_died_while_renewing_holds_the_others_up_until_its_lease_ends() {
    let scene = Scene::new().await;
    scene.server.set(&json!({"access_ttl": 4})).await;
    let connection = scene.connected().await;
    outlive(4).await;
    let context = scene.process();
    let key = millwright_connection::secret_key(&scene.workspace, &connection.id);
    let mut row = context.store.get::<Raw>(&key).await.unwrap().unwrap();
    let until = context.store.clock().wall() + Duration::from_secs(3);
    row.doc.0["oauth"]["lease"] = json!({"fence": 7, "until": until.millis()});
    context.store.write(millwright_store::Write::replace(&row).unwrap()).await.unwrap();
    scene.server.set(&json!({"access_ttl": 3600})).await;
    scene.call(&context, &connection).await.unwrap();
    assert!(context.store.clock().wall() >= until, "it waited");
    assert_eq!(scene.server.given("refresh_token").await, 1);
    let row = context.store.get::<Raw>(&key).await.unwrap().unwrap();
    assert_eq!(row.doc.0["oauth"]["lease"]["fence"], 8);
    assert!(row.doc.0["oauth"]["lease"]["until"].is_null(), "given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_does_not_undo_a_login_that_was_made_meanwhile() {
    let scene = Scene::new().await;
    scene.server.set(&json!({"access_ttl": 4})).await;
    let connection = scene.connected().await;
    outlive(4).await;
    scene.server.set(&json!({"access_ttl": 3600})).await;
    let again = scene.authorized("guarded-basic", "basic-client").await;
    scene.server.set(&json!({"token_delay_ms": 2500})).await;
    let (context, own) = (scene.process(), connection.clone());
    let renewing =
        tokio::spawn(
            async move { open_system(&context, &own).await.unwrap().probe().await.map(drop) },
        );
    tokio::time::sleep(Duration::from_millis(700)).await;
    let context = scene.process();
    let login = millwright_sync::reconnect(
        &context,
        &scene.workspace,
        &connection.id,
        None,
        again.credentials,
    );
    login.await.unwrap();
    let key = millwright_connection::secret_key(&scene.workspace, &connection.id);
    let stored = context.store.get::<Raw>(&key).await.unwrap().unwrap().doc.0;
    // Whoever was renewing the old tokens gets the new login's.
    renewing.await.unwrap().unwrap();
    let now = context.store.get::<Raw>(&key).await.unwrap().unwrap().doc.0;
    assert_eq!(now, stored, "the login stands");
    scene.call(&scene.process(), &connection).await.unwrap();
}
