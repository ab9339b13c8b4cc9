//! The schemas of all entities.

use millwright_entities::{Category, Entity};
use serde_json::{Value, json};

#[test]
fn every_schema_is_valid_json_schema_2020_12() {
    for entity in Entity::ALL {
        let schema = entity.schema();
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{entity:?}");
        jsonschema::draft202012::new(schema).unwrap();
        assert!(schema["properties"].as_object().unwrap().len() > 9, "{entity:?}");
    }
}

#[test]
fn every_entity_says_what_it_is_and_where_it_belongs() {
    for entity in Entity::ALL {
        assert!(!entity.title().is_empty() && entity.title() != entity.slug, "{entity:?}");
        assert!(!entity.plural().is_empty() && entity.description().ends_with('.'), "{entity:?}");
        let categories = entity.categories();
        let named = entity.schema()["x-categories"].as_array().unwrap();
        assert!(!categories.is_empty() && categories.len() == named.len(), "{entity:?}");
        assert!(categories.is_sorted(), "{entity:?}");
    }
    let titles: std::collections::BTreeSet<&str> = Entity::ALL.iter().map(Entity::title).collect();
    assert_eq!(titles.len(), Entity::ALL.len());
    for category in Category::ALL {
        assert!(Entity::ALL.iter().any(|entity| entity.categories().contains(&category)));
    }
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
    for entity in Entity::ALL {
        let schema = jsonschema::draft202012::new(entity.schema()).unwrap();
        let mut record = entity.example().clone();
        assert!(schema.is_valid(&record), "{entity:?}");
        record["nmae"] = json!("x");
        assert!(!schema.is_valid(&record), "{entity:?}");
    }
}
