//! A large plant: 20,000 products and 5,000 orders in a real ERP, read, read again, changed and read.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use millwright_tests::{api::Api, tryton::Tryton, wait};
use serde_json::{Value, json};

use crate::scene::{Scene, changes_after, end_of_feed, sync_state, text};

const PRODUCTS: &str = "products";
const ORDERS: &str = "purchase-orders";
/// Tryton alone needs minutes for all of it.
const PATIENCE: Duration = Duration::from_secs(1800);
/// The first products are those that orders name: these have none.
const SPARE: usize = 10;

#[tokio::test]
#[ignore = "takes many minutes: tests/long plant"]
async fn a_large_plant_is_read_whole_and_then_only_what_has_changed() {
    let scene = Scene::new(&[]).await;
    let tryton = Tryton::start(scene.folder.path(), "plant").await;
    let began = Instant::now();
    let api = scene.connect(&tryton).await;
    wait::until("the first load ends", PATIENCE, async || {
        let states = api.get("/v1/sync-status").await;
        let states = states["data"].as_array().expect("states").clone();
        states.iter().all(|state| state["status"] == "completed").then_some(())
    })
    .await;
    tell("first load of all entities", began, &api).await;
    let plant = Plant { api, tryton };
    plant.is_as_in_tryton().await;

    plant.reads("nothing changed", "incremental", &[], &[]).await;
    plant.reads("nothing changed, all of it", "full", &[], &[]).await;

    let products = plant.edits("product.template", &slice(SPARE, 20_000, 100), "singly");
    let orders = plant.edits("purchase.purchase", "0:5000:100", "singly");
    assert_eq!((products.len(), orders.len()), (200, 50));
    plant.reads("1 % changed, one by one", "incremental", &products, &orders).await;

    let products = plant.edits("product.template", &slice(SPARE, SPARE + 10_000, 1), "");
    let orders = plant.edits("purchase.purchase", "0:2500", "");
    assert_eq!((products.len(), orders.len()), (10_000, 2_500));
    plant.reads("half changed in one transaction", "incremental", &products, &orders).await;

    let products = plant.drops("product.template", &slice(SPARE, 20_000, 100));
    let orders = plant.drops("purchase.purchase", "0:5000:100");
    assert_eq!((products.len(), orders.len()), (200, 50));
    plant.reads("1 % deleted", "incremental", &products, &orders).await;
    plant.is_as_in_tryton().await;
}

fn slice(from: usize, to: usize, step: usize) -> String {
    format!("{from}:{to}:{step}")
}

struct Plant {
    api: Api,
    tryton: Tryton,
}

impl Plant {
    /// Changes what records show: the remote ids of these.
    fn edits(&self, model: &str, slice: &str, how: &str) -> BTreeSet<String> {
        let field = if model == "product.template" { "name" } else { "description" };
        let value = format!("Changed {slice}");
        let mut words = vec!["edit", model, slice, field, &value];
        words.extend(Some(how).filter(|how| !how.is_empty()));
        remote_ids(&self.tryton.does(&words))
    }

    fn drops(&self, model: &str, slice: &str) -> BTreeSet<String> {
        remote_ids(&self.tryton.does(&["drop", model, slice]))
    }

    /// Syncs both entities; the feed must tell of exactly these, and of each once.
    async fn reads(
        &self,
        what: &str,
        mode: &str,
        products: impl IntoIterator<Item = &String> + Clone,
        orders: impl IntoIterator<Item = &String> + Clone,
    ) {
        let keys = [self.keys(PRODUCTS).await, self.keys(ORDERS).await];
        let before = end_of_feed(&self.api).await;
        let began = Instant::now();
        self.syncs(mode).await;
        tell(what, began, &self.api).await;
        let changes = changes_after(&self.api, Some(&before)).await;
        let told: Vec<(&str, &str)> =
            changes.iter().map(|change| (text(change, "entity"), text(change, "key"))).collect();
        let each: BTreeSet<(&str, &str)> = told.iter().copied().collect();
        assert_eq!(told.len(), each.len(), "{what}: each is told once");
        let of = |entity, keys: &BTreeMap<String, String>, id: &String| {
            (entity, keys.get(id).unwrap_or_else(|| panic!("no {entity} {id}")).clone())
        };
        let products = products.into_iter().map(|id| of(PRODUCTS, &keys[0], id));
        let orders = orders.into_iter().map(|id| of(ORDERS, &keys[1], id));
        let wanted: BTreeSet<(&str, String)> = products.chain(orders).collect();
        let told: BTreeSet<(&str, String)> =
            each.into_iter().map(|(entity, key)| (entity, key.to_owned())).collect();
        let missed: Vec<_> = wanted.difference(&told).take(5).collect();
        let more: Vec<_> = told.difference(&wanted).take(5).collect();
        assert!(missed.is_empty() && more.is_empty(), "{what}: missed {missed:?}, more {more:?}");
    }

    async fn syncs(&self, mode: &str) {
        let entities = [PRODUCTS, ORDERS];
        let mut before = Vec::new();
        for entity in entities {
            before.push(sync_state(&self.api, entity).await["last_success_at"].clone());
        }
        self.api.post("/v1/sync", &json!({ "entities": entities, "mode": mode }), 202).await;
        for (entity, before) in entities.iter().zip(before) {
            wait::until("the sync ends", PATIENCE, async || {
                let state = sync_state(&self.api, entity).await;
                assert_ne!(state["status"], "failed", "{state:#}");
                let ended = state["status"] == "completed" && state["last_success_at"] != before;
                ended.then_some(())
            })
            .await;
        }
    }

    async fn all(&self, entity: &str) -> Vec<Value> {
        self.api.all(&format!("/v1/{entity}?limit=500")).await
    }

    /// The records' keys by remote id.
    async fn keys(&self, entity: &str) -> BTreeMap<String, String> {
        let all = self.all(entity).await;
        let pair = |one: &Value| (text(one, "remoteId").to_owned(), text(one, "key").to_owned());
        all.iter().map(pair).collect()
    }

    async fn is_as_in_tryton(&self) {
        let products = self.tryton.does(&["list", "product.product", "name", "code"]);
        let orders = self.tryton.does(&["list", "purchase.purchase", "description", "reference"]);
        for (entity, theirs, fields) in [
            (PRODUCTS, products, [("name", "name"), ("code", "code")]),
            (ORDERS, orders, [("description", "description"), ("reference", "vendorReference")]),
        ] {
            let theirs: BTreeMap<String, [Value; 2]> = theirs
                .as_array()
                .expect("a list")
                .iter()
                .map(|one| (one["id"].to_string(), fields.map(|(field, _)| one[field].clone())))
                .collect();
            let ours: BTreeMap<String, [Value; 2]> = self
                .all(entity)
                .await
                .iter()
                .map(|one| {
                    let id = text(one, "remoteId").to_owned();
                    (id, fields.map(|(_, field)| one[field].clone()))
                })
                .collect();
            let differs = theirs.iter().find(|(id, one)| ours.get(*id) != Some(*one));
            assert_eq!(differs, None, "{entity}");
            assert_eq!(ours.len(), theirs.len(), "{entity}");
        }
    }
}

fn remote_ids(ids: &Value) -> BTreeSet<String> {
    ids.as_array().expect("ids").iter().map(Value::to_string).collect()
}

async fn tell(what: &str, began: Instant, api: &Api) {
    println!("{what}: {:.1} s", began.elapsed().as_secs_f64());
    for entity in [PRODUCTS, ORDERS] {
        println!("  {entity}: {}", sync_state(api, entity).await["counts"]);
    }
}
