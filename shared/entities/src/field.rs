//! What the schemas say about a field, in a form that is quick to ask.

use serde_json::Value;

use crate::compose::DEFINITIONS;

/// What a field holds. Each but `Key` of the record itself may be null as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// One of [`Field::options`].
    Choice,
    /// An exact decimal number as text.
    Decimal,
    /// A whole number, as a number.
    Integer,
    /// True or false.
    Flag,
    /// A calendar day.
    Date,
    /// A time in UTC.
    Time,
    /// The key of a record; see [`Field::references`].
    Key,
    /// A list; [`Field::inner`] are the fields of its objects, if objects are in it.
    List,
    /// An object; [`Field::inner`] are its fields, if they are known.
    Object,
}

impl Kind {
    /// Its name where the API tells of fields.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Choice => "enum",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::Flag => "boolean",
            Self::Date => "date",
            Self::Time => "time",
            Self::Key => "key",
            Self::List => "list",
            Self::Object => "object",
        }
    }

    /// Whether it is a single value.
    #[must_use]
    pub fn is_scalar(self) -> bool {
        !matches!(self, Self::List | Self::Object)
    }
}

/// A field of an entity, or of an object in it.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The slug of the entity that its key, or each key of its list, leads to.
    pub references: Option<&'static str>,
    /// What it can be, for [`Kind::Choice`], without null.
    pub options: Vec<&'static str>,
    /// No write may hold it.
    pub is_read_only: bool,
    /// Lists can be filtered by it.
    pub is_filterable: bool,
    /// It changes without the record having changed: it counts for no comparison.
    pub is_volatile: bool,
    /// What it means, where its name does not say all.
    pub description: Option<&'static str>,
    /// The fields of its object, or of the objects in its list.
    pub inner: Vec<Field>,
}

impl Field {
    /// The fields of `properties`, those of an object in the schema `whole`.
    pub(crate) fn of_properties(whole: &'static Value, properties: &'static Value) -> Vec<Self> {
        let properties = properties.as_object().into_iter().flatten();
        properties.map(|(name, property)| Self::new(whole, name, property)).collect()
    }

    fn new(whole: &'static Value, name: &'static str, property: &'static Value) -> Self {
        let said = |name: &str| property[name].as_str();
        let shape = Shape::of(whole, property);
        Self {
            name,
            kind: shape.kind,
            references: said("x-references"),
            options: options(property),
            is_read_only: property["readOnly"] == true,
            is_filterable: property["x-filterable"] == true,
            is_volatile: property["x-volatile"] == true,
            description: said("description"),
            inner: Self::of_properties(whole, shape.properties),
        }
    }

    /// The field of a name, of those inside.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.inner.iter().find(|field| field.name == name)
    }
}

fn options(property: &'static Value) -> Vec<&'static str> {
    property["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What a field holds, and the properties of its objects.
struct Shape {
    kind: Kind,
    properties: &'static Value,
}

impl Shape {
    fn of(whole: &'static Value, property: &'static Value) -> Self {
        let shape = |kind| Self { kind, properties: &Value::Null };
        if let Some(name) = property["$ref"].as_str().and_then(|at| at.strip_prefix(DEFINITIONS)) {
            return match scalar(name) {
                Some(kind) => shape(kind),
                None => Self::of(whole, &whole["$defs"][name]),
            };
        }
        if property.get("enum").is_some() {
            return shape(Kind::Choice);
        }
        if let Some(choices) = property["anyOf"].as_array() {
            return choices.first().map_or(shape(Kind::Object), |first| Self::of(whole, first));
        }
        match first_type(property) {
            Some("array") => {
                let items = Self::of(whole, &property["items"]);
                Self { kind: Kind::List, properties: items.properties }
            }
            Some("string") if is_key(property) => shape(Kind::Key),
            Some("string") => shape(Kind::Text),
            Some("integer") => shape(Kind::Integer),
            Some("boolean") => shape(Kind::Flag),
            _ => Self { kind: Kind::Object, properties: &property["properties"] },
        }
    }
}

/// The kind that a shared definition stands for.
fn scalar(definition: &str) -> Option<Kind> {
    Some(match definition {
        "text" => Kind::Text,
        "flag" => Kind::Flag,
        "count" => Kind::Integer,
        "decimal" => Kind::Decimal,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "key" => Kind::Key,
        _ => return None,
    })
}

fn first_type(property: &'static Value) -> Option<&'static str> {
    let kind = &property["type"];
    kind.as_str().or_else(|| kind[0].as_str())
}

fn is_key(property: &Value) -> bool {
    property["pattern"].as_str().is_some_and(|pattern| pattern.starts_with("^rec_"))
}
