//! A real ERP in trouble: its password is changed behind our back, it is gone for a day, it hangs,
//! resets, shows a bad certificate, answers with a page for people. Everybody is told what is the
//! matter, and everything goes on by itself, or once somebody has logged in again.

use std::time::Duration;

use http::Method;
use millwright_core::from_iso;
use millwright_tests::{
    api::Api,
    receiver::Delivery,
    trouble::{Door, Trouble},
    tryton::Tryton,
    wait,
};
use serde_json::{Value, json};

use crate::scene::{
    LONG, Scene, ask_sync, changes_after, end_of_feed, sync_now, sync_state, text,
    tryton_connection, wait_until_synced,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// The waits between checks of a system that is down, in seconds.
const WAITS_S: [i64; 10] = [30, 60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360];
const LONGEST_WAIT_S: i64 = 6 * 3600;

/// How trouble is found.
#[derive(Clone, Copy, Debug)]
enum Found {
    Sync,
    Call,
    Check,
}

#[tokio::test]
async fn a_password_changed_behind_our_back_is_found_told_and_mended() {
    let scene = Scene::new(&["--step-clock"]).await;
    let tryton = Tryton::start(scene.folder.path(), "orders").await;
    scene.endpoint("status", json!({ "event_types": ["connection.*"] })).await;
    let api = scene.connect(&tryton).await;
    wait_until_synced(&api).await;
    let before = api.get("/v1/connection").await;
    let id = text(&before, "id").to_owned();
    let token = scene.api().post(&format!("/v1/connections/{id}/token"), &json!({}), 201).await;
    let by_token = Api::new(&scene.millwright.url(), Some(text(&token, "access_token")));
    let keys = keys_of(&api).await;

    let mut password = tryton.credentials().1.to_owned();
    for (found, next) in
        [(Found::Sync, "second-pw"), (Found::Call, "third-pw"), (Found::Check, "fourth-pw")]
    {
        let place = end_of_feed(&api).await;
        tryton.does_with(&password, &["set-password", next]);
        password = next.to_owned();
        find(&scene, &api, found).await;
        let refused = refused_at_last(&scene, &api).await;
        let url = text(&refused, "reconnect_url").to_owned();
        assert_eq!(refused["reauthorization_required"], true, "{found:?}");
        data_calls_say_so(&api, &url).await;
        told_with_instructions(&scene, &id, &url, found).await;

        // Nothing is lost meanwhile.
        tryton.does_with(&password, &["edit-line", "120", "7", "1.25"]);
        let request = json!({ "credentials": { "username": "admin", "password": password } });
        let again = format!("/v1/connections/{id}/reconnect");
        scene.api().post(&again, &request, 200).await;
        let healthy = status_is(&api, "active").await;
        assert_eq!((text(&healthy, "id"), &healthy["reconnect_url"]), (&*id, &Value::Null));
        assert_eq!(keys_of(&by_token).await, keys, "the same keys, by the same token");
        scene.millwright.step(HOUR).await;
        wait::until("the sync has resumed", LONG, async || {
            let changes = changes_after(&api, Some(&place)).await;
            changes.iter().any(|change| change["entity"] == "purchase-orders").then_some(())
        })
        .await;
        // The recovery is told by then: a status is told at most once in five minutes.
        scene.millwright.step(HOUR / 6).await;
        // The address of this episode is dead.
        let spent = Api::new("", None).raw(Method::GET, &url, None).await;
        assert!(matches!(spent.status, 404 | 410), "{}", spent.status);
    }
    let history = scene.api().all(&format!("/v1/connections/{id}/events")).await;
    let refusals = history.iter().filter(|event| event["to"] == "reauthorization_required");
    assert_eq!(refusals.count(), 3, "{history:#?}");
}

async fn keys_of(api: &Api) -> Vec<String> {
    let orders = api.all("/v1/purchase-orders?limit=500").await;
    let mut keys: Vec<String> = orders.iter().map(|order| text(order, "key").to_owned()).collect();
    keys.sort();
    keys
}

/// Has the trouble found in one of the three ways.
async fn find(scene: &Scene, api: &Api, found: Found) {
    match found {
        Found::Sync => {
            let asked = json!({ "entities": ["vendors"] });
            api.post("/v1/sync", &asked, 202).await;
        }
        Found::Call => {
            let orders = api.get("/v1/purchase-orders?limit=1").await;
            let key = text(&orders["data"][0], "key").to_owned();
            let path = format!("/v1/purchase-orders/{key}?live=true");
            let answer = api.raw(Method::GET, &path, None).await;
            assert_eq!(answer.status, 403, "{:?}", answer.code());
        }
        Found::Check => {
            let own = api.get("/v1/connection").await;
            let at = from_iso(text(&own, "next_check_at")).expect("a time");
            scene.millwright.step_to(at).await;
        }
    }
}

/// The connection once its credentials are known as refused. Tryton answers ever more slowly to logins
/// that it has refused before, so that it may look as if it were gone, for a while.
async fn refused_at_last(scene: &Scene, api: &Api) -> Value {
    wait::until("the credentials are known as refused", LONG, async || {
        let own = api.get("/v1/connection").await;
        if own["status"] == "unavailable" {
            tokio::time::sleep(Duration::from_secs(5)).await;
            scene.millwright.step(MINUTE).await;
        }
        (own["status"] == "reauthorization_required").then_some(own)
    })
    .await
}

/// The connection once it is in a status.
async fn status_is(api: &Api, status: &str) -> Value {
    wait::until(&format!("the connection is {status}"), LONG, async || {
        let own = api.get("/v1/connection").await;
        (own["status"] == status).then_some(own)
    })
    .await
}

async fn data_calls_say_so(api: &Api, url: &str) {
    let answer = api.raw(Method::GET, "/v1/purchase-orders?limit=1", None).await;
    assert_eq!((answer.status, answer.code()), (403, Some("REAUTHORIZATION_REQUIRED")));
    let body = answer.expect(403);
    assert_eq!(body["error"]["reconnect_url"], url);
    for path in ["/v1/sync-status", "/v1/changes?limit=1", "/v1/meta/purchase-orders"] {
        api.get(path).await;
    }
    let stale = api.get("/v1/purchase-orders?limit=1&allow_stale=true").await;
    assert_eq!(stale["data"].as_array().map(Vec::len), Some(1));
}

async fn told_with_instructions(scene: &Scene, id: &str, url: &str, found: Found) {
    let what = format!("the receiver is told of {found:?}");
    let data = wait::until(&what, LONG, async || {
        let all = scene.receiver.deliveries("status");
        let of = |kind: &str| {
            all.iter().rev().find(|d| d.event_type.as_deref() == Some(kind)).map(Delivery::data)
        };
        of("connection.status_changed")
            .filter(|data| data["status"] == "reauthorization_required")?;
        of("connection.reauthorization_required").filter(|data| data["reconnect_url"] == url)
    })
    .await;
    assert_eq!(data["connection_id"], id);
    for field in ["reason", "instructions"] {
        assert!(text(&data, field).len() > 20, "{field}: {data:#}");
    }
}

#[tokio::test]
async fn a_system_that_is_gone_for_a_day_is_asked_ever_more_rarely_and_comes_back_by_itself() {
    let scene = Scene::new(&["--step-clock"]).await;
    let mut tryton = Tryton::start(scene.folder.path(), "orders").await;
    scene.endpoint("status", json!({ "event_types": ["connection.*"] })).await;
    let api = scene.connect(&tryton).await;
    wait_until_synced(&api).await;
    let place = end_of_feed(&api).await;
    tryton.does(&["edit-line", "120", "7", "2.5"]);
    tryton.kill_9();
    api.post("/v1/sync", &json!({ "entities": ["vendors"] }), 202).await;
    let down = status_is(&api, "unavailable").await;
    assert!(down["status_reason"].is_string());
    let answer = api.raw(Method::GET, "/v1/vendors?limit=1", None).await;
    assert_eq!((answer.status, answer.code()), (503, Some("CONNECTION_UNAVAILABLE")));
    assert!(answer.headers.contains_key("retry-after"));

    let began = scene.millwright.step(Duration::ZERO).await;
    let mut waits = Vec::new();
    let mut now = began;
    while now - began < 24 * 3_600_000 {
        let next = next_check_after(&api, now).await;
        waits.push((next - now) / 1000);
        scene.millwright.step_to(next).await;
        now = next;
    }
    waits_double(&waits);

    tryton.restart().await;
    let next = next_check_after(&api, now).await;
    scene.millwright.step_to(next).await;
    status_is(&api, "active").await;
    wait::until("the schedule is back", LONG, async || {
        let changes = changes_after(&api, Some(&place)).await;
        changes.iter().any(|change| change["entity"] == "purchase-orders").then_some(())
    })
    .await;
    let count = |kind: &str| {
        let all = scene.receiver.deliveries("status");
        all.iter().filter(|d| d.event_type.as_deref() == Some(kind)).count()
    };
    wait::until_equal("the recovery is told", LONG, 1, async || count("connection.recovered"))
        .await;
    assert_eq!(count("connection.unavailable"), 1, "an outage is told once");
}

/// When the connection is looked at next, once it has been looked at at `now`.
async fn next_check_after(api: &Api, now: i64) -> i64 {
    wait::until("the next check is known", LONG, async || {
        let own = api.get("/v1/connection").await;
        let next = from_iso(own["next_check_at"].as_str()?)?;
        (next > now).then_some(next)
    })
    .await
}

/// Each wait is about twice the one before, a little longer by chance, up to the longest. The syncs of
/// the connection try for themselves, so that a check may find the next wait begun.
fn waits_double(waits: &[i64]) {
    println!("waits between checks, in seconds: {waits:?}");
    assert!(waits.len() >= 8 && waits.len() <= 16, "{waits:?}");
    let cap = LONGEST_WAIT_S + LONGEST_WAIT_S / 4;
    assert!(waits.iter().all(|wait| *wait <= cap), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait >= LONGEST_WAIT_S - LONGEST_WAIT_S / 4), "{waits:?}");
    for (wait, promised) in waits.iter().zip(WAITS_S) {
        assert!(*wait <= promised + promised / 4 + 5, "{waits:?}");
    }
}

