//! The tables of docs/sandbox.md against one running server: every code, status and event that they
//! say how to provoke is provoked as they say.

use std::time::Duration;

use http::Method;
use millwright_core::{Cursor, ErrorCode};
use millwright_tests::{
    api::{Answer, Api},
    millwright::Millwright,
    wait,
};
use serde_json::json;

use crate::care::receivers::{Manner, Receivers};
use crate::scene::{LONG, sync_state, text, wait_until_synced};

const DOCUMENT: &str = include_str!("../../docs/sandbox.md");

/// The statuses and the events of the contract.
const STATUSES: [&str; 7] = [
    "pending",
    "synchronizing",
    "active",
    "unavailable",
    "reauthorization_required",
    "inactive",
    "disconnected",
];
const EVENTS: [&str; 16] = [
    "purchase_orders.inserted",
    "purchase_orders.updated",
    "purchase_orders.deleted",
    "sync.completed",
    "sync.failed",
    "connection.created",
    "connection.status_changed",
    "connection.reauthorization_required",
    "connection.unavailable",
    "connection.recovered",
    "connection.disconnected",
    "issue.opened",
    "issue.closed",
    "endpoint.disabled",
    "delivery.failed",
    "test.ping",
];

/// The rows of a table: what, and how.
fn rows(heading: &str) -> Vec<(String, String)> {
    let after = DOCUMENT.split(&format!("### {heading}\n")).nth(1).expect("the table is there");
    let own = after.split("\n### ").next().unwrap_or_default();
    let cells = own.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let row = |line: &str| {
        let (what, how) = line.split_once("` | ").expect("two cells");
        (what.to_owned(), how.to_owned())
    };
    cells.map(row).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether the table names everything once but what is left for later, in any order.
fn names_all<'a>(
    table: &[(String, String)],
    left: &[&str],
    all: impl IntoIterator<Item = &'a str>,
) {
    let named = table.iter().map(|(what, _)| what.as_str());
    let mut named: Vec<&str> = named.chain(left.iter().copied()).collect();
    let mut all: Vec<&str> = all.into_iter().collect();
    named.sort_unstable();
    all.sort_unstable();
    assert_eq!(named, all);
}

#[test]
fn the_tables_name_every_code_status_and_event_of_the_contract() {
    names_all(&rows("Errors"), &[], ErrorCode::ALL.iter().map(|code| code.as_str()));
    names_all(&rows("Connection statuses"), &[], STATUSES);
    names_all(&rows("Webhook events"), &[], EVENTS);
}

/// A sandbox whose first load has ended.
struct Sandbox {
    admin: Api,
    data: Api,
    id: String,
    vendor: String,
    material: String,
}

async fn connected(millwright: &Millwright) -> Sandbox {
    let admin = millwright.api();
    let settings = json!({ "connector_id": "sandbox", "settings": { "stateful": true } });
    let made = admin.post("/v1/connections", &settings, 201).await;
    assert_eq!(made["status"], "synchronizing");
    let id = text(&made, "id").to_owned();
    let data = admin.about(&id);
    wait_until_synced(&data).await;
    let key = async |path: &str| {
        let page = data.get(path).await;
        text(&page["data"][0], "key").to_owned()
    };
    let vendor = key("/v1/vendors?filter[code]=V10003").await;
    let material = key("/v1/materials?filter[code]=M-0007").await;
    Sandbox { admin, data, id, vendor, material }
}

impl Sandbox {
    async fn tell(&self, name: &str) {
        let path = format!("/v1/connections/{}/scenario", self.id);
        let told = self.admin.call(Method::PUT, &path, Some(&json!({ "name": name }))).await;
        let _ = told.expect(200);
    }

    /// A call about the connection without a body.
    async fn done(&self, more: &str) -> serde_json::Value {
        let path = format!("/v1/connections/{}{more}", self.id);
        self.admin.call(Method::POST, &path, None).await.expect(200)
    }

    async fn sync(&self) {
        let entities = json!({ "entities": ["purchase-orders"] });
        let asked = self.data.call(Method::POST, "/v1/sync", Some(&entities)).await;
        // One may be running, and somebody else may have found out already that the system fails.
        assert!([202, 403, 409, 503].contains(&asked.status), "{:#}", asked.body);
    }

    async fn until_status(&self, status: &str) {
        wait::until(status, LONG, async || {
            let now = self.data.get("/v1/connection").await;
            (now["status"] == status).then_some(())
        })
        .await;
    }

    /// Waits until an event has been recorded.
    async fn until_told(&self, event: &str) {
        wait::until(event, LONG, async || {
            let messages = self.admin.all("/v1/webhook-messages?limit=100").await;
            messages.iter().any(|message| message["type"] == event).then_some(())
        })
        .await;
    }

