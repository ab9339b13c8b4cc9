//! JSON Schema of what can be given.

use millwright_entities::{Entity, Field as Known, Kind};
use serde_json::{Map, Value, json};

use crate::{
    manifest::{Action, EntityDef, LineForm, LinesField, ListField, WriteField, WriteValue},
    table::Table,
};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The body of a create.
pub(super) fn of_create(entity: &Entity, def: &EntityDef) -> Value {
    let known = |name: &str| entity.field(name);
    let mut schema = object(&def.write.fields, known, false);
    let custom = def.write.custom_fields.as_ref();
    if custom.is_some_and(|custom| custom.writable.on_create()) {
        schema["properties"]["customFields"] = json!({"type": ["object", "null"]});
    }
    with_head(schema, format!("{} to create", entity.title()))
}

/// The body of an action.
pub(super) fn of_action(entity: &Entity, action: &Action) -> Value {
    let known = |name: &str| entity.field(name);
    let title = action.title.clone().unwrap_or_else(|| "Action".to_owned());
    with_head(object(&action.fields, known, true), title)
}

fn with_head(schema: Value, title: String) -> Value {
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), Value::from(DRAFT));
    whole.insert("title".to_owned(), Value::from(title));
    if let Value::Object(members) = schema {
        whole.extend(members);
    }
    Value::Object(whole)
}

/// An object of the fields of a table that can be given with something new.
fn object<'k>(
    fields: &Table<WriteField>,
    known: impl Fn(&str) -> Option<&'k Known>,
    action: bool,
) -> Value {
    let given = |field: &WriteField| action || field.written().on_create();
    let given: Vec<(&str, &WriteField)> = fields.iter().filter(|(_, one)| given(one)).collect();
    let property = |(name, field): &(&str, &WriteField)| {
        ((*name).to_owned(), property(field, known(name), action))
    };
    let properties: Map<String, Value> = given.iter().map(property).collect();
    let required: Vec<&str> =
        given.iter().filter(|(_, field)| must(field)).map(|(name, _)| *name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Whether a body without it is refused: what has a default need not be given.
fn must(field: &WriteField) -> bool {
    let instead = match field {
        WriteField::Value(value) | WriteField::List(ListField { value, .. }) => {
            value.default.is_some() || value.lookup.is_some()
        }
        WriteField::Object(_) | WriteField::Lines(_) => false,
    };
    field.required().on_create() && !instead
}

fn property(field: &WriteField, known: Option<&Known>, action: bool) -> Value {
    let mut schema = match field {
        WriteField::Value(value) => scalar(value, known, must(field)),
        WriteField::List(list) => {
            let items = scalar(&list.value, None, true);
            array(items, must(field), list.max_items)
        }
        WriteField::Object(object) => {
            let inner = |name: &str| known.and_then(|known| known.field(name));
            nullable(self::object(&object.fields, inner, false), must(field))
        }
        WriteField::Lines(lines) => array(line(lines, known, action), must(field), lines.max_items),
    };
    if let Some(description) = known.and_then(|known| known.description) {
        schema["description"] = Value::from(description);
    }
    schema
}

fn line(lines: &LinesField, known: Option<&Known>, action: bool) -> Value {
    let mut schema =
        object(&lines.fields, |name| known.and_then(|known| known.field(name)), action);
    if action && matches!(lines.form, LineForm::ById(_)) {
        // What an action says of a line that is there names it.
        schema["properties"]["key"] = json!({"type": "string"});
        if let Value::Array(required) = &mut schema["required"] {
            required.push(Value::from("key"));
        }
    }
    schema
}

fn array(items: Value, required: bool, max: Option<usize>) -> Value {
    let mut schema = json!({"type": "array", "items": items});
    if required {
        schema["minItems"] = Value::from(1);
    }
    if let Some(max) = max {
        schema["maxItems"] = Value::from(max);
    }
    nullable(schema, required)
}

/// The same or null, unless it must be given.
fn nullable(mut schema: Value, required: bool) -> Value {
    if !required {
        let kind = schema["type"].take();
        schema["type"] = json!([kind, "null"]);
    }
    schema
}

fn scalar(value: &WriteValue, known: Option<&Known>, required: bool) -> Value {
    if let Some(words) = &value.words {
        let mut options: Vec<Value> = words.names().map(Value::from).collect();
        options.extend((!required).then_some(Value::Null));
        return json!({"enum": options});
    }
    let mut schema = match &value.references {
        Some(entity) => json!({"type": "string", "x-references": entity}),
        None => form(known.map_or(value.codec.kind(), |known| known.kind)),
    };
    let text = &value.text;
    let min_length = text.min_length.or(required.then_some(1));
    if let Some(min) = min_length.filter(|_| schema["type"] == "string") {
        schema["minLength"] = Value::from(min);
    }
    if let Some(max) = text.max_length {
        schema["maxLength"] = Value::from(max);
    }
    if let Some(pattern) = &text.pattern {
        schema["pattern"] = Value::from(format!("^(?:{})$", pattern.as_str()));
    }
    let bounds = &value.bounds;
    for (name, limit) in [
        ("x-minimum", &bounds.min),
        ("x-exclusive-minimum", &bounds.above),
        ("x-maximum", &bounds.max),
        ("x-exclusive-maximum", &bounds.below),
    ] {
        if let Some(limit) = limit {
            schema[name] = Value::from(limit.as_str());
        }
    }
    nullable(schema, required)
}

/// The form of a value in the unified model.
fn form(kind: Kind) -> Value {
    match kind {
        Kind::Decimal => json!({"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Date => json!({"type": "string", "format": "date"}),
        Kind::Time => json!({"type": "string", "format": "date-time"}),
        Kind::List => json!({"type": "array"}),
        Kind::Object => json!({"type": "object"}),
        Kind::Text | Kind::Choice | Kind::Key => json!({"type": "string"}),
    }
}
