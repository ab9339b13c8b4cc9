//! The same connector without its rules: what is sent past them, the live server judges alone.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use millwright_connector::{
    Catalog, Engine, References, SourceRecord, System, SystemError, Target, WriteOp,
};
use millwright_core::{Clock, ConnectionId, SecretString, WorkspaceId};
use millwright_outbound::{Outbound, OutboundConfig};
use millwright_store::{Store, Tables};
use millwright_tests::tryton::Tryton;
use serde_json::{Map, Value, json};

use super::world::Known;

pub const MANIFEST: &str = include_str!("../../../shared/connector/systems/tryton.yaml");
/// The id of no record.
const NOWHERE: &str = "999999";

/// A connector that checks nothing itself.
pub struct Past {
    system: System,
}

impl Past {
    pub fn new(tryton: &Tryton, connection: &ConnectionId) -> Self {
        Self { system: open(&without_rules(MANIFEST), tryton, connection) }
    }

    /// What the live server says to it; nothing when it does it.
    pub async fn refusal(
        &self,
        known: &[&Known],
        entity: &str,
        operation: &WriteOp,
        id: Option<&str>,
        body: &Map<String, Value>,
    ) -> Option<SystemError> {
        let current = match id {
            Some(id) => self.system.get(entity, &[id.to_owned()]).await.unwrap().pop(),
            None => None,
        };
        let before = current.as_ref().map(|one| &one.record);
        let references = self.system.references(entity, operation, body, before).unwrap();
        let references: References = references
            .into_iter()
            .map(|one| {
                let is_it = |known: &&Known| (known.entity, &known.key) == (&*one.entity, &one.key);
                let id =
                    known.iter().copied().find(is_it).map_or(NOWHERE, |known| &known.id).to_owned();
                (one.entity, one.key, id)
            })
            .collect();
        self.write(entity, operation, current.as_ref(), body, &references).await.err()
    }

    async fn write(
        &self,
        entity: &str,
        operation: &WriteOp,
        current: Option<&SourceRecord>,
        body: &Map<String, Value>,
        references: &References,
    ) -> Result<(), SystemError> {
        let current = || current.expect("the record is there");
        match operation {
            WriteOp::Create => self.system.create(entity, body, references, "past").await.map(drop),
            WriteOp::Update => self.system.update(entity, current(), body, references).await,
            WriteOp::Delete => self.system.delete(entity, current()).await,
            WriteOp::Action(name) => {
                self.system.act(entity, current(), name, body, references).await
            }
        }
    }
}

/// A connection's Tryton by some manifest.
pub fn open(manifest: &str, tryton: &Tryton, connection: &ConnectionId) -> System {
    let allowed = vec!["127.0.0.0/8".parse().unwrap()];
    let outbound = OutboundConfig { allowed, https_required: false, ..OutboundConfig::default() };
    let catalog = Catalog::of([manifest]).unwrap();
    let engine = Engine::new(catalog, Outbound::new(outbound).unwrap(), no_store()).alone();
    let (username, password) = tryton.credentials();
    let settings = json!({ "url": tryton.server(), "database": "company" });
    let credentials = [("username", username), ("password", password)];
    let target = Target {
        workspace: WorkspaceId::derived(&["past"]),
        connection: connection.clone(),
        connector_id: "tryton".to_owned(),
        settings: settings.as_object().cloned().unwrap(),
        credentials: credentials
            .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
            .into_iter()
            .collect(),
        overlays: BTreeMap::new(),
        tokens: None,
        scenario: None,
    };
    engine.open(target).unwrap()
}

/// A system behind HTTP that is alone needs no table.
fn no_store() -> Store {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url("http://127.0.0.1:1")
        .build();
    let tables = Tables { state: "state".to_owned(), records: "records".to_owned() };
    Store::new(aws_sdk_dynamodb::Client::from_conf(config), tables, Clock::system())
}

/// A manifest that checks nothing, and fills nothing in.
fn without_rules(manifest: &str) -> String {
    let mut manifest: Value = serde_saphyr::from_str(manifest).unwrap();
    for entity in manifest["entities"].as_object_mut().unwrap().values_mut() {
        let Some(write) = entity.get_mut("write").and_then(Value::as_object_mut) else { continue };
        for name in ["lookups", "extra", "examples"] {
            write.shift_remove(name);
        }
        free(write["fields"].as_object_mut().unwrap());
        for name in ["update", "delete"] {
            if let Some(operation) = write.get_mut(name).and_then(Value::as_object_mut) {
                operation.shift_remove("when");
            }
        }
        let actions = write.get_mut("actions").and_then(Value::as_object_mut);
        for action in actions.into_iter().flat_map(|actions| actions.values_mut()) {
            let action = action.as_object_mut().unwrap();
            action.shift_remove("from");
            action.shift_remove("when");
        }
    }
    manifest.to_string()
}

fn free(fields: &mut Map<String, Value>) {
    const RULES: [&str; 9] = [
        "required",
        "writable_when",
        "immutable_when",
        "add_remove_when",
        "lookup",
        "min",
        "above",
        "max",
        "below",
    ];
    for field in fields.values_mut().filter_map(Value::as_object_mut) {
        for rule in RULES {
            field.shift_remove(rule);
        }
        match field.get_mut("fields").and_then(Value::as_object_mut) {
            Some(inner) => free(inner),
            // A list can only be changed in the way that its form says.
            None => drop(field.shift_remove("writable")),
        }
    }
}
