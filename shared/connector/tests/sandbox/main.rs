//! The sandbox through the engine, on a stand-in for the table.

#[path = "../support/mod.rs"]
mod support;

mod data;
mod rules;
mod scenarios;
mod writes;

use millwright_connector::{
    Catalog, Engine, Pull, Pulled, References, SandboxControl, Scenario, System, Target,
};
use millwright_core::{Error, ErrorCode, WorkspaceId};
use millwright_entities::{Entity, record_key};
use millwright_store::Store;
use serde_json::{Value, json};

const ORDERS: &str = "purchase-orders";

async fn engine() -> (Engine, Store) {
    let store = support::store_at(&support::table::start().await);
    (Engine::new(Catalog::builtin(), support::outbound(), store.clone()), store)
}

fn open(engine: &Engine, stateful: bool) -> System {
    engine.open(support::target("sandbox", json!({"stateful": stateful}), &[])).unwrap()
}

/// A sandbox with settings and a login.
fn open_as(engine: &Engine, settings: Value, login: &str) -> System {
    engine.open(support::target("sandbox", settings, &[("username", login)])).unwrap()
}

/// A sandbox for one request that asks for a scenario.
fn asking(engine: &Engine, scenario: &str) -> System {
    let target = support::target("sandbox", json!({"stateful": true}), &[]);
    engine.open(Target { scenario: Some(scenario.parse().unwrap()), ..target }).unwrap()
}

fn hand(store: &Store) -> SandboxControl {
    SandboxControl::new(store.clone(), &WorkspaceId::derived(&["test"]), &support::connection())
}

/// Tells the sandbox a scenario by its name.
async fn tell(store: &Store, name: &str) {
    hand(store).tell(name.parse::<Scenario>().unwrap().into()).await.unwrap();
}

async fn everything(system: &System, entity: &str, from: Option<i64>, size: u32) -> Vec<Pulled> {
    let mut ask = Pull { from, page_size: size, ..Pull::default() };
    let mut pages = Vec::new();
    loop {
        let page = system.pull(entity, &ask).await.unwrap();
        let next = page.next.clone();
        pages.push(page);
        match next {
            Some(next) => ask.position = next,
            None => return pages,
        }
    }
}

async fn ids(system: &System, entity: &str, from: Option<i64>, size: u32) -> Vec<String> {
    let pages = everything(system, entity, from, size).await;
    pages.into_iter().flat_map(|page| page.records).map(|record| record.remote_id).collect()
}

fn draft() -> (serde_json::Map<String, Value>, References) {
    let key = |entity: &str, id: &str| record_key(&support::connection(), entity, id);
    let (vendor, material) = (key("vendors", "ven-0003"), key("materials", "mat-0007"));
    let record = json!({
        "vendorKey": vendor,
        "vendorReference": "MW-1",
        "lineItems": [{"materialKey": material, "quantity": "2.5", "price": "0.1"}],
    });
    let references = [("vendors", vendor, "ven-0003"), ("materials", material, "mat-0007")];
    (support::object(record), references.into_iter().collect())
}

#[tokio::test]
async fn the_standard_data_set_is_valid_and_read_in_pages() {
    let (engine, _) = engine().await;
    let system = open(&engine, false);
    assert_eq!(system.probe().await.unwrap().id, "sandbox");
    for (entity, count) in [(ORDERS, 40), ("vendors", 25), ("materials", 60)] {
        let schema = Entity::find(entity).unwrap().schema();
        let schema = jsonschema::draft202012::new(schema).unwrap();
        let mut seen = Vec::new();
        for page in everything(&system, entity, None, 7).await {
            assert_eq!(page.faults, []);
            assert!(page.records.len() <= 7 && page.source_time.is_some());
            for record in page.records {
                let value = Value::Object(record.record);
                assert!(schema.is_valid(&value), "{value:#}");
                seen.push(record.remote_id);
            }
        }
        assert_eq!(seen.len(), count);
        assert_eq!(system.list_ids(entity, None).await.unwrap().ids, seen);
    }
}

#[tokio::test]
async fn statuses_are_records_with_keys_that_orders_name() {
    let (engine, _) = engine().await;
    let system = open(&engine, false);
    let statuses = system.manifest().statuses(&support::connection(), ORDERS);
    let schema = jsonschema::draft202012::new(Entity::find("statuses").unwrap().schema()).unwrap();
    assert!(statuses.iter().all(|one| schema.is_valid(&Value::Object(one.clone()))));
    let order = system.get(ORDERS, &["po-0001".to_owned()]).await.unwrap().remove(0).record;
    let draft = statuses.iter().find(|one| one["key"] == order["statusKey"]).unwrap();
    assert_eq!((&draft["code"], &order["state"]), (&json!("draft"), &json!("draft")));
}

