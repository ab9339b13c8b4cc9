//! Golden tests: those of the built-in manifests, and what the runner finds wrong.

use std::path::{Path, PathBuf};

use millwright_connector::{Checked, Manifest, Tests, run_tests};
use millwright_entities::Entity;
use serde_json::Value;

/// A system with an error that comes with status 200, pages by a cursor, webhooks and jq.
const ACME: &str = r#"
format: 1
id: acme
name: Acme
vendor: Acme
categories: [erp]
tier: 1
maturity: documented
settings:
  url: { title: Address, type: url, required: true }
credentials:
  key: { title: Key, type: secret, required: true }
protocol: { http: { base_url: "{settings.url}/api" } }
auth: { bearer: { token: "{credentials.key}" } }
probe: { request: { method: GET, path: me }, instance: { id: [org.id] } }
errors:
  - when: { path: error, contains: maintenance }
    class: unreachable
    message: error
  - when: { status: [422], path: errors.0 }
    class: validation
    contract: REFERENCE_NOT_FOUND
    code: errors.0.code
    field: errors.0.field
webhooks_in:
  verify: { token: { header: x-secret, value: "{credentials.key}" } }
  events:
    - { when: { path: vendor }, entity: vendors, id: vendor.id }
entities:
  vendors:
    read:
      request:
        method: GET
        path: vendors
        query: { cursor: "{page.cursor}", limit: "{page.size}", since: "{window}" }
      rows: items
      paging: { cursor: { at: next, stable: true } }
    get: { request: { method: GET, path: "vendors/{id}" } }
    incremental: { filter: { window: "{since|unix_seconds}", overlap_seconds: 60 } }
    deletes: { flag: { set: gone } }
    fields:
      name: name
      code: { jq: ".codes | first" }
      currencyKey: { path: currency, references: currencies }
      createdAt: { path: created, codec: time }
tests:
  settings: { url: "https://acme.example.com" }
  rows:
    vendors:
      - name: a vendor
        row: { id: 7, name: Acme Bearings, codes: [V7, old], currency: EUR }
        record: { remoteId: "7", name: Acme Bearings, code: V7, currencyKey: currencies/EUR }
      - { row: '{"id": 8, "gone": true}', deleted: true }
      - { row: { id: 9, created: yesterday }, skipped: createdAt }
  answers:
    - { answer: { body: { error: under maintenance } }, is: { class: unreachable, code: CONNECTION_UNAVAILABLE } }
    - name: a currency that is not there
      during: write
      answer: { status: 422, body: { errors: [{ code: E7, field: currency }] } }
      is: { class: validation, code: REFERENCE_NOT_FOUND, upstream_code: E7, field: currency }
    - answer: { status: 429, headers: { Retry-After: "7" } }
      is: { class: rate_limited, wait_seconds: 7 }
    - { answer: { text: "[]" }, is: { class: ok } }
  pages:
    vendors:
      - size: 2
        since: "2026-11-21T10:01:00Z"
        answers:
          - asks: GET https://acme.example.com/api/vendors?limit=2&since=1795255200
            answer: { body: { items: [{ id: 1 }, { id: 2 }], next: abc } }
            ids: ["1", "2"]
            next: { cursor: abc }
          - asks: GET https://acme.example.com/api/vendors?cursor=abc&limit=2&since=1795255200
            answer: { body: { items: [{ id: 3 }] } }
            ids: ["3"]
  hooks:
    - { body: { vendor: { id: 7 } }, tells: [{ entity: vendors, id: "7" }] }
    - { body: { invoice: 1 }, tells: [] }
"#;

fn failed(manifest: &str, beside: &str) -> Vec<Checked> {
    let manifest = Manifest::read(manifest).unwrap();
    let beside = Tests::read(beside).unwrap();
    run_tests(&manifest, &beside).into_iter().filter(|one| !one.passed()).collect()
}

#[test]
fn a_manifest_that_is_as_its_golden_tests_say_passes() {
    assert_eq!(failed(ACME, "{}"), []);
    let manifest = Manifest::read(ACME).unwrap();
    let names: Vec<String> =
        run_tests(&manifest, &Tests::default()).into_iter().map(|one| one.name).collect();
    assert_eq!(names[0], "tests.rows.vendors[0] a vendor");
    assert_eq!(names.len(), 11);
}

