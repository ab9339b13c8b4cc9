//! Scenarios by name: for a login, a connection, a request.

use std::time::Duration;

use millwright_connector::{Catalog, Engine, Pull, Scenario, SystemError};
use millwright_connector::{System, SystemErrorClass, SystemErrorClass::*};
use millwright_core::{Error, ErrorCode};
use serde_json::json;

use crate::{ORDERS, asking, draft, engine, hand, ids, open, open_as, support, tell};

fn class<T>(result: Result<T, SystemError>) -> Option<SystemErrorClass> {
    result.err().map(|error| error.class)
}

/// What each kind of call comes to: probe, page, rows by id, ids, a write.
async fn classes(system: &System) -> [Option<SystemErrorClass>; 5] {
    let (record, references) = draft();
    [
        class(system.probe().await),
        class(system.pull(ORDERS, &Pull::default()).await),
        class(system.get(ORDERS, &["po-0001".to_owned()]).await),
        class(system.list_ids(ORDERS, None).await),
        class(system.create(ORDERS, &record, &references, "token").await),
    ]
}

#[tokio::test]
async fn a_connection_behaves_as_it_is_told_until_it_is_told_otherwise() {
    let (engine, store) = engine().await;
    let system = open(&engine, true);
    for (name, probe, others) in [
        ("outage", Some(Unreachable), Some(Unreachable)),
        ("down", Some(Unreachable), Some(Unreachable)),
        ("outage-60s", Some(Unreachable), Some(Unreachable)),
        ("expired", Some(Reauthorize), Some(Reauthorize)),
        ("denied", Some(Reauthorize), Some(Reauthorize)),
        ("mfa", Some(Reauthorize), Some(Reauthorize)),
        ("permission-denied", None, Some(Permission)),
        ("malformed", None, Some(Malformed)),
        ("500", Some(Unreachable), Some(Unreachable)),
        ("429", Some(RateLimited), Some(RateLimited)),
        ("404", Some(NotFound), Some(NotFound)),
        ("409", Some(Conflict), Some(Conflict)),
        ("405", Some(Unsupported), Some(Unsupported)),
        ("ok", None, None),
    ] {
        tell(&store, name).await;
        assert_eq!(classes(&system).await, [probe, others, others, others, others], "{name}");
    }
    assert_eq!(hand(&store).told().await.unwrap(), Scenario::Ok.into());
}

#[tokio::test]
async fn a_request_has_a_scenario_of_its_own_and_does_not_touch_the_probe() {
    let (engine, store) = engine().await;
    for (name, others) in [
        ("expired", Some(Reauthorize)),
        ("down", Some(Unreachable)),
        ("permission-denied", Some(Permission)),
        ("429", Some(RateLimited)),
        ("malformed", Some(Malformed)),
        ("ok", None),
    ] {
        let classes = classes(&asking(&engine, name)).await;
        assert_eq!(classes, [None, others, others, others, others], "{name}");
    }
    tell(&store, "down").await;
    assert_eq!(class(asking(&engine, "ok").pull(ORDERS, &Pull::default()).await), None);
    let system = open(&engine, true);
    assert_eq!(class(system.pull(ORDERS, &Pull::default()).await), Some(Unreachable));
}

#[tokio::test]
async fn a_login_behaves_as_its_name_says() {
    let (engine, _) = engine().await;
    for (login, probe, read) in [
        ("ok", None, None),
        ("down", Some(Unreachable), Some(Unreachable)),
        ("expired", Some(Reauthorize), Some(Reauthorize)),
        ("denied", Some(Reauthorize), Some(Reauthorize)),
        ("mfa", Some(Reauthorize), Some(Reauthorize)),
        ("somebody", Some(Reauthorize), Some(Reauthorize)),
        ("flaky", None, Some(Unreachable)),
        ("ratelimit", None, Some(RateLimited)),
        ("schema-drift", None, None),
        ("slow-1s", None, None),
        ("huge", None, None),
        ("empty", None, None),
    ] {
        let system = open_as(&engine, json!({}), login);
        let probed = class(system.probe().await);
        let pulled = class(system.pull("vendors", &Pull::default()).await);
        assert_eq!((probed, pulled), (probe, read), "{login}");
    }
}