    /// Makes the call that a cell of the table describes.
    async fn as_said(&self, how: &str) -> Answer {
        let how = how.replace("<vendor>", &self.vendor).replace("<material>", &self.material);
        let (call, rest) = how.split_once("` ").unwrap_or((&how, ""));
        let (method, path) = call.trim_matches('`').split_once(' ').expect("a method and a path");
        let method: Method = method.parse().expect("a method");
        let mut api = self.data.clone();
        let (mut body, mut kind) = (None, "application/json".to_owned());
        for part in quoted(rest) {
            match part.split_once(": ") {
                _ if part.starts_with('{') => body = Some(part.to_owned()),
                Some(("Content-Type", value)) => value.clone_into(&mut kind),
                Some((name, value)) => api = api.with_header(name, value),
                None if part == "Connection-Id" => api = self.admin.clone(),
                None if part == "Authorization" => api = api.with_key(None),
                None => panic!("{part} in {how}"),
            }
        }
        api.raw(method, path, body.map(|body| (kind.as_str(), body))).await
    }

    /// The answer of a code that takes more than one call, or what a table cannot say.
    async fn in_several_calls(&self, code: &str) -> Option<Answer> {
        let vendor = json!({ "name": "Norton" });
        Some(match code {
            "CURSOR_EXPIRED" => {
                let old = Cursor::encode(&format!("changes/{}", self.id), &1).expect("a cursor");
                self.data.call(Method::GET, &format!("/v1/changes?cursor={old}"), None).await
            }
            "SYNC_IN_PROGRESS" => {
                self.tell("slow-5s").await;
                self.sync().await;
                let path = "/v1/sync";
                let entities = json!({ "entities": ["purchase-orders"] });
                let again = self.data.call(Method::POST, path, Some(&entities)).await;
                self.tell("ok").await;
                again
            }
            "CONNECTION_PENDING" => {
                let link = self.admin.post("/v1/connect-links", &json!({}), 201).await;
                let pending = self.admin.about(text(&link, "connection_id"));
                pending.call(Method::GET, "/v1/vendors", None).await
            }
            "CONNECTION_INACTIVE" => {
                self.done("/pause").await;
                let refused = self.data.call(Method::GET, "/v1/vendors", None).await;
                assert_eq!(self.done("/resume").await["status"], "active");
                refused
            }
            "DIFFERENT_SYSTEM" => {
                let body = json!({ "instance": "elsewhere" });
                let rule = json!({ "match": { "operation": "probe" },
                                   "respond": { "status": 200, "body": body } });
                let path = format!("/v1/connections/{}", self.id);
                self.admin.put(&format!("{path}/scenario"), &json!({ "rules": [rule] })).await;
                let body = json!({ "credentials": {} });
                let path = format!("{path}/reconnect");
                let refused = self.admin.call(Method::POST, &path, Some(&body)).await;
                self.tell("ok").await;
                refused
            }
            "CREDITS_EXHAUSTED" => {
                self.admin.put("/v1/credits", &json!({ "limit": 0 })).await;
                let body = json!({ "connector_id": "sandbox" });
                let refused = self.admin.call(Method::POST, "/v1/connections", Some(&body)).await;
                self.admin.put("/v1/credits", &json!({ "limit": null })).await;
                refused
            }
            "IDEMPOTENCY_CONFLICT" => {
                let api = self.data.with_header("Idempotency-Key", "conflict");
                api.post("/v1/vendors", &vendor, 201).await;
                let other = json!({ "name": "Sutton" });
                api.call(Method::POST, "/v1/vendors", Some(&other)).await
            }
            "IDEMPOTENCY_IN_PROGRESS" => {
                let api = self.data.with_header("Idempotency-Key", "progress");
                let api = api.with_header("Millwright-Scenario", "slow-5s");
                let first = tokio::spawn({
                    let (api, vendor) = (api.clone(), vendor.clone());
                    async move { api.call(Method::POST, "/v1/vendors", Some(&vendor)).await }
                });
                tokio::time::sleep(Duration::from_secs(2)).await;
                let second = api.call(Method::POST, "/v1/vendors", Some(&vendor)).await;
                assert_eq!(first.await.expect("it ends").status, 201);
                second
            }
            "RATE_LIMIT_EXCEEDED" => {
                let message = json!({ "type": "a.b", "data": {} });
                let send = async || {
                    let path = "/v1/webhook-messages";
                    self.admin.call(Method::POST, path, Some(&message)).await
                };
                let mut answer = send().await;
                while answer.status == 202 {
                    answer = send().await;
                }
                answer
            }
            "PAYLOAD_TOO_LARGE" => {
                let large = json!({ "name": "x".repeat(1024 * 1024) });
                self.data.call(Method::POST, "/v1/vendors", Some(&large)).await
            }
            _ => return None,
        })
    }
}

#[tokio::test]
async fn everything_is_provoked_as_the_tables_say() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let options = ["--step-clock", "MILLWRIGHT_RATE_LIMIT_MESSAGES=5"];
    let millwright = Millwright::start(folder.path(), &options).await;
    let sandbox = connected(&millwright).await;
    sandbox.until_status("active").await;
    every_error(&sandbox).await;
    every_status_and_event(&millwright, &sandbox).await;
}

