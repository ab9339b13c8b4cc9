//! A system behind an authorization server, and processes that share a table.

use std::time::Duration;

use millwright_connection::{
    Connection, ConnectionContext, NewConnection, Status, connection_key, note_failure,
    oauth::{Authorized, authorize, exchange},
    open_system,
};
use millwright_connector::{Catalog, Credentials, SystemError};
use millwright_core::{Clock, SecretString, WorkspaceId};
use millwright_sync::connect;
use millwright_tests::{
    authorization_server::{AuthorizationServer, REDIRECT_URI},
    cloud::Cloud,
};
use serde_json::{Map, Value, json};

use crate::in_process::{self, Variables};

const BASE: &str = r#"
format: 1
id: ID
name: Guarded
vendor: Nobody
categories: [community]
tier: 1
maturity: documented
settings:
  url: { title: Address, type: url, required: true }
credentials:
  client_id: { title: Client, type: text, required: true }
  client_secret: { title: Secret, type: secret }
protocol: { http: { base_url: "{settings.url}/api" } }
probe: { request: { method: GET, path: me }, instance: { id: [id], name: name } }
entities:
  purchase-orders:
    read: { request: { method: GET, path: orders, query: { after: "{page.after}" } }, rows: orders }
    get: { request: { method: GET, path: orders, query: { ids: "{ids}" } }, rows: orders }
    fields: { title: id }
limits: { concurrency: 50, wait_seconds_max: 30 }
passthrough: { allow: [{ methods: [GET], path: "/**" }] }
"#;

const CODE: &str = r#"
auth:
  oauth2_code:
    authorize_url: "{settings.url}/auth"
    authorize_params: { prompt: consent }
    client: { id: "{credentials.client_id}", STYLE }
    scopes: [openid, offline_access, read]
    token: { url: "{settings.url}/token", rotates: true, keep: { scope: "{answer.scope}" } }
"#;

const MACHINE: &str = r#"
auth:
  oauth2_client:
    client: { id: "{credentials.client_id}", secret: "{credentials.client_secret}" }
    scopes: [read]
    token: { url: "{settings.url}/token" }
"#;

/// The connectors: one for each way in which a client makes itself known, and one of a machine.
pub fn catalog() -> Catalog {
    let secret = "secret: \"{credentials.client_secret}\"";
    let code = |id: &str, style: &str| {
        format!("{}{}", BASE.replace("ID", id), CODE.replace("STYLE", style))
    };
    let files = [
        code("guarded-basic", secret),
        code("guarded-post", &format!("{secret}, style: post")),
        code("guarded-public", "style: none"),
        format!("{}{MACHINE}", BASE.replace("ID", "machine")),
    ];
    Catalog::of(files.iter().map(String::as_str)).unwrap()
}

/// The authorization server, the table, and what processes need.
pub struct Scene {
    pub server: AuthorizationServer,
    pub workspace: WorkspaceId,
    pub clock: Clock,
    pub cloud: Cloud,
    variables: Variables,
    pub folder: tempfile::TempDir,
}

impl Scene {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::calm(folder.path()).await;
        let variables = in_process::variables(&cloud, folder.path());
        Self {
            server: AuthorizationServer::start(folder.path()).await,
            workspace: WorkspaceId::derived(&["oauth client"]),
            clock: Clock::system(),
            cloud,
            variables,
            folder,
        }
    }

    /// What one process works with: nothing in memory is shared with another one.
    pub fn process(&self) -> ConnectionContext {
        let sdk = self.cloud.sdk();
        let context = in_process::context(&self.variables, self.clock.clone(), &sdk);
        in_process::with_connectors(&context, catalog())
    }

    pub fn settings(&self) -> Map<String, Value> {
        Map::from_iter([("url".to_owned(), json!(self.server.url()))])
    }

    /// A person's consent for one of the connectors, as one of the server's clients.
    pub async fn authorized(&self, connector: &str, client: &str) -> Authorized {
        let context = self.process();
        let (settings, credentials) = (self.settings(), credentials(client));
        let started =
            authorize(&context, &self.workspace, connector, &settings, &credentials, REDIRECT_URI);
        let started = started.await.unwrap();
        let consent = self.server.consent(&started.url).await;
        assert_eq!(consent.state, started.state);
        let code = SecretString::from(consent.code);
        exchange(&self.process(), &self.workspace, &started.sealed, &consent.state, &code)
            .await
            .unwrap()
    }

    /// A connection made with such a consent.
    pub async fn connected(&self) -> Connection {
        let authorized = self.authorized("guarded-basic", "basic-client").await;
        let new = new(&authorized.connector_id, authorized.settings, authorized.credentials);
        connect(&self.process(), &self.workspace, new).await.unwrap()
    }

    /// The connection as it stands now.
    pub async fn now(&self, connection: &Connection) -> Connection {
        let key = connection_key(&self.workspace, &connection.id);
        self.process().store.get::<Connection>(&key).await.unwrap().unwrap().doc
    }

    pub async fn status(&self, connection: &Connection) -> Status {
        self.now(connection).await.status()
    }

    /// A call, whose failure is taken note of as everywhere.
    pub async fn call(
        &self,
        context: &ConnectionContext,
        connection: &Connection,
    ) -> Result<(), SystemError> {
        let system = open_system(context, connection).await.unwrap();
        let called = system.probe().await.map(drop);
        if let Err(error) = &called {
            note_failure(context, connection, &system, error).await;
        } else {
            millwright_connection::note_answer(context, &self.now(connection).await).await;
        }
        called
    }
}

pub fn credentials(client: &str) -> Credentials {
    let secret = match client {
        "public-client" => String::new(),
        other => format!("{other}-secret/+&="),
    };
    Credentials::from([
        ("client_id".to_owned(), SecretString::from(client)),
        ("client_secret".to_owned(), SecretString::from(secret)),
    ])
}

pub fn new(
    connector: &str,
    settings: Map<String, Value>,
    credentials: Credentials,
) -> NewConnection {
    NewConnection::to(connector, settings, credentials)
}

/// Until access tokens of so many seconds have ended.
pub async fn outlive(seconds: u64) {
    tokio::time::sleep(Duration::from_millis(seconds * 1000 + 200)).await;
}
