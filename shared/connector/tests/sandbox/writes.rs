//! Writing: what is kept, what is only played through, and what the sandbox refuses itself.

use millwright_connector::{
    Catalog, LookUp, Overlay, References, SourceRecord, System, SystemErrorClass::*, Target,
    check_examples,
};
use millwright_core::{Error, ErrorCode};
use serde_json::{Map, Value, json};

use crate::{ORDERS, asking, draft, engine, ids, open, support};

async fn one(system: &System, entity: &str, id: &str) -> SourceRecord {
    system.get(entity, &[id.to_owned()]).await.unwrap().remove(0)
}

async fn act(system: &System, entity: &str, id: &str, action: &str, body: Value) -> Value {
    let current = one(system, entity, id).await;
    let body = support::object(body);
    let done = system.act(entity, &current, action, &body, &References::new()).await;
    done.unwrap_or_else(|error| panic!("{action}: {error}"));
    Value::Object(one(system, entity, id).await.record)
}

async fn patch(system: &System, entity: &str, id: &str, patch: Value) -> Value {
    let current = one(system, entity, id).await;
    let patch = support::object(patch);
    system.update(entity, &current, &patch, &References::new()).await.unwrap();
    Value::Object(one(system, entity, id).await.record)
}

async fn make(system: &System, entity: &str, body: Value) -> String {
    let body: Map<String, Value> = support::object(body);
    system.create(entity, &body, &References::new(), &body["name"].to_string()).await.unwrap()
}

#[test]
fn every_rule_has_a_body_that_it_accepts_and_one_that_it_refuses() {
    let catalog = Catalog::builtin();
    assert_eq!(check_examples(catalog.get("sandbox").unwrap()), [""; 0]);
}

#[tokio::test]
async fn an_order_goes_from_draft_to_closed() {
    let (engine, _) = engine().await;
    let system = open(&engine, true);
    let (record, references) = draft();
    let id = system.create(ORDERS, &record, &references, "one").await.unwrap();
    for (action, state) in
        [("submit", "pending_approval"), ("approve", "approved"), ("send", "sent")]
    {
        let order = act(&system, ORDERS, &id, action, json!({})).await;
        assert_eq!(order["state"], state);
    }
    let line = one(&system, ORDERS, &id).await.record["lineItems"][0]["key"].clone();
    let part = json!({ "deliveryNoteNo": "DN-1", "lineItems": [{ "key": line, "quantity": "1" }] });
    let order = act(&system, ORDERS, &id, "receive", part).await;
    assert_eq!(order["state"], "partially_received");
    assert_eq!(order["lineItems"][0]["receivedQuantity"], "1");
    assert!(order["approvedAt"].is_string());
    assert_eq!(act(&system, ORDERS, &id, "receive", json!({})).await["state"], "received");
    assert_eq!(act(&system, ORDERS, &id, "close", json!({})).await["state"], "closed");

    let receipts = ids(&system, "receivings", None, 100).await;
    let made: Vec<&String> = receipts.iter().filter(|id| id.starts_with("rcv-new")).collect();
    assert_eq!(made.len(), 2);
    let quantities: Vec<Value> = {
        let mut quantities = Vec::new();
        for id in made {
            let receipt = one(&system, "receivings", id).await.record;
            assert_eq!(receipt["state"], "received");
            quantities.push(receipt["lineItems"][0]["quantity"].clone());
        }
        quantities.sort_by_key(Value::to_string);
        quantities
    };
    assert_eq!(quantities, ["1", "1.5"]);
}

