//! From an entity's file to its whole schema.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

const ENVELOPE: &str = include_str!("../schemas/envelope.json");
const PARTS: &str = include_str!("../schemas/parts.json");
/// How a schema names a definition of its own.
pub(crate) const DEFINITIONS: &str = "#/$defs/";

/// What a file says about its entity beside its properties, and the schema carries on.
const SAID: [&str; 5] = ["title", "x-plural", "x-categories", "x-lines-of", "description"];

/// The schema of an entity: what its file says, what every record has, and of the shared parts those
/// that are used.
pub(crate) fn compose(slug: &str, source: &str) -> Value {
    let mut own = object(source);
    let mut envelope = object(ENVELOPE);
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("$id".to_owned(), json!(format!("millwright:{slug}")));
    for name in SAID {
        schema.extend(own.remove_entry(name));
    }
    schema.insert("type".to_owned(), json!("object"));
    let mut properties = part(&mut envelope, "properties");
    properties.append(&mut part(&mut own, "properties"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), json!(["key", "remoteId"]));
    schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    let mut definitions = part(&mut envelope, "$defs");
    definitions.append(&mut part(&mut object(PARTS), "$defs"));
    definitions.append(&mut part(&mut own, "$defs"));
    let used = used(&Value::Object(schema.clone()), &definitions);
    definitions.retain(|name, _| used.contains(name));
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    schema.insert("examples".to_owned(), examples(&mut own, &mut envelope));
    Value::Object(schema)
}

/// The examples of an entity, each with what the envelope shows for every record.
fn examples(own: &mut Map<String, Value>, envelope: &mut Map<String, Value>) -> Value {
    let everywhere = part(envelope, "example");
    let mut examples = own.remove("examples").unwrap_or_else(|| json!([]));
    for example in examples.as_array_mut().into_iter().flatten() {
        if let Some(example) = example.as_object_mut() {
            example.extend(everywhere.clone());
        }
    }
    examples
}

/// The names of the definitions that a schema leads to, by way of others too.
fn used(schema: &Value, definitions: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![schema];
    while let Some(schema) = left.pop() {
        let mut names = Vec::new();
        collect(schema, &mut names);
        for name in names {
            if found.insert(name.to_owned()) {
                left.extend(definitions.get(name));
            }
        }
    }
    found
}

fn collect<'a>(schema: &'a Value, names: &mut Vec<&'a str>) {
    match schema {
        Value::Object(parts) => {
            for (name, part) in parts {
                match part {
                    Value::String(text) if name == "$ref" => {
                        names.extend(text.strip_prefix(DEFINITIONS));
                    }
                    _ => collect(part, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        _ => {}
    }
}

/// The files are part of the program: the tests read every one of them.
fn object(source: &str) -> Map<String, Value> {
    serde_json::from_str(source).unwrap_or_default()
}

fn part(of: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match of.remove(name) {
        Some(Value::Object(part)) => part,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entity;

    fn names<'a>(source: &'a Value, part: &str) -> impl Iterator<Item = &'a String> {
        source[part].as_object().into_iter().flatten().map(|(name, _)| name)
    }

    #[test]
    fn every_file_is_an_object_and_shadows_nothing_of_the_shared_ones() {
        let envelope: Value = serde_json::from_str(ENVELOPE).unwrap();
        let parts: Value = serde_json::from_str(PARTS).unwrap();
        for name in names(&parts, "$defs") {
            assert!(envelope["$defs"].get(name).is_none(), "{name}");
        }
        for entity in Entity::ALL {
            let own: Value = serde_json::from_str(entity.source).unwrap();
            assert!(own.is_object(), "{entity:?}");
            for shared in [&envelope, &parts] {
                for part in ["properties", "$defs"] {
                    for name in names(&own, part) {
                        assert!(shared[part].get(name).is_none(), "{entity:?} {part} {name}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_shared_part_is_used_and_no_schema_carries_one_that_it_does_not_use() {
        let mut left: BTreeSet<String> = BTreeSet::new();
        for source in [ENVELOPE, PARTS] {
            let source: Value = serde_json::from_str(source).unwrap();
            left.extend(names(&source, "$defs").cloned());
        }
        for entity in Entity::ALL {
            let schema = entity.schema();
            let text = schema.to_string();
            for name in names(schema, "$defs") {
                assert!(text.contains(&format!("\"{DEFINITIONS}{name}\"")), "{entity:?} {name}");
                left.remove(name);
            }
        }
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn every_reference_to_a_part_finds_it() {
        for entity in Entity::ALL {
            let schema = entity.schema();
            let mut names = Vec::new();
            collect(schema, &mut names);
            for name in names {
                assert!(schema["$defs"].get(name).is_some(), "{entity:?} {name}");
            }
        }
    }
}
