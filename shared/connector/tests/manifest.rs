//! The manifest format: what it refuses, where it says the fault is, and kinds of systems beside the
//! built-in ones.

mod support;

use axum::{Json, Router, extract::Query, http::HeaderMap, routing::get};
use millwright_connector::{Catalog, Manifest, Pull, SystemErrorClass};
use serde_json::{Value, json};

/// A system with plain paths, a key in a header and pages by id.
const WIDGETS: &str = r#"
format: 1
id: widgets
name: Widgets
vendor: Widget Works
categories: [erp]
tier: 1
maturity: documented
settings:
  url: { title: Address, type: url, required: true }
  site: { title: Site, type: text }
credentials:
  key: { title: Key, type: secret, required: true }
protocol: { http: { base_url: "{settings.url}/api" } }
auth: { api_key: { headers: { X-Key: "{credentials.key}" } } }
probe:
  request: { method: GET, path: me }
  instance: { id: [org.id], name: org.name }
entities:
  vendors:
    read:
      request:
        method: GET
        path: "sites/{settings.site}/vendors"
        query: { after: "{page.after}", limit: "{page.size}", since: "{window}" }
      rows: data.items
      paging: { id_after: { start: "" } }
    get: { request: { method: GET, path: vendors, query: { ids: "{page.nope}" } } }
    incremental: { filter: { window: "{since|unix_seconds}", streams: [] } }
    fields:
      name: name
      currencyKey: { path: money.id, references: currencies }
      terms: { path: terms, default: none }
      isActive: { path: archived, enum: { "yes": "no" } }
"#;

fn read(yaml: &str) -> Result<Manifest, String> {
    Manifest::read(yaml).map_err(|error| error.to_string())
}

