//! The entities' JSON Schemas as components: one for reading, one for writing, one for a page.

use millwright_entities::{Entity, Kind};
use millwright_records::{FilterField, filter_fields};
use serde_json::{Map, Value, json};

use crate::routes::records::words;

/// Where a schema of an entity refers to its shared parts, and where they are in the document.
const OWN: &str = "#/$defs/";
const SHARED: &str = "#/components/schemas/record_";

/// The components of all entities, by name.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    schemas.insert("ActionInput".to_owned(), action());
    for entity in Entity::ALL {
        let mut record = entity.schema().clone();
        relocate(&mut record);
        let name = words::component(entity);
        if let Some(parts) = record.as_object_mut() {
            parts.retain(|part, _| part != "$schema" && part != "$id");
            let definitions = parts.remove("$defs");
            for (part, schema) in
                definitions.as_ref().and_then(Value::as_object).into_iter().flatten()
            {
                schemas.insert(format!("record_{part}"), schema.clone());
            }
        }
        if entity.slug != "statuses" {
            let input = writable(&record, &schemas);
            schemas.insert(format!("{name}Patch"), patch(entity, &input));
            schemas.insert(format!("{name}Input"), input);
            schemas.insert(format!("{name}Preview"), preview(&record));
        }
        schemas.insert(format!("{name}Page"), page(&name));
        schemas.insert(format!("{name}Filter"), filter(entity));
        schemas.insert(name, record);
    }
    schemas
}

fn relocate(schema: &mut Value) {
    match schema {
        Value::Object(parts) => {
            for (name, part) in parts {
                match part {
                    Value::String(text) if name == "$ref" => *text = text.replace(OWN, SHARED),
                    _ => relocate(part),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(relocate),
        _ => {}
    }
}

/// A record that is not there yet: nothing says its key.
fn preview(record: &Value) -> Value {
    let mut preview = record.clone();
    preview.as_object_mut().into_iter().for_each(|parts| drop(parts.remove("required")));
    preview
}

/// The same without what cannot be written, lines included.
fn writable(record: &Value, shared: &Map<String, Value>) -> Value {
    let mut input = record.clone();
    input.as_object_mut().into_iter().for_each(|parts| drop(parts.remove("required")));
    let Some(properties) = input["properties"].as_object_mut() else { return input };
    properties.retain(|_, property| property["readOnly"] != true);
    for property in properties.values_mut() {
        let lines = property["items"]["$ref"].as_str();
        let lines = lines.and_then(|name| shared.get(name.rsplit('/').next()?));
        if let Some(lines) = lines.filter(|lines| lines["type"] == "object").cloned() {
            property["items"] = writable(&lines, shared);
        }
    }
    input
}

/// The conditions that a list of an entity may have. A connection has those on fields that its
/// connector fills: see `/v1/meta`.
fn filter(entity: &Entity) -> Value {
    let mut plain = Map::new();
    let mut compared = Map::new();
    for field in filter_fields(entity, None) {
        let value = value_of(&field);
        let operators: Vec<&str> = field.operators().iter().map(|own| own.as_str()).collect();
        compared.insert(format!("^{}:({})$", field.name, operators.join("|")), value.clone());
        plain.insert(field.name.to_owned(), value);
    }
    json!({
        "type": "object",
        "description": format!("Conditions on {}.", entity.plural()),
        "properties": plain,
        "patternProperties": compared,
        "additionalProperties": false,
    })
}

/// A value to compare a field with.
fn value_of(field: &FilterField) -> Value {
    let formatted = |format: &str| json!({ "type": "string", "format": format });
    match field.kind {
        Kind::Choice => json!({ "enum": field.options }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Date => formatted("date"),
        Kind::Time => formatted("date-time"),
        Kind::Decimal | Kind::Integer => formatted("decimal"),
        Kind::Key => json!({ "type": "string", "pattern": "^rec_[0-9a-z]{26}$" }),
        Kind::Text | Kind::List | Kind::Object => json!({ "type": "string" }),
    }
}

/// What goes with an action: each has its own.
fn action() -> Value {
    json!({
        "type": "object",
        "description": "What goes with the action, as `/v1/meta/<entity>` lists it; often nothing.",
        "additionalProperties": true,
    })
}

/// What a merge patch may hold: the same, and lines that are named by their keys.
fn patch(entity: &Entity, input: &Value) -> Value {
    let mut patch = input.clone();
    for list in entity.line_lists() {
        let lines = &mut patch["properties"][list.name]["items"]["properties"];
        if lines.is_object() {
            let key = "The line to change or to remove; without it a line is added.";
            let deleted = "Whether the line is to be removed.";
            lines["key"] = json!({ "type": "string", "description": key });
            lines["deleted"] = json!({ "type": "boolean", "description": deleted });
        }
    }
    patch
}

fn page(name: &str) -> Value {
    json!({
        "type": "object",
        "description": "A page of a list.",
        "required": ["data", "next_cursor", "has_more"],
        "properties": {
            "data": {
                "type": "array",
                "description": "The page. It may be short, even empty, while `has_more` is true.",
                "items": { "$ref": format!("#/components/schemas/{name}") },
            },
            "next_cursor": {
                "type": ["string", "null"],
                "description": "Where the next page begins, as `cursor`; null on the last page.",
            },
            "has_more": { "type": "boolean", "description": "Whether there is more." },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_that_share_a_parts_name_mean_the_same_by_it() {
        let mut seen: Map<String, Value> = Map::new();
        for entity in Entity::ALL {
            for (name, part) in entity.schema()["$defs"].as_object().unwrap() {
                let before = seen.insert(name.clone(), part.clone());
                assert!(before.is_none_or(|before| before == *part), "{name} of {entity:?}");
            }
        }
    }

    #[test]
    fn the_document_knows_every_condition_that_is_possible() {
        let schema = &schemas()["PurchaseOrderFilter"];
        let validator = jsonschema::draft202012::new(schema).unwrap();
        let fits = |name: &str, value: Value| {
            let mut filter = json!({});
            filter[name] = value;
            validator.is_valid(&filter)
        };
        assert!(fits("state", json!("draft")) && !fits("state", json!("lost")));
        assert!(fits("updatedAt:gteq", json!("2026-03-01T12:00:00Z")));
        assert!(fits("orderNo:starts_with", json!("PO")) && !fits("state:gt", json!("draft")));
        assert!(!fits("lineItems", json!("x")) && !fits("orderNo:like", json!("x")));
    }

    #[test]
    fn what_a_dry_run_answers_has_no_key_and_says_so() {
        let schemas = schemas();
        let mut whole = schemas["VendorPreview"].clone();
        whole["components"] = json!({ "schemas": schemas });
        let validator = jsonschema::draft202012::new(&whole).unwrap();
        assert!(validator.is_valid(&json!({"name": "Norton", "meta": {"dry_run": true}})));
        assert!(!validator.is_valid(&json!({"nmae": "Norton", "meta": {"dry_run": true}})));
    }

    #[test]
    fn what_is_read_only_is_not_in_the_schema_for_writing() {
        let input = &schemas()["PurchaseOrderInput"];
        assert!(input["properties"].get("vendorKey").is_some());
        assert!(input["properties"].get("key").is_none() && input.get("required").is_none());
        let line = &input["properties"]["lineItems"]["items"]["properties"];
        assert!(line.get("quantity").is_some(), "{input:#}");
    }
}