#[tokio::test]
async fn a_system_that_hangs_resets_or_shows_something_else_is_unavailable_until_it_answers_again()
{
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    let tryton = Tryton::start(folder.path(), "orders").await;
    let trouble = Trouble::before(tryton.port(), &authority).await;
    let trusted = format!("SSL_CERT_FILE={}", authority.display());
    let scene = Scene::new(&["--step-clock", &trusted]).await;
    let mut request = tryton_connection(&tryton);
    request["settings"]["url"] = trouble.url().into();
    let made = scene.api().post("/v1/connections", &request, 201).await;
    let api = scene.api().about(text(&made, "id"));
    wait_until_synced(&api).await;

    let doors = [
        (Door::BadCertificate, "secure"),
        (Door::Resets, "connection"),
        (Door::Html, "page"),
        (Door::Hangs, "time"),
    ];
    for (door, word) in doors {
        trouble.turn(door);
        ask_sync(&api, &["vendors"]).await;
        let down = status_is(&api, "unavailable").await;
        let reason = text(&down, "status_reason").to_lowercase();
        assert!(reason.contains(word), "{door:?}: {reason}");
        trouble.turn(Door::Open);
        scene.millwright.step(HOUR).await;
        status_is(&api, "active").await;
        // What failed is read again by itself.
        wait::until("the vendors are read again", LONG, async || {
            (sync_state(&api, "vendors").await["status"] == "completed").then_some(())
        })
        .await;
        sync_now(&api, &["vendors"]).await;
    }
}
