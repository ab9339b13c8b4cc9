//! A receiver that fails for a whole day: every promised attempt, at its time, and then a person.

use std::time::Duration;

use millwright_core::from_iso;
use millwright_tests::wait;
use serde_json::{Value, json};

use crate::scene::{LONG, Scene, text};

/// The waits before attempts 2 to 12; the 13th is a day after the first.
const WAITS_S: [i64; 11] = [30, 60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 30_720];
const DAY_S: i64 = 24 * 3600;

#[tokio::test]
async fn a_receiver_that_fails_for_a_day_gets_13_attempts_and_then_one_by_hand() {
    let scene = Scene::new(&["--step-clock"]).await;
    let api = scene.api();
    let endpoint = scene.endpoint("down", json!({ "event_types": ["order.*"] })).await;
    scene.receiver.set("down", &json!({ "answer": 500 })).await;
    let message = json!({ "type": "order.shipped", "data": { "number": 1 } });
    api.post("/v1/webhook-messages", &message, 202).await;
    let list = format!("/v1/webhook-deliveries?endpoint_id={endpoint}");

    for number in 1..=13_u64 {
        let delivery = wait::until("the attempt is made", LONG, async || {
            let delivery = api.all(&list).await.into_iter().next()?;
            (delivery["attempt_count"] == number).then_some(delivery)
        })
        .await;
        let wanted = if number < 13 { "waiting" } else { "failed" };
        assert_eq!(text(&delivery, "status"), wanted, "after attempt {number}");
        if number < 13 {
            let next = from_iso(text(&delivery, "next_attempt_at")).expect("a time");
            scene.millwright.step_to(next).await;
        }
    }
    let failed = api.all(&format!("{list}&status=failed")).await;
    assert_eq!(failed.len(), 1, "a failed delivery is listed");
    let id = text(&failed[0], "id").to_owned();
    the_attempts_came_when_promised(&attempts(&api, &id).await);

    // A day later still nothing comes by itself.
    scene.millwright.step(Duration::from_secs(3 * 24 * 3600)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(attempts(&api, &id).await.len(), 13);

    scene.receiver.set("down", &json!({})).await;
    api.post(&format!("/v1/webhook-deliveries/{id}/retry"), &json!({}), 202).await;
    wait::until("it is delivered by hand", LONG, async || {
        let delivery = api.get(&format!("/v1/webhook-deliveries/{id}")).await;
        (delivery["status"] == "delivered").then_some(())
    })
    .await;
    let all = attempts(&api, &id).await;
    assert_eq!(
        (all.len(), text(&all[13], "trigger"), text(&all[13], "outcome")),
        (14, "manual", "delivered")
    );
    assert!(api.all(&format!("{list}&status=failed")).await.is_empty());
    the_same_bytes_came_each_time(&scene);
}

async fn attempts(api: &millwright_tests::api::Api, id: &str) -> Vec<Value> {
    let list = api.get(&format!("/v1/webhook-deliveries/{id}/attempts")).await;
    list["data"].as_array().expect("attempts").clone()
}

/// Each wait is as promised or up to a tenth longer, never shorter; a little more for the work itself.
fn the_attempts_came_when_promised(attempts: &[Value]) {
    const SLACK_MS: i64 = 5_000;
    let at: Vec<i64> =
        attempts.iter().map(|attempt| from_iso(text(attempt, "at")).expect("a time")).collect();
    assert_eq!(at.len(), 13);
    for (pair, wait) in at.windows(2).zip(WAITS_S) {
        let (waited, wait) = (pair[1] - pair[0], wait * 1000);
        assert!((wait..=wait + wait / 10 + SLACK_MS).contains(&waited), "{waited} ms for {wait}");
    }
    let last = at[12] - at[0];
    assert!((DAY_S * 1000..=DAY_S * 1000 + SLACK_MS).contains(&last), "{last} ms");
    assert!(attempts.iter().all(|attempt| text(attempt, "trigger") == "automatic"));
    assert!(attempts.iter().all(|attempt| attempt["status"] == 500));
}

fn the_same_bytes_came_each_time(scene: &Scene) {
    let arrived = scene.receiver.deliveries("down");
    assert_eq!(arrived.len(), 14);
    assert!(arrived.iter().all(|delivery| delivery.verified && delivery.id == arrived[0].id));
    assert!(arrived.iter().all(|delivery| delivery.body == arrived[0].body));
    let bodies = arrived[0].data();
    assert_eq!(bodies, json!({ "number": 1 }));
}