#[tokio::test]
async fn a_step_that_the_status_does_not_allow_is_a_conflict() {
    let (engine, store) = engine().await;
    let system = open(&engine, true);
    let draft = one(&system, ORDERS, "po-0001").await;
    let refused = system.act(ORDERS, &draft, "close", &Map::new(), &References::new()).await;
    assert_eq!(refused.unwrap_err().class, Conflict);
    // Also where the caller knows an older state than the sandbox has.
    let hand = crate::hand(&store);
    let mut row = hand.row(ORDERS, "po-0001").await.unwrap().unwrap();
    row.insert("status".to_owned(), json!("cancelled"));
    hand.put(ORDERS, "po-0001", row).await.unwrap();
    let refused = system.act(ORDERS, &draft, "submit", &Map::new(), &References::new()).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.class, refused.sent), (Conflict, false));
    assert_eq!(refused.upstream.code.as_deref(), Some("WRONG_STATUS"));
    assert_eq!(Error::from(refused).code, ErrorCode::StateConflict);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_lines_by_their_keys() {
    let (engine, _) = engine().await;
    let system = open(&engine, true);
    let (mut record, references) = draft();
    let line = record["lineItems"][0].clone();
    record["lineItems"] = json!([line, line]);
    let id = system.create(ORDERS, &record, &references, "one").await.unwrap();
    let before = one(&system, ORDERS, &id).await.record;
    let (first, second) = (&before["lineItems"][0]["key"], &before["lineItems"][1]["key"]);
    let change = json!({
        "notes": "Call first",
        "lineItems": [{ "key": first, "quantity": "4" }, { "key": second, "deleted": true }],
    });
    let after = patch(&system, ORDERS, &id, change).await;
    assert_eq!(
        (&after["notes"], &after["vendorReference"]),
        (&json!("Call first"), &json!("MW-1"))
    );
    assert_eq!(after["lineItems"].as_array().unwrap().len(), 1);
    assert_eq!(after["lineItems"][0]["key"], *first);
    assert_eq!(after["totalNetValue"], "0.4", "totals follow");
    assert!(after["updatedAt"].as_str() >= before["updatedAt"].as_str());
    let emptied = patch(&system, ORDERS, &id, json!({ "notes": null })).await;
    assert_eq!(emptied["notes"], Value::Null);
}

#[tokio::test]
async fn a_work_order_is_started_held_completed_and_opened_again() {
    let (engine, _) = engine().await;
    let system = open(&engine, true);
    let body = support::object(json!({ "title": "Grease", "tasks": [{ "title": "Lock out" }] }));
    let id = system.create("work-orders", &body, &References::new(), "one").await.unwrap();
    assert_eq!(one(&system, "work-orders", &id).await.record["state"], "requested");
    for (action, body, state) in [
        ("open", json!({}), "open"),
        ("start", json!({}), "in_progress"),
        ("hold", json!({}), "on_hold"),
        ("start", json!({}), "in_progress"),
        ("complete", json!({ "completionRemarks": "Fine" }), "completed"),
        ("close", json!({}), "closed"),
        ("reopen", json!({}), "in_progress"),
    ] {
        let order = act(&system, "work-orders", &id, action, body).await;
        assert_eq!(order["state"], state, "{action}");
        let done = ["completed", "closed"].contains(&state);
        assert_eq!(order.get("completedAt").is_some_and(|at| !at.is_null()), done, "{action}");
    }
}

