//! The API in process over the local table, and a connection to a plant.

use std::time::Duration;

use millwright_access::{Environment, Role, create_key, create_workspace};
use millwright_connection::{Connection, ConnectionContext, NewConnection};
use millwright_connector::Credentials;
use millwright_core::{Clock, ExposeSecret, WorkspaceId};
use millwright_records::{Scope, WriteTiming};
use millwright_sync::connect;
use millwright_tests::{
    api::{Answer, Api},
    cloud::Cloud,
};
use serde_json::{Map, Value, json};

use super::{
    gate::Gate,
    plant::{Plant, catalog},
};
use crate::in_process::{self, Variables, serve, variables, with_connectors};

/// Times of a write that let a test end soon.
pub const QUICK: WriteTiming = WriteTiming {
    answer_within: Duration::from_secs(15),
    read_back_within: Duration::from_secs(5),
    call_within: Duration::from_secs(10),
    claim: Duration::from_secs(12),
    wait_for_other: Duration::from_secs(10),
    patience: Duration::from_millis(100),
    patience_unknown: Duration::from_millis(300),
    patience_max: Duration::from_secs(2),
    give_up_after: Duration::from_secs(3600),
};

/// The table and what is kept beside it, for any number of plants.
pub struct Ground {
    pub cloud: Cloud,
    variables: Variables,
    _folder: tempfile::TempDir,
}

impl Ground {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::calm(folder.path()).await;
        let variables = variables(&cloud, folder.path());
        Self { cloud, variables, _folder: folder }
    }

    /// What a process works with.
    pub fn context(&self) -> ConnectionContext {
        context(&self.variables, &self.cloud.sdk())
    }

    /// The same for a process whose way to the table is another.
    pub fn variables(&self) -> Variables {
        self.variables.clone()
    }
}

/// What a process works with that has these variables.
pub fn context(variables: &Variables, sdk: &aws_config::SdkConfig) -> ConnectionContext {
    with_connectors(&in_process::context(variables, Clock::system(), sdk), catalog())
}

/// Connects a plant.
pub async fn connected(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    plant: &Plant,
) -> Connection {
    let new = NewConnection::to(
        "plant",
        Map::from_iter([("url".to_owned(), json!(plant.url))]),
        Credentials::new(),
    );
    connect(context, workspace, new).await.unwrap()
}

/// An API with one connection.
pub struct Scene {
    pub api: Api,
    pub plant: Plant,
    pub context: ConnectionContext,
    pub connection: Connection,
    _ground: Ground,
}

impl Scene {
    pub async fn new(times: WriteTiming) -> Self {
        let ground = Ground::new().await;
        let context = ground.context();
        let plant = Plant::start(Gate::default()).await;
        let workspace = create_workspace(&context.store, "Acme", Environment::Test).await.unwrap();
        let made = create_key(&context.store, &workspace, "all", Role::Admin, None);
        let (_, key) = made.await.unwrap();
        let connection = connected(&context, &workspace.id, &plant).await;
        let api = serve(&context, |settings| settings.write_timing = times).await;
        let api = api.with_key(Some(key.expose_secret())).about(connection.id.as_str());
        Self { api, plant, context, connection, _ground: ground }
    }

    pub fn scope(&self) -> Scope {
        let Connection { workspace, id, .. } = &self.connection;
        Scope { workspace: workspace.clone(), connection: id.clone(), customer: None }
    }

    /// POST, whatever comes of it.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.api.call(http::Method::POST, path, Some(&body)).await
    }

    /// PATCH, whatever comes of it.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.api.call(http::Method::PATCH, path, Some(&body)).await
    }

    /// Makes an order with a line.
    pub async fn order(&self, reference: &str) -> Value {
        let body = json!({"vendorReference": reference, "lineItems": [{"quantity": "1"}]});
        self.post("/v1/purchase-orders", body).await.expect(201)
    }
}

/// Where a record is.
pub fn place(record: &Value) -> String {
    format!("/v1/purchase-orders/{}", record["key"].as_str().unwrap())
}
