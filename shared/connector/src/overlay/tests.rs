use millwright_core::ConnectionId;
use serde_json::json;

use super::*;
use crate::{
    Catalog,
    mapping::{Mapper, Naming},
    path::NestedKeys,
};

fn overlay(value: Value) -> Overlay {
    serde_json::from_value(value).unwrap()
}

fn faults(value: Value) -> Vec<(String, String)> {
    let catalog = Catalog::builtin();
    let found = overlay(value).check("purchase-orders", catalog.get("tryton").unwrap());
    found.into_iter().map(|fault| (fault.path, fault.message)).collect()
}

#[test]
fn what_cannot_be_mapped_is_refused_by_its_place() {
    for (field, place) in [
        (json!({"field": "nothing", "path": "a"}), "fields[0].field"),
        (json!({"field": "key", "path": "a"}), "fields[0].field"),
        (json!({"field": "statusKey", "path": "a"}), "fields[0].field"),
        (json!({"field": "lineItems.key", "path": "a"}), "fields[0].field"),
        (json!({"field": "lineItems.nothing", "path": "a"}), "fields[0].field"),
        (json!({"field": "notes.text", "path": "a"}), "fields[0].field"),
        (json!({"field": "notes", "path": "a..b"}), "fields[0].path"),
        (json!({"field": "notes", "jq": "env"}), "fields[0].jq"),
        (json!({"field": "notes", "path": "a", "jq": ".a"}), "fields[0]"),
        (json!({"field": "notes"}), "fields[0]"),
        (json!({"field": "totalNetValue", "path": "a"}), "fields[0].codec"),
        (json!({"field": "dueAt", "path": "a", "codec": "decimal"}), "fields[0].codec"),
        (json!({"field": "state", "path": "a", "enum": {"x": "no state"}}), "fields[0].enum"),
        (json!({"field": "state", "default": "no state"}), "fields[0].default"),
        (json!({"field": "notes", "jq": ".a", "reads": ["a."]}), "fields[0].reads[0]"),
    ] {
        let found = faults(json!({"fields": [field.clone()]}));
        assert_eq!(found.len(), 1, "{field} {found:?}");
        assert_eq!(found[0].0, place, "{field} {found:?}");
    }
    assert_eq!(faults(json!({"custom_fields": ["x"]}))[0].0, "custom_fields");
    let twice = json!({"field": "notes", "path": "a"});
    assert_eq!(faults(json!({"fields": [twice, twice]}))[0].0, "fields[1].field");
}

#[test]
fn mapped_fields_of_more_than_64_kb_are_refused_as_a_whole() {
    let of = |length: usize| json!({"fields": [{"field": "notes", "path": "a", "default": "x".repeat(length)}]});
    assert_eq!(faults(of(65_000)), []);
    let words: serde_json::Map<String, Value> =
        (0..3_000).map(|word| (format!("their word {word}"), json!("draft"))).collect();
    let many = json!({"fields": [{"field": "state", "path": "a", "enum": words}]});
    for long in [of(65_536), many] {
        let found = faults(long);
        assert_eq!((found.len(), found[0].0.as_str()), (1, "fields"), "{found:?}");
    }
}

#[test]
fn what_fits_the_unified_model_is_taken() {
    for field in [
        json!({"field": "notes", "path": "a.b"}),
        json!({"field": "notes", "jq": ".a.b", "reads": ["a.b"]}),
        json!({"field": "totalNetValue", "path": "a", "codec": "decimal"}),
        json!({"field": "dueAt", "path": "a", "codec": "naive_utc"}),
        json!({"field": "state", "path": "a", "enum": {"x": "draft"}, "otherwise": "other"}),
        json!({"field": "currencyCode", "default": "EUR"}),
        json!({"field": "vendorKey", "path": "supplier", "codec": "id"}),
        json!({"field": "lineItems.materialKey", "path": "item", "codec": "id"}),
    ] {
        assert_eq!(faults(json!({"fields": [field.clone()]})), [], "{field}");
    }
}

#[test]
fn an_overlay_is_written_as_it_was_read() {
    let value = json!({"custom_fields": ["x"], "fields": [
        {"field": "state", "path": "a", "codec": "text", "enum": {"x": "draft"}, "otherwise": "other"},
        {"field": "notes", "jq": ".a", "reads": ["a"], "default": 1.10},
    ]});
    assert_eq!(serde_json::to_value(overlay(value.clone())).unwrap(), value);
    assert!(serde_json::from_value::<Overlay>(json!({"fields": [{"feild": "notes"}]})).is_err());
}

const ORDERS: &str = "
read: {}
custom_fields: { known: { x_a: { title: A, type: text } }, values: { object: extra } }
fields:
  notes: comment
  title: name
  lineItems: { each: lines, id: id, fields: { notes: note, name: name } }
";

#[test]
fn an_overlay_goes_before_the_manifest_and_leaves_the_rest_alone() {
    let def: EntityDef = serde_saphyr::from_str(ORDERS).unwrap();
    let overlay = overlay(json!({"custom_fields": ["x_a", "x_b"], "fields": [
        {"field": "notes", "path": "remark"},
        {"field": "vendorKey", "path": "supplier", "codec": "id"},
        {"field": "lineItems.notes", "jq": ".texts[0]"},
    ]}));
    let laid = overlay.apply("purchase-orders", &def).unwrap();
    let connection = ConnectionId::derived(&["test"]);
    let keys = NestedKeys::Plain;
    let entity = "purchase-orders";
    let mapper = Mapper { naming: Naming::Of(&connection), entity, keys, zone: None, nothing: &[] };
    let row = r#"{"comment": "old", "remark": "new", "name": "Bolts", "supplier": 4,
        "extra": {"x_a": 1.50, "x_c": 2},
        "lines": [{"id": 1, "note": "old", "name": "Bolt", "texts": ["new"]}]}"#;
    let row: Value = serde_json::from_str(row).unwrap();
    let mut record = mapper.record(&laid, "1", &row).unwrap();
    assert_eq!((&record["notes"], &record["title"]), (&json!("new"), &json!("Bolts")));
    let vendor = millwright_entities::record_key(&connection, "vendors", "4");
    assert_eq!(record["vendorKey"], json!(vendor));
    assert_eq!(record["lineItems"][0]["notes"], json!("new"));
    assert_eq!(record["lineItems"][0]["name"], json!("Bolt"));
    assert_eq!(record.remove("customFields").unwrap().to_string(), r#"{"x_a":1.50}"#);
    let plain = mapper.record(&def, "1", &row).unwrap();
    assert_eq!((plain.get("customFields"), &plain["notes"]), (None, &json!("old")));
}
