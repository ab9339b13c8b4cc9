//! What happens to messages for receivers that are down, and how they are recovered: one stack whose
//! waiting is stepped.

use std::time::Duration;

use http::Method;
use millwright_tests::{api::Api, millwright::Millwright, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::receivers::{Manner, Receivers};
use crate::scene::{LONG, text};

struct Ground {
    millwright: Millwright,
    receivers: Receivers,
    _folder: TempDir,
}

impl Ground {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let receivers = Receivers::start().await;
        let millwright = Millwright::start(folder.path(), &["--step-clock"]).await;
        Self { millwright, receivers, _folder: folder }
    }

    fn api(&self) -> Api {
        self.millwright.api()
    }

    /// An endpoint for events of these types; its id.
    async fn endpoint(&self, hook: &str, types: &[&str], mut more: Value) -> String {
        more["url"] = self.receivers.url(hook).into();
        more["event_types"] = json!(types);
        let made = self.api().post("/v1/webhook-endpoints", &more, 201).await;
        text(&made, "id").to_owned()
    }

    async fn send(&self, event_type: &str, count: usize) {
        for n in 0..count {
            let message = json!({ "type": event_type, "data": { "n": n } });
            self.api().post("/v1/webhook-messages", &message, 202).await;
        }
    }

    /// Waits until so many messages have come to a hook.
    async fn until_came(&self, hook: &str, count: usize) {
        wait::until_equal(hook, LONG, count, async || {
            self.millwright.step(Duration::from_secs(1)).await;
            self.receivers.seen(hook).messages.len()
        })
        .await;
    }

    async fn until_status(&self, endpoint: &str, status: &str, count: usize) {
        let path = format!("/v1/webhook-deliveries?endpoint_id={endpoint}&status={status}");
        wait::until_equal(&path, LONG, count, async || {
            self.millwright.step(Duration::from_secs(1)).await;
            self.api().all(&path).await.len()
        })
        .await;
    }

    /// Starts a job and waits for its end; what it had done.
    async fn job(&self, path: &str, body: &Value) -> u64 {
        let job = self.api().post(path, body, 202).await;
        assert_eq!(job["status"], "running");
        let path = format!("/v1/jobs/{}", text(&job, "id"));
        let ended = wait::until(&path, LONG, async || {
            self.millwright.step(Duration::from_secs(1)).await;
            let job = self.api().get(&path).await;
            (job["status"] != "running").then_some(job)
        })
        .await;
        assert_eq!(ended["status"], "succeeded");
        ended["progress"].as_u64().unwrap()
    }

    async fn do_to(&self, endpoint: &str, what: &str) -> Value {
        let path = format!("/v1/webhook-endpoints/{endpoint}/{what}");
        self.api().call(Method::POST, &path, None).await.expect(200)
    }
}

const LONG_AGO: &str = "2020-01-01T00:00:00Z";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_or_was_held_is_told_and_recovered_once() {
    let ground = Ground::new().await;
    let watch = ["endpoint.disabled", "delivery.failed"];
    ground.endpoint("watcher", &watch, json!({})).await;
    failed_for_good(&ground).await;
    paused_and_resumed(&ground).await;
    disabled_by_its_receiver(&ground).await;
    never_got(&ground).await;
    slowed_down(&ground).await;
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
    let came = ground.receivers.seen("slow").messages;
    assert!(came.values().all(|times| *times == 1), "{came:?}");
}
