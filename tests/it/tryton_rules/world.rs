//! A connected Tryton, and records of it in any state.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::Method;
use millwright_connector::{Case, WriteOp};
use millwright_core::ConnectionId;
use millwright_tests::{
    api::{Answer, Api},
    tryton::Tryton,
};
use serde_json::{Map, Value, json};

use crate::scene::{Scene, text, tryton_connection, wait_until_synced};

/// What a label of the examples stands for.
#[derive(Clone, Debug)]
pub struct Known {
    pub entity: &'static str,
    pub key: String,
    pub id: String,
}

/// A record that something is done to.
#[derive(Clone, Debug)]
pub struct Subject {
    pub key: String,
    pub id: String,
    /// The keys of its lines.
    pub lines: Vec<String>,
}

/// A connected Tryton.
pub struct World {
    pub tryton: Tryton,
    pub api: Api,
    pub connection: ConnectionId,
    labels: BTreeMap<&'static str, Known>,
    made: AtomicUsize,
    _scene: Scene,
}

/// The labels, and the records that they stand for.
const LABELS: [(&str, &str, &str, &str); 10] = [
    ("a vendor", "vendors", "name", "Acme Bearings"),
    ("another vendor", "vendors", "name", "Hydraulik Meier"),
    ("a warehouse", "locations", "name", "Warehouse"),
    ("another warehouse", "locations", "name", "Second warehouse"),
    ("another currency", "currencies", "code", "EUR"),
    ("another unit", "uom", "name", "Box"),
    ("a currency", "currencies", "code", "USD"),
    ("a product", "materials", "name", "Bearing 6204"),
    ("another product", "materials", "name", "V-belt A42"),
    ("a unit", "uom", "name", "Unit"),
];

impl World {
    pub async fn new() -> Self {
        let scene = Scene::new(&[]).await;
        let tryton = Tryton::start(scene.folder.path(), "orders").await;
        tryton.does(&["add-choices"]);
        let made = scene.api().post("/v1/connections", &tryton_connection(&tryton), 201).await;
        let connection: ConnectionId = text(&made, "id").parse().unwrap();
        let api = scene.api().about(connection.as_str());
        wait_until_synced(&api).await;
        let mut labels = BTreeMap::new();
        for (label, entity, field, value) in LABELS {
            let all = api.all(&format!("/v1/{entity}?limit=500")).await;
            let found = all.iter().find(|record| record[field] == value);
            let found = found.unwrap_or_else(|| panic!("no {value} among {entity}"));
            let (key, id) = (text(found, "key").to_owned(), text(found, "remoteId").to_owned());
            labels.insert(label, Known { entity, key, id });
        }
        Self { tryton, api, connection, labels, made: AtomicUsize::new(0), _scene: scene }
    }

    /// The records that labels stand for.
    pub fn known(&self) -> Vec<&Known> {
        self.labels.values().collect()
    }

    /// A body of the examples with keys in place of its labels; what is unknown stays a label. Codes,
    /// which Tryton takes only once, are made new.
    pub fn filled(&self, case: &Case, mut body: Map<String, Value>, lines: &[String]) -> Value {
        if let Some(Value::String(code)) = body.get_mut("code") {
            code.push_str(&format!("-{}", self.made.fetch_add(1, Ordering::Relaxed)));
        }
        let mut body = Value::Object(body);
        self.fill(&mut body, &case.unknown, lines);
        body
    }

