//! Whether what a field gives is what the unified model wants there.

use millwright_entities::Entity;
use serde_json::{Value, json};

use super::field::ValueField;
use crate::table::Table;

/// The entity that a unified field's keys lead to (`vendorKey`, `lineItems.materialKey`).
#[must_use]
pub fn reference_of(entity: &str, field: &str) -> Option<String> {
    property(entity, field)?["x-references"].as_str().map(str::to_owned)
}

/// What about a field's values cannot be in the unified model, and why: `field` when there is no such
/// field, else the key of the field that is to blame. What only a row can show is not found here.
#[must_use]
pub fn unfit(entity: &str, field: &str, value: &ValueField) -> Option<(&'static str, String)> {
    if property(entity, field).is_none() {
        return Some(("field", "is not a field of this entity".to_owned()));
    }
    let fits = |value: &Value| holds(entity, field, value);
    let words = value.words.iter().flat_map(Table::iter).map(|(_, word)| word);
    for word in words.chain(&value.otherwise) {
        if !fits(&Value::from(word.as_str())) {
            return Some(("enum", format!("`{word}` is not a value of this field")));
        }
    }
    if let Some(default) = value.default.as_ref().filter(|default| !fits(default)) {
        return Some(("default", format!("{default} is not a value of this field")));
    }
    let of_codec = if value.references.is_some() {
        Some(json!("rec_00000000000000000000000000"))
    } else {
        value.codec.example()
    };
    let free = value.words.is_some() || matches!(value.from, super::Origin::Nothing);
    let wrong = of_codec.filter(|example| !free && !fits(example))?;
    Some(("codec", format!("gives values such as {wrong}, which the field cannot hold")))
}

fn holds(entity: &str, field: &str, value: &Value) -> bool {
    let Some(schema) = Entity::find(entity).map(Entity::schema) else { return false };
    let Some(property) = descend(schema, field) else { return false };
    let schema = json!({"$defs": schema["$defs"], "allOf": [property]});
    jsonschema::draft202012::new(&schema).is_ok_and(|schema| schema.is_valid(value))
}

fn property(entity: &str, field: &str) -> Option<&'static Value> {
    descend(Entity::find(entity)?.schema(), field)
}

/// The schema of a field, or of a field of a list's elements.
fn descend<'a>(schema: &'a Value, field: &str) -> Option<&'a Value> {
    let (name, inner) = match field.split_once('.') {
        Some((list, inner)) => (list, Some(inner)),
        None => (field, None),
    };
    let property = schema["properties"].get(name)?;
    let Some(inner) = inner else { return Some(property) };
    let items = property.get("items")?;
    let at = items["$ref"].as_str().and_then(|at| at.strip_prefix('#'));
    let items = at.and_then(|at| schema.pointer(at)).unwrap_or(items);
    items["properties"].get(inner)
}
