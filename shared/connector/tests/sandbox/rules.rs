//! Scenarios by rules.

use std::time::Duration;

use millwright_connector::{
    Manifest, Pull, References, ScenarioRequest, System, SystemErrorClass::*,
};
use millwright_core::ErrorCode;
use millwright_store::Store;
use serde_json::{Map, Value, json};

use crate::{ORDERS, draft, engine, hand, open};

fn manifest() -> Manifest {
    Manifest::read(include_str!("../../systems/sandbox.yaml")).unwrap()
}

async fn tell(store: &Store, rules: Value) {
    let request = ScenarioRequest::read(&json!({ "rules": rules }), &manifest()).unwrap();
    hand(store).tell(request).await.unwrap();
}

/// The paths of a body's faulty fields.
fn faulty(body: Value) -> Vec<String> {
    let faults = ScenarioRequest::read(&body, &manifest()).unwrap_err();
    faults.into_iter().map(|fault| fault.path).collect()
}

async fn pull(system: &System, entity: &str) -> Option<millwright_connector::SystemErrorClass> {
    system.pull(entity, &Pull::default()).await.err().map(|error| error.class)
}

#[tokio::test]
async fn a_rule_answers_the_calls_that_it_is_about() {
    let (engine, store) = engine().await;
    let system = open(&engine, true);
    tell(
        &store,
        json!([
            { "match": { "entity": ORDERS, "operation": "create" }, "respond": { "status": 409 } },
            { "match": { "entity": "vendors" }, "respond": { "status": 403 } },
            { "match": { "operation": "submit" }, "respond": { "status": 423 } },
        ]),
    )
    .await;
    let (record, references) = draft();
    assert_eq!(
        system.create(ORDERS, &record, &references, "token").await.unwrap_err().class,
        Conflict
    );
    assert_eq!(pull(&system, ORDERS).await, None);
    assert_eq!(pull(&system, "vendors").await, Some(Permission));
    assert!(system.probe().await.is_ok());
    let order = system.get(ORDERS, &["po-0001".to_owned()]).await.unwrap().remove(0);
    let submitted = system.act(ORDERS, &order, "submit", &Map::new(), &References::new()).await;
    assert_eq!(submitted.unwrap_err().class, Conflict);
}

#[tokio::test]
async fn nth_and_times_are_counted_across_instances_and_anew_when_told_again() {
    let (engine, store) = engine().await;
    let rules = json!([
        { "match": { "operation": "list", "nth": 2 }, "respond": { "status": 500 }, "times": 2 },
    ]);
    for _ in 0..2 {
        tell(&store, rules.clone()).await;
        let mut answered = Vec::new();
        for _ in 0..5 {
            answered.push(pull(&open(&engine, false), "vendors").await.is_some());
        }
        assert_eq!(answered, [false, true, true, false, false]);
    }
}

#[tokio::test]
async fn calls_at_the_same_time_are_each_counted_once() {
    let (engine, store) = engine().await;
    tell(&store, json!([{ "respond": { "status": 500 }, "times": 3 }])).await;
    let calls = (0..8).map(|_| {
        let system = open(&engine, false);
        tokio::spawn(async move { pull(&system, "vendors").await.is_some() })
    });
    let mut failed = 0;
    for call in calls.collect::<Vec<_>>() {
        failed += usize::from(call.await.unwrap());
    }
    assert_eq!(failed, 3);
}

#[tokio::test]
async fn an_answer_means_what_the_error_rules_and_its_status_say() {
    let (engine, store) = engine().await;
    let system = open(&engine, true);
    let said = json!({ "error": { "code": "LIMIT", "message": "no more than 5 lines" } });
    for (respond, class, sent, code) in [
        (json!({ "status": 422, "body": said }), Validation, false, Some("LIMIT")),
        (json!({ "status": 422 }), Validation, false, None),
        (json!({ "status": 500, "body": said }), Unreachable, true, None),
        (json!({ "status": 302 }), Malformed, false, None),
        (json!({ "status": 200, "body": "<html>" }), Malformed, true, None),
        (json!({ "body": { "ok": true } }), Malformed, true, None),
        (
            json!({ "body": { "error": { "code": "MAINTENANCE" } } }),
            Unreachable,
            false,
            Some("MAINTENANCE"),
        ),
    ] {
        tell(&store, json!([{ "match": { "operation": "write" }, "respond": respond }])).await;
        let (record, references) = draft();
        let error = system.create(ORDERS, &record, &references, "token").await.unwrap_err();
        assert_eq!((error.class, error.sent), (class, sent), "{respond}");
        assert_eq!(error.upstream.code.as_deref(), code, "{respond}");
    }
    assert_eq!(crate::ids(&system, ORDERS, None, 100).await.len(), 40, "nothing was made");
}

