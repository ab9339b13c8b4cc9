use serde_json::json;

use super::*;

fn filter(filter: Value) -> Result<BodyFilter, Vec<FieldError>> {
    BodyFilter::new(filter.as_object().cloned().unwrap())
}

/// Whether a body with this data passes a filter on the data.
fn passes(condition: Value, data: Value) -> bool {
    let body = json!({ "type": "a.b", "timestamp": "2026-01-01T00:00:00.000Z", "data": data });
    filter(json!({ "data": condition })).unwrap().passes(&body)
}

/// The paths of all faults.
fn faults(given: Value) -> Vec<String> {
    filter(given).unwrap_err().into_iter().map(|fault| fault.path).collect()
}

#[test]
fn a_plain_value_is_what_a_field_must_be_and_all_fields_must_hold() {
    let order = || json!({ "state": "open", "lines": 2, "vendor": { "name": "Acme" } });
    for (condition, expected) in [
        (json!({ "state": "open" }), true),
        (json!({ "state": "closed" }), false),
        (json!({ "state": "open", "lines": 2 }), true),
        (json!({ "state": "open", "lines": 3 }), false),
        (json!({ "lines": "2" }), false),
        (json!({ "vendor": { "name": "Acme" } }), true),
        (json!({ "vendor": { "name": "Acme", "city": "Bonn" } }), false),
        (json!({ "missing": null }), false),
    ] {
        assert_eq!(passes(condition.clone(), order()), expected, "{condition}");
    }
}

#[test]
fn operators_do_what_they_say() {
    let data = || {
        json!({
            "n": 5, "amount": "120.50", "at": "2026-03-01T12:00:00Z", "name": "Pump 7",
            "tags": ["a", "b"], "none": null, "lines": [{ "sku": "x" }, { "sku": "y", "n": 9 }],
        })
    };
    for (condition, expected) in [
        (json!({ "n": { "$eq": 5.0 } }), true),
        (json!({ "n": { "$ne": 5 } }), false),
        (json!({ "missing": { "$ne": 5 } }), true),
        (json!({ "n": { "$in": [4, 5] } }), true),
        (json!({ "n": { "$nin": [4, 5] } }), false),
        (json!({ "missing": { "$nin": [4] } }), true),
        (json!({ "n": { "$gt": 4, "$lt": 6 } }), true),
        (json!({ "n": { "$gt": 5 } }), false),
        (json!({ "n": { "$gte": 5, "$lte": 5 } }), true),
        (json!({ "amount": { "$gt": 100 } }), true),
        (json!({ "amount": { "$gt": 120.5 } }), false),
        (json!({ "name": { "$gt": 100 } }), false),
        (json!({ "at": { "$gte": "2026-03-01" } }), true),
        (json!({ "none": { "$exists": true } }), true),
        (json!({ "missing": { "$exists": false } }), true),
        (json!({ "missing": { "$exists": true } }), false),
        (json!({ "none": null }), true),
        (json!({ "name": { "$contains": "mp" } }), true),
        (json!({ "name": { "$starts_with": "Pump" } }), true),
        (json!({ "name": { "$starts_with": "ump" } }), false),
        (json!({ "tags": { "$contains": "b" } }), true),
        (json!({ "tags": { "$contains": "c" } }), false),
        (json!({ "tags": "a" }), true),
        (json!({ "tags": ["a", "b"] }), true),
        (json!({ "tags": ["b", "a"] }), false),
        (json!({ "tags": { "$ne": "a" } }), false),
        (json!({ "lines": { "sku": "y", "n": { "$gt": 8 } } }), true),
        (json!({ "n": { "$not": { "$gt": 4 } } }), false),
        (json!({ "n": { "$not": 4 } }), true),
        (json!({ "$or": [{ "n": 4 }, { "name": "Pump 7" }] }), true),
        (json!({ "$and": [{ "n": 5 }, { "name": "Pump 8" }] }), false),
        (json!({ "n": { "$or": [{ "$lt": 1 }, 5] } }), true),
        (json!({ "vendor": { "name": "x" } }), false),
        (json!({ "lines": { "$eq": [{ "sku": "x" }, { "n": 9.0, "sku": "y" }] } }), true),
    ] {
        assert_eq!(passes(condition.clone(), data()), expected, "{condition}");
    }
}

#[test]
fn numbers_are_compared_as_they_are_written_never_as_floats() {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let large = || json!({ "n": number("9007199254740993") });
    assert!(passes(json!({ "n": { "$gt": number("9007199254740992") } }), large()));
    assert!(!passes(json!({ "n": number("9007199254740992") }), large()));
    assert!(passes(json!({ "n": number("9007199254740993.000") }), large()));
    assert!(passes(
        json!({ "n": { "$lt": number("0.3000000000000000001") } }),
        json!({ "n": 0.3 })
    ));
    assert!(passes(json!({ "n": { "$lt": number("1e400") } }), large()));
}

#[test]
fn the_whole_body_can_be_asked_about() {
    let body =
        json!({ "type": "invoice.paid", "timestamp": "2026-01-01T00:00:00.000Z", "data": [1] });
    for (given, expected) in [
        (json!({ "type": { "$starts_with": "invoice." } }), true),
        (json!({ "$or": [{ "type": "x" }, { "data": 1 }] }), true),
        (json!({ "$not": { "type": "invoice.paid" } }), false),
        (json!({ "data": { "$gt": 1 } }), false),
    ] {
        assert_eq!(filter(given.clone()).unwrap().passes(&body), expected, "{given}");
    }
}

#[test]
fn every_fault_is_named_by_its_path() {
    let given = json!({
        "amount": 5,
        "data": {
            "a": { "$bigger": 1 },
            "b": { "$in": [] },
            "c": { "$gt": true },
            "d": { "$exists": "yes" },
            "e": { "$or": [{ "$starts_with": 1 }, {}] },
            "f": {},
            "g": { "$contains": {} },
        },
        "$eq": 1,
    });
    let expected = [
        "filter.amount",
        "filter.data.a.$bigger",
        "filter.data.b.$in",
        "filter.data.c.$gt",
        "filter.data.d.$exists",
        "filter.data.e.$or[0].$starts_with",
        "filter.data.e.$or[1]",
        "filter.data.f",
        "filter.data.g.$contains",
        "filter.$eq",
    ];
    assert_eq!(faults(given), expected);
    assert_eq!(faults(json!({})), ["filter"]);
    assert_eq!(faults(json!({ "$not": 1 })), ["filter.$not"]);
}

#[test]
fn a_filter_has_at_most_12_levels_100_conditions_and_8_kb() {
    let nested = |levels: usize| {
        let inner = (1..levels).fold(json!(1), |inner, _| json!({ "x": inner }));
        filter(json!({ "data": inner }))
    };
    assert!(nested(12).is_ok());
    assert!(nested(13).is_err());
    let deep_value = (0..13).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(faults(json!({ "data": deep_value })), ["filter.data"]);
    let wide = |count: usize| filter(json!({ "data": { "$in": vec![1; count] } }));
    assert!(wide(100).is_ok());
    assert!(wide(101).is_err());
    let long = |length: usize| filter(json!({ "data": "x".repeat(length) }));
    let frame = json!({ "data": "" }).to_string().len();
    assert!(long(8192 - frame).is_ok());
    assert!(long(8193 - frame).is_err());
}
