//! The JSON Schema of the format, for editors: out of the types that read it.

use std::borrow::Cow;

use millwright_core::ErrorCode;
use millwright_entities::Entity;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Value, json};

use super::{
    Detail, Docs, Expression, Header, IdInLocation, Manifest, OwnDetail, PathPattern, Required,
    Share, TextPattern,
};
use crate::{jq::Jq, mapping::Conditions, path::Path, table::Table, template::Template};

impl Manifest {
    /// The JSON Schema (draft 2020-12) of a manifest.
    #[must_use]
    pub fn json_schema() -> Value {
        let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        let mut schema = generator.into_root_schema_for::<Self>().to_value();
        schema["title"] = json!("Millwright connector");
        let entities: Vec<&str> = Entity::ALL.iter().map(|entity| entity.slug).collect();
        let names = json!({"enum": entities});
        schema["properties"]["entities"]["propertyNames"] = names;
        plain_words(&mut schema);
        schema
    }
}

/// Descriptions are written for readers of the code: links in them mean nothing to others.
fn plain_words(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(plain_words),
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`").replace("FieldKind::", "");
            }
            members.values_mut().for_each(plain_words);
        }
        _ => {}
    }
}

/// Gives a type the schema of the one that it is read as.
macro_rules! like {
    ($type:ty as $other:ty) => {
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                <$other as schemars::JsonSchema>::inline_schema()
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                <$other as schemars::JsonSchema>::schema_name()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                <$other as schemars::JsonSchema>::schema_id()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$other as schemars::JsonSchema>::json_schema(generator)
            }
        }
    };
}
pub(crate) use like;

/// Gives a type that is read from one value a schema of its own.
macro_rules! schema_of {
    ($type:ty, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

schema_of!(Path, "Path", {
    "type": "string",
    "description": "Names of members, or positions in a list, parted by dots. A name that has a dot in it \
                    stands in double quotes. Empty for the value itself."
});
schema_of!(Jq, "Jq", {
    "type": "string",
    "description": "A jq expression over the row."
});
schema_of!(Template, "Template", {
    "description": "Any JSON. A text that is exactly `{name}` or `{name|filter}` becomes that value; others have \
                    their `{name}` parts filled in."
});
schema_of!(Header, "Header", {
    "type": "string",
    "description": "The name of a header.",
    "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
});
schema_of!(Expression, "Expression", {
    "type": "string",
    "description": "A regular expression for a part of a text, without look-around and back references."
});
schema_of!(TextPattern, "TextPattern", {
    "type": "string",
    "description": "A regular expression that the whole text fits, without look-around and back references."
});
schema_of!(IdInLocation, "IdInLocation", {
    "type": "string",
    "description": "A regular expression with one group, the id, for a part of the address in `Location`."
});
schema_of!(PathPattern, "PathPattern", {
    "type": "string",
    "pattern": "^/",
    "description": "A path below the base address. `*` stands for one name or a part of one, `**` at the end for \
                    whatever follows."
});
schema_of!(Share, "Share", {
    "type": "number",
    "exclusiveMinimum": 0,
    "maximum": 1,
    "description": "A part of a whole."
});
schema_of!(Conditions, "Conditions", {
    "type": "object",
    "additionalProperties": { "type": "array" },
    "description": "Paths and the values that each may have: all must hold."
});
schema_of!(Required, "Required", {
    "enum": [true, false, "create", "update", "each", "kept"],
    "description": "`true`: with a new record, and it can never be emptied; `create`: with a new record; `update`: \
                    with every update; `each`: with both; `kept`: never, but it can never be emptied."
});
schema_of!(Docs, "Docs", {
    "anyOf": [
        { "type": "string", "pattern": "^(live$|own$|https://)" },
        { "type": "array", "items": { "type": "string", "pattern": "^(live$|own$|https://)" } }
    ],
    "description": "Where a rule comes from: `live`, `own` (the sandbox), the address of a page, or a list of them."
});

/// A code of the API.
pub(super) struct Code;

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "ErrorCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({ "enum": codes, "description": "A code of the API." })
    }
}

impl<T: JsonSchema> JsonSchema for Table<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TableOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let thing = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": thing })
    }
}

impl JsonSchema for Detail {
    fn schema_name() -> Cow<'static, str> {
        "Detail".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let own = generator.subschema_for::<OwnDetail>();
        json_schema!({ "anyOf": [{ "const": "get" }, own] })
    }
}