#[tokio::test]
async fn an_answer_of_success_takes_the_place_of_the_sandbox_own() {
    let (engine, store) = engine().await;
    let system = open(&engine, true);
    let row = json!({ "id": "v-1", "name": "Made up", "createdAt": "2026-02-01T00:00:00Z" });
    tell(
        &store,
        json!([
            { "match": { "operation": "read" }, "respond": { "body": { "rows": [row] } } },
            { "match": { "operation": "create" }, "respond": { "body": { "id": "po-77" } } },
            { "match": { "operation": "probe" }, "respond": { "body": { "instance": "other" } } },
        ]),
    )
    .await;
    let page = system.pull("vendors", &Pull::default()).await.unwrap();
    assert_eq!((page.records.len(), page.next), (1, None));
    assert_eq!(page.records[0].record["name"], "Made up");
    let (record, references) = draft();
    assert_eq!(system.create(ORDERS, &record, &references, "token").await.unwrap(), "po-77");
    assert_eq!(system.probe().await.unwrap().id, "other");
}

#[tokio::test]
async fn headers_and_delays_are_heeded() {
    let (engine, store) = engine().await;
    let system = open(&engine, false);
    let respond = json!({ "status": 429, "headers": { "Retry-After": 7 }, "delay_ms": 400 });
    tell(&store, json!([{ "respond": respond }])).await;
    let began = store.clock().wall();
    let error = system.pull("vendors", &Pull::default()).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    assert!(store.clock().wall().since(began) >= Duration::from_millis(400));

    tell(&store, json!([{ "respond": { "delay_ms": 300 } }])).await;
    let began = store.clock().wall();
    assert_eq!(pull(&system, "vendors").await, None, "only a delay");
    assert!(store.clock().wall().since(began) >= Duration::from_millis(300));
}

#[test]
fn a_name_or_rules_must_be_given_and_every_faulty_field_is_named() {
    assert_eq!(faulty(json!({})), ["name"]);
    assert_eq!(faulty(json!([])), ["body"]);
    assert_eq!(faulty(json!({ "name": "unicorn", "colour": 1 })), ["colour", "name"]);
    assert_eq!(faulty(json!({ "name": "ok", "rules": [] })), ["rules"]);
    assert_eq!(faulty(json!({ "rules": [] })), ["rules"]);
    assert_eq!(faulty(json!({ "rules": [7, {}] })), ["rules[0]", "rules[1].respond"]);
    let rule = json!({
        "match": { "entity": "unicorns", "operation": "explode", "nth": 0, "x": 1 },
        "respond": { "status": 99, "delay_ms": 60_001, "headers": { "a b": "c" }, "y": 1 },
        "times": 0.5,
    });
    assert_eq!(
        faulty(json!({ "rules": [rule] })),
        [
            "rules[0].match.x",
            "rules[0].match.entity",
            "rules[0].match.operation",
            "rules[0].match.nth",
            "rules[0].respond.y",
            "rules[0].respond.status",
            "rules[0].respond.delay_ms",
            "rules[0].respond.headers.a b",
            "rules[0].times",
        ]
    );
}

#[test]
fn rules_have_limits() {
    let fine = json!({ "respond": { "delay_ms": 60_000, "body": "x".repeat(16_000) } });
    let rules = |count: usize, rule: &Value| json!({ "rules": vec![rule.clone(); count] });
    assert!(ScenarioRequest::read(&rules(4, &fine), &manifest()).is_ok());
    assert_eq!(faulty(rules(5, &fine)), ["rules"], "all together");
    let short = json!({ "respond": { "status": 500 } });
    assert!(ScenarioRequest::read(&rules(20, &short), &manifest()).is_ok());
    assert_eq!(faulty(rules(21, &short)), ["rules"]);
    let long = json!({ "respond": { "body": "x".repeat(16 * 1024) } });
    assert_eq!(faulty(rules(1, &long)), ["rules[0].respond.body"]);
    let headers: Map<String, Value> =
        (0..21).map(|number| (format!("x-{number}"), json!("1"))).collect();
    let many = json!({ "respond": { "headers": headers } });
    assert_eq!(faulty(rules(1, &many)), ["rules[0].respond.headers"]);
}

#[test]
fn an_outage_may_name_its_window_and_nothing_else_may() {
    let read = |body: Value| ScenarioRequest::read(&body, &manifest());
    let now = millwright_core::ScheduleTime::from_millis(0);
    let window =
        json!({ "name": "outage", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z" });
    let told = read(window).unwrap().told(now).to_json();
    assert_eq!(told["to"], "2026-01-02T00:00:00.000Z");
    let open = read(json!({ "name": "outage", "to": "2026-01-02T00:00:00Z" })).unwrap();
    assert_eq!(open.told(now).to_json()["from"], "1970-01-01T00:00:00.000Z");
    let lasting = read(json!({ "name": "outage-60s" })).unwrap().told(now).to_json();
    assert_eq!(lasting["to"], "1970-01-01T00:01:00.000Z");
    assert_eq!(
        read(json!({ "name": "outage" })).unwrap().told(now).to_json(),
        json!({ "name": "outage" })
    );
    let turned =
        json!({ "name": "outage", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" });
    assert_eq!(faulty(turned), ["to"]);
    assert_eq!(faulty(json!({ "name": "slow", "from": "2026-01-02T00:00:00Z" })), ["from"]);
    assert_eq!(faulty(json!({ "name": "outage", "from": "soon" })), ["from"]);
    let fault = read(json!({})).unwrap_err().remove(0);
    assert_eq!(fault.code, ErrorCode::FieldRequired);
}
