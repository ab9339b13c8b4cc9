//! The example records: complete, valid, and of one world, so that following a key leads somewhere.

use std::collections::BTreeSet;

use millwright_core::ConnectionId;
use millwright_entities::{Entity, Field, Kind, line_key, record_key, status_key};
use serde_json::{Map, Value};

fn examples(entity: &Entity) -> &'static [Value] {
    entity.schema()["examples"].as_array().unwrap()
}

/// The connection that the examples' keys are of.
fn connection() -> ConnectionId {
    "conn_01jd8r2v7m5w3k9x1c4t6z8q0a".parse().unwrap()
}

/// Every key that leads to a record: the field, and the key.
fn references(fields: &'static [Field], object: &Value, found: &mut Vec<(&'static Field, String)>) {
    for field in fields {
        let value = &object[field.name];
        let one = std::slice::from_ref(value);
        let values = value.as_array().map_or(one, Vec::as_slice);
        for value in values {
            if field.references.is_some() {
                found.extend(value.as_str().map(|key| (field, key.to_owned())));
            } else if value.is_object() {
                references(&field.inner, value, found);
            }
        }
    }
}

#[test]
fn every_example_is_valid() {
    for entity in Entity::ALL {
        let schema = jsonschema::draft202012::new(entity.schema()).unwrap();
        assert!(!examples(entity).is_empty(), "{entity:?} has none");
        for example in examples(entity) {
            let errors: Vec<String> =
                schema.iter_errors(example).map(|error| format!("{error}")).collect();
            assert!(errors.is_empty(), "{entity:?}: {errors:?}");
        }
    }
}

/// The names of fields that an object should show and does not.
fn missing(fields: &[Field], object: &Map<String, Value>, place: &str, found: &mut Vec<String>) {
    for field in fields {
        let place = format!("{place}.{}", field.name);
        match object.get(field.name) {
            None => found.push(place),
            Some(Value::Object(inner)) => missing(&field.inner, inner, &place, found),
            Some(Value::Array(items)) => {
                for item in items.iter().filter_map(Value::as_object) {
                    missing(&field.inner, item, &place, found);
                }
            }
            Some(_) => {}
        }
    }
}

#[test]
fn every_example_shows_every_field() {
    // A record has these only sometimes.
    let sometimes = ["remoteCode", "remoteUrl", "deletedAt", "meta"];
    for entity in Entity::ALL {
        for example in examples(entity) {
            let mut found = Vec::new();
            missing(entity.fields(), example.as_object().unwrap(), "", &mut found);
            found.retain(|place| !sometimes.contains(&place.split('.').nth(1).unwrap_or_default()));
            assert!(found.is_empty(), "{entity:?} misses {found:?}");
        }
    }
}

#[test]
fn keys_in_examples_are_those_that_the_records_would_have() {
    for entity in Entity::ALL {
        for example in examples(entity) {
            let connection = connection();
            let id = example["remoteId"].as_str().unwrap();
            assert_eq!(example["key"], record_key(&connection, entity.slug, id), "{entity:?}");
            for list in entity.line_lists() {
                for line in example[list.name].as_array().unwrap() {
                    let id = line["remoteId"].as_str().unwrap();
                    let expected = line_key(&connection, entity.slug, list.name, id);
                    assert_eq!(line["key"], expected, "{entity:?} {}", list.name);
                }
            }
        }
    }
}

#[test]
fn references_in_examples_lead_to_examples() {
    let keys: BTreeSet<(&str, &str)> = Entity::ALL
        .iter()
        .flat_map(|entity| examples(entity).iter().map(|example| (entity.slug, example)))
        .map(|(slug, example)| (slug, example["key"].as_str().unwrap()))
        .collect();
    let mut count = 0;
    for entity in Entity::ALL {
        for example in examples(entity) {
            let mut found = Vec::new();
            references(entity.fields(), example, &mut found);
            // A status has an example for purchase orders alone.
            found.retain(|(field, _)| field.references != Some("statuses"));
            for (field, key) in &found {
                let target = field.references.unwrap();
                assert!(keys.contains(&(target, key)), "{entity:?} {} {key}", field.name);
            }
            count += found.len();
        }
    }
    assert!(count > 300, "{count}");
}

#[test]
fn the_status_in_an_example_is_the_one_that_its_state_is_called_after() {
    for entity in Entity::ALL.iter().filter(|entity| entity.field("statusKey").is_some()) {
        let example = entity.example();
        if let Some(state) = example["state"].as_str() {
            let expected = status_key(&connection(), entity.slug, state);
            assert_eq!(example["statusKey"], expected, "{entity:?}");
        }
    }
}

#[test]
fn decimals_in_examples_are_written_as_answers_write_them() {
    fn check(fields: &[Field], object: &Value) {
        for field in fields {
            let value = &object[field.name];
            if let (Kind::Decimal, Some(text)) = (field.kind, value.as_str()) {
                let fraction = text.split_once('.').map(|(_, fraction)| fraction);
                assert!(!fraction.is_some_and(|digits| digits.ends_with('0')), "{text}");
            }
            for item in value.as_array().into_iter().flatten() {
                check(&field.inner, item);
            }
            check(&field.inner, value);
        }
    }
    for entity in Entity::ALL {
        check(entity.fields(), entity.example());
    }
}
