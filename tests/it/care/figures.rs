//! An endpoint's figures where there is little to count, and at the borders of their time.

use std::time::Duration;

use http::Method;
use millwright_core::from_iso;
use serde_json::{Value, json};

use super::ground::Ground;
use crate::scene::text;

async fn figures(ground: &Ground, endpoint: &str, window: &str) -> Value {
    let path = format!("/v1/webhook-endpoints/{endpoint}/stats?window={window}");
    ground.api().get(&path).await
}

pub async fn begin_and_end_where_they_say(ground: &Ground) {
    let endpoint = ground.endpoint("counted", &["counted.*"], json!({})).await;
    nothing_to_count(&figures(ground, &endpoint, "24h").await);
    ground.do_to(&endpoint, "pause").await;
    ground.send("counted.a", 1).await;
    ground.until_status(&endpoint, "held", 1).await;
    without_an_attempt(&figures(ground, &endpoint, "1h").await);
    ground.do_to(&endpoint, "resume").await;
    ground.until_status(&endpoint, "delivered", 1).await;
    one_attempt(&figures(ground, &endpoint, "1h").await);
    the_time_moves_on(ground, &endpoint).await;
    let wrong = format!("/v1/webhook-endpoints/{endpoint}/stats?window=2h");
    assert_eq!(ground.api().call(Method::GET, &wrong, None).await.status, 400);
}

fn nothing_to_count(stats: &Value) {
    assert_eq!((&stats["examined"], &stats["sampled"]), (&json!(0), &json!(false)), "{stats:#}");
    assert_eq!((&stats["attempts"], &stats["per_minute"]), (&json!(0), &json!(0.0)));
    for none in ["success_share", "latency_p50_ms", "latency_p95_ms", "oldest_waiting_at"] {
        assert_eq!(stats[none], Value::Null, "{none}");
    }
    let counts = stats["deliveries"].as_object().unwrap();
    assert!(counts.len() == 6 && counts.values().all(|count| *count == 0), "{counts:?}");
    let at = |field: &str| from_iso(text(stats, field)).expect("a time");
    assert_eq!(at("until") - at("since"), 24 * 3600 * 1000);
}

fn without_an_attempt(stats: &Value) {
    assert_eq!((&stats["examined"], &stats["deliveries"]["held"]), (&json!(1), &json!(1)));
    assert_eq!((&stats["attempts"], &stats["success_share"]), (&json!(0), &Value::Null));
    assert_eq!(stats["oldest_waiting_at"], Value::Null, "what is held waits for no attempt");
    let each_minute = stats["per_minute"].as_f64().unwrap();
    assert!((each_minute - 1.0 / 60.0).abs() < 1e-6, "{each_minute}");
}

fn one_attempt(stats: &Value) {
    assert_eq!((&stats["attempts"], &stats["success_share"]), (&json!(1), &json!(1.0)));
    assert_eq!(stats["deliveries"]["delivered"], 1);
    assert!(stats["latency_p50_ms"].is_u64(), "{stats:#}");
    assert_eq!(stats["latency_p50_ms"], stats["latency_p95_ms"]);
}

/// A message counts for as long as the time is, and not for longer.
async fn the_time_moves_on(ground: &Ground, endpoint: &str) {
    let list = format!("/v1/webhook-deliveries?endpoint_id={endpoint}");
    let made = ground.api().all(&list).await.remove(0);
    let made = from_iso(text(&made, "created_at")).expect("a time");
    let hour = 3600 * 1000;
    for (window, length) in [("1h", hour), ("24h", 24 * hour), ("7d", 7 * 24 * hour)] {
        // The clock goes on by itself: there must be time for the request.
        ground.millwright.step_to(made + length - 30_000).await;
        assert_eq!(figures(ground, endpoint, window).await["examined"], 1, "within {window}");
        ground.millwright.step(Duration::from_secs(31)).await;
        assert_eq!(figures(ground, endpoint, window).await["examined"], 0, "after {window}");
    }
}
