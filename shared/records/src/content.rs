//! The content hash: what "different" means.

use std::collections::BTreeMap;

use millwright_core::{Error, Result, sha256_hex};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

/// The hash of a record's content. The order of fields does not count, the order of lists does.
///
/// # Errors
/// When the record cannot be written as JSON.
pub(crate) fn content_hash(record: &Map<String, Value>) -> Result<String> {
    let text = serde_json::to_vec(&SortedMap(record)).map_err(Error::internal)?;
    Ok(sha256_hex(&text)[..32].to_owned())
}

struct Sorted<'a>(&'a Value);
struct SortedMap<'a>(&'a Map<String, Value>);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => SortedMap(map).serialize(serializer),
            Value::Array(list) => serializer.collect_seq(list.iter().map(Sorted)),
            plain => plain.serialize(serializer),
        }
    }
}

impl Serialize for SortedMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sorted: BTreeMap<&String, &Value> = self.0.iter().collect();
        let mut map = serializer.serialize_map(Some(sorted.len()))?;
        for (name, value) in sorted {
            map.serialize_entry(name, &Sorted(value))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hash(value: Value) -> String {
        let Value::Object(map) = value else { panic!("not an object") };
        content_hash(&map).unwrap()
    }

    #[test]
    fn the_order_of_fields_does_not_count() {
        let left = json!({"a": "1", "b": {"c": [1, 2], "d": null}});
        let right = json!({"b": {"d": null, "c": [1, 2]}, "a": "1"});
        assert_eq!(hash(left), hash(right));
    }

    #[test]
    fn a_missing_field_an_empty_one_and_another_order_of_lines_differ() {
        let hashes = [
            hash(json!({"a": null})),
            hash(json!({})),
            hash(json!({"a": [1, 2]})),
            hash(json!({"a": [2, 1]})),
        ];
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }
}