async fn every_error(sandbox: &Sandbox) {
    let mut faults = Vec::new();
    for (code, how) in rows("Errors") {
        // The last one is tried when the connection is no longer needed.
        if ["INTERNAL_ERROR", "CONNECTION_DISCONNECTED"].contains(&code.as_str()) {
            continue;
        }
        let answer = match sandbox.in_several_calls(&code).await {
            Some(answer) => answer,
            None => sandbox.as_said(&how).await,
        };
        let known = ErrorCode::ALL.iter().find(|one| one.as_str() == code).expect("a code");
        if (answer.code(), answer.status) != (Some(code.as_str()), known.status()) {
            faults.push(format!("{code} by {how}: {} {:#}", answer.status, answer.body));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    let status = sandbox.data.get("/v1/connection").await;
    assert_eq!(status["status"], "active", "no single request has touched the status");
}

/// Endpoints whose receivers answer as the table says.
async fn poor_receivers(api: &Api) -> Receivers {
    let receivers = Receivers::start().await;
    for (hook, status) in [("refuses", 410), ("fails", 500)] {
        receivers.set(hook, Manner::Status(status));
        let endpoint = json!({ "url": receivers.url(hook), "retry_schedule": [1],
                               "event_types": ["sync.failed"] });
        let made = api.post("/v1/webhook-endpoints", &endpoint, 201).await;
        if hook == "fails" {
            let test = format!("/v1/webhook-endpoints/{}/test", text(&made, "id"));
            let _ = api.call(Method::POST, &test, None).await.expect(202);
        }
    }
    receivers
}

async fn every_status_and_event(millwright: &Millwright, sandbox: &Sandbox) {
    let _receivers = poor_receivers(&sandbox.admin).await;
    sandbox.until_told("test.ping").await;
    sandbox.until_told("connection.created").await;
    sandbox.until_told("sync.completed").await;

    sandbox.tell("changes-1s").await;
    for kind in ["inserted", "updated", "deleted"] {
        tokio::time::sleep(Duration::from_secs(4)).await;
        sandbox.sync().await;
        sandbox.until_told(&format!("purchase_orders.{kind}")).await;
    }
    sandbox.tell("permission-denied").await;
    at_rest(sandbox).await;
    sandbox.sync().await;
    sandbox.until_told("sync.failed").await;
    sandbox.until_told("issue.opened").await;
    sandbox.tell("ok").await;
    at_rest(sandbox).await;
    sandbox.sync().await;
    sandbox.until_told("issue.closed").await;
    sandbox.until_told("endpoint.disabled").await;
    millwright.step(Duration::from_secs(2)).await;
    sandbox.until_told("delivery.failed").await;

    for (scenario, status) in [("down", "unavailable"), ("expired", "reauthorization_required")] {
        // What happened before must not keep this from being told at once.
        millwright.step(Duration::from_secs(300)).await;
        sandbox.tell(scenario).await;
        at_rest(sandbox).await;
        sandbox.sync().await;
        sandbox.until_status(status).await;
        // What comes soon after another change is told later, if it is still so.
        millwright.step(Duration::from_secs(400)).await;
        sandbox.until_told(&format!("connection.{status}")).await;
        sandbox.until_told("connection.status_changed").await;
        sandbox.tell("ok").await;
        recovers(millwright, sandbox).await;
        sandbox.until_told("connection.recovered").await;
    }

    let link = sandbox.admin.post("/v1/connect-links", &json!({}), 201).await;
    let pending = format!("/v1/connections/{}", text(&link, "connection_id"));
    assert_eq!(sandbox.admin.get(&pending).await["status"], "pending");
    sandbox.done("/pause").await;
    sandbox.until_status("inactive").await;
    sandbox.done("/resume").await;
    sandbox.until_status("active").await;

    let path = format!("/v1/connections/{}", sandbox.id);
    let gone = sandbox.admin.post(&format!("{path}/disconnect"), &json!({}), 200).await;
    assert_eq!(gone["status"], "disconnected");
    sandbox.until_told("connection.disconnected").await;
    let answer = sandbox.data.call(Method::GET, "/v1/vendors", None).await;
    assert_eq!((answer.status, answer.code()), (410, Some("CONNECTION_DISCONNECTED")));
}

/// It is tried again by itself: after a wait that grows, or after a day at most. A try that was under way
/// may have found that it still fails, and put off the next.
async fn recovers(millwright: &Millwright, sandbox: &Sandbox) {
    wait::until("active again", LONG, async || {
        millwright.step(Duration::from_secs(27 * 3600)).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let now = sandbox.data.get("/v1/connection").await;
        (now["status"] == "active").then_some(())
    })
    .await;
}

/// Waits until the last sync has come to its end, one way or another.
async fn at_rest(sandbox: &Sandbox) {
    wait::until("the sync ends", LONG, async || {
        let state = sync_state(&sandbox.data, "purchase-orders").await;
        (state["status"] != "in_progress").then_some(())
    })
    .await;
}
