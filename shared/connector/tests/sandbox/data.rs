//! Data sets.

use std::collections::BTreeSet;

use millwright_connector::{DataSet, Position, System};
use millwright_entities::Entity;
use serde_json::{Value, json};

use crate::{ORDERS, engine, everything, ids, open_as};

fn entities(system: &System) -> Vec<String> {
    system.manifest().entities.names().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_row_of_every_data_set_is_valid() {
    let (engine, _) = engine().await;
    for set in DataSet::ALL {
        let system = open_as(&engine, json!({ "data": set.as_str(), "records": 250 }), "ok");
        for entity in entities(&system) {
            let schema = Entity::find(&entity).unwrap().schema();
            let schema = jsonschema::draft202012::new(schema).unwrap();
            let mut seen = Vec::new();
            for page in everything(&system, &entity, None, 60).await {
                assert_eq!(page.faults, [], "{entity}");
                for record in page.records {
                    let value = Value::Object(record.record);
                    assert!(schema.is_valid(&value), "{entity}: {value:#}");
                    seen.push(record.remote_id);
                }
            }
            assert!(seen.is_sorted() && seen.iter().collect::<BTreeSet<_>>().len() == seen.len());
            assert_eq!(system.list_ids(&entity, None).await.unwrap().ids, seen);
            assert_eq!(seen.is_empty(), has_none(set, &entity), "{entity} of {}", set.as_str());
        }
    }
}

fn has_none(set: DataSet, entity: &str) -> bool {
    let wares = ["purchase-orders", "receivings", "products", "stocks", "inventories"];
    let work = ["purchase-orders", "receivings", "work-orders", "service-requests", "assets"];
    match set {
        DataSet::Empty => true,
        DataSet::WorkOrders => wares.contains(&entity),
        DataSet::Stock => work.contains(&entity),
        DataSet::Draft | DataSet::Approved => entity == "receivings",
        _ => false,
    }
}

async fn states(data: &str, entity: &str) -> BTreeSet<String> {
    let (engine, _) = engine().await;
    let system = open_as(&engine, json!({ "data": data }), "ok");
    let pages = everything(&system, entity, None, 500).await;
    let records = pages.into_iter().flat_map(|page| page.records);
    records.map(|one| one.record["state"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn orders_are_in_every_state_or_in_one() {
    let all = states("standard", ORDERS).await;
    for state in [
        "draft",
        "pending_approval",
        "approved",
        "sent",
        "partially_received",
        "received",
        "invoiced",
        "closed",
        "cancelled",
        "rejected",
        "other",
    ] {
        assert!(all.contains(state), "{state}");
    }
    for (data, state) in [("draft", "draft"), ("approved", "approved"), ("completed", "closed")] {
        assert_eq!(states(data, ORDERS).await, BTreeSet::from([state.to_owned()]), "{data}");
    }
}

#[tokio::test]
async fn a_million_orders_are_listed_at_any_place_as_fast_as_at_the_first() {
    let (engine, _) = engine().await;
    let system = open_as(&engine, json!({ "data": "huge", "records": 1_000_000 }), "ok");
    for last in ["po-0000100", "po-0500000", "po-0999400", "po-0999950"] {
        let page = system.list_ids(ORDERS, Some(&Position::after(last.to_owned()))).await.unwrap();
        let number: u32 = last[3..].parse().unwrap();
        assert_eq!(page.ids[0], format!("po-{:07}", number + 1));
        let left = usize::try_from(1_000_000 - number).unwrap().min(500);
        assert_eq!(page.ids.len(), left);
        assert_eq!(page.next.is_some(), number + 500 < 1_000_000);
    }
    // What changed last is found without making the rows before it.
    let newest = &system.get(ORDERS, &["po-0999999".to_owned()]).await.unwrap()[0].record;
    let since = millwright_core::from_iso(newest["updatedAt"].as_str().unwrap()).unwrap();
    let changed = ids(&system, ORDERS, Some(since + 10_000), 100).await;
    assert_eq!(changed, ["po-0999999", "po-1000000"]);
}

#[tokio::test]
async fn the_number_of_orders_is_set_within_limits() {
    let (engine, _) = engine().await;
    let count = async |settings: Value| {
        let system = open_as(&engine, settings, "huge");
        let mut after: Option<Position> = None;
        let mut count = 0;
        loop {
            let page = system.list_ids(ORDERS, after.as_ref()).await.unwrap();
            count += page.ids.len();
            match page.next {
                None => return count,
                next => after = next,
            }
        }
    };
    assert_eq!(count(json!({ "records": 1200 })).await, 1200);
    assert_eq!(count(json!({ "records": 1 })).await, 1);
    for wrong in [json!(0), json!(1_000_001), json!("many")] {
        let target = crate::support::target("sandbox", json!({ "records": wrong }), &[]);
        assert!(engine.open(target).is_err(), "{wrong}");
    }
}
