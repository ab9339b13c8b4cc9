//! Fields that customers have added to their system: which there are, and where a row has them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Request;
use crate::{
    json::Node,
    mapping::Conditions,
    path::{NestedKeys, Path},
    table::Table,
};

/// The custom fields of an entity.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomFields {
    /// How to find out which there are.
    pub discover: Option<Discover>,
    /// Those that every instance of the system has; for systems that cannot be asked.
    #[serde(default)]
    pub known: Table<KnownCustomField>,
    /// Where a row has their values.
    pub values: CustomValues,
}

/// How to find out which custom fields there are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    /// The request; what is in its one answer is all there is.
    pub request: Request,
    /// Where the answer has the list of them.
    #[serde(default)]
    pub rows: Path,
    /// Which of the list count.
    #[serde(default, rename = "where")]
    pub filter: Conditions,
    /// Where one has its name: the one by which rows hold its value.
    pub name: Path,
    /// Where it has the title that people see; the name when it has none.
    pub title: Option<Path>,
    /// Where it says what kind of value it holds.
    #[serde(rename = "type")]
    pub kind: Option<Path>,
    /// The system's words for kinds of values, and ours; any other is `other`.
    #[serde(default)]
    pub types: Table<CustomKind>,
    /// What holds for one that can be written; without it none can.
    pub writable: Option<Conditions>,
}

/// A custom field that every instance has.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownCustomField {
    /// What people see.
    pub title: String,
    /// What kind of value it holds.
    #[serde(rename = "type")]
    pub kind: CustomKind,
    /// Whether it can be written.
    #[serde(default)]
    pub writable: bool,
}

/// What kind of value a custom field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomKind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A time.
    Time,
    /// One of a list.
    Choice,
    /// Anything else.
    Other,
}

/// Where a row has the values of custom fields.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomValues {
    /// In an object at this path, by their names; an empty path is the row itself.
    Object(Path),
    /// In a list of names and values.
    List(NamedValues),
    /// In the row itself, by names that begin so.
    Prefix(String),
}

/// A list of names and values: `[{"name": "colour", "value": "red"}]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedValues {
    /// Where the row has the list.
    pub path: Path,
    /// Where an element has its name.
    pub name: Path,
    /// Where it has its value.
    pub value: Path,
}

impl CustomValues {
    /// The values of the chosen fields, as the row has them. What the row does not have is left out.
    pub(crate) fn read<'r>(
        &self,
        chosen: &[String],
        row: impl Node<'r>,
        keys: NestedKeys,
    ) -> Map<String, Value> {
        let mut values = Map::new();
        for name in chosen {
            let value = match self {
                Self::Object(path) => path.enter(row, keys).and_then(|object| object.member(name)),
                Self::List(list) => list.value(name, row, keys),
                Self::Prefix(prefix) => row.member(name).filter(|_| name.starts_with(prefix)),
            };
            values.extend(value.map(|value| (name.clone(), value.to_value())));
        }
        values
    }

    /// The names for `{fields}` under which the chosen fields are read.
    pub(crate) fn names(&self, chosen: &[String]) -> Vec<String> {
        match self {
            _ if chosen.is_empty() => Vec::new(),
            Self::Object(path) if !path.as_str().is_empty() => vec![path.as_str().to_owned()],
            Self::List(list) => vec![list.path.as_str().to_owned()],
            Self::Object(_) | Self::Prefix(_) => chosen.to_vec(),
        }
    }
}

impl NamedValues {
    fn value<'r, N: Node<'r>>(&self, name: &str, row: N, keys: NestedKeys) -> Option<N> {
        let mut items = self.path.enter(row, keys)?.items();
        let item = items.find(|item| self.name.text(*item).is_some_and(|text| text == name));
        self.value.get(item?, keys)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(values: &str, row: &Value) -> Value {
        let values: CustomValues = serde_saphyr::from_str(values).unwrap();
        let chosen = ["x_colour".to_owned(), "x_size".to_owned()];
        Value::Object(values.read(&chosen, row, NestedKeys::Plain))
    }

    #[test]
    fn chosen_values_are_found_where_the_system_keeps_them_and_taken_as_they_are() {
        let expected = json!({"x_colour": {"id": 3}, "x_size": null});
        let object = json!({"extra": {"x_size": null, "x_colour": {"id": 3}, "x_other": 1}});
        assert_eq!(read("object: extra", &object), expected);
        let flat = json!({"x_size": null, "x_colour": {"id": 3}, "id": 1});
        assert_eq!(read("prefix: x_", &flat), expected);
        let list = json!({"cf": [{"k": "x_size", "v": null}, {"k": "x_colour", "v": {"id": 3}}]});
        assert_eq!(read("list: { path: cf, name: k, value: v }", &list), expected);
    }

    #[test]
    fn what_a_row_does_not_have_is_left_out() {
        for values in ["object: extra", "prefix: x_", "list: { path: cf, name: k, value: v }"] {
            for row in [json!({}), json!({"extra": 1, "cf": "no"}), json!(null), json!([1])] {
                assert_eq!(read(values, &row), json!({}), "{values} {row}");
            }
        }
    }
}
