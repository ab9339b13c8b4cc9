//! What happens to messages for receivers that are down, and how they are recovered: one stack whose
//! waiting is stepped.

use std::time::Duration;

use http::Method;
use millwright_tests::wait;
use serde_json::json;

use super::{figures, ground::Ground, lasting, receivers::Manner};
use crate::scene::{LONG, text};

const LONG_AGO: &str = "2020-01-01T00:00:00Z";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_or_was_held_is_told_and_recovered_once() {
    let ground = Ground::new().await;
    let watch = ["endpoint.failing", "endpoint.disabled", "delivery.failed"];
    ground.endpoint("watcher", &watch, json!({})).await;
    failed_for_good(&ground).await;
    paused_and_resumed(&ground).await;
    disabled_by_its_receiver(&ground).await;
    never_got(&ground).await;
    slowed_down(&ground).await;
    figures::begin_and_end_where_they_say(&ground).await;
    lasting::failure_is_told_and_ends_in_disabling(&ground).await;
}

async fn failed_for_good(ground: &Ground) {
    ground.receivers.set("poor", Manner::Status(500));
    let own = json!({ "retry_schedule": [1] });
    let poor = ground.endpoint("poor", &["poor.*"], own).await;
    ground.send("poor.a", 3).await;
    ground.until_status(&poor, "failed", 3).await;
    wait::until("the failures are told", LONG, async || {
        let told = ground.receivers.told("watcher", "delivery.failed");
        (told.len() == 3).then_some(())
    })
    .await;
    let told = &ground.receivers.told("watcher", "delivery.failed")[0];
    assert_eq!((&told["endpoint_id"], &told["attempts"]), (&json!(poor), &json!(2)));
    assert_eq!(told["last_error"], json!({ "class": "status", "status": 500 }));
    let stats = ground.api().get(&format!("/v1/webhook-endpoints/{poor}/stats?window=1h")).await;
    assert_eq!((&stats["deliveries"]["failed"], &stats["attempts"]), (&json!(3), &json!(6)));
    assert_eq!((&stats["success_share"], &stats["sampled"]), (&json!(0.0), &json!(false)));
    assert!(stats["latency_p95_ms"].is_u64(), "{stats:#}");

    // Still down: it stays failed, and nobody is told twice.
    let recover = format!("/v1/webhook-endpoints/{poor}/recover");
    let since = json!({ "since": LONG_AGO });
    assert_eq!(ground.job(&recover, &since).await, 3);
    ground.until_status(&poor, "failed", 3).await;
    ground.receivers.set("poor", Manner::Well);
    let filter = json!({ "endpoint_id": poor, "status": "failed", "event_type": "poor.a" });
    assert_eq!(ground.job("/v1/webhook-deliveries/retry", &filter).await, 3);
    ground.until_status(&poor, "delivered", 3).await;
    assert_eq!(ground.job(&recover, &since).await, 0, "there is nothing to recover any more");
    let came = ground.receivers.seen("poor").messages;
    assert!(came.values().all(|times| (3..=4).contains(times)), "{came:?}");
    assert_eq!(ground.receivers.told("watcher", "delivery.failed").len(), 3);
}

async fn paused_and_resumed(ground: &Ground) {
    let endpoint = ground.endpoint("rests", &["rests.*"], json!({})).await;
    ground.do_to(&endpoint, "pause").await;
    ground.send("rests.a", 4).await;
    ground.until_status(&endpoint, "held", 4).await;
    assert!(ground.receivers.seen("rests").messages.is_empty());
    ground.do_to(&endpoint, "resume").await;
    ground.until_came("rests", 4).await;
    ground.until_status(&endpoint, "delivered", 4).await;
}

async fn disabled_by_its_receiver(ground: &Ground) {
    ground.receivers.set("gone", Manner::Status(410));
    let endpoint = ground.endpoint("gone", &["gone.*"], json!({})).await;
    ground.send("gone.a", 1).await;
    wait::until("the end is told", LONG, async || {
        (!ground.receivers.told("watcher", "endpoint.disabled").is_empty()).then_some(())
    })
    .await;
    let told = &ground.receivers.told("watcher", "endpoint.disabled")[0];
    assert_eq!((&told["endpoint_id"], &told["reason"]), (&json!(endpoint), &json!("refused")));
    // What comes now is kept, and sent when somebody asks for it.
    ground.send("gone.b", 2).await;
    wait::until("they are held", LONG, async || {
        let path = format!("/v1/webhook-deliveries?endpoint_id={endpoint}&status=held");
        ground.millwright.step(Duration::from_secs(40)).await;
        (ground.api().all(&path).await.len() == 3).then_some(())
    })
    .await;
    let recover = format!("/v1/webhook-endpoints/{endpoint}/recover");
    let since = json!({ "since": LONG_AGO });
    let refused = ground.api().call(Method::POST, &recover, Some(&since)).await;
    assert_eq!((refused.status, refused.code()), (409, Some("STATE_CONFLICT")));
    ground.receivers.set("gone", Manner::Well);
    ground.do_to(&endpoint, "enable").await;
    assert_eq!(ground.job(&recover, &since).await, 3);
    ground.until_status(&endpoint, "delivered", 3).await;
}

async fn never_got(ground: &Ground) {
    ground.send("early.a", 3).await;
    ground.send("early.b", 1).await;
    let settled = async || {
        let all = ground.api().all("/v1/webhook-messages?limit=100").await;
        let early = all.iter().filter(|one| text(one, "type").starts_with("early")).count();
        (early == 4).then_some(())
    };
    wait::until("the messages are there", LONG, settled).await;
    let late = ground.endpoint("late", &["early.*"], json!({})).await;
    let replay = format!("/v1/webhook-endpoints/{late}/replay");
    let body = json!({ "since": LONG_AGO, "event_types": ["early.a"] });
    assert_eq!(ground.job(&replay, &body).await, 3);
    ground.until_came("late", 3).await;
    ground.until_status(&late, "delivered", 3).await;
    assert_eq!(
        ground.job(&replay, &json!({ "since": LONG_AGO })).await,
        1,
        "only what it never got"
    );
    ground.until_status(&late, "delivered", 4).await;
    let came = ground.receivers.seen("late").messages;
    assert!(came.values().all(|times| *times == 1), "{came:?}");
    let wrong = json!({ "since": LONG_AGO, "until": LONG_AGO });
    let refused = ground.api().call(Method::POST, &replay, Some(&wrong)).await;
    assert_eq!(
        (refused.status, &refused.body["error"]["fields"][0]["path"]),
        (422, &json!("until"))
    );
}

/// A limit of attempts a second is kept, and everything arrives.
async fn slowed_down(ground: &Ground) {
    let limited = json!({ "rate_limit_per_second": 2 });
    let endpoint = ground.endpoint("slow", &["slow.*"], limited).await;
    ground.send("slow.a", 8).await;
    ground.until_status(&endpoint, "delivered", 8).await;
    let seen = ground.receivers.seen("slow");
    assert!(seen.messages.values().all(|times| *times == 1), "{:?}", seen.messages);
    // Two in each second by the clock on the wall, however fast the waiting goes: eight take more than
    // two whole seconds, of which the way of the first may take a part.
    let took = seen.times[7] - seen.times[0];
    assert!(took > Duration::from_secs(1), "{took:?}");
}