fn widgets() -> String {
    WIDGETS
        .replace("{page.nope}", "{ids|join}")
        .replace("      isActive: { path: archived, enum: { \"yes\": \"no\" } }\n", "")
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_column() {
    let known = widgets();
    assert!(read(&known).is_ok(), "{:?}", read(&known));
    let line = 1 + known.lines().position(|line| line.contains("rows: data.items")).unwrap();
    let why = read(&known.replace("rows: data.items", "rowz: data.items")).unwrap_err();
    assert!(why.contains("rowz") && why.contains(&format!("line {line}")), "{why}");
    assert!(why.contains("column 7"), "{why}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let known = widgets();
    for (what, instead, said) in [
        ("format: 1", "format: 2", "format 2 is not known"),
        ("tier: 1", "tier: 3", "tier"),
        ("tier: 1", "tier: 1\nhosting: cellar", "hosting: is cloud, on_premises, or"),
        ("tier: 1", "tier: 1\nhosting: \"{settings.site}\"", "hosting: is cloud, on_premises, or"),
        ("type: url", "type: uri", "uri"),
        ("title: Site, type: text", "title: Site, type: secret", "settings: hold no secret"),
        ("type: url", "type: url, when: { colour: red }", "when.colour: is no field"),
        ("type: url", "type: url, when: { url: x }", "when.url: is not always asked for"),
        ("type: url", "type: url, when: { site: x }", "when.site: is neither"),
        ("method: GET, path: me", "method: FETCH, path: me", "FETCH"),
        ("method: GET, path: me", "method: GET", "needs a `path`"),
        ("method: GET, path: me", "path: me", "`method` and `path`"),
        ("path: me }", "path: me, call: x }", "`call` and `params`"),
        ("{page.after}", "{page.before}", "{page.after}"),
        ("{page.size}", "{ids}", "`{ids}` cannot be named here"),
        ("{page.size}", "{credentials.key}", "`{credentials.key}` cannot be named here"),
        ("{settings.site}", "{settings.sight}", "`{settings.sight}` cannot be named here"),
        ("{since|unix_seconds}", "{since|unix}", "no filter `unix`"),
        ("name: name\n", "nmae: name\n", "nmae: is not a field"),
        ("  vendors:", "  unicorns:", "unicorns: is not an entity"),
        ("money.id", "money..id", "a name is missing"),
        ("{settings.url}/api", "https://elsewhere.example/{credentials.key}", "may only name"),
        ("default: none", "defualt: none", "defualt"),
        ("terms: {", "name: {", "name"),
        ("default: none", "default: none, required: true", "never missing"),
        (
            "name: name\n",
            "name: { first_of: [{ path: a, required: true }] }\n",
            "none is `required`",
        ),
        (
            "    fields:\n      name: name\n",
            "    by_id_only: [name]\n    fields:\n      name: { path: n, required: true }\n",
            "cannot be `required`",
        ),
        ("categories: [erp]", "categories: &a [erp]", ""),
    ] {
        assert!(known.contains(what), "{what}");
        let why = read(&known.replacen(what, instead, 1)).expect_err(instead);
        assert!(why.contains(said), "{instead}: {why}");
    }
}

#[test]
fn a_field_table_is_held_to_the_model_down_to_the_fields_of_lists() {
    let with = |field: &str| widgets().replace("      name: name\n", &format!("      {field}\n"));
    for (field, said) in [
        ("contacts: { each: people, fields: { nmae: n } }", "contacts.nmae: is not a field"),
        ("name: { each: people, value: n }", "fields.name: is not a list"),
        ("emails: { each: mails, fields: { x: y } }", "emails: is not a list of objects"),
        ("companyKey: { path: of, references: vendors }", "needs `references: companies`"),
        ("companyKey: of", "needs `references: companies`"),
        ("name: { path: n, references: vendors }", "name: is no key of another record"),
    ] {
        let why = read(&with(field)).expect_err(field);
        assert!(why.contains(said), "{field}: {why}");
    }
    for field in [
        "contacts: { each: people, fields: { name: n, emails: { each: mails, value: a } } }",
        "companyKey: { path: of, codec: id, references: companies }",
    ] {
        assert!(read(&with(field)).is_ok(), "{field}: {:?}", read(&with(field)));
    }
    let order = |kind: &str| {
        let kind = format!("lineItems: {{ each: lines, fields: {{ type: {kind} }} }}");
        read(&with(&kind).replace("  vendors:", "  purchase-orders:"))
    };
    let why = order("{ path: k, enum: { a: part }, otherwise: thing }").unwrap_err();
    assert!(
        why.contains("lineItems.type.enum: `thing` is none of its words: part, service"),
        "{why}"
    );
    let fine = order("{ path: k, enum: { a: part }, otherwise: other }");
    assert!(fine.is_ok(), "{fine:?}");
}

#[test]
fn a_lower_bound_is_decimal_text_of_a_decimal() {
    let sandbox = include_str!("../systems/sandbox.yaml");
    let known = "codec: decimal_text, min: \"0\"";
    assert!(sandbox.contains(known) && read(sandbox).is_ok());
    for wrong in ["codec: decimal_text, min: zero", "codec: text, min: \"0\"", "above: \"0\""] {
        let why = read(&sandbox.replacen(known, wrong, 1)).expect_err(wrong);
        assert!(why.contains("are decimal text"), "{wrong}: {why}");
    }
}

async fn widget_works() -> String {
    let me = || async { Json(json!({"org": {"id": 7, "name": "Widget Works"}})) };
    let vendors = |Query(query): Query<Value>, headers: HeaderMap| async move {
        assert_eq!(headers["x-key"], "hunter2");
        let rows = match (query["after"].as_str().unwrap_or(""), query.get("since")) {
            ("", None) => json!([
                {"id": 1, "name": "One", "money": {"id": "EUR"}, "terms": null},
                {"id": 2, "name": "Two", "money": null},
            ]),
            ("", Some(since)) if since == "1700000000" => json!([{"id": 3, "name": null}]),
            _ => json!([]),
        };
        Json(json!({"data": {"items": rows}}))
    };
    let app =
        Router::new().route("/api/me", get(me)).route("/api/sites/plant%201/vendors", get(vendors));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

#[tokio::test]
async fn a_system_with_plain_paths_is_read_by_the_same_engine() {
    let widgets = widgets();
    let engine = support::engine_with(Catalog::of([widgets.as_str()]).unwrap());
    let settings = json!({"url": widget_works().await, "site": "plant 1"});
    let system = engine.open(support::target("widgets", settings, &[("key", "hunter2")])).unwrap();
    assert_eq!(system.probe().await.unwrap().id, "7");

    let mut ask = Pull { page_size: 50, ..Pull::default() };
    let page = system.pull("vendors", &ask).await.unwrap();
    let currency = millwright_entities::record_key(&support::connection(), "currencies", "EUR");
    let records: Vec<Value> =
        page.records.iter().map(|one| Value::Object(one.record.clone())).collect();
    assert_eq!(records[0]["currencyKey"], json!(currency));
    assert_eq!(records[0]["terms"], "none", "a default counts for a null");
    assert_eq!(records[1]["currencyKey"], Value::Null);
    ask.position = page.next.expect("only an empty page is the last");
    assert!(system.pull("vendors", &ask).await.unwrap().next.is_none());

    let since = Pull { from: Some(1_700_000_000_000), ..Pull::default() };
    let page = system.pull("vendors", &since).await.unwrap();
    assert_eq!(page.records[0].record["name"], Value::Null);
    assert!(!page.records[0].record.contains_key("currencyKey"), "what is absent stays absent");
    let error = system.list_ids("vendors", None).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Unsupported);
}

#[test]
fn what_the_sandbox_has_made_up_is_not_told_as_proven_nor_the_other_way_round() {
    let sandbox = include_str!("../systems/sandbox.yaml");
    assert!(sandbox.contains("docs: own") && !sandbox.contains("docs: live"));
    let why = read(&sandbox.replacen("docs: own", "docs: live", 1)).unwrap_err();
    assert!(why.contains("cannot have `docs: live`"), "{why}");
    let tryton = include_str!("../systems/tryton.yaml");
    let why = read(&tryton.replacen("docs: live", "docs: own", 1)).unwrap_err();
    assert!(why.contains("cannot have `docs: own`"), "{why}");
}
