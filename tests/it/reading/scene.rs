//! The whole API in process over the local table, and records that a test puts there itself.

use std::{collections::HashMap, time::Duration};

use http::Method;
use millwright_access::{Environment, Role, create_key, create_workspace, get_workspace};
use millwright_connection::{
    Connection, ConnectionContext, NewConnection, Observation, Trigger, observe,
};
use millwright_connector::{Catalog, Credentials, SandboxControl, SandboxRow, SourceRecord};
use millwright_core::{Clock, ExposeSecret, SecretString, WallTime, WorkspaceId};
use millwright_entities::record_key;
use millwright_records::{CommitId, Pulled, RecordDoc, Scope, commit_pulled};
use millwright_store::{Document, Expect, Key, Write};
use millwright_sync::{SliceEnd, SliceLimits, SliceTask, connect, run_slice};
use millwright_tests::{
    api::{Answer, Api},
    cloud::Cloud,
    faults::{QueueFaults, TableFaults},
};
use millwright_web::Settings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    in_process::{self, serve, variables, with_connectors},
    life::ground::wait_for_nothing,
};

/// A running API with one sandbox connection, whose records are the test's own.
pub struct Scene {
    pub api: Api,
    pub context: ConnectionContext,
    pub connection: Connection,
    pub workspace: WorkspaceId,
    commits: std::sync::atomic::AtomicU64,
    _cloud: Cloud,
    _folder: tempfile::TempDir,
}

/// What a puller's own row is to these tests: nothing.
#[derive(Serialize, Deserialize)]
struct Nothing {}

impl Document for Nothing {}

impl Scene {
    pub async fn calm() -> Self {
        Self::start(TableFaults::NONE, Settings::LIST_EFFORT).await
    }

    /// With faults before the table, and pages that examine so many records.
    pub async fn start(faults: TableFaults, list_effort: usize) -> Self {
        Self::connected(faults, list_effort, None, sandbox("ok")).await
    }

    /// With one system behind a connector of the test's own.
    pub async fn with_connector(file: &str, new: NewConnection) -> Self {
        Self::connected(TableFaults::NONE, Settings::LIST_EFFORT, Some(file), new).await
    }

    async fn connected(
        faults: TableFaults,
        list_effort: usize,
        file: Option<&str>,
        new: NewConnection,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let cloud = Cloud::start(folder.path(), faults, QueueFaults::NONE, 7, clock.clone()).await;
        let variables = variables(&cloud, folder.path());
        let mut context = in_process::context(&variables, clock, &cloud.sdk());
        if let Some(file) = file {
            let catalog = Catalog::of([file]).unwrap();
            context = with_connectors(&context, catalog);
        }
        let workspace = create_workspace(&context.store, "Acme", Environment::Test).await.unwrap();
        let made = create_key(&context.store, &workspace, "all", Role::Admin, None);
        let (_, key) = made.await.unwrap();
        let workspace = workspace.id;
        let connection = connect(&context, &workspace, new).await.unwrap();
        let api = serve(&context, |settings| settings.list_effort = list_effort).await;
        let api = api.with_key(Some(key.expose_secret())).about(connection.id.as_str());
        let commits = std::sync::atomic::AtomicU64::new(0);
        Self { api, context, connection, workspace, commits, _cloud: cloud, _folder: folder }
    }

    pub fn scope(&self) -> Scope {
        Scope {
            workspace: self.workspace.clone(),
            connection: self.connection.id.clone(),
            customer: None,
        }
    }

    /// The sandbox behind the connection.
    pub fn sandbox(&self) -> SandboxControl {
        let store = self.context.store.clone();
        SandboxControl::new(store, &self.workspace, &self.connection.id)
    }

    pub async fn put_behind(&self, entity: &str, id: &str, row: Value) {
        let row: SandboxRow = row.as_object().unwrap().clone();
        self.sandbox().put(entity, id, row).await.unwrap();
    }

    /// The key of a record.
    pub fn key(&self, entity: &str, id: &str) -> String {
        record_key(&self.connection.id, entity, id)
    }

    /// Keeps records as a sync that found them would.
    pub async fn found(&self, entity: &str, records: impl IntoIterator<Item = (String, Value)>) {
        let records: Vec<SourceRecord> =
            records.into_iter().map(|(id, fields)| self.record(entity, id, &fields)).collect();
        for some in records.chunks(500) {
            self.commit(entity, some.to_vec(), &[]).await;
        }
    }

