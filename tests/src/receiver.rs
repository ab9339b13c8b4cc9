//! The webhook receiver in Python.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    parts,
    process::{Process, free_port},
    wait,
};

/// A running receiver.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    log: PathBuf,
    process: Process,
    client: reqwest::Client,
}

/// One line of its log.
#[derive(Clone, Debug, Deserialize)]
pub struct Delivery {
    /// The name under which it came.
    pub hook: String,
    /// When it came, seconds since the epoch.
    pub time: f64,
    /// The `webhook-id`.
    pub id: Option<String>,
    /// The event type.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// Whether the signature was right.
    pub verified: bool,
    /// Why it was refused.
    pub refusal: Option<String>,
    /// The status it was answered with.
    pub answer: u16,
    /// Its headers, in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its bytes.
    pub body: String,
}

impl Delivery {
    /// The body's `data`.
    ///
    /// # Panics
    /// When the body is not JSON.
    #[must_use]
    pub fn data(&self) -> Value {
        let body: Value = serde_json::from_str(&self.body).expect("a delivery's body is JSON");
        body["data"].clone()
    }
}

/// What a receiver has counted under a name.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries with a right signature.
    pub verified: u64,
    /// Deliveries with a wrong one.
    pub refused: u64,
    /// How often each status was answered.
    pub answers: BTreeMap<String, u64>,
}

impl Receiver {
    /// Starts a receiver that keeps its log in `folder`.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(folder: &Path) -> Self {
        let port = free_port();
        let log = folder.join("deliveries.jsonl");
        let mut command = Command::new(parts::python());
        command.arg(parts::script("receiver.py")).arg(port.to_string()).arg(&log);
        let process = Process::start(&mut command, &folder.join("receiver.log"))
            .expect("the receiver can be started");
        let receiver = Self {
            port,
            log,
            process,
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
        };
        wait::until("the receiver listens", Duration::from_secs(20), async || {
            receiver.client.get(receiver.control("any")).send().await.ok()
        })
        .await;
        receiver
    }

    /// The URL to give to an endpoint.
    #[must_use]
    pub fn url(&self, hook: &str) -> String {
        format!("http://127.0.0.1:{}/hooks/{hook}", self.port)
    }

    /// Tells it a hook's secret.
    pub async fn know_secret(&self, hook: &str, secret: &str) {
        self.set(hook, &json!({ "secret": secret })).await;
    }

    /// Sets how a hook answers from now on: `answer`, `times`, `hang_seconds`,
    /// `retry_after`, `headers`.
    ///
    /// # Panics
    /// When it does not take it.
    pub async fn set(&self, hook: &str, rules: &Value) {
        let set = self.client.put(self.control(hook)).json(rules).send().await;
        assert!(set.expect("the receiver answers").status().is_success());
    }

    /// What has been counted under a hook.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn counts(&self, hook: &str) -> Counts {
        let told = self.client.get(self.control(hook)).send().await.expect("the receiver answers");
        told.json().await.expect("counts")
    }

    /// Every delivery to a hook so far, in order, refused ones too.
    #[must_use]
    pub fn deliveries(&self, hook: &str) -> Vec<Delivery> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        // The last line may still be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str::<Delivery>(line).expect("a line of the log"))
            .filter(|delivery| delivery.hook == hook)
            .collect()
    }

    /// What it has printed.
    #[must_use]
    pub fn last_words(&self) -> String {
        self.process.last_words()
    }

    fn control(&self, hook: &str) -> String {
        format!("http://127.0.0.1:{}/control/{hook}", self.port)
    }
}