/// What a read and a write come to under every name that there is, in a sandbox of which an answer is
/// awaited for a second.
#[tokio::test]
async fn every_name_does_what_it_says() {
    let (_, store) = engine().await;
    let engine = impatient_engine(&store);
    let (record, references) = draft();
    for name in Scenario::names() {
        let (read, write) = match name.as_str() {
            "ok" | "schema-drift" | "partial-failure" | "changes-30s" => (None, None),
            "standard" | "custom-fields" | "draft" | "approved" | "completed" | "work-orders"
            | "stock" | "huge" => (None, None),
            "invalid-vendor" | "out-of-stock" | "empty" => (None, Some(Validation)),
            "lost-answer" | "slow-write" => (None, Some(Unreachable)),
            "expired" | "denied" | "mfa" => (Some(Reauthorize), Some(Reauthorize)),
            "slow" | "slow-5s" | "timeout" | "outage" | "outage-60s" | "down" | "500" => {
                (Some(Unreachable), Some(Unreachable))
            }
            // The second of the two calls passes.
            "flaky" => (Some(Unreachable), None),
            "ratelimit" | "ratelimit-60s" => (Some(RateLimited), None),
            "permission-denied" => (Some(Permission), Some(Permission)),
            "malformed" => (Some(Malformed), Some(Malformed)),
            other => panic!("{other} has no case here"),
        };
        let system = asking(&engine, &name);
        assert_eq!(class(system.pull("vendors", &Pull::default()).await), read, "{name}: read");
        let made = system.create(ORDERS, &record, &references, "token").await;
        assert_eq!(class(made), write, "{name}: write");
    }
}

#[tokio::test]
async fn a_second_factor_lets_its_login_in() {
    let (engine, _) = engine().await;
    for (code, expected) in [("123456", None), ("000000", Some(Reauthorize))] {
        let credentials = [("username", "mfa"), ("code", code)];
        let system = engine.open(support::target("sandbox", json!({}), &credentials)).unwrap();
        assert_eq!(class(system.probe().await), expected, "{code}");
    }
}

#[tokio::test]
async fn what_the_system_says_is_told_in_its_own_words() {
    let (engine, _) = engine().await;
    for (login, code) in [("expired", "EXPIRED"), ("denied", "DENIED"), ("mfa", "MFA_REQUIRED")] {
        let refused = open_as(&engine, json!({}), login).probe().await.unwrap_err();
        assert_eq!(refused.upstream.status, Some(401));
        assert_eq!(refused.upstream.code.as_deref(), Some(code));
    }
}

#[tokio::test]
async fn too_many_requests_say_how_long_to_wait() {
    let (engine, _) = engine().await;
    for (name, seconds) in [("429", 5), ("ratelimit", 5), ("ratelimit-7s", 7)] {
        let refused = asking(&engine, name).pull(ORDERS, &Pull::default()).await.unwrap_err();
        assert_eq!(refused.retry_after, Some(Duration::from_secs(seconds)), "{name}");
        assert_eq!(Error::from(refused).code, ErrorCode::UpstreamRateLimited);
    }
}

#[tokio::test]
async fn flaky_and_limited_calls_are_counted_by_all_instances_together() {
    let (engine, store) = engine().await;
    for (name, expected) in [
        ("flaky", [true, false, false, true, false, false]),
        ("ratelimit", [true, false, true, false, true, false]),
    ] {
        tell(&store, name).await;
        let mut failed = Vec::new();
        for _ in 0..6 {
            let another = open(&engine, false);
            another.probe().await.unwrap();
            failed.push(another.pull("vendors", &Pull::default()).await.is_err());
        }
        assert_eq!(failed, expected, "{name}");
    }
}

#[tokio::test]
async fn a_slow_answer_comes_and_one_that_is_too_slow_does_not() {
    let (engine, store) = engine().await;
    let began = store.clock().wall();
    let slow = asking(&engine, "slow-1s");
    assert_eq!(ids(&slow, "vendors", None, 100).await.len(), 25);
    assert!(store.clock().wall().since(began) >= Duration::from_secs(1));

    let impatient = impatient_engine(&store);
    let (record, references) = draft();
    for name in ["timeout", "slow-2s"] {
        let system = asking(&impatient, name);
        let read = system.pull(ORDERS, &Pull::default()).await.unwrap_err();
        assert_eq!((read.class, read.sent), (Unreachable, false), "{name}");
        let write = system.create(ORDERS, &record, &references, "token").await.unwrap_err();
        assert_eq!((write.class, write.sent), (Unreachable, true), "{name}");
    }
    assert_eq!(ids(&open(&engine, true), ORDERS, None, 100).await.len(), 42, "they were made");
}

