//! Writing to a system behind HTTP: which requests are made, in which order, with what in them, and
//! what comes of answers that refuse, fail or never come. On a made-up system whose manifest has every
//! way of writing.

mod support;

use millwright_connector::{
    Catalog, LookUp, References, SourceRecord, System, SystemError, SystemErrorClass,
};
use millwright_core::{Error, ErrorCode};
use millwright_entities::{line_key, record_key, status_key};
use serde_json::{Map, Value, json};
use support::http::{Exchange, Server, lost, on};

const WORKS: &str = include_str!("fixtures/works.yaml");
const ORDERS: &str = "purchase-orders";

async fn play(answers: impl IntoIterator<Item = Exchange>) -> (Server, System) {
    let (server, url) = Server::start(answers).await;
    let engine = support::engine_with(Catalog::of([WORKS]).unwrap());
    let system = engine.open(support::target("works", json!({"url": url}), &[])).unwrap();
    (server, system)
}

fn key(entity: &str, id: &str) -> String {
    record_key(&support::connection(), entity, id)
}

fn references() -> References {
    [("vendors", "7"), ("materials", "1"), ("materials", "2"), ("customers", "3")]
        .into_iter()
        .map(|(entity, id)| (entity, key(entity, id), id))
        .collect()
}

fn order() -> Map<String, Value> {
    support::object(json!({
        "vendorKey": key("vendors", "7"),
        "vendorReference": "R-1",
        "dueAt": "2026-01-01T00:00:00Z",
        "lineItems": [
            {"materialKey": key("materials", "1"), "quantity": "2.50", "price": "0.1"},
            {"materialKey": key("materials", "2"), "quantity": "3"},
        ],
    }))
}

fn current(entity: &str, id: &str, status: Option<&str>, record: Value) -> SourceRecord {
    let mut record = support::object(record);
    record.insert("key".to_owned(), json!(key(entity, id)));
    record.insert("remoteId".to_owned(), json!(id));
    if let Some(code) = status {
        let key = status_key(&support::connection(), entity, code);
        record.insert("statusKey".to_owned(), json!(key));
    }
    SourceRecord { remote_id: id.to_owned(), record, unshown: Vec::new(), raw: None, print: None }
}

fn line(entity: &str, id: &str, more: Value) -> Value {
    let mut line = support::object(more);
    let key = line_key(&support::connection(), entity, "lineItems", id);
    line.insert("key".to_owned(), json!(key));
    line.insert("remoteId".to_owned(), json!(id));
    Value::Object(line)
}