    /// Marks records as gone, as a sync that missed them would.
    pub async fn missed(&self, entity: &str, ids: &[&str]) {
        self.commit(entity, Vec::new(), ids).await;
    }

    async fn commit(&self, entity: &str, records: Vec<SourceRecord>, gone: &[&str]) {
        let scope = self.scope();
        let key = |id: &&str| scope.record(entity, &self.key(entity, id));
        let gone: Vec<Key> = gone.iter().map(key).collect();
        let gone = self.context.store.get_docs::<RecordDoc>(&gone).await.unwrap();
        let number = self.commits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let pulled = Pulled {
            scope: &scope,
            entity,
            fetch_started: self.now() + Duration::from_secs(60),
            later: HashMap::new(),
            commit: CommitId::of_pull(1, number),
            unfinished: &[],
            initial: false,
            records,
            gone,
            deleted: Vec::new(),
            untold: Vec::new(),
            kept_days: None,
        };
        let own = Key::state(format!("{}#test", self.workspace), "puller");
        let checkpoint = |_: &_| Ok(Write::put(&own, &Nothing {}, Expect::Anything)?);
        let (store, queue) = (&self.context.store, &self.context.queue);
        commit_pulled(store, queue, pulled, checkpoint).await.unwrap();
    }

    fn record(&self, entity: &str, id: String, fields: &Value) -> SourceRecord {
        let mut record = Map::new();
        record.insert("key".to_owned(), json!(self.key(entity, &id)));
        record.insert("remoteId".to_owned(), json!(id));
        record.extend(fields.as_object().unwrap().clone());
        SourceRecord { remote_id: id, record, unshown: Vec::new(), raw: None, print: None }
    }

    pub fn now(&self) -> WallTime {
        self.context.store.clock().wall()
    }

    /// Lets the connection be known as failing, or as well.
    pub async fn observe(&self, observation: Observation) {
        let (workspace, id) = (&self.workspace, &self.connection.id);
        observe(&self.context, workspace, id, &observation, Trigger::Sync).await.unwrap();
    }

    /// A caller of another workspace, about this connection.
    pub async fn stranger(&self) -> Api {
        let other = create_workspace(&self.context.store, "Other", Environment::Test).await;
        let other = other.unwrap();
        let key = create_key(&self.context.store, &other, "all", Role::Admin, None);
        let (_, key) = key.await.unwrap();
        self.api.with_key(Some(key.expose_secret()))
    }

    /// A caller of this workspace with a role.
    pub async fn caller(&self, role: Role) -> Api {
        let workspace = get_workspace(&self.context.store, &self.workspace).await.unwrap();
        let key = create_key(&self.context.store, &workspace, "some", role, None);
        let (_, key) = key.await.unwrap();
        self.api.with_key(Some(key.expose_secret()))
    }

    /// Works on an entity's sync for as long as there is something to do at once.
    pub async fn sync(&self, entity: &str) -> SliceEnd {
        let task = SliceTask {
            workspace: self.workspace.clone(),
            connection: self.connection.id.clone(),
            entity: entity.to_owned(),
        };
        let limits = SliceLimits {
            lease: Duration::from_secs(180),
            margin: Duration::from_secs(5),
            interval: Duration::from_secs(900),
            vanish_percent: 100,
            spread: Duration::ZERO,
        };
        let deadline = self.now() + Duration::from_secs(300);
        wait_for_nothing(&self.context, &task).await;
        run_slice(&self.context, limits, &task, 0, deadline).await.unwrap()
    }

    /// GET, whatever comes of it.
    pub async fn answer(&self, path: &str) -> Answer {
        self.api.call(Method::GET, path, None).await
    }

    /// The remote ids of a list, all pages of it, in its order.
    pub async fn ids(&self, path: &str) -> Vec<String> {
        ids_of(&self.api.all(path).await)
    }
}

pub fn ids_of(records: &[Value]) -> Vec<String> {
    records.iter().map(|record| record["remoteId"].as_str().unwrap().to_owned()).collect()
}

pub fn sandbox(login: &str) -> NewConnection {
    let settings = Map::from_iter([("stateful".to_owned(), json!(true))]);
    let credentials =
        Credentials::from([("username".to_owned(), SecretString::from(login.to_owned()))]);
    NewConnection::to("sandbox", settings, credentials)
}
