//! Any JSON, and rows that look a little like what a table of fields reads.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Any JSON, with texts that need escaping and numbers that no float holds.
pub fn any_json() -> BoxedStrategy<Value> {
    leaf()
        .prop_recursive(6, 60, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Value::Array),
                vec((name(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
        .boxed()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["id", "key", "name", "__class__", "$serde_json::private::Number", ""])
            .prop_map(str::to_owned),
        "\\PC{0,8}",
        any::<String>(),
    ]
}

/// What stands in rows: plain values, and the forms that codecs read, whole and spoiled.
pub fn leaf() -> BoxedStrategy<Value> {
    let digits = "-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,50})?([eE][+-]?[0-9]{1,6})?";
    let number = digits.prop_map(|digits| Value::Number(digits.parse().unwrap()));
    let time = prop_oneof![
        "[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9](\\.[0-9]{1,12})?)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?",
        "[+-][0-9]{6}-[01][0-9]-[0-3][0-9]T00:00:00Z",
        "/Date\\(-?[0-9]{1,20}([+-][0-9]{4})?\\)/",
    ];
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        2 => number,
        2 => any::<i64>().prop_map(Value::from),
        2 => (0_i64..20).prop_map(Value::from),
        2 => time.prop_map(Value::from),
        1 => digits.prop_map(Value::from),
        1 => "\\PC{0,12}".prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => "(<[/a-z!-]{1,8}[ >]|&[a-z#0-9]{1,6};|[a-z ]){0,20}".prop_map(Value::from),
        2 => tryton(),
    ]
    .boxed()
}

/// Tryton's typed objects, with parts that may be out of range.
fn tryton() -> impl Strategy<Value = Value> {
    let part = || prop_oneof![4 => 0_i64..70, 1 => 1900_i64..2100, 1 => any::<i64>()];
    prop_oneof![
        "-?[0-9.]{0,50}(E[+-]?[0-9]{1,4})?"
            .prop_map(|text| json!({"__class__": "Decimal", "decimal": text})),
        (part(), part(), part()).prop_map(|(year, month, day)| {
            json!({"__class__": "date", "year": year, "month": month, "day": day})
        }),
        (part(), part(), part(), part(), part()).prop_map(|(year, month, day, hour, minute)| {
            json!({"__class__": "datetime", "year": year, "month": month, "day": day,
                   "hour": hour, "minute": minute, "second": 1, "microsecond": day})
        }),
    ]
}

/// Values for a row: by which of the table's names each stands, and whether in a list, or beside its
/// name with a dot.
pub type Parts = Vec<(prop::sample::Index, Value, bool, bool)>;

pub fn parts(words: Vec<String>) -> impl Strategy<Value = Parts> {
    let value = prop_oneof![4 => leaf(), 3 => select(words).prop_map(Value::from), 1 => any_json()];
    vec((any::<prop::sample::Index>(), value, any::<bool>(), any::<bool>()), 0..24)
}

/// A row with these values.
pub fn row(names: &[String], parts: &Parts) -> Value {
    let mut row = Map::new();
    for (which, value, listed, dotted) in parts {
        if !names.is_empty() {
            let keys: Vec<&str> = which.get(names).split('.').collect();
            place(&mut row, &keys, value, *listed, *dotted);
        }
    }
    Value::Object(row)
}

fn place(into: &mut Map<String, Value>, keys: &[&str], value: &Value, listed: bool, dotted: bool) {
    match keys {
        [] => {}
        [last] => drop(into.insert((*last).to_owned(), value.clone())),
        [first, rest @ ..] => {
            let name = if dotted { format!("{first}.") } else { (*first).to_owned() };
            let inner = into.entry(name).or_insert_with(|| {
                if listed { json!([{ "id": 1 }, { "id": 2 }]) } else { json!({}) }
            });
            match inner {
                Value::Object(members) => place(members, rest, value, listed, dotted),
                Value::Array(items) => {
                    for item in items.iter_mut().filter_map(Value::as_object_mut) {
                        place(item, rest, value, listed, dotted);
                    }
                }
                _ => {}
            }
        }
    }
}