#[test]
fn every_kind_of_test_finds_what_is_otherwise() {
    for (what, instead, place, fault) in [
        ("code: V7", "code: V8", "rows.vendors[0]", "code: expected \"V8\", and \"V7\" came"),
        ("currencies/EUR", "currencies/USD", "rows.vendors[0]", "\"currencies/EUR\" came"),
        ("code: V7, ", "", "rows.vendors[0]", "code: nothing expected, and \"V7\" came"),
        ("code: V7, ", "", "entities.vendors", "no golden row has a value for `code`"),
        ("\"gone\": true", "\"gone\": false", "rows.vendors[1]", "it became a record"),
        ("skipped: createdAt", "skipped: name", "rows.vendors[2]", "`createdAt` cannot be read"),
        ("class: unreachable, code", "class: ok, code", "answers[0]", "expected \"ok\""),
        ("upstream_code: E7", "upstream_code: E8", "answers[1]", "upstream_code: expected"),
        ("wait_seconds: 7", "wait_seconds: 8", "answers[2]", "expected 8, and 7 came"),
        ("ids: [\"3\"]", "ids: [\"4\"]", "pages.vendors[0]", "page 2: ids[0]: expected"),
        ("next: { cursor: abc }", "next: { cursor: x }", "pages.vendors[0]", "page 1: next.cursor"),
        ("cursor=abc&limit=2", "limit=2", "pages.vendors[0]", "page 2: asks: expected"),
        ("], next: abc }", "] }", "pages.vendors[0]", "page 1: next: expected"),
        ("id: \"7\" }", "id: \"8\" }", "hooks[0]", "it tells of"),
    ] {
        assert!(ACME.contains(what), "{what}");
        let found = failed(&ACME.replacen(what, instead, 1), "{}");
        let fits = |one: &Checked| {
            one.name.contains(place) && one.faults.iter().any(|line| line.contains(fault))
        };
        assert!(found.iter().any(fits), "{instead}: {found:?}");
    }
}

#[test]
fn tests_may_stand_in_a_file_beside_the_manifest_and_are_read_as_strictly() {
    let beside = "rows: { vendors: [{ row: { id: 1 }, record: { remoteId: \"2\" } }] }";
    let found = failed(ACME, beside);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].name, "tests.rows.vendors[3]");
    let unknown = failed(ACME, "rows: { unicorns: [{ row: { id: 1 }, deleted: true }] }");
    assert_eq!(unknown[0].faults, ["there is no such entity in the manifest"]);
    let why = Tests::read("rows:\n  vendors:\n    - rwo: {}\n").unwrap_err();
    assert_eq!((why.problems[0].line, why.problems[0].column), (Some(3), Some(7)), "{why}");
}

#[test]
fn an_amount_in_json_text_is_as_exact_as_on_the_wire() {
    let before = ACME.split_once("    fields:").unwrap().0.replace("vendors", "stocks");
    let manifest = before + "    fields: { quantity: { path: q, codec: decimal } }\n";
    let beside = "rows: { stocks: [{ row: '{\"id\": 1, \"q\": 0.10000000000000000001}', \
                  record: { remoteId: \"1\", quantity: \"0.10000000000000000001\" } }] }";
    assert_eq!(failed(&manifest, beside), []);
}

#[test]
fn what_does_not_fit_together_is_told_with_line_and_column() {
    let wrong = ACME.replace("references: currencies }", "references: vendors }");
    let why = Manifest::read(&wrong).unwrap_err();
    let line = 1 + wrong.lines().position(|line| line.contains("currencyKey: {")).unwrap();
    let at = (why.problems[0].line, why.problems[0].column);
    assert_eq!(at, (Some(u64::try_from(line).unwrap()), Some(7)), "{why}");
}

/// The built-in manifests, with the golden tests beside them.
fn built_in() -> Vec<(String, Manifest, Tests)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systems");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_manifest = |path: &PathBuf| !path.to_str().unwrap().ends_with(".tests.yaml");
    let read = |path: PathBuf| {
        let text = |path: &Path| std::fs::read_to_string(path).unwrap();
        let beside = path.with_extension("tests.yaml");
        let beside = if beside.exists() { text(&beside) } else { "{}".to_owned() };
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, Manifest::read(&text(&path)).unwrap(), Tests::read(&beside).unwrap())
    };
    paths.filter(is_manifest).map(read).collect()
}

#[test]
fn each_built_in_manifest_is_as_its_golden_tests_say() {
    let all = built_in();
    assert!(all.len() >= 2);
    let failed: Vec<(String, Checked)> = all
        .into_iter()
        .flat_map(|(name, manifest, tests)| {
            let ran = run_tests(&manifest, &tests).into_iter();
            ran.filter(|one| !one.passed()).map(move |one| (name.clone(), one))
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_golden_record_of_a_built_in_manifest_is_one_of_the_unified_model() {
    for (name, manifest, tests) in built_in() {
        for (slug, rows) in manifest.tests.with(tests).rows.iter() {
            let schema = Entity::find(slug).unwrap().schema();
            let schema = jsonschema::draft202012::new(schema).unwrap();
            for mut record in rows.iter().filter_map(|row| row.record.clone()) {
                record.insert("key".to_owned(), Value::from("a key"));
                let record = Value::Object(record);
                let faults = schema.iter_errors(&record).map(|fault| fault.to_string());
                let of_key =
                    |text: &String| text.contains("^rec_") || text.starts_with("\"key\" is");
                let faults: Vec<String> = faults.filter(|text| !of_key(text)).collect();
                assert!(faults.is_empty(), "{name}: {faults:?} in {record:#}");
            }
        }
    }
}
