//! Instances of the API in process over one table, and everything that is in that table.

use std::{collections::BTreeMap, path::Path, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use millwright_access::{Environment, Role, Workspace, create_key, create_workspace};
use millwright_connection::{Connection, ConnectionContext, NewConnection};
use millwright_connector::Credentials;
use millwright_core::{Clock, ConnectionId, ExposeSecret, SecretString};
use millwright_local::dynamo;
use millwright_store::Table;
use millwright_sync::{
    NextRun, SliceEnd, SliceLimits, SliceTask, SyncState, connect, run_slice, sync_key, sync_states,
};
use millwright_tests::{api::Api, cloud::Cloud};
use serde_json::{Map, Value, json};

use crate::in_process::{self, Variables};

/// How slices are bounded here.
pub const LIMITS: SliceLimits = SliceLimits {
    lease: Duration::from_secs(180),
    margin: Duration::from_secs(5),
    interval: Duration::from_secs(900),
    vanish_percent: 100,
    spread: Duration::ZERO,
};

/// A table, and a workspace with an admin.
pub struct Ground {
    pub cloud: Cloud,
    pub workspace: Workspace,
    pub variables: Variables,
    key: SecretString,
    folder: tempfile::TempDir,
}

impl Ground {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::calm(folder.path()).await;
        let variables = in_process::variables(&cloud, folder.path());
        let store = cloud.store();
        let workspace = create_workspace(&store, "Acme", Environment::Test).await.unwrap();
        let made = create_key(&store, &workspace, "all", Role::Admin, None).await;
        let (_, key) = made.unwrap();
        Self { cloud, workspace, variables, key, folder }
    }

    /// What an instance works with: clients of its own.
    pub fn context(&self) -> ConnectionContext {
        in_process::context(&self.variables, Clock::system(), &self.cloud.sdk())
    }

    /// Another instance of the API, with a caller who is the workspace's admin.
    pub async fn instance(&self) -> Api {
        let api = in_process::serve(&self.context(), |_| {}).await;
        api.with_key(Some(self.key.expose_secret()))
    }

    /// The key of the workspace's admin.
    pub fn key(&self) -> &str {
        self.key.expose_secret()
    }

    /// Connects a sandbox.
    pub async fn connected(&self) -> Connection {
        connect(&self.context(), &self.workspace.id, sandbox()).await.unwrap()
    }

    /// Everything in both tables.
    pub async fn rows(&self) -> Vec<(Table, String, String)> {
        scanned(&self.cloud.sdk()).await
    }

    /// Where it is kept.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The names of the files that are kept beside the tables.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().join("blobs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let body = std::fs::read(&path).unwrap();
                    found.push(format!("{} {}", path.display(), String::from_utf8_lossy(&body)));
                }
            }
        }
        found
    }

    /// Works on an entity's sync for as long as there is something to do at once.
    pub async fn sync(&self, connection: &ConnectionId, entity: &str) -> SliceEnd {
        slice(&self.context(), &self.workspace, connection, entity).await
    }

    /// Works on all of a connection's syncs.
    pub async fn sync_all(&self, connection: &ConnectionId) {
        let context = self.context();
        for state in self.states(connection).await {
            slice(&context, &self.workspace, connection, &state.entity).await;
        }
    }

    /// The states of a connection's syncs.
    pub async fn states(&self, connection: &ConnectionId) -> Vec<SyncState> {
        sync_states(&self.cloud.store(), &self.workspace.id, connection).await.unwrap()
    }
}

/// Everything in both tables, as it is kept: table, key and the whole row as text.
pub async fn scanned(sdk: &aws_config::SdkConfig) -> Vec<(Table, String, String)> {
    let client = aws_sdk_dynamodb::Client::new(sdk);
    let mut rows = Vec::new();
    for table in [Table::State, Table::Records] {
        let name = dynamo::tables().name(table).to_owned();
        let mut pages = client.scan().table_name(name).into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let item = item.unwrap();
            let text = |name: &str| match item.get(name) {
                Some(AttributeValue::S(text)) => text.clone(),
                other => panic!("a row without {name}: {other:?}"),
            };
            let key = format!("{} {}", text("pk"), text("sk"));
            // In the order of their names, so that the same row is the same text.
            let attributes: BTreeMap<&String, &AttributeValue> = item.iter().collect();
            rows.push((table, key, format!("{attributes:?}")));
        }
    }
    rows
}

/// Works on an entity's sync for as long as there is something to do at once.
pub async fn slice(
    context: &ConnectionContext,
    workspace: &Workspace,
    connection: &ConnectionId,
    entity: &str,
) -> SliceEnd {
    let task = SliceTask {
        workspace: workspace.id.clone(),
        connection: connection.clone(),
        entity: entity.to_owned(),
    };
    wait_for_nothing(context, &task).await;
    let deadline = context.store.clock().wall() + Duration::from_secs(300);
    run_slice(context, LIMITS, &task, 0, deadline).await.unwrap()
}

/// A first load does not wait for those of other entities: here nobody works on them.
pub async fn wait_for_nothing(context: &ConnectionContext, task: &SliceTask) {
    let key = sync_key(&task.workspace, &task.connection, &task.entity);
    let now = context.store.clock().schedule();
    let due = |state: &mut SyncState| {
        if state.is_first_load() && state.failures == 0 {
            state.run = state.run.map(|_| NextRun::at(now, now));
        }
        Ok(())
    };
    context.store.modify(&key, due).await.unwrap();
}

/// The request that connects a sandbox.
pub fn sandbox_request() -> Value {
    json!({ "connector_id": "sandbox", "settings": { "stateful": true } })
}

/// The same without the API.
pub fn sandbox() -> NewConnection {
    NewConnection::to(
        "sandbox",
        Map::from_iter([("stateful".to_owned(), json!(true))]),
        Credentials::new(),
    )
}
