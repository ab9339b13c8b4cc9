//! Tryton's recorded answers (trytond 8.2 on SQLite) through the engine: what they become, what was
//! asked for them, and what its errors mean.

mod support;

use millwright_connector::{
    Position, Pull, Pulled, References, System, SystemError, SystemErrorClass, WriteOp,
};
use millwright_core::{Error, ErrorCode, from_iso};
use millwright_entities::Entity;
use serde_json::{Value, json};
use support::script::{Exchange, Script, content_type, json, read, status};

const LOGIN: &str = "common.db.login";
const WAREHOUSES: &str = "model.stock.location.search";
const PREFERENCES: &str = "model.res.user.get_preferences";
const PURCHASES: &str = "model.purchase.purchase.search_read";
const LINES: &str = "model.purchase.line.search_read";
const PARTIES: &str = "model.party.party.search_read";
const PRODUCTS: &str = "model.product.product.search_read";
const CREATE: &str = "model.purchase.purchase.create";
const PASSWORD: &str = "adminpw";

fn login() -> [Exchange; 3] {
    [
        json(LOGIN, "login.json"),
        json(PREFERENCES, "preferences.json"),
        json(WAREHOUSES, "warehouses.json"),
    ]
}

async fn after_login(answers: impl IntoIterator<Item = Exchange>) -> (Script, System) {
    play(login().into_iter().chain(answers)).await
}

async fn play(answers: impl IntoIterator<Item = Exchange>) -> (Script, System) {
    let (script, url) = Script::start(answers).await;
    let system = support::tryton(&support::engine(), &url, "ind", "admin", PASSWORD);
    (script, system)
}

/// Compares with `<name>.unified.json` and with the entity's schema. `BLESS=1` writes the file anew.
fn assert_unified(name: &str, entity: &str, pulled: &Pulled) {
    assert_eq!(pulled.faults, []);
    let schema = jsonschema::draft202012::new(Entity::find(entity).unwrap().schema()).unwrap();
    let records: Vec<Value> =
        pulled.records.iter().map(|one| Value::Object(one.record.clone())).collect();
    for record in &records {
        let faults: Vec<String> = schema.iter_errors(record).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?} in {record:#}");
    }
    let file = format!("{name}.unified.json");
    if std::env::var("BLESS").is_ok() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/tryton/");
        let text = serde_json::to_string_pretty(&records).unwrap() + "\n";
        std::fs::write(format!("{folder}{file}"), text).unwrap();
    }
    let expected: Vec<Value> = serde_json::from_str(&read(&file)).unwrap();
    assert_eq!(records, expected);
}

#[tokio::test]
async fn a_page_of_orders_with_all_their_lines_is_one_call() {
    let (script, system) = after_login([json(PURCHASES, "purchases.json")]).await;
    let ask = Pull { page_size: 4, ..Pull::default() };
    let pulled = system.pull("purchase-orders", &ask).await.unwrap();
    assert_unified("purchases", "purchase-orders", &pulled);
    assert!(pulled.source_time.is_some());
    assert!(pulled.next.is_some(), "a full page is not the last");
    script.assert_played();
    let (method, params) = script.params().pop().unwrap();
    assert_eq!(method, PURCHASES);
    assert_eq!(params[0], json!([["id", ">", 0], []]));
    assert_eq!(params[1], json!(0));
    assert_eq!(params[2], json!(4));
    assert_eq!(params[3], json!([["id", "ASC"]]));
    let fields = params[4].as_array().unwrap();
    for name in ["state", "shipment_state", "party", "currency.code", "lines.product.code"] {
        assert!(fields.contains(&json!(name)), "{name}");
    }
    let context = json!({"company": 1, "companies": [1], "company_filter": "one",
        "employees": [], "language": "en"});
    assert_eq!(params[5], context);
}

