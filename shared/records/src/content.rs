//! The content hash: what "different" means.

use millwright_core::{Error, HashWriter, Result};
use millwright_entities::Entity;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

/// The hash of the content of a record of `entity` (a slug). The order of fields does not count, the
/// order of lists does. Fields that the entity's schema calls volatile (how often something was looked
/// at) do not count: a record in which nothing else is different has not changed.
///
/// # Errors
/// When the record cannot be written as JSON.
pub fn content_hash(entity: &str, record: &Map<String, Value>) -> Result<String> {
    let volatile: Vec<&str> = Entity::find(entity)
        .into_iter()
        .flat_map(|entity| entity.volatile().map(|field| field.name))
        .collect();
    let counted = record.iter().filter(|(name, _)| !volatile.contains(&name.as_str()));
    let mut writer = HashWriter::default();
    serde_json::to_writer(&mut writer, &SortedMap::of(counted)).map_err(Error::internal)?;
    let mut hash = writer.hex();
    hash.truncate(32);
    Ok(hash)
}

struct Sorted<'a>(&'a Value);
struct SortedMap<'a>(Vec<(&'a String, &'a Value)>);

impl<'a> SortedMap<'a> {
    fn of(members: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Self {
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_unstable_by_key(|(name, _)| *name);
        Self(members)
    }
}

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => SortedMap::of(map).serialize(serializer),
            Value::Array(list) => serializer.collect_seq(list.iter().map(Sorted)),
            plain => plain.serialize(serializer),
        }
    }
}

impl Serialize for SortedMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
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
        content_hash("topics", &map).unwrap()
    }

    #[test]
    fn how_often_a_topic_was_looked_at_does_not_count() {
        let seen = |views: u64| json!({"title": "Pumps", "viewCount": views, "likeCount": views});
        assert_eq!(hash(seen(1)), hash(seen(2)));
        assert_ne!(hash(seen(1)), hash(json!({"title": "Valves", "viewCount": 1})));
        let custom = |views: u64| json!({"customFields": {"viewCount": views}});
        assert_ne!(hash(custom(1)), hash(custom(2)));
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
