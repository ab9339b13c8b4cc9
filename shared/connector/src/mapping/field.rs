//! The reading side of a field table.

use std::fmt;

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use crate::{
    codec::Codec,
    jq::Jq,
    json::Node,
    manifest::like,
    path::{NestedKeys, Path},
    table::Table,
};

/// Where a unified field's value comes from. In a manifest a path alone may stand for it.
#[derive(Clone, Debug)]
pub enum Field {
    /// One value.
    Value(ValueField),
    /// The first of several that has a value.
    FirstOf(Vec<Field>),
    /// A list.
    Each(EachField),
}

/// One value of a row.
#[derive(Clone, Debug, Default)]
pub struct ValueField {
    /// Where it comes from.
    pub from: Origin,
    /// In what form it comes.
    pub codec: Codec,
    /// The system's words and ours for them.
    pub words: Option<Table<String>>,
    /// Our word for any other; without it an unknown word counts as no value.
    pub otherwise: Option<String>,
    /// The value when there is none, or a null.
    pub default: Option<Value>,
    /// The entity whose remote id it is; the value becomes that record's key.
    pub references: Option<String>,
    /// When it counts at all.
    pub when: Conditions,
    /// Whether the system always has it where it counts: a row without it cannot be mapped.
    pub required: bool,
}

/// Where in a row a value comes from.
#[derive(Clone, Debug, Default)]
pub enum Origin {
    /// From nowhere: only the default counts.
    #[default]
    Nothing,
    /// It stands there.
    Path(Path),
    /// It is reckoned from the row.
    Jq(Box<Jq>),
}

impl Origin {
    pub(crate) fn of(path: Option<Path>, jq: Option<Jq>) -> Result<Self, &'static str> {
        match (path, jq) {
            (None, None) => Ok(Self::Nothing),
            (Some(path), None) => Ok(Self::Path(path)),
            (None, Some(jq)) => Ok(Self::Jq(Box::new(jq))),
            _ => Err("a value comes from a `path` or from `jq`, not from both"),
        }
    }

    /// The path, when it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Nothing | Self::Jq(_) => None,
        }
    }
}

/// A list in a row: of objects, or of values.
#[derive(Clone, Debug)]
pub struct EachField {
    /// Where the list stands.
    pub path: Path,
    /// Which of its elements count.
    pub filter: Conditions,
    /// Where an element has its remote id, if it has one; it gets a key from it.
    pub id: Option<Path>,
    /// What each element becomes.
    pub element: Element,
}

/// What an element of a list becomes.
#[derive(Clone, Debug)]
pub enum Element {
    /// An object of these fields.
    Object(Table<Field>),
    /// One value.
    Value(Box<Field>),
}

impl EachField {
    /// The fields of an element, when elements are objects.
    #[must_use]
    pub fn object(&self) -> Option<&Table<Field>> {
        match &self.element {
            Element::Object(fields) => Some(fields),
            Element::Value(_) => None,
        }
    }
}

/// Paths and the values that each may have: all must hold.
#[derive(Clone, Debug, Default)]
pub struct Conditions(Vec<(Path, Vec<Value>)>);

impl Conditions {
    /// Whether all of them hold for a row.
    #[must_use]
    pub fn hold<'r>(&self, row: impl Node<'r>, keys: NestedKeys) -> bool {
        self.0.iter().all(|(path, allowed)| {
            let found = path.get(row, keys);
            found.is_some_and(|found| allowed.iter().any(|value| found.is(value)))
        })
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::<Vec<Value>>::deserialize(deserializer)?;
        let parsed = |(path, values): (&str, &Vec<Value>)| {
            Path::parse(path).map(|path| (path, values.clone())).map_err(D::Error::custom)
        };
        table.iter().map(parsed).collect::<Result<_, _>>().map(Self)
    }
}