    fn fill(&self, value: &mut Value, unknown: &[String], lines: &[String]) {
        match value {
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.fill(item, unknown, lines));
            }
            Value::Object(members) => {
                members.values_mut().for_each(|member| self.fill(member, unknown, lines));
            }
            Value::String(label) if !unknown.contains(label) => {
                let line = ["one", "two"].iter().position(|one| one == label);
                let line = line.and_then(|position| lines.get(position));
                let known = self.labels.get(label.as_str()).map(|known| &known.key);
                if let Some(key) = line.or(known) {
                    label.clone_from(key);
                }
            }
            _ => {}
        }
    }

    /// A record as an example has it before.
    pub async fn subject(&self, entity: &str, case: &Case) -> Option<Subject> {
        if case.operation == WriteOp::Create {
            return None;
        }
        let current = case.current.clone().unwrap_or_default();
        let status = current.get("status").and_then(Value::as_str).unwrap_or_default();
        let lines = current.get("lineItems").and_then(Value::as_array).map_or(1, Vec::len);
        let key = match entity {
            "purchase-orders" => self.order(status, lines).await,
            "receivings" => self.receipt(status).await,
            "vendors" => self.vendor(current.get("isActive") != Some(&json!(false))).await,
            other => panic!("no {other} can be made yet"),
        };
        let record = self.api.get(&format!("/v1/{entity}/{key}?live=true")).await;
        let lines = record["lineItems"].as_array().into_iter().flatten();
        Some(Subject {
            id: text(&record, "remoteId").to_owned(),
            lines: lines.map(|line| text(line, "key").to_owned()).collect(),
            key,
        })
    }

    /// An order in a status.
    pub async fn order(&self, status: &str, lines: usize) -> String {
        let quantity = if status == "done" { "0" } else { "2" };
        let line = json!({ "materialKey": self.labels["a product"].key, "quantity": quantity, "price": "1.5" });
        let order = json!({
            "vendorKey": self.labels["a vendor"].key,
            "locationKey": self.labels["a warehouse"].key,
            "lineItems": vec![line; lines],
        });
        let actions: &[&str] = match status {
            "draft" => &[],
            "quotation" => &["quote"],
            "processing" | "done" => &["quote", "confirm"],
            "cancelled" => &["cancel"],
            other => panic!("no way to {other}"),
        };
        self.make("purchase-orders", &order, actions).await
    }

    async fn receipt(&self, status: &str) -> String {
        let receipt = json!({ "purchaseOrderKey": self.order("processing", 1).await });
        let actions: &[&str] = match status {
            "draft" => &[],
            "received" => &["receive"],
            "done" => &["receive", "complete"],
            "cancelled" => &["cancel"],
            other => panic!("no way to {other}"),
        };
        self.make("receivings", &receipt, actions).await
    }

    async fn vendor(&self, active: bool) -> String {
        let key = self.make("vendors", &json!({ "name": "Bolts" }), &[]).await;
        if !active {
            let path = format!("/v1/vendors/{key}");
            let made =
                self.api.call(Method::PATCH, &path, Some(&json!({ "isActive": false }))).await;
            assert_eq!(made.expect(200)["isActive"], json!(false));
        }
        key
    }

    async fn make(&self, entity: &str, record: &Value, actions: &[&str]) -> String {
        let made = self.api.post(&format!("/v1/{entity}"), record, 201).await;
        let key = text(&made, "key").to_owned();
        for action in actions {
            let path = format!("/v1/{entity}/{key}/actions/{action}");
            let _ = self.api.post(&path, &json!({}), 200).await;
        }
        key
    }

    /// Does something through the API.
    pub async fn perform(
        &self,
        entity: &str,
        operation: &WriteOp,
        key: Option<&str>,
        body: &Value,
    ) -> Answer {
        let one = || format!("/v1/{entity}/{}", key.expect("what is done to a record has one"));
        match operation {
            WriteOp::Create => {
                self.api.call(Method::POST, &format!("/v1/{entity}"), Some(body)).await
            }
            WriteOp::Update => self.api.call(Method::PATCH, &one(), Some(body)).await,
            WriteOp::Delete => self.api.call(Method::DELETE, &one(), None).await,
            WriteOp::Action(name) => {
                self.api.call(Method::POST, &format!("{}/actions/{name}", one()), Some(body)).await
            }
        }
    }
}
