//! Keys that a body names, and the remote ids behind them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    manifest::{WriteField, WriteValue},
    table::Table,
};

/// The remote ids behind the keys that a record names, by entity: the key of a vendor means nothing
/// where a material is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References(BTreeMap<String, BTreeMap<String, String>>);

impl References {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes the remote id of an entity's record.
    pub fn insert(
        &mut self,
        entity: impl Into<String>,
        key: impl Into<String>,
        remote_id: impl Into<String>,
    ) {
        self.0.entry(entity.into()).or_default().insert(key.into(), remote_id.into());
    }

    /// The remote id of an entity's record.
    #[must_use]
    pub fn get(&self, entity: &str, key: &str) -> Option<&str> {
        self.0.get(entity)?.get(key).map(String::as_str)
    }
}

/// From entity, key and remote id.
impl<E: Into<String>, K: Into<String>, R: Into<String>> FromIterator<(E, K, R)> for References {
    fn from_iter<I: IntoIterator<Item = (E, K, R)>>(all: I) -> Self {
        let mut references = Self::new();
        for (entity, key, remote_id) in all {
            references.insert(entity, key, remote_id);
        }
        references
    }
}

/// A key that a record names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where it stands, such as `lineItems[0].materialKey`.
    pub path: String,
    /// The entity it must belong to.
    pub entity: String,
    /// The key.
    pub key: String,
}

/// The keys that a body names, of those fields that a table has. Statuses are not among them: they
/// follow from the manifest.
pub(super) fn collect(
    fields: &Table<WriteField>,
    place: &str,
    body: &Map<String, Value>,
    found: &mut Vec<Reference>,
) {
    for (name, field) in fields.iter() {
        let Some(value) = body.get(name) else { continue };
        let path = format!("{place}{name}");
        match field {
            WriteField::Value(field) => add(field, path, value, found),
            WriteField::List(list) => {
                for (position, item) in value.as_array().into_iter().flatten().enumerate() {
                    add(&list.value, format!("{path}[{position}]"), item, found);
                }
            }
            WriteField::Object(object) => {
                if let Some(inner) = value.as_object() {
                    collect(&object.fields, &format!("{path}."), inner, found);
                }
            }
            WriteField::Lines(lines) => {
                for (position, line) in value.as_array().into_iter().flatten().enumerate() {
                    if let Some(line) = line.as_object() {
                        collect(&lines.fields, &format!("{path}[{position}]."), line, found);
                    }
                }
            }
        }
    }
}

fn add(field: &WriteValue, path: String, value: &Value, found: &mut Vec<Reference>) {
    let entity = field.references.as_deref().filter(|entity| *entity != "statuses");
    if let (Some(entity), Some(key)) = (entity, value.as_str()) {
        found.push(Reference { path, entity: entity.to_owned(), key: key.to_owned() });
    }
}

/// `lineItems[3].materialKey` is at `lineItems.materialKey`.
pub(super) fn without_positions(path: &str) -> String {
    let part = |part: &str| part.split('[').next().unwrap_or_default().to_owned();
    path.split('.').map(part).collect::<Vec<_>>().join(".")
}
