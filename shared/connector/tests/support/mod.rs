//! What the tests and the example share: an engine that may reach loopback, and a stand-in for the
//! table.

#![allow(dead_code, reason = "each test uses a part of it")]

pub mod http;
pub mod script;
pub mod table;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use millwright_connector::{Catalog, Engine, System, Target};
use millwright_core::{Clock, ConnectionId, SecretString, WorkspaceId};
use millwright_outbound::{Outbound, OutboundConfig};
use millwright_store::{Store, Tables};
use serde_json::{Map, Value};

/// A store whose table is at `endpoint`.
pub fn store_at(endpoint: &str) -> Store {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .build();
    let tables = Tables { state: "state".to_owned(), records: "records".to_owned() };
    Store::new(Client::from_conf(config), tables, Clock::system())
}

/// A client that may reach this machine.
pub fn outbound() -> Outbound {
    let allowed = vec!["127.0.0.0/8".parse().unwrap()];
    let config = OutboundConfig { allowed, https_required: false, ..OutboundConfig::default() };
    Outbound::new(config).unwrap()
}

/// The built-in connectors, with no table behind them: for systems behind HTTP.
pub fn engine() -> Engine {
    engine_with(Catalog::builtin())
}

/// Some connectors, with no table behind them.
pub fn engine_with(catalog: Catalog) -> Engine {
    Engine::new(catalog, outbound(), store_at("http://127.0.0.1:1")).alone()
}

/// A connection with always the same ids.
pub fn target(connector: &str, settings: Value, credentials: &[(&str, &str)]) -> Target {
    Target {
        workspace: WorkspaceId::derived(&["test"]),
        connection: connection(),
        connector_id: connector.to_owned(),
        settings: object(settings),
        credentials: credentials
            .iter()
            .map(|(name, value)| ((*name).to_owned(), SecretString::from(*value)))
            .collect::<BTreeMap<_, _>>(),
        overlays: BTreeMap::new(),
        tokens: None,
        scenario: None,
    }
}

/// The connection of every test.
pub fn connection() -> ConnectionId {
    ConnectionId::derived(&["test"])
}

/// A Tryton at `url`.
pub fn tryton(
    engine: &Engine,
    url: &str,
    database: &str,
    username: &str,
    password: &str,
) -> System {
    let settings = serde_json::json!({"url": url, "database": database});
    let credentials = [("username", username), ("password", password)];
    engine.open(target("tryton", settings, &credentials)).unwrap()
}

pub fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}
