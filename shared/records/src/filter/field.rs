//! What a filter may name, and what its values are: read off the entity's schema.

use millwright_connector::manifest::EntityDef;
use millwright_entities::Entity;
use serde_json::Value;

use super::Operator;

/// A field that a list can be filtered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterField {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: FilterKind,
}

/// What a field's values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// Any text.
    Text,
    /// The key of a record.
    Key,
    /// One of a few words.
    Choice(Vec<String>),
    /// True or false.
    Flag,
    /// An exact number.
    Decimal,
    /// A calendar day.
    Date,
    /// A moment.
    Time,
}

impl FilterKind {
    /// What its values are called, in one word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Key => "key",
            Self::Choice(_) => "enum",
            Self::Flag => "boolean",
            Self::Decimal => "decimal",
            Self::Date => "date",
            Self::Time => "time",
        }
    }

    /// How its values can be compared.
    #[must_use]
    pub const fn operators(&self) -> &'static [Operator] {
        use Operator::*;
        match self {
            Self::Text => &[Eq, Gt, Gteq, Lt, Lteq, Contains, StartsWith],
            Self::Key | Self::Choice(_) | Self::Flag => &[Eq],
            Self::Decimal | Self::Date | Self::Time => &[Eq, Gt, Gteq, Lt, Lteq],
        }
    }

    /// What is expected of a value, for who wrote another.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Text => "must be text".to_owned(),
            Self::Key => "must be the key of a record, rec_ and 26 characters".to_owned(),
            Self::Choice(options) => format!("must be one of {}", options.join(", ")),
            Self::Flag => "must be true or false".to_owned(),
            Self::Decimal => "must be a decimal number without an exponent".to_owned(),
            Self::Date => "must be a day, such as 2026-03-01".to_owned(),
            Self::Time => {
                "must be a time with a zone, such as 2026-03-01T12:00:00Z (write + as %2B)"
                    .to_owned()
            }
        }
    }

    /// The kind of a property; nothing when it is a list or an object.
    fn of(property: &Value) -> Option<Self> {
        if let Some(name) = property["$ref"].as_str() {
            return match name.rsplit('/').next()? {
                "text" => Some(Self::Text),
                "key" => Some(Self::Key),
                "flag" => Some(Self::Flag),
                "decimal" => Some(Self::Decimal),
                "date" => Some(Self::Date),
                "time" => Some(Self::Time),
                _ => None,
            };
        }
        if let Some(options) = property["enum"].as_array() {
            let words = options.iter().filter_map(Value::as_str).map(str::to_owned);
            return Some(Self::Choice(words.collect()));
        }
        let types = match &property["type"] {
            Value::Array(types) => {
                types.iter().find_map(|name| name.as_str().filter(|n| *n != "null"))
            }
            one => one.as_str(),
        };
        match types? {
            "string" => Some(Self::Text),
            "boolean" => Some(Self::Flag),
            "integer" => Some(Self::Decimal),
            _ => None,
        }
    }
}

/// The fields of an entity that a list can be filtered by, in the schema's order: its key, its remote
/// id, and those which the schema marks `x-filterable`. With `def`, only those that the connector
/// fills.
#[must_use]
pub fn filter_fields(entity: &Entity, def: Option<&EntityDef>) -> Vec<FilterField> {
    let properties = entity.schema()["properties"].as_object();
    let field = |(name, property): (&String, &Value)| {
        let marked = is_identity(name) || property["x-filterable"] == true;
        let filled = def.is_none_or(|def| fills(def, name));
        let kind = FilterKind::of(property).filter(|_| marked && filled)?;
        let kind = if name == "key" { FilterKind::Key } else { kind };
        Some(FilterField { name: name.clone(), kind })
    };
    properties.into_iter().flatten().filter_map(field).collect()
}

fn is_identity(name: &str) -> bool {
    ["key", "remoteId"].contains(&name)
}

fn fills(def: &EntityDef, name: &str) -> bool {
    let by_status = def.status.is_some() && ["statusKey", "state"].contains(&name);
    is_identity(name) || by_status || def.fields.get(name).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_propertys_kind_follows_from_its_schema() {
        let kind = |property: Value| FilterKind::of(&property);
        assert_eq!(kind(json!({"$ref": "#/$defs/decimal"})), Some(FilterKind::Decimal));
        assert_eq!(kind(json!({"type": ["boolean", "null"]})), Some(FilterKind::Flag));
        assert_eq!(
            kind(json!({"enum": ["draft", null]})),
            Some(FilterKind::Choice(vec!["draft".to_owned()]))
        );
        assert_eq!(kind(json!({"type": "array"})), None);
        assert_eq!(kind(json!({"anyOf": [{"$ref": "#/$defs/address"}]})), None);
    }

    #[test]
    fn a_record_is_always_found_by_its_key_and_remote_id() {
        for entity in Entity::ALL {
            let fields = filter_fields(entity, None);
            let kind = |name| fields.iter().find(|f| f.name == name).map(|f| f.kind.clone());
            assert_eq!(kind("key"), Some(FilterKind::Key), "{entity:?}");
            assert_eq!(kind("remoteId"), Some(FilterKind::Text), "{entity:?}");
        }
    }
}
