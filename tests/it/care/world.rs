//! Functions of several processes over one table and its queues, in this process: each is turned by hand,
//! so a test says who does what, and when.

use std::time::Duration;

use aws_config::SdkConfig;
use futures::{StreamExt, stream};
use http::Method;
use millwright_access::{Environment, Role, create_key, create_workspace};
use millwright_core::{Clock, ExposeSecret, WorkspaceId};
use millwright_store::{Key, Row, Store};
use millwright_tests::{
    api::{Answer, Api},
    cloud::Cloud,
    faults::{QueueFaults, TableFaults},
    pump::{Pump, TIME_LIMIT},
};
use millwright_webhook::Endpoint;
use serde_json::{Value, json};

use super::receivers::Receivers;
use crate::{
    in_process::{self, Variables},
    scene::text,
};

/// A table, queues, the API over them, and one process of functions.
pub struct World {
    pub api: Api,
    pub clock: Clock,
    pub pump: Pump,
    pub receivers: Receivers,
    pub store: Store,
    pub workspace: WorkspaceId,
    pub key: String,
    pub variables: Variables,
    /// When it began: lists need not look at the days before.
    begun: String,
    cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl World {
    pub async fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(Clock::system().wall(), Duration::ZERO, 1.0);
        let (table, queue) = (TableFaults::NONE, QueueFaults::NONE);
        let cloud = Cloud::start(folder.path(), table, queue, 0, clock.clone()).await;
        let variables = in_process::variables(&cloud, folder.path());
        let pump = Pump::start(&cloud, &in_process::source(&variables), clock.clone()).await;
        let context = in_process::context(&variables, clock.clone(), &cloud.sdk());
        let store = context.store.clone();
        let workspace = create_workspace(&store, "Acme", Environment::Test).await.unwrap();
        let (_, key) = create_key(&store, &workspace, "all", Role::Admin, None).await.unwrap();
        let outbound = in_process::outbound_to_loopback();
        let api = in_process::serve_with(&context, outbound, |_| {}).await;
        Self {
            api: api.with_key(Some(key.expose_secret())),
            pump,
            receivers: Receivers::start().await,
            store,
            workspace: workspace.id,
            key: key.expose_secret().to_owned(),
            variables,
            begun: clock.schedule().iso(),
            clock,
            cloud,
            _folder: folder,
        }
    }

    /// The functions of another process: they know nothing that stands in no row.
    pub async fn another_process(&self) -> Pump {
        Pump::start(&self.cloud, &in_process::source(&self.variables), self.clock.clone()).await
    }

    /// The functions of a process without this variable.
    pub async fn process_without(&self, variable: &str) -> Pump {
        let mut variables = self.variables.clone();
        variables.remove(variable);
        Pump::start(&self.cloud, &in_process::source(&variables), self.clock.clone()).await
    }

    /// How the SDK reaches the table and the queues.
    pub fn sdk(&self) -> SdkConfig {
        self.cloud.sdk()
    }

    /// An endpoint for events of this type; its id. One without a hook is polled.
    pub async fn endpoint(&self, hook: Option<&str>, event_type: &str, more: Value) -> String {
        let mut request = more;
        request["event_types"] = json!([event_type]);
        match hook {
            Some(hook) => request["url"] = self.receivers.url(hook).into(),
            None => request["delivery"] = "poll".into(),
        }
        text(&self.api.post("/v1/webhook-endpoints", &request, 201).await, "id").to_owned()
    }

    pub async fn send(&self, event_type: &str, count: usize) {
        let message = json!({ "type": event_type, "data": {} });
        let post = |_| self.api.post("/v1/webhook-messages", &message, 202);
        stream::iter(0..count).map(post).buffer_unordered(16).for_each(async |_| ()).await;
    }

    pub async fn act(&self, path: &str) -> Answer {
        self.api.call(Method::POST, path, None).await
    }

    /// Has an endpoint paused, resumed, disabled or enabled.
    pub async fn have(&self, endpoint: &str, what: &str) {
        let answer = self.act(&format!("/v1/webhook-endpoints/{endpoint}/{what}")).await;
        assert_eq!(answer.status, 200, "{:#}", answer.body);
    }

    /// Has a process do what there is to do now.
    pub async fn drain(&self, pump: &Pump) {
        while pump.turn(TIME_LIMIT, None).await > 0 {}
    }

    /// Lets time pass for what waits in the queues: up to a quarter of an hour, which they carry.
    pub fn pass(&self, time: Duration) {
        self.clock.step(time);
    }

    /// How many deliveries of an endpoint are in this status.
    pub async fn count(&self, endpoint: &str, status: &str) -> usize {
        self.deliveries(endpoint, status).await.len()
    }

    pub async fn deliveries(&self, endpoint: &str, status: &str) -> Vec<Value> {
        let path = format!("/v1/webhook-deliveries?endpoint_id={endpoint}&status={status}");
        self.api.all(&format!("{path}&since={}&limit=100", self.begun)).await
    }

    /// Works, and lets time pass, until so many deliveries of an endpoint are in this status.
    pub async fn until_count(&self, endpoint: &str, status: &str, count: usize) {
        for _ in 0..200 {
            self.drain(&self.pump).await;
            if self.count(endpoint, status).await == count {
                return;
            }
            self.pass(Duration::from_secs(20));
        }
        panic!("not {count} {status}: {}", self.count(endpoint, status).await);
    }

    /// The row of an endpoint.
    pub async fn row(&self, endpoint: &str) -> Row<Endpoint> {
        let key = Key::state(self.workspace.as_str(), format!("endpoint#{endpoint}"));
        self.store.get(&key).await.unwrap().expect("the endpoint's row")
    }
}