/// An order in `status` with the lines 11 and 12.
fn existing(status: &str) -> SourceRecord {
    current(
        ORDERS,
        "5",
        Some(status),
        json!({
            "orderNo": "PO-5",
            "vendorKey": key("vendors", "7"),
            "vendorReference": "R-1",
            "dueAt": "2026-01-01T00:00:00.000Z",
            "notes": "old",
            "lineItems": [
                line(ORDERS, "11", json!({"materialKey": key("materials", "1"), "quantity": "2"})),
                line(ORDERS, "12", json!({"materialKey": key("materials", "2"), "quantity": "3"})),
            ],
        }),
    )
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn create(system: &System, entity: &str, record: Value) -> Result<String, SystemError> {
    system.create(entity, &support::object(record), &references(), "t0k").await
}

async fn update(
    system: &System,
    entity: &str,
    current: &SourceRecord,
    patch: Value,
) -> Result<(), SystemError> {
    system.update(entity, current, &support::object(patch), &references()).await
}

fn faults(error: SystemError) -> Vec<(String, ErrorCode)> {
    let error: Error = error.into_write_error();
    error.fields.into_iter().map(|fault| (fault.path, fault.code)).collect()
}

#[tokio::test]
async fn a_header_is_made_first_and_each_line_with_its_id() {
    let (server, system) = play([
        on("POST /po", 201, json!({"id": 5})),
        on("POST /po/5/items", 201, json!({"id": 11})),
        on("POST /po/5/items", 201, json!({"id": 12})),
    ])
    .await;
    let made = system.create(ORDERS, &order(), &references(), "t0k").await;
    assert_eq!(made.unwrap(), "5");
    server.assert_played();
    let bodies: Vec<Value> = server.bodies().into_iter().map(|(_, body)| body).collect();
    assert_eq!(
        bodies,
        [
            json!({"vendor": "7", "reference": "R-1", "due": 1_767_225_600, "meta1": "mw:t0k"}),
            json!({"part": "1", "qty": number("2.5"), "rate": number("0.1")}),
            json!({"part": "2", "qty": 3}),
        ]
    );
}

#[tokio::test]
async fn an_order_whose_line_is_refused_is_taken_back() {
    let refusal = json!({"field": "rate", "code": "E7", "text": "too dear"});
    let (server, system) = play([
        on("POST /po", 201, json!({"id": 5})),
        on("POST /po/5/items", 422, refusal.clone()),
        on("DELETE /po/5", 204, Value::Null),
    ])
    .await;
    let error = system.create(ORDERS, &order(), &references(), "t0k").await.unwrap_err();
    server.assert_played();
    assert_eq!((error.partial.as_deref(), error.sent), (None, false));
    let error = error.into_write_error();
    assert_eq!(error.code, ErrorCode::BusinessRuleViolated);
    assert_eq!(error.upstream.unwrap().code.as_deref(), Some("E7"));

    let (_server, system) = play([
        on("POST /po", 201, json!({"id": 5})),
        on("POST /po/5/items", 422, refusal),
        on("DELETE /po/5", 500, Value::Null),
    ])
    .await;
    let error = system.create(ORDERS, &order(), &references(), "t0k").await.unwrap_err();
    assert_eq!(error.partial.as_deref(), Some("5"), "it could not be taken back");
}

#[tokio::test]
async fn a_line_without_an_answer_leaves_the_outcome_open_and_nothing_is_taken_back() {
    let (server, system) =
        play([on("POST /po", 201, json!({"id": 5})), lost("POST /po/5/items")]).await;
    let error = system.create(ORDERS, &order(), &references(), "t0k").await.unwrap_err();
    server.assert_played();
    assert_eq!((error.partial.as_deref(), error.sent), (Some("5"), true));
    assert_eq!(error.into_write_error().code, ErrorCode::WriteOutcomeUnknown);
}

#[tokio::test]
async fn only_what_changes_is_sent_and_each_line_by_its_own_request() {
    let (server, system) = play([
        on("PATCH /po/5", 200, Value::Null),
        on("POST /po/5/items", 201, json!({"id": 13})),
        on("PATCH /po/5/items/11", 200, Value::Null),
        on("DELETE /po/5/items/12", 204, Value::Null),
    ])
    .await;
    let order = existing("setup");
    let lines = order.record["lineItems"].as_array().unwrap();
    let patch = json!({
        "vendorReference": "R-1",
        "dueAt": "2026-01-01T00:00:00Z",
        "notes": null,
        "lineItems": [
            {"key": lines[0]["key"], "quantity": "2.0", "price": "9"},
            {"key": lines[1]["key"], "deleted": true},
            {"materialKey": key("materials", "2"), "quantity": "1"},
        ],
    });
    update(&system, ORDERS, &order, patch).await.unwrap();
    server.assert_played();
    let bodies: Vec<Value> = server.bodies().into_iter().map(|(_, body)| body).collect();
    assert_eq!(
        bodies,
        [json!({"notes": ""}), json!({"part": "2", "qty": 1}), json!({"rate": 9}), Value::Null]
    );
}

#[tokio::test]
async fn a_step_that_has_nothing_to_send_is_left_out_and_a_patch_without_change_sends_nothing() {
    let (server, system) = play([on("PATCH /po/5/items/11", 200, Value::Null)]).await;
    let order = existing("setup");
    let first = order.record["lineItems"][0]["key"].clone();
    let patch = json!({"lineItems": [{"key": first, "quantity": "7"}]});
    update(&system, ORDERS, &order, patch).await.unwrap();
    server.assert_played();
    let same = json!({"notes": "old", "lineItems": [{"key": first, "quantity": "2.000"}]});
    update(&system, ORDERS, &order, same).await.unwrap();
    update(&system, ORDERS, &order, json!({"lineItems": []})).await.unwrap();
    // The whole record as it was read changes nothing either.
    let all = Value::Object(order.record.clone());
    update(&system, ORDERS, &order, all).await.unwrap();
    assert_eq!(server.bodies().len(), 1);
}

#[tokio::test]
async fn an_update_that_stops_half_way_says_which_record_it_touched() {
    let (_server, system) = play([
        on("PATCH /po/5", 200, Value::Null),
        on("PATCH /po/5/items/11", 422, json!({"field": "items.qty", "text": "no"})),
    ])
    .await;
    let order = existing("setup");
    let first = order.record["lineItems"][0]["key"].clone();
    let patch = json!({"notes": "new", "lineItems": [{"key": first, "quantity": "7"}]});
    let error = update(&system, ORDERS, &order, patch).await.unwrap_err();
    assert_eq!(error.partial.as_deref(), Some("5"));
    assert_eq!(
        faults(error),
        [("lineItems.quantity".to_owned(), ErrorCode::BusinessRuleViolated)],
        "the system's own name of the field is translated"
    );
}

#[tokio::test]
async fn nothing_is_sent_of_a_patch_with_faults() {
    let (server, system) = play([]).await;
    let patch = json!({
        "vendorKey": key("vendors", "8"),
        "vendorReference": "too long",
        "orderNo": "1",
        "nope": 1,
        "lineItems": [{"key": "rec_nobody"}, {"quantity": "0"}, {"deleted": true}, 7],
    });
    let refused = update(&system, ORDERS, &existing("setup"), patch).await.unwrap_err();
    let found = faults(refused);
    for expected in [
        ("vendorKey", ErrorCode::FieldReadOnly),
        ("vendorReference", ErrorCode::ValidationFailed),
        ("orderNo", ErrorCode::FieldReadOnly),
        ("nope", ErrorCode::ValidationFailed),
        ("lineItems[0].key", ErrorCode::ReferenceNotFound),
        ("lineItems[1].materialKey", ErrorCode::FieldRequired),
        ("lineItems[1].quantity", ErrorCode::ValidationFailed),
        ("lineItems[2]", ErrorCode::ValidationFailed),
        ("lineItems[3]", ErrorCode::ValidationFailed),
    ] {
        let expected = (expected.0.to_owned(), expected.1);
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    assert_eq!(found.len(), 9, "{found:?}");
    assert!(server.bodies().is_empty());
}

#[tokio::test]
async fn a_record_is_deleted_in_the_state_that_allows_it_with_what_was_read_for_it() {
    let (server, system) =
        play([on("GET /po/5", 200, json!({"rev": 9})), on("DELETE /po/5?rev=9", 204, Value::Null)])
            .await;
    system.delete(ORDERS, &existing("setup")).await.unwrap();
    server.assert_played();
    let error = system.delete(ORDERS, &existing("ready")).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Conflict);
    let error = error.into_write_error();
    assert_eq!(error.code, ErrorCode::StateConflict);
    assert!(error.message.contains("status is setup"), "{}", error.message);
    assert_eq!(server.bodies().len(), 2);
}

#[tokio::test]
async fn an_action_goes_with_what_it_is_given_and_only_from_its_states() {
    let (server, system) = play([
        on("POST /po/5/submit", 200, Value::Null),
        on("POST /po/5/receipts", 200, Value::Null),
    ])
    .await;
    let none = Map::new();
    system.act(ORDERS, &existing("setup"), "submit", &none, &references()).await.unwrap();
    let order = existing("ready");
    let second = order.record["lineItems"][1]["key"].clone();
    let body = json!({"on": "2026-01-31", "lineItems": [{"key": second, "quantity": "1"}]});
    let body = support::object(body);
    system.act(ORDERS, &order, "receive", &body, &references()).await.unwrap();
    server.assert_played();
    let bodies: Vec<Value> = server.bodies().into_iter().map(|(_, body)| body).collect();
    assert_eq!(
        bodies,
        [
            json!({"number": "PO-5"}),
            json!({"day": "2026-01-31", "items": [{"qty": 1, "item": "12"}]}),
        ]
    );
    let refused = system.act(ORDERS, &existing("closed"), "submit", &none, &references()).await;
    assert_eq!(refused.unwrap_err().into_write_error().code, ErrorCode::StateConflict);
    let unknown = system.act(ORDERS, &order, "burn", &none, &references()).await;
    let unknown = unknown.unwrap_err();
    assert_eq!(unknown.class, SystemErrorClass::Unsupported);
    assert!(unknown.message.ends_with("has no action `burn` for purchase-orders"), "{unknown}");
    assert_eq!(server.bodies().len(), 2);
}

#[tokio::test]
async fn lists_objects_custom_fields_and_what_is_always_sent() {
    let (server, system) = play([
        on("POST /vendors", 201, json!({"vendor": {"id": "v9"}})),
        on("PUT /vendors/v9", 200, Value::Null),
    ])
    .await;
    let vendor = json!({
        "name": "Acme", "emails": ["a@b", "c@d"], "currencyCode": "EUR",
        "billingAddress": {"city": "Ulm"}, "customFields": {"rating": 5},
    });
    // A connection that has chosen no custom field can write none.
    let error = create(&system, "vendors", vendor.clone()).await.unwrap_err();
    let custom = ("customFields.rating".to_owned(), ErrorCode::CustomFieldNotWritable);
    assert_eq!(faults(error), [custom]);

    let mut without = vendor;
    without.as_object_mut().unwrap().remove("customFields");
    assert_eq!(create(&system, "vendors", without.clone()).await.unwrap(), "v9");
    let current = current("vendors", "v9", None, without);
    let patch = json!({"name": "Acme", "billingAddress": {"street": "A 1"}});
    update(&system, "vendors", &current, patch).await.unwrap();
    server.assert_played();
    let asked = server.asked();
    assert_eq!(asked[0].headers["idempotency-key"], "t0k");
    assert_eq!(
        asked[0].body,
        json!({"name": "Acme", "mails": ["a@b", "c@d"], "money": "euro", "kind": "parts",
            "address": {"town": "Ulm"}})
    );
    assert_eq!(
        asked[1].body,
        json!({"money": "euro", "address": {"town": "Ulm", "street": "A 1"}}),
        "an object goes whole, and the currency always"
    );
}

#[tokio::test]
async fn lines_by_id_and_places_inside_the_systems_record() {
    let (server, system) =
        play([on("POST /so", 201, json!({"id": 4})), on("PATCH /so/4", 200, Value::Null)]).await;
    let record = json!({"customerReference": "C", "customerKey": key("customers", "3"),
        "lineItems": [{"quantity": "1", "notes": "x"}]});
    assert_eq!(create(&system, "sales-orders", record).await.unwrap(), "4");
    let lines = [
        line("sales-orders", "41", json!({"quantity": "1"})),
        line("sales-orders", "42", json!({"quantity": "2"})),
    ];
    let current = current("sales-orders", "4", None, json!({"lineItems": lines}));
    let patch = json!({"lineItems": [
        {"key": lines[0]["key"], "notes": "y"}, {"key": lines[1]["key"], "deleted": true},
        {"quantity": "9"},
    ]});
    update(&system, "sales-orders", &current, patch).await.unwrap();
    server.assert_played();
    let bodies: Vec<Value> = server.bodies().into_iter().map(|(_, body)| body).collect();
    assert_eq!(
        bodies,
        [
            json!({"head": {"reference": "C", "customer": "3"},
                "rows": [{"n": 1, "text": "x", "kind": "item"}]}),
            json!({"rows": [{"n": 9, "kind": "item"}, {"text": "y", "nr": 41},
                {"gone": true, "nr": 42}]}),
        ]
    );
}

#[tokio::test]
async fn lines_as_commands_once_for_each_or_once_for_all() {
    let (server, system) =
        play([on("POST /gr", 201, json!({"id": 4})), on("PATCH /gr/4", 200, Value::Null)]).await;
    let record = json!({"lineItems": [{"quantity": "1"}, {"quantity": "2"}]});
    create(&system, "receivings", record).await.unwrap();
    let lines = [1, 2, 3].map(|id| line("receivings", &id.to_string(), json!({"quantity": "1"})));
    let current = current("receivings", "4", None, json!({"lineItems": lines}));
    let patch = json!({"lineItems": [
        {"key": lines[0]["key"], "deleted": true}, {"key": lines[1]["key"], "deleted": true},
        {"key": lines[2]["key"], "uomName": null, "quantity": "8"}, {"quantity": "9"},
    ]});
    update(&system, "receivings", &current, patch).await.unwrap();
    let bodies: Vec<Value> = server.bodies().into_iter().map(|(_, body)| body).collect();
    assert_eq!(
        bodies,
        [
            json!({"rows": [[0, 0, {"n": 1}], [0, 0, {"n": 2}]]}),
            json!({"rows": [[0, 0, {"n": 9}], [1, 3, {"n": 8}], ["drop", [1, 2]]]}),
        ]
    );
}

#[tokio::test]
async fn a_whole_list_has_the_lines_that_stay_as_they_are() {
    let (server, system) = play([on("PUT /st/4", 200, Value::Null)]).await;
    let lines = [1, 2, 3]
        .map(|id| line("stock-transfers", &id.to_string(), json!({"quantity": id.to_string()})));
    let current = current("stock-transfers", "4", None, json!({"lineItems": lines}));
    let patch = json!({"lineItems": [
        {"key": lines[0]["key"], "deleted": true}, {"key": lines[2]["key"], "quantity": "30"},
        {"quantity": "4"},
    ]});
    update(&system, "stock-transfers", &current, patch).await.unwrap();
    assert_eq!(
        server.bodies()[0].1,
        json!({"rows": [{"id": "2", "n": 2}, {"id": "3", "n": 30}, {"n": 4}]})
    );
}

#[tokio::test]
async fn an_id_may_stand_in_the_address_that_the_answer_names() {
    let (server, system) = play([
        on("POST /st", 201, Value::Null).header("location", "https://works.example/st/77"),
        on("GET /st/by-ref/t0k", 303, Value::Null).header("location", "/st/77"),
        on("GET /st/by-ref/t0k", 404, Value::Null),
        on("POST /st", 201, Value::Null),
    ])
    .await;
    assert_eq!(create(&system, "stock-transfers", json!({"notes": "x"})).await.unwrap(), "77");
    let found = find(&system, "stock-transfers", json!({})).await.unwrap();
    assert_eq!(found, LookUp::Found("77".to_owned()));
    assert_eq!(find(&system, "stock-transfers", json!({})).await.unwrap(), LookUp::NotThere);
    let error = create(&system, "stock-transfers", json!({"notes": "x"})).await.unwrap_err();
    assert!(error.sent, "made, and nobody knows as what");
    assert_eq!(server.bodies()[0].1, json!({"text": "x", "ref": "t0k"}));
}

async fn find(system: &System, entity: &str, record: Value) -> Result<LookUp, SystemError> {
    system.find_created(entity, &support::object(record), "t0k", &references()).await
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_found_by_its_token() {
    let search = "GET /po?meta1=mw%3At0k";
    let (server, system) = play([
        lost("POST /po"),
        on(search, 200, json!({"rows": [{"id": 5, "meta1": "mw:t0k"}]})),
        on(search, 200, json!({"rows": []})),
        on(search, 404, Value::Null),
        on(search, 503, Value::Null),
    ])
    .await;
    let record = Value::Object(order());
    let error = create(&system, ORDERS, record.clone()).await.unwrap_err();
    assert!(error.sent);
    let found = find(&system, ORDERS, record.clone()).await.unwrap();
    assert_eq!(found, LookUp::Found("5".to_owned()));
    for _ in 0..2 {
        assert_eq!(find(&system, ORDERS, record.clone()).await.unwrap(), LookUp::NotThere);
    }
    assert!(find(&system, ORDERS, record).await.is_err(), "an outage decides nothing");
    server.assert_played();
}

#[tokio::test]
async fn a_system_that_knows_a_repeated_create_is_sent_it_again() {
    let (server, system) =
        play([lost("POST /vendors"), on("POST /vendors", 201, json!({"vendor": {"id": 9}}))]).await;
    let vendor = json!({"name": "Acme", "currencyCode": "EUR"});
    assert!(create(&system, "vendors", vendor.clone()).await.unwrap_err().sent);
    let found = find(&system, "vendors", vendor).await.unwrap();
    assert_eq!(found, LookUp::Found("9".to_owned()));
    let tokens = server.asked();
    assert!(tokens.iter().all(|asked| asked.headers["idempotency-key"] == "t0k"));
}

#[tokio::test]
async fn a_search_by_what_the_record_has_decides_only_when_it_finds_one_or_none() {
    let rows = |count: i64| json!((1..=count).map(|id| json!({"id": id})).collect::<Vec<_>>());
    let (server, system) = play([
        on("POST /so/search", 200, rows(1)),
        on("POST /so/search", 200, rows(0)),
        on("POST /so/search", 200, rows(2)),
    ])
    .await;
    let record = json!({"customerReference": "C", "customerKey": key("customers", "3")});
    for expected in [LookUp::Found("1".to_owned()), LookUp::NotThere, LookUp::CannotTell] {
        assert_eq!(find(&system, "sales-orders", record.clone()).await.unwrap(), expected);
    }
    let asked = server.bodies();
    assert_eq!(asked[0].1["head"], json!({"reference": "C", "customer": "3"}));
    assert!(asked[0].1["since"].as_str().unwrap().ends_with('Z'));
    let less = json!({"customerReference": "C"});
    assert_eq!(find(&system, "sales-orders", less).await.unwrap(), LookUp::CannotTell);
    assert_eq!(find(&system, "receivings", json!({})).await.unwrap(), LookUp::CannotTell);
    assert_eq!(server.bodies().len(), 3, "nothing is asked where nothing can be found");
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_before_any_call() {
    let (server, system) = play([]).await;
    let order = existing("setup");
    let nothing = Map::new();
    for refused in [
        system.delete("receivings", &order).await,
        system.act(ORDERS, &order, "burn", &nothing, &references()).await,
        update(&system, "materials", &order, json!({})).await,
        create(&system, "assets", json!({})).await.map(drop),
        find(&system, "vendors-of-another", json!({})).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().class, SystemErrorClass::Unsupported);
    }
    assert!(server.bodies().is_empty());
    assert_eq!(system.delete_mode("receivings"), None);
    let mode = system.delete_mode("vendors").unwrap();
    assert_eq!(serde_json::to_value(mode).unwrap(), json!("status"));
}

#[tokio::test]
async fn an_action_names_some_lines_and_each_of_them_once() {
    let (server, system) = play([]).await;
    let order = existing("ready");
    let line = json!({"key": order.record["lineItems"][1]["key"], "quantity": "1"});
    for (lines, fault) in [
        (json!([line, line]), ("lineItems[1]", ErrorCode::ValidationFailed)),
        (json!([]), ("lineItems", ErrorCode::LinesRequired)),
    ] {
        let body = support::object(json!({"on": "2026-01-31", "lineItems": lines}));
        let refused = system.act(ORDERS, &order, "receive", &body, &references()).await;
        assert_eq!(faults(refused.unwrap_err()), [(fault.0.to_owned(), fault.1)]);
    }
    assert!(server.bodies().is_empty());
}

#[tokio::test]
async fn a_line_of_a_new_record_cannot_be_marked_as_deleted_nor_as_not() {
    let (server, system) = play([]).await;
    let mut order = order();
    order["lineItems"][0]["deleted"] = json!(false);
    let refused = system.create(ORDERS, &order, &references(), "t0k").await.unwrap_err();
    let fault = ("lineItems[0].deleted".to_owned(), ErrorCode::ValidationFailed);
    assert_eq!(faults(refused), [fault]);
    assert!(server.bodies().is_empty());
}