#[tokio::test]
async fn each_way_of_deleting_is_there() {
    let (engine, store) = engine().await;
    let system = open(&engine, true);
    for (entity, id) in [(ORDERS, "po-0001"), ("vendors", "ven-0003"), ("work-orders", "wo-0003")] {
        let current = one(&system, entity, id).await;
        system.delete(entity, &current).await.unwrap();
    }
    assert!(!ids(&system, ORDERS, None, 100).await.contains(&"po-0001".to_owned()), "hard");
    let listed = system.list_ids("vendors", None).await.unwrap().ids;
    assert!(!listed.contains(&"ven-0003".to_owned()), "soft: not among what is there");
    let marked = crate::hand(&store).row("vendors", "ven-0003").await.unwrap().unwrap();
    assert!(marked["deletedAt"].is_string(), "soft: still there, and marked");
    let cancelled = one(&system, "work-orders", "wo-0003").await.record;
    assert_eq!(cancelled["state"], "cancelled", "by status");
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_found_by_its_token() {
    let (engine, _) = engine().await;
    let (record, references) = draft();
    let lost = asking(&engine, "lost-answer");
    assert!(lost.create(ORDERS, &record, &references, "token-1").await.unwrap_err().sent);
    let found = open(&engine, true);
    let looked = found.find_created(ORDERS, &record, "token-1", &references).await.unwrap();
    let LookUp::Found(id) = looked else { panic!("{looked:?}") };
    assert!(id.starts_with("po-new-"));
    let other = found.find_created(ORDERS, &record, "token-2", &references).await.unwrap();
    assert_eq!(other, LookUp::NotThere);
    let vendor = support::object(json!({ "name": "Norton" }));
    let untold = found.find_created("vendors", &vendor, "token-1", &references).await.unwrap();
    assert_eq!(untold, LookUp::CannotTell, "nothing to find a vendor by");
}

#[tokio::test]
async fn what_is_only_played_through_is_read_back_and_not_kept() {
    let (engine, _) = engine().await;
    let system = open(&engine, false);
    let vendor = make(&system, "vendors", json!({ "name": "Norton" })).await;
    assert_eq!(one(&system, "vendors", &vendor).await.record["name"], "Norton");
    let changed = patch(&system, "vendors", "ven-0001", json!({ "notes": "x" })).await;
    assert_eq!(changed["notes"], "x");
    let draft = one(&system, ORDERS, "po-0001").await;
    assert_eq!(
        act(&system, ORDERS, "po-0001", "submit", json!({})).await["state"],
        "pending_approval"
    );
    system.delete(ORDERS, &draft).await.unwrap();
    assert!(system.get(ORDERS, &["po-0001".to_owned()]).await.unwrap().is_empty());

    let another = open(&engine, false);
    assert_eq!(one(&another, ORDERS, "po-0001").await.record["state"], "draft");
    assert_eq!(one(&another, "vendors", "ven-0001").await.record["notes"], Value::Null);
    assert!(another.get("vendors", &[vendor]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_magic_vendor_and_a_magic_material_are_refused_with_the_contracts_codes() {
    let (engine, _) = engine().await;
    let system = open(&engine, true);
    for (vendor, material, code, path, own) in [
        ("ven-0025", "mat-0007", ErrorCode::ReferenceNotFound, "vendorKey", "INVALID_VENDOR"),
        (
            "ven-0003",
            "mat-0059",
            ErrorCode::BusinessRuleViolated,
            "lineItems[0].materialKey",
            "OUT_OF_STOCK",
        ),
    ] {
        let (record, _) = draft();
        let key = |name: &str| record[name].as_str().unwrap().to_owned();
        let line = record["lineItems"][0]["materialKey"].as_str().unwrap().to_owned();
        let references: References =
            [("vendors", key("vendorKey"), vendor), ("materials", line, material)]
                .into_iter()
                .collect();
        let refused = system.create(ORDERS, &record, &references, "one").await.unwrap_err();
        let error: Error = refused.into();
        assert_eq!((error.code, error.fields[0].path.as_str()), (code, path));
        assert_eq!(error.upstream.unwrap().code.as_deref(), Some(own));
    }
}

#[tokio::test]
async fn custom_fields_are_discovered_and_some_can_be_written() {
    let (engine, _) = engine().await;
    let chosen = Overlay {
        custom_fields: vec!["cost_centre".to_owned(), "system_ref".to_owned()],
        ..Overlay::default()
    };
    let target = support::target("sandbox", json!({ "stateful": true }), &[]);
    let overlays = [(ORDERS.to_owned(), chosen)].into_iter().collect();
    let system = engine.open(Target { overlays, ..target }).unwrap();
    let found = system.custom_fields(ORDERS).await.unwrap();
    let names: Vec<(&str, bool)> =
        found.iter().map(|field| (field.name.as_str(), field.writable)).collect();
    assert!(names.contains(&("cost_centre", true)) && names.contains(&("system_ref", false)));
    let (mut record, references) = draft();
    record.insert("customFields".to_owned(), json!({ "cost_centre": "CC-9" }));
    let id = system.create(ORDERS, &record, &references, "one").await.unwrap();
    let made = one(&system, ORDERS, &id).await.record;
    assert_eq!(made["customFields"], json!({ "cost_centre": "CC-9" }));
    record["customFields"] = json!({ "system_ref": "x" });
    let refused = system.create(ORDERS, &record, &references, "two").await.unwrap_err();
    assert_eq!(Error::from(refused).code, ErrorCode::CustomFieldNotWritable);
}

#[tokio::test]
async fn a_row_too_large_to_be_kept_is_refused_at_once() {
    let (engine, _) = engine().await;
    let system = open(&engine, true);
    let id = make(&system, "vendors", json!({ "name": "Norton" })).await;
    let current = one(&system, "vendors", &id).await;
    let patch = support::object(json!({ "notes": "x".repeat(200 << 10) }));
    let refused = system.update("vendors", &current, &patch, &References::new()).await.unwrap_err();
    assert_eq!((refused.class, refused.upstream.code.as_deref()), (Validation, Some("TOO_LARGE")));
    assert_eq!(one(&system, "vendors", &id).await.record, current.record);
}
