//! Receivers at which nothing arrives for days.

use std::time::Duration;

use http::Method;
use millwright_core::from_iso;
use millwright_tests::wait;
use serde_json::{Value, json};

use super::{ground::Ground, receivers::Manner};
use crate::scene::{LONG, text};

const HOUR: i64 = 3600 * 1000;
/// Longer than a day and the tenth by which a wait may be lengthened.
const A_DAY_AND_A_BIT: Duration = Duration::from_secs(27 * 3600);

/// What was told the watcher about one endpoint.
fn told(ground: &Ground, event_type: &str, endpoint: &str) -> Vec<Value> {
    let all = ground.receivers.told("watcher", event_type);
    all.into_iter().filter(|data| data["endpoint_id"] == *endpoint).collect()
}

async fn shown(ground: &Ground, endpoint: &str) -> Value {
    ground.api().get(&format!("/v1/webhook-endpoints/{endpoint}")).await
}

/// Waits until so many attempts have been made of the endpoint's newest delivery.
async fn until_tried(ground: &Ground, endpoint: &str, times: u64) {
    let path = format!("/v1/webhook-deliveries?endpoint_id={endpoint}&limit=1");
    wait::until_equal("the attempts are made", LONG, json!(times), async || {
        ground.api().get(&path).await["data"][0]["attempt_count"].clone()
    })
    .await;
}

pub async fn failure_is_told_and_ends_in_disabling(ground: &Ground) {
    let schedule = || json!({ "retry_schedule": vec![24 * 3600; 6], "timeout_seconds": 30 });
    ground.receivers.set("dies", Manner::Status(500));
    let dies = ground.endpoint("dies", &["dies.*"], schedule()).await;
    ground.send("dies.a", 1).await;
    let flaky = ground.endpoint("flaky", &["flaky.*"], schedule()).await;
    arrived_beside_a_failure(ground, &flaky).await;
    until_tried(ground, &dies, 1).await;

    // The 4th attempts come 81 hours after the first, the 6th 135 hours after it.
    for attempt in 2..=7 {
        let (tries, days) = (attempt.min(6), attempt - 1);
        ground.millwright.step(A_DAY_AND_A_BIT).await;
        until_tried(ground, &dies, tries).await;
        until_tried(ground, &flaky, attempt).await;
        the_notice_comes_half_way(ground, &dies, days).await;
    }
    let end = wait::until("the end is told", LONG, async || {
        told(ground, "endpoint.disabled", &dies).into_iter().next()
    })
    .await;
    let at = |field: &str| from_iso(text(&end, field)).expect("a time");
    let lasted = at("disabled_at") - at("failing_since");
    assert_eq!(text(&end, "reason"), "failing");
    assert!((120 * HOUR..=137 * HOUR).contains(&lasted), "{lasted} ms");
    let row = shown(ground, &dies).await;
    assert_eq!((text(&row, "status"), text(&row, "disabled_reason")), ("disabled", "failing"));
    assert_eq!(row["status_since"], end["disabled_at"]);
    ground.until_status(&dies, "held", 1).await;
    assert_eq!(told(ground, "endpoint.failing", &dies).len(), 1, "told once");
    assert_eq!(told(ground, "endpoint.disabled", &dies).len(), 1, "told once");

    // Something had arrived there after the first failure: the five days began later.
    assert_eq!(shown(ground, &flaky).await["status"], "enabled");
    assert!(told(ground, "endpoint.failing", &flaky).is_empty());
    assert!(told(ground, "endpoint.disabled", &flaky).is_empty());
    disabled_by_hand(ground, &flaky).await;
}

async fn the_notice_comes_half_way(ground: &Ground, endpoint: &str, steps: u64) {
    if steps < 3 {
        assert!(told(ground, "endpoint.failing", endpoint).is_empty(), "after {steps} days");
        return;
    }
    let notice = wait::until("the notice is told", LONG, async || {
        told(ground, "endpoint.failing", endpoint).into_iter().next()
    })
    .await;
    let at = |field: &str| from_iso(text(&notice, field)).expect("a time");
    assert_eq!(at("disabled_if_nothing_arrives_by") - at("failing_since"), 120 * HOUR);
    if steps < 5 {
        assert_eq!(shown(ground, endpoint).await["status"], "enabled", "after {steps} days");
    }
}

/// One message arrives late, and while it is on its way the next one fails: the arrival finds nothing in
/// the endpoint's row that it would have to clear, and the failure stays noted there.
async fn arrived_beside_a_failure(ground: &Ground, endpoint: &str) {
    ground.receivers.set("flaky", Manner::Waits);
    ground.send("flaky.a", 1).await;
    wait::until("it is on its way", LONG, async || {
        (ground.receivers.seen("flaky").open == 1).then_some(())
    })
    .await;
    ground.receivers.set("flaky", Manner::Status(500));
    ground.send("flaky.b", 1).await;
    until_tried(ground, endpoint, 1).await;
    ground.receivers.tell("flaky");
    let path = format!("/v1/webhook-deliveries?endpoint_id={endpoint}&status=delivered");
    wait::until("the first arrives", LONG, async || {
        (ground.api().all(&path).await.len() == 1).then_some(())
    })
    .await;
}

/// That somebody disables an endpoint is told, once.
async fn disabled_by_hand(ground: &Ground, endpoint: &str) {
    let row = ground.do_to(endpoint, "disable").await;
    assert_eq!((text(&row, "status"), text(&row, "disabled_reason")), ("disabled", "by_hand"));
    assert_eq!(ground.do_to(endpoint, "disable").await, row, "once more changes nothing");
    let end = wait::until("it is told", LONG, async || {
        told(ground, "endpoint.disabled", endpoint).into_iter().next()
    })
    .await;
    assert_eq!((&end["reason"], &end["disabled_at"]), (&json!("by_hand"), &row["status_since"]));
    let resume = format!("/v1/webhook-endpoints/{endpoint}/resume");
    let refused = ground.api().call(Method::POST, &resume, None).await;
    assert_eq!((refused.status, refused.code()), (409, Some("STATE_CONFLICT")));
    assert_eq!(told(ground, "endpoint.disabled", endpoint).len(), 1, "told once");
}