/// An engine that waits a second for an answer.
fn impatient_engine(store: &millwright_store::Store) -> Engine {
    let yaml = include_str!("../../systems/sandbox.yaml");
    let impatient = yaml.replace("timeout_seconds: 30", "timeout_seconds: 1");
    assert_ne!(impatient, yaml);
    let catalog = Catalog::of([impatient.as_str()]).unwrap();
    Engine::new(catalog, support::outbound(), store.clone())
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_has_happened() {
    let (engine, _) = engine().await;
    let (record, references) = draft();
    let lost = asking(&engine, "lost-answer");
    let error = lost.create(ORDERS, &record, &references, "token").await.unwrap_err();
    assert_eq!((error.class, error.sent), (Unreachable, true));
    assert_eq!(error.into_write_error().code, ErrorCode::WriteOutcomeUnknown);
    assert_eq!(ids(&lost, ORDERS, None, 100).await.len(), 41);
}

#[tokio::test]
async fn an_outage_has_a_beginning_and_an_end_by_the_schedule_clock() {
    let (engine, store) = engine().await;
    let system = open(&engine, false);
    tell(&store, "outage-60s").await;
    assert_eq!(class(system.probe().await), Some(Unreachable));
    store.clock().step(Duration::from_secs(60));
    assert_eq!(class(system.probe().await), None);
}

#[tokio::test]
async fn the_outage_of_a_login_begins_with_its_first_reading() {
    let (engine, store) = engine().await;
    let system = open_as(&engine, json!({}), "outage-60s");
    assert_eq!(class(system.probe().await), None, "connecting works");
    store.clock().step(Duration::from_secs(3600));
    assert_eq!(class(system.probe().await), None);
    assert_eq!(class(system.pull("vendors", &Pull::default()).await), Some(Unreachable));
    assert_eq!(class(system.probe().await), Some(Unreachable));
    store.clock().step(Duration::from_secs(60));
    assert_eq!(class(system.pull("vendors", &Pull::default()).await), None);
    assert_eq!(class(system.probe().await), None);
}

#[tokio::test]
async fn rows_drift_in_four_ways_and_only_those_that_cannot_be_read_are_left_out() {
    let (engine, _) = engine().await;
    let all = Pull { page_size: 100, ..Pull::default() };
    let page = asking(&engine, "schema-drift").pull(ORDERS, &all).await.unwrap();
    assert_eq!(page.records.len() + page.faults.len(), 40);
    assert!(page.faults.len() > 2 && page.faults.iter().all(|fault| fault.field == "createdAt"));
    let other = page.records.iter().filter(|one| one.record["state"] == "other").count();
    assert!(other > 3, "{other} with an unknown status");
    let without = page.records.iter().filter(|one| !one.record.contains_key("description"));
    assert!(without.count() > 2);

    let again = asking(&engine, "schema-drift").pull(ORDERS, &all).await.unwrap();
    assert_eq!(page.records, again.records, "it is always the same");
    let partly = asking(&engine, "partial-failure").pull(ORDERS, &all).await.unwrap();
    assert_eq!(partly.faults, page.faults);
    assert_eq!(partly.records.len() + partly.faults.len(), 40);
}

#[tokio::test]
async fn a_partial_failure_forgets_a_part_of_what_is_written() {
    let (engine, _) = engine().await;
    let (mut record, references) = draft();
    record.insert("description".to_owned(), json!("Forget me"));
    let partly = asking(&engine, "partial-failure");
    let id = partly.create(ORDERS, &record, &references, "token").await.unwrap();
    let made = open(&engine, true).get(ORDERS, &[id]).await.unwrap().remove(0).record;
    assert_eq!(made.get("description").filter(|value| !value.is_null()), None);
    assert_eq!(made["vendorReference"], "MW-1");
}

#[tokio::test]
async fn an_invalid_vendor_and_what_is_out_of_stock_are_refused_by_the_system() {
    let (engine, _) = engine().await;
    let (record, references) = draft();
    for (name, code) in [("invalid-vendor", "INVALID_VENDOR"), ("out-of-stock", "OUT_OF_STOCK")] {
        let refused = asking(&engine, name).create(ORDERS, &record, &references, "token").await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.class, refused.sent), (Validation, false));
        assert_eq!(refused.upstream.code.as_deref(), Some(code));
    }
}

#[tokio::test]
async fn a_change_comes_every_so_often_in_turn() {
    let (engine, store) = engine().await;
    let system = open(&engine, false);
    let before = ids(&system, ORDERS, None, 100).await;
    tell(&store, "changes-30s").await;
    let since = store.clock().schedule().millis();
    assert_eq!(ids(&system, ORDERS, None, 100).await, before);

    store.clock().step(Duration::from_secs(30));
    assert_eq!(ids(&system, ORDERS, Some(since), 100).await, ["po-t0000001"], "a new one");
    store.clock().step(Duration::from_secs(30));
    let changed = ids(&system, ORDERS, Some(since), 100).await;
    assert_eq!(changed, ["po-0021", "po-t0000001"], "a changed one");
    let rows = system.get(ORDERS, &changed[..1]).await.unwrap();
    assert!(rows[0].record["notes"].as_str().unwrap().starts_with("changed at 20"));
    store.clock().step(Duration::from_secs(30));
    let after = system.list_ids(ORDERS, None).await.unwrap().ids;
    assert!(!after.contains(&"po-0001".to_owned()), "a deleted one");
    assert_eq!(after.len(), 40);
    assert_eq!(ids(&system, "vendors", Some(since), 100).await, ["ven-0013", "ven-t0000001"]);

    // What has happened stays when it ends, and goes on from there.
    tell(&store, "ok").await;
    store.clock().step(Duration::from_secs(600));
    assert_eq!(system.list_ids(ORDERS, None).await.unwrap().ids, after);
    tell(&store, "changes-30s").await;
    store.clock().step(Duration::from_secs(30));
    let after = system.list_ids(ORDERS, None).await.unwrap().ids;
    assert!(after.contains(&"po-t0000002".to_owned()) && after.len() == 41);
}
