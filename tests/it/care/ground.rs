//! A stack whose waiting is stepped, with receivers beside it.

use std::time::Duration;

use http::Method;
use millwright_core::Clock;
use millwright_tests::{api::Api, millwright::Millwright, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::receivers::Receivers;
use crate::scene::{LONG, text};

/// A stack whose waiting is stepped, and receivers.
pub struct Ground {
    pub millwright: Millwright,
    pub receivers: Receivers,
    /// When it began: lists need not look at the days before.
    begun: String,
    _folder: TempDir,
}

impl Ground {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let receivers = Receivers::start().await;
        let millwright = Millwright::start(folder.path(), &["--step-clock"]).await;
        let begun = Clock::system().schedule().iso();
        Self { millwright, receivers, begun, _folder: folder }
    }

    pub fn api(&self) -> Api {
        self.millwright.api()
    }

    /// An endpoint for events of these types; its id.
    pub async fn endpoint(&self, hook: &str, types: &[&str], mut more: Value) -> String {
        more["url"] = self.receivers.url(hook).into();
        more["event_types"] = json!(types);
        let made = self.api().post("/v1/webhook-endpoints", &more, 201).await;
        text(&made, "id").to_owned()
    }

    pub async fn send(&self, event_type: &str, count: usize) {
        for n in 0..count {
            let message = json!({ "type": event_type, "data": { "n": n } });
            self.api().post("/v1/webhook-messages", &message, 202).await;
        }
    }

    /// Waits until so many messages have come to a hook.
    pub async fn until_came(&self, hook: &str, count: usize) {
        wait::until_equal(hook, LONG, count, async || {
            self.millwright.step(Duration::from_secs(1)).await;
            self.receivers.seen(hook).messages.len()
        })
        .await;
    }

    pub async fn until_status(&self, endpoint: &str, status: &str, count: usize) {
        let of = format!("endpoint_id={endpoint}&status={status}&since={}", self.begun);
        let path = format!("/v1/webhook-deliveries?{of}");
        wait::until_equal(&path, LONG, count, async || {
            self.millwright.step(Duration::from_secs(1)).await;
            self.api().all(&path).await.len()
        })
        .await;
    }

    /// Starts a job and waits for its end; what it had done.
    pub async fn job(&self, path: &str, body: &Value) -> u64 {
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

    pub async fn do_to(&self, endpoint: &str, what: &str) -> Value {
        let path = format!("/v1/webhook-endpoints/{endpoint}/{what}");
        self.api().call(Method::POST, &path, None).await.expect(200)
    }
}
