//! The entities and their schemas.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde_json::{Map, Value, json};

/// A kind of record in the unified model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entity {
    /// Its name in paths and queries, in kebab case.
    pub slug: &'static str,
    /// Its name in event types, in snake case: `<event_name>.updated`.
    pub event_name: &'static str,
    source: &'static str,
}

impl Entity {
    /// Every entity there is.
    pub const ALL: &'static [Self] = &[
        Self {
            slug: "purchase-orders",
            event_name: "purchase_orders",
            source: include_str!("../schemas/purchase-orders.json"),
        },
        Self {
            slug: "vendors",
            event_name: "vendors",
            source: include_str!("../schemas/vendors.json"),
        },
        Self {
            slug: "materials",
            event_name: "materials",
            source: include_str!("../schemas/materials.json"),
        },
        Self {
            slug: "statuses",
            event_name: "statuses",
            source: include_str!("../schemas/statuses.json"),
        },
    ];

    /// The entity of a slug.
    #[must_use]
    pub fn find(slug: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|entity| entity.slug == slug)
    }

    /// Its JSON Schema (2020-12), complete in itself. `x-references` names the entity that a key
    /// leads to; `readOnly` marks what no write may hold.
    #[must_use]
    pub fn schema(&self) -> &'static Value {
        static NONE: Value = Value::Null;
        SCHEMAS.get(self.slug).unwrap_or(&NONE)
    }
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug)
    }
}

static SCHEMAS: LazyLock<BTreeMap<&'static str, Value>> =
    LazyLock::new(|| Entity::ALL.iter().map(|entity| (entity.slug, compose(entity))).collect());

fn compose(entity: &Entity) -> Value {
    let mut envelope = object(include_str!("../schemas/envelope.json"));
    let mut own = object(entity.source);
    let mut properties = part(&mut envelope, "properties");
    properties.append(&mut part(&mut own, "properties"));
    let mut definitions = part(&mut envelope, "$defs");
    definitions.append(&mut part(&mut own, "$defs"));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("millwright:{}", entity.slug),
        "title": own.remove("title"),
        "description": own.remove("description"),
        "type": "object",
        "properties": properties,
        "required": ["key", "remoteId"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// The files are part of the program: the tests below read every one of them.
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

    #[test]
    fn every_schema_is_valid_json_schema_2020_12() {
        for entity in Entity::ALL {
            let schema = entity.schema();
            assert!(jsonschema::draft202012::meta::is_valid(schema), "{entity:?}");
            jsonschema::draft202012::new(schema).unwrap();
            assert!(schema["title"].is_string() && schema["description"].is_string(), "{entity:?}");
            assert!(schema["properties"].as_object().unwrap().len() > 9, "{entity:?}");
        }
    }

    #[test]
    fn every_file_is_an_object_and_shadows_nothing_of_the_envelope() {
        let envelope: Value =
            serde_json::from_str(include_str!("../schemas/envelope.json")).unwrap();
        for entity in Entity::ALL {
            let own: Value = serde_json::from_str(entity.source).unwrap();
            for part in ["properties", "$defs"] {
                for name in own[part].as_object().into_iter().flatten().map(|(name, _)| name) {
                    assert!(envelope[part].get(name).is_none(), "{entity:?} {part} {name}");
                }
            }
        }
    }

    #[test]
    fn an_event_name_is_the_slug_in_snake_case() {
        for entity in Entity::ALL {
            assert_eq!(entity.event_name, entity.slug.replace('-', "_"));
            assert_eq!(Entity::find(entity.slug), Some(entity));
        }
        assert_eq!(Entity::find("unicorns"), None);
    }

    #[test]
    fn money_and_quantities_are_text_and_never_numbers() {
        let order = Entity::find("purchase-orders").unwrap().schema();
        let schema = jsonschema::draft202012::new(order).unwrap();
        let with = |quantity: Value| {
            json!({
                "key": "rec_00000000000000000000000000",
                "remoteId": "1",
                "lineItems": [{"quantity": quantity}],
            })
        };
        assert!(schema.is_valid(&with(json!("5.25"))));
        assert!(schema.is_valid(&with(Value::Null)));
        for wrong in [json!(5), json!(5.25), json!("5,25"), json!("1e3"), json!("05"), json!("")] {
            assert!(!schema.is_valid(&with(wrong.clone())), "{wrong}");
        }
    }

    #[test]
    fn a_field_that_the_model_does_not_have_is_refused() {
        let vendor = Entity::find("vendors").unwrap().schema();
        let schema = jsonschema::draft202012::new(vendor).unwrap();
        let record = |more: &str| {
            let mut record = json!({"key": "rec_00000000000000000000000000", "remoteId": "1"});
            record[more] = json!("x");
            record
        };
        assert!(schema.is_valid(&record("name")));
        assert!(!schema.is_valid(&record("nmae")));
    }
}