/// What stands for a field: a path alone, or a table.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Field")]
#[expect(dead_code, reason = "only its schema is used")]
enum Written {
    /// Where it stands.
    Path(Path),
    /// All of it.
    Table(Box<RawField>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FieldTable")]
struct RawField {
    /// Where in the row the value stands.
    path: Option<Path>,
    /// The value as jq reckons it from the row, in place of `path`.
    jq: Option<Jq>,
    /// In what form it comes; `text` when it is not given.
    codec: Option<Codec>,
    /// The system's words and ours for them.
    #[serde(rename = "enum")]
    words: Option<Table<String>>,
    /// Our word for any other; without it an unknown word counts as no value.
    otherwise: Option<String>,
    /// The value when there is none, or a null.
    default: Option<Value>,
    /// The entity whose remote id it is; the value becomes that record's key.
    references: Option<String>,
    /// When it counts at all: paths and the values that each may have.
    when: Option<Conditions>,
    /// Whether the system always has it where it counts: a row without it is left out and named.
    #[serde(default)]
    required: bool,
    /// The first of several that has a value.
    first_of: Option<Vec<Field>>,
    /// Where a list stands.
    each: Option<Path>,
    /// Which elements of the list count: paths and the values that each may have.
    #[serde(rename = "where")]
    filter: Option<Conditions>,
    /// Where an element has its remote id, if it has one; it gets a key from it.
    id: Option<Path>,
    /// The fields of each element.
    fields: Option<Table<Field>>,
    /// The one value that each element becomes.
    value: Option<Box<Field>>,
}

impl RawField {
    fn into_field(self) -> Result<Field, &'static str> {
        let one = self.path.is_some()
            || self.jq.is_some()
            || self.codec.is_some()
            || self.words.is_some()
            || self.otherwise.is_some()
            || self.default.is_some()
            || self.references.is_some()
            || self.when.is_some()
            || self.required;
        let list = self.filter.is_some()
            || self.id.is_some()
            || self.fields.is_some()
            || self.value.is_some();
        match (self.first_of, self.each) {
            (Some(fields), None) if !one && !list => {
                if fields.iter().flat_map(Field::values).any(|field| field.required) {
                    return Err("of `first_of` several none is `required`");
                }
                Ok(Field::FirstOf(fields))
            }
            (None, Some(path)) if !one => {
                let element = match (self.fields, self.value) {
                    (Some(fields), None) => Element::Object(fields),
                    (None, Some(value)) => Element::Value(value),
                    _ => return Err("`each` needs either `fields` or `value`"),
                };
                let filter = self.filter.unwrap_or_default();
                Ok(Field::Each(EachField { path, filter, id: self.id, element }))
            }
            (None, None) if self.required && self.default.is_some() => {
                Err("what has a `default` is never missing: it is not `required`")
            }
            (None, None) if !list => Ok(Field::Value(ValueField {
                from: Origin::of(self.path, self.jq)?,
                codec: self.codec.unwrap_or_default(),
                words: self.words,
                otherwise: self.otherwise,
                default: self.default,
                references: self.references,
                when: self.when.unwrap_or_default(),
                required: self.required,
            })),
            _ => Err(
                "a field is one value (`path` or `jq`), `first_of` several, or `each` of a list",
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable;

        impl<'de> Visitor<'de> for PathOrTable {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a field's `path`, `codec` and so on")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Field, E> {
                let from = Origin::Path(Path::parse(text).map_err(E::custom)?);
                Ok(Field::Value(ValueField { from, ..ValueField::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
                let raw = RawField::deserialize(MapAccessDeserializer::new(map))?;
                raw.into_field().map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(PathOrTable)
    }
}

like!(Field as Written);

impl Field {
    /// The paths that the field names (what jq reads is not among them), those of a list's elements behind the list's own and without
    /// positions, in the notation that systems take as names of nested fields (`lines.product.code`).
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect("", &mut names);
        names
    }

    fn collect(&self, prefix: &str, names: &mut Vec<String>) {
        let mut add = |path: &Path| {
            let name = path.keys().fold(prefix.to_owned(), |name, key| join(&name, key));
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        };
        match self {
            Self::Value(field) => {
                field.from.path().into_iter().for_each(&mut add);
                field.when.0.iter().for_each(|(path, _)| add(path));
            }
            Self::FirstOf(fields) => {
                fields.iter().for_each(|field| field.collect(prefix, names));
            }
            Self::Each(list) => {
                let inside = list.path.keys().fold(prefix.to_owned(), |name, key| join(&name, key));
                let mut inner = Vec::new();
                for path in list.id.iter().chain(list.filter.0.iter().map(|(path, _)| path)) {
                    inner.push(path.keys().fold(inside.clone(), |name, key| join(&name, key)));
                }
                names.extend(inner);
                match &list.element {
                    Element::Object(fields) => {
                        fields.iter().for_each(|(_, field)| field.collect(&inside, names));
                    }
                    Element::Value(field) => field.collect(&inside, names),
                }
            }
        }
    }

    /// The single values that it is made of.
    pub(crate) fn values(&self) -> Vec<&ValueField> {
        match self {
            Self::Value(field) => vec![field],
            Self::FirstOf(fields) => fields.iter().flat_map(Self::values).collect(),
            Self::Each(list) => match &list.element {
                Element::Object(fields) => {
                    fields.iter().flat_map(|(_, field)| field.values()).collect()
                }
                Element::Value(field) => field.values(),
            },
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if key.bytes().all(|byte| byte.is_ascii_digit()) {
        return prefix.to_owned();
    }
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}