#[tokio::test]
async fn a_session_is_made_once_and_carried_in_a_header() {
    let (script, system) =
        after_login([json(PURCHASES, "purchases.json"), json(PARTIES, "parties.json")]).await;
    system.pull("purchase-orders", &Pull::default()).await.unwrap();
    system.clone().pull("vendors", &Pull::default()).await.unwrap();
    script.assert_played();
    script.asked(|asked| {
        assert!(asked.iter().all(|one| one.path == "/ind/rpc/"));
        assert!(!asked[0].headers.contains_key("authorization"));
        // base64 of `admin:1:` and the recorded token
        let header = asked[2].headers["authorization"].to_str().unwrap();
        assert!(header.starts_with("Session YWRtaW46MTow"), "{header}");
        assert_eq!(asked[1].headers["authorization"], header);
        assert_eq!(asked[4].headers["authorization"], header);
    });
}

#[tokio::test]
async fn an_edited_line_brings_its_order_back() {
    let nothing = Exchange { body: r#"{"id":1,"result":[]}"#.to_owned(), ..json(PURCHASES, "") };
    let lines = [json(LINES, "lines.json"), json(PURCHASES, "purchases-by-id.json")];
    let (script, system) = after_login([nothing].into_iter().chain(lines)).await;
    let from = from_iso("2026-11-21T23:00:00Z");
    let first = Pull { from, ..Pull::default() };
    let pulled = system.pull("purchase-orders", &first).await.unwrap();
    assert!(pulled.records.is_empty());
    let position = pulled.next.expect("the lines come after the orders");
    let pulled = system.pull("purchase-orders", &Pull { position, ..first }).await.unwrap();
    assert_unified("purchases-by-id", "purchase-orders", &pulled);
    assert_eq!(pulled.next, None);
    script.assert_played();
    let params = script.params();
    // 300 seconds before what was asked for.
    let since = json!({"__class__": "datetime", "year": 2026, "month": 11, "day": 21,
        "hour": 22, "minute": 55, "second": 0, "microsecond": 0});
    let window = json!(["OR", ["write_date", ">=", since], ["create_date", ">=", since]]);
    assert_eq!(params[3].1[0], json!([["id", ">", 0], window]));
    assert_eq!(params[4].1[0], json!([["id", ">", 0], window]));
    assert_eq!(params[5].1[0], json!([["id", "in", [5]]]));
}

#[tokio::test]
async fn a_move_that_is_edited_alone_is_asked_for_through_its_shipment() {
    const SHIPMENTS: &str = "model.stock.shipment.in.search_read";
    let nothing = || Exchange { body: r#"{"id":1,"result":[]}"#.to_owned(), ..json(SHIPMENTS, "") };
    let (script, system) = after_login([nothing(), nothing()]).await;
    let first = Pull { from: from_iso("2026-11-21T23:00:00Z"), ..Pull::default() };
    let position = system.pull("receivings", &first).await.unwrap().next.unwrap();
    let last = system.pull("receivings", &Pull { position, ..first }).await.unwrap();
    assert_eq!(last.next, None);
    script.assert_played();
    let asked = &script.params()[4].1[0];
    assert_eq!(asked[1][0], "OR");
    assert_eq!(
        (&asked[1][1][0], &asked[1][2][0]),
        (&json!("moves.write_date"), &json!("moves.create_date"))
    );
}

#[tokio::test]
async fn pages_go_on_after_the_last_id() {
    let (script, system) = after_login([
        json(PARTIES, "parties.json"),
        Exchange { body: r#"{"id":1,"result":[]}"#.to_owned(), ..json(PARTIES, "") },
    ])
    .await;
    let first = Pull { page_size: 4, ..Pull::default() };
    let pulled = system.pull("vendors", &first).await.unwrap();
    let kept = serde_json::to_string(&pulled.next.unwrap()).unwrap();
    let position: Position = serde_json::from_str(&kept).unwrap();
    let last = system.pull("vendors", &Pull { position, ..first }).await.unwrap();
    assert!(last.records.is_empty() && last.next.is_none());
    assert_eq!(script.params()[4].1[0][0], json!(["id", ">", 4]));
}

#[tokio::test]
async fn parties_are_vendors() {
    let (_script, system) = after_login([json(PARTIES, "parties.json")]).await;
    let pulled = system.pull("vendors", &Pull::default()).await.unwrap();
    assert_unified("parties", "vendors", &pulled);
}

#[tokio::test]
async fn products_are_materials_and_their_templates_bring_them_back() {
    let (script, system) = after_login([
        json(PRODUCTS, "products-written.json"),
        json(PRODUCTS, "products-created.json"),
        json(PRODUCTS, "products-by-id.json"),
        json("model.product.template.search_read", "templates.json"),
    ])
    .await;
    let mut ask = Pull { from: from_iso("2026-11-21T23:00:00Z"), ..Pull::default() };
    let mut read = Vec::new();
    loop {
        let pulled = system.pull("materials", &ask).await.unwrap();
        if read.is_empty() {
            assert_unified("products", "materials", &pulled);
        }
        read.push(pulled.records.len());
        match pulled.next {
            Some(next) => ask.position = next,
            None => break,
        }
    }
    assert_eq!(read, [1, 1, 0], "the written, the new one, those of changed templates");
    script.assert_played();
}

#[tokio::test]
async fn the_instance_is_the_company_and_when_it_was_made() {
    let company = "model.company.company.search_read";
    let (_script, system) = after_login([json(company, "company.json")]).await;
    let instance = system.probe().await.unwrap();
    assert_eq!(instance.id, "1/2026-11-21T22:17:06.866Z");
    assert_eq!(instance.name.as_deref(), Some("Plant One Inc"));

    let none = Exchange { body: r#"{"id":1,"result":[]}"#.to_owned(), ..json(company, "") };
    let (_script, system) = after_login([none]).await;
    let error = system.probe().await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Permission);
    assert!(error.message.contains("no company"), "{error}");
}

#[tokio::test]
async fn ids_are_listed_in_large_pages() {
    let (script, system) = after_login([json("model.party.party.search", "party-ids.json")]).await;
    let page = system.list_ids("vendors", None).await.unwrap();
    assert_eq!(page.ids.len(), 13);
    assert_eq!(page.next, None);
    assert_eq!(script.params()[3].1[2], json!(10_000));
}

fn draft() -> Value {
    json!({
        "vendorKey": "rec_vendor",
        "vendorReference": "MW-2",
        "orderDate": "2026-11-21",
        "lineItems": [
            {"materialKey": "rec_bearing", "quantity": "2.12", "price": "4.2001"},
            {"materialKey": "rec_seal", "quantity": "3", "price": "10", "uomKey": "rec_box",
                "description": "blue"},
        ],
    })
}

fn references() -> References {
    let known = [
        ("vendors", "rec_vendor", "4"),
        ("materials", "rec_bearing", "1"),
        ("materials", "rec_seal", "2"),
        ("uom", "rec_box", "9"),
    ];
    known.into_iter().collect()
}

async fn create(answer: Exchange) -> (Script, Result<String, SystemError>) {
    let (script, system) = after_login([
        json(PARTIES, "lookup-parties.json"),
        json(PRODUCTS, "lookup-products.json"),
        answer,
    ])
    .await;
    let record = support::object(draft());
    let made = system.create("purchase-orders", &record, &references(), "token").await;
    (script, made)
}

#[tokio::test]
async fn a_draft_and_its_lines_are_made_in_one_call() {
    let (script, made) = create(json(CREATE, "created.json")).await;
    assert_eq!(made.unwrap(), "134");
    script.assert_played();
    let params = script.params();
    assert_eq!(params[3].1[0][0], json!(["id", "in", [4]]));
    assert_eq!(params[4].1[0][0], json!(["id", "in", [1, 2]]));
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let decimal = |text: &str| json!({"__class__": "Decimal", "decimal": text});
    assert_eq!(
        params[5].1[0],
        json!([{
            "party": 4,
            "reference": "MW-2",
            "purchase_date": {"__class__": "date", "year": 2026, "month": 11, "day": 21},
            "invoice_address": 4,
            "lines": [["create", [
                {"type": "line", "product": 1, "quantity": number("2.12"),
                    "unit_price": decimal("4.2001"), "unit": 2},
                {"type": "line", "product": 2, "quantity": number("3"),
                    "unit_price": decimal("10"), "unit": 9, "description": "blue"},
            ]]],
        }])
    );
}

#[tokio::test]
async fn every_faulty_field_is_named_and_nothing_is_sent() {
    let (script, system) = play([]).await;
    let record = json!({
        "orderNo": "7",
        "nope": 1,
        "customFields": {"colour": "red"},
        "vendorKey": "rec_nobody",
        "lineItems": [{"quantity": 2, "price": "1e3", "materialKey": "rec_seal"}, 7],
    });
    let error: Error = system
        .create("purchase-orders", &support::object(record), &references(), "token")
        .await
        .unwrap_err()
        .into();
    let mut found: Vec<_> =
        error.fields.iter().map(|fault| (fault.path.as_str(), fault.code)).collect();
    found.sort_by_key(|(path, _)| *path);
    assert_eq!(
        found,
        [
            ("customFields.colour", ErrorCode::CustomFieldNotWritable),
            ("lineItems[0].price", ErrorCode::ValidationFailed),
            ("lineItems[0].quantity", ErrorCode::ValidationFailed),
            ("lineItems[1]", ErrorCode::ValidationFailed),
            ("nope", ErrorCode::ValidationFailed),
            ("orderNo", ErrorCode::FieldReadOnly),
            ("vendorKey", ErrorCode::ReferenceNotFound),
        ]
    );
    let empty = support::object(json!({"lineItems": []}));
    let error =
        system.check_write("purchase-orders", &WriteOp::Create, &empty, None, None).unwrap_err();
    let codes: Vec<_> = error.fields.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [ErrorCode::FieldRequired, ErrorCode::LinesRequired]);
    assert!(script.params().is_empty());
}

fn faults_of(record: Value, system: &System) -> Vec<(String, ErrorCode)> {
    let record = support::object(record);
    let refused =
        system.check_write("purchase-orders", &WriteOp::Create, &record, None, Some(&references()));
    refused.unwrap_err().fields.into_iter().map(|fault| (fault.path, fault.code)).collect()
}

#[tokio::test]
async fn a_key_counts_only_where_its_entity_belongs() {
    let (_script, system) = play([]).await;
    let mut record = draft();
    record["lineItems"][0]["materialKey"] = json!("rec_vendor");
    record["lineItems"][1]["uomKey"] = json!("rec_seal");
    let missing = |path: &str| (path.to_owned(), ErrorCode::ReferenceNotFound);
    assert_eq!(
        faults_of(record, &system),
        [missing("lineItems[0].materialKey"), missing("lineItems[1].uomKey")]
    );
}

#[tokio::test]
async fn a_field_of_a_line_that_cannot_be_given_is_read_only() {
    let (_script, system) = play([]).await;
    let mut record = draft();
    for (name, value) in [("lineNo", "1"), ("lineTotalValue", "9"), ("key", "x"), ("nope", "x")] {
        record["lineItems"][0][name] = json!(value);
    }
    let read_only = |name: &str| (format!("lineItems[0].{name}"), ErrorCode::FieldReadOnly);
    assert_eq!(
        faults_of(record, &system),
        [
            read_only("lineNo"),
            read_only("lineTotalValue"),
            read_only("key"),
            ("lineItems[0].nope".to_owned(), ErrorCode::ValidationFailed),
        ]
    );
}

#[tokio::test]
async fn a_quantity_and_a_price_may_be_nothing_and_less() {
    let (_script, system) = play([]).await;
    let with = |quantity: &str, price: &str| {
        let mut record = draft();
        record["lineItems"][0]["quantity"] = json!(quantity);
        record["lineItems"][0]["price"] = json!(price);
        record
    };
    for (quantity, price) in [("0", "0"), ("-1.5", "-0.01"), ("0.001", "0")] {
        let fine = support::object(with(quantity, price));
        let checked = system.check_write(
            "purchase-orders",
            &WriteOp::Create,
            &fine,
            None,
            Some(&references()),
        );
        assert!(checked.is_ok(), "{quantity} {price}: {checked:?}");
    }
    let wrong = |name: &str| (format!("lineItems[0].{name}"), ErrorCode::ValidationFailed);
    assert_eq!(faults_of(with("many", "0"), &system), [wrong("quantity")]);
}

#[tokio::test]
async fn a_reference_that_the_system_no_longer_has_is_found_before_the_write() {
    let none = Exchange { body: r#"{"id":1,"result":[]}"#.to_owned(), ..json(PARTIES, "") };
    let (script, system) = after_login([none, json(PRODUCTS, "lookup-products.json")]).await;
    let made =
        system.create("purchase-orders", &support::object(draft()), &references(), "token").await;
    let error: Error = made.unwrap_err().into();
    assert_eq!(error.code, ErrorCode::ReferenceNotFound);
    assert_eq!(error.fields[0].path, "vendorKey");
    script.assert_played();
}

#[tokio::test]
async fn what_the_system_refuses_comes_with_its_own_words() {
    let (_script, made) = create(json(CREATE, "refused-digits.json")).await;
    let error = made.unwrap_err();
    assert_eq!((error.class, error.sent), (SystemErrorClass::Validation, false));
    let error = error.into_write_error();
    assert_eq!(error.code, ErrorCode::BusinessRuleViolated);
    let upstream = error.upstream.unwrap();
    assert_eq!((upstream.status, upstream.code.as_deref()), (Some(200), Some("UserError")));
    assert!(upstream.message.unwrap().starts_with("The number of digits in the value"));
}

#[tokio::test]
async fn a_refusal_has_the_code_of_the_rule_that_should_have_found_it() {
    use ErrorCode::{BusinessRuleViolated, FieldRequired, ReferenceNotFound, StateConflict};
    for (answer, code, field) in [
        // trytond 8.2 on PostgreSQL, which keeps no id that leads nowhere
        ("no-such-party.json", ReferenceNotFound, Some("vendorKey")),
        ("locked-line.json", BusinessRuleViolated, Some("lineItems.quantity")),
        ("locked.json", BusinessRuleViolated, Some("description")),
        ("missing.json", FieldRequired, Some("lineItems.uomKey")),
        ("cannot-call.json", StateConflict, None),
        ("cannot-delete.json", StateConflict, None),
    ] {
        let (_script, made) = create(json(CREATE, answer)).await;
        let error = made.unwrap_err().into_write_error();
        let told: Vec<&str> = error.fields.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!((error.code, &told[..]), (code, field.as_slice()), "{answer}");
        let upstream = error.upstream.unwrap();
        assert_eq!(upstream.code.as_deref(), Some("UserError"), "{answer}");
        assert!(upstream.message.is_some_and(|message| message.ends_with('.')), "{answer}");
    }
}

#[tokio::test]
async fn a_write_without_a_clear_answer_may_have_happened() {
    for answer in [status(CREATE, 502, "not-found.html"), status(CREATE, 200, "not-found.html")] {
        let (_script, made) = create(answer).await;
        let error = made.unwrap_err();
        assert!(error.sent);
        assert_eq!(error.into_write_error().code, ErrorCode::WriteOutcomeUnknown);
    }
}

#[tokio::test]
async fn a_dead_session_is_made_anew_once() {
    let dead = || status(PARTIES, 401, "");
    let answers = login().into_iter().chain([dead()]).chain(login());
    let (script, system) = play(answers.chain([json(PARTIES, "parties.json")])).await;
    assert_eq!(system.pull("vendors", &Pull::default()).await.unwrap().records.len(), 4);
    script.assert_played();

    let answers = login().into_iter().chain([dead()]).chain(login()).chain([dead()]);
    let (script, system) = play(answers).await;
    let error = system.pull("vendors", &Pull::default()).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Reauthorize);
    script.assert_played();
}

#[tokio::test]
async fn each_error_of_tryton_has_its_class() {
    use SystemErrorClass::*;
    let html = || vec![content_type("text/html")];
    let page = |status| Exchange {
        method: PARTIES,
        status,
        headers: html(),
        body: read("not-found.html"),
    };
    for (what, answer, class, code) in [
        ("not allowed", json(PARTIES, "not-allowed.json"), Permission, Some("UserError")),
        ("unknown field", json(PARTIES, "unknown-field.json"), Malformed, None),
        (
            "warning",
            json(PARTIES, "warning.json"),
            Validation,
            Some("2be8e102dc0a5c8936b7d4d42c3d21c5.deactivate_product_with_stock"),
        ),
        ("a page for people", page(200), Malformed, None),
        ("a proxy's page", page(502), Unreachable, None),
        ("forbidden method", page(403), Permission, None),
        ("too often", page(429), RateLimited, None),
        ("another address", page(302), Malformed, None),
    ] {
        let (_script, system) = after_login([answer]).await;
        let error = system.pull("vendors", &Pull::default()).await.unwrap_err();
        assert_eq!(error.class, class, "{what}");
        assert_eq!(error.upstream.code.as_deref(), code, "{what}");
    }
}

#[tokio::test]
async fn each_refusal_of_a_login_has_its_class() {
    use SystemErrorClass::*;
    for (what, answer, class) in [
        ("wrong password", status(LOGIN, 401, "unauthorized.html"), Reauthorize),
        ("second factor", json(LOGIN, "second-factor.json"), Reauthorize),
        ("wrong database", status(LOGIN, 404, "not-found.html"), Unreachable),
        ("too many tries", status(LOGIN, 429, ""), RateLimited),
        ("database gone", status(LOGIN, 503, ""), Unreachable),
    ] {
        let (script, system) = play([answer]).await;
        let error = system.probe().await.unwrap_err();
        assert_eq!(error.class, class, "{what}");
        script.assert_played();
    }
    let nobody =
        support::tryton(&support::engine(), "http://127.0.0.1:1", "ind", "admin", PASSWORD);
    assert_eq!(nobody.probe().await.unwrap_err().class, Unreachable);
}

#[tokio::test]
async fn no_credential_is_in_an_error_or_in_what_is_printed() {
    let token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let told = json!({"error": ["UserError",
        [format!("login with {PASSWORD} as admin, session {token}"), "", null]]});
    let answer = Exchange { body: told.to_string(), ..json(PARTIES, "") };
    let (_script, system) = after_login([answer]).await;
    let error = system.pull("vendors", &Pull::default()).await.unwrap_err();
    let contract: Error = error.clone().into();
    let printed = format!("{error} {error:?} {contract} {contract:?} {system:?}");
    assert!(printed.contains("login with [hidden] as [hidden], session [hidden]"), "{printed}");
    assert!(!printed.contains(PASSWORD) && !printed.contains(token));
    let target = support::target("tryton", json!({}), &[("password", PASSWORD)]);
    assert!(!format!("{target:?}").contains(PASSWORD));
    let refused = support::engine().open(target).unwrap_err();
    assert!(!format!("{refused:?}").contains(PASSWORD));
}

#[tokio::test]
async fn a_row_that_cannot_be_mapped_is_reported_and_the_others_come() {
    let mut answer: Value = serde_json::from_str(&read("parties.json")).unwrap();
    answer["result"][1]["active"] = json!("perhaps");
    answer["result"][2]["contact_mechanisms."][0]["value"] = json!({});
    let answer = Exchange { body: answer.to_string(), ..json(PARTIES, "") };
    let (_script, system) = after_login([answer]).await;
    let pulled = system.pull("vendors", &Pull::default()).await.unwrap();
    let found: Vec<_> = pulled
        .faults
        .iter()
        .map(|fault| (fault.remote_id.as_str(), fault.field.as_str()))
        .collect();
    assert_eq!(found, [("2", "isActive"), ("3", "emails[0]")]);
    assert_eq!(pulled.records.len(), 2);
}

#[tokio::test]
async fn a_page_that_comes_again_is_not_read_for_ever() {
    let answers = [json(PARTIES, "parties.json"), json(PARTIES, "parties.json")];
    let (_script, system) = after_login(answers).await;
    let first = Pull { page_size: 4, ..Pull::default() };
    let position = system.pull("vendors", &first).await.unwrap().next.unwrap();
    let error = system.pull("vendors", &Pull { position, ..first }).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Malformed);
}

#[tokio::test]
async fn what_the_manifest_does_not_have_is_refused_before_any_call() {
    let (script, system) = play([]).await;
    let none = References::new();
    let empty = serde_json::Map::new();
    for refused in [
        system.pull("work-orders", &Pull::default()).await.map(drop),
        system.list_ids("work-orders", None).await.map(drop),
        system.get("work-orders", &[]).await.map(drop),
        system.create("products", &empty, &none, "token").await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().class, SystemErrorClass::Unsupported);
    }
    assert!(script.params().is_empty());
}