#[tokio::test]
async fn a_stateful_sandbox_keeps_what_is_made() {
    let (engine, store) = engine().await;
    let system = open(&engine, true);
    assert!(!system.simulated());
    let before = store.clock().schedule().millis();
    let (record, references) = draft();
    let id = system.create(ORDERS, &record, &references, "token").await.unwrap();
    let made = &system.get(ORDERS, std::slice::from_ref(&id)).await.unwrap()[0].record;
    assert_eq!(made["state"], "draft");
    assert_eq!(made["totalNetValue"], "0.25");
    assert_eq!(made["vendorKey"], record["vendorKey"]);
    assert_eq!(made["lineItems"][0]["materialKey"], record["lineItems"][0]["materialKey"]);

    let another = open(&engine, true);
    assert_eq!(ids(&another, ORDERS, None, 6).await.len(), 41);
    assert_eq!(ids(&another, ORDERS, Some(before), 6).await, std::slice::from_ref(&id));
    assert!(another.list_ids(ORDERS, None).await.unwrap().ids.contains(&id));
}

#[tokio::test]
async fn several_lines_may_order_the_same_material() {
    let (engine, _) = engine().await;
    let system = open(&engine, true);
    let (mut record, references) = draft();
    let line = record["lineItems"][0].clone();
    record["lineItems"] = json!([line, line, line]);
    let id = system.create(ORDERS, &record, &references, "token").await.unwrap();
    let made = system.get(ORDERS, &[id.clone(), id]).await.unwrap();
    assert_eq!(made[0].record["lineItems"].as_array().unwrap().len(), 3);
    assert_eq!(made[0].record["totalNetValue"], "0.75");
}

#[tokio::test]
async fn one_key_for_a_vendor_and_a_material_is_refused_where_it_does_not_belong() {
    let (engine, _) = engine().await;
    let system = open(&engine, true);
    let (mut record, references) = draft();
    record["lineItems"][0]["materialKey"] = record["vendorKey"].clone();
    let refused = system.create(ORDERS, &record, &references, "token").await.unwrap_err();
    let error: Error = refused.into();
    assert_eq!(error.code, ErrorCode::ReferenceNotFound);
    let paths: Vec<_> = error.fields.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["lineItems[0].materialKey"]);
}

#[tokio::test]
async fn any_other_sandbox_plays_a_write_through_and_changes_nothing() {
    let (engine, _) = engine().await;
    let system = open(&engine, false);
    assert!(system.simulated());
    let (record, references) = draft();
    let id = system.create(ORDERS, &record, &references, "token").await.unwrap();
    let made = system.get(ORDERS, std::slice::from_ref(&id)).await.unwrap();
    assert_eq!(made[0].record["vendorReference"], "MW-1");
    assert_eq!(ids(&system, ORDERS, None, 0).await.len(), 40);
    assert!(open(&engine, false).get(ORDERS, &[id]).await.unwrap().is_empty());
}

#[tokio::test]
async fn rows_can_be_put_and_deleted_by_hand() {
    let (engine, store) = engine().await;
    let (system, hand) = (open(&engine, true), hand(&store));
    let before = store.clock().schedule().millis();
    let mut row = hand.row("vendors", "ven-0002").await.unwrap().unwrap();
    row.insert("name".to_owned(), json!("Renamed"));
    hand.put("vendors", "ven-0002", row).await.unwrap();
    hand.put("vendors", "ven-0099", support::object(json!({"name": "New"}))).await.unwrap();
    hand.delete("vendors", "ven-0003").await.unwrap();

    assert_eq!(ids(&system, "vendors", Some(before), 1).await, ["ven-0002", "ven-0099"]);
    let all = ids(&system, "vendors", None, 4).await;
    assert_eq!(all.len(), 25);
    assert_eq!(all[1..3], ["ven-0002", "ven-0004"]);
    assert_eq!(system.list_ids("vendors", None).await.unwrap().ids, all);
    let asked = ["ven-0002", "ven-0003"].map(str::to_owned);
    let found = system.get("vendors", &asked).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].record["name"], "Renamed");
    assert_eq!(hand.row("vendors", "ven-0003").await.unwrap(), None);
}

#[tokio::test]
async fn a_reference_to_nothing_is_refused_by_the_sandbox_too() {
    let (engine, _) = engine().await;
    let system = open(&engine, true);
    let (record, mut references) = draft();
    let vendor = record["vendorKey"].as_str().unwrap().to_owned();
    references.insert("vendors", vendor, "ven-9999");
    let refused = system.create(ORDERS, &record, &references, "token").await.unwrap_err();
    let error: Error = refused.into();
    assert_eq!(error.code, ErrorCode::ReferenceNotFound);
    assert_eq!(error.fields[0].path, "vendorKey");
    assert_eq!(error.upstream.unwrap().code.as_deref(), Some("INVALID_VENDOR"));
}

#[tokio::test]
async fn a_form_that_does_not_fit_is_refused() {
    let (engine, _) = engine().await;
    let settings = json!({"stateful": "yes", "url": "x"});
    let error =
        engine.open(support::target("sandbox", settings, &[("password", "x")])).unwrap_err();
    let paths: Vec<_> = error.fields.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(error.code, ErrorCode::ValidationFailed);
    assert_eq!(paths, ["settings.url", "settings.stateful", "credentials.password"]);
    let error = engine.open(support::target("unicorn", json!({}), &[])).unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}
