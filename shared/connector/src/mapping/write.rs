//! From a unified record to what a system takes, and what is wrong with it before anything is sent.

use std::collections::BTreeMap;

use millwright_core::{ErrorCode, FieldError};
use millwright_entities::Entity;
use serde_json::{Map, Value};

use crate::{
    manifest::{Create, LinesField, LookupValue, WriteField, WriteValue},
    path::{NestedKeys, Path},
    table::Table,
    template::Scope,
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

/// Rows that were read before a write: by lookup, then by remote id.
pub type Lookups = BTreeMap<String, BTreeMap<String, Value>>;

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

/// Checks a unified record for a create and makes the system's form of it.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The entity's slug.
    pub entity: &'a str,
    /// What may be written.
    pub create: &'a Create,
    /// What keys stand for. Without it keys are taken for granted, to check the rest.
    pub references: Option<&'a References>,
    /// What was looked up. Without it looked-up values are taken for granted.
    pub lookups: Option<&'a Lookups>,
}

type Record = Map<String, Value>;

impl Writer<'_> {
    /// The system's form of a record.
    ///
    /// # Errors
    /// Every faulty field.
    pub fn encode(&self, record: &Record) -> Result<Value, Vec<FieldError>> {
        let mut faults = self.unknown(record);
        let mut row = self.row(&self.create.fields, &self.create.extra, "", record, &mut faults);
        for (name, field) in self.create.fields.iter() {
            if let WriteField::Lines(lines) = field {
                let value = self.lines(name, lines, record.get(name), &mut faults);
                row.extend(value.map(|value| (lines.to.clone(), value)));
            }
        }
        if faults.is_empty() { Ok(Value::Object(row)) } else { Err(faults) }
    }

    /// The keys that a record names.
    #[must_use]
    pub fn references(&self, record: &Record) -> Vec<Reference> {
        let mut found = Vec::new();
        collect(&self.create.fields, "", record, &mut found);
        for (name, field) in self.create.fields.iter() {
            let WriteField::Lines(lines) = field else { continue };
            let items = record.get(name).and_then(Value::as_array);
            for (position, line) in items.into_iter().flatten().enumerate() {
                if let Some(line) = line.as_object() {
                    collect(&lines.fields, &format!("{name}[{position}]."), line, &mut found);
                }
            }
        }
        found
    }

    /// The remote ids at a lookup's `from`, each once.
    #[must_use]
    pub fn lookup_ids(&self, from: &Path, record: &Record) -> Vec<String> {
        let path = from.as_str();
        let mut ids: Vec<String> = self
            .references(record)
            .into_iter()
            .filter(|reference| without_positions(&reference.path) == path)
            .filter_map(|reference| self.references?.get(&reference.entity, &reference.key))
            .map(str::to_owned)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn unknown(&self, record: &Record) -> Vec<FieldError> {
        let mut faults = Vec::new();
        for (name, value) in record {
            if name == "customFields" {
                let custom = value.as_object().into_iter().flatten();
                faults.extend(custom.map(|(field, _)| {
                    let path = format!("customFields.{field}");
                    let message = "this connector cannot write custom fields";
                    FieldError::new(path, ErrorCode::CustomFieldNotWritable, message)
                }));
            } else if self.create.fields.get(name).is_none() {
                let known = Entity::find(self.entity)
                    .is_some_and(|entity| entity.schema()["properties"].get(name).is_some());
                faults.push(not_writable(name, known));
            }
        }
        faults
    }

    fn row(
        &self,
        fields: &Table<WriteField>,
        extra: &Table<LookupValue>,
        place: &str,
        record: &Record,
        faults: &mut Vec<FieldError>,
    ) -> Record {
        let mut row = Map::new();
        for (name, field) in fields.iter() {
            let WriteField::Value(field) = field else { continue };
            let path = format!("{place}{name}");
            match self.value(field, &path, place, record.get(name), record, fields) {
                Ok(Some(value)) => drop(row.insert(field.to.clone(), value)),
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        for (to, lookup) in extra.iter() {
            match self.look_up(lookup, place, record, fields) {
                Ok(Some(value)) => drop(row.insert(to.to_owned(), value)),
                Ok(None) => {}
                // Several values may come from one row that is not there.
                Err(fault) if faults.contains(&fault) => {}
                Err(fault) => faults.push(fault),
            }
        }
        row
    }

    fn value(
        &self,
        field: &WriteValue,
        path: &str,
        place: &str,
        given: Option<&Value>,
        record: &Record,
        fields: &Table<WriteField>,
    ) -> Result<Option<Value>, FieldError> {
        let Some(given) = given.filter(|value| !value.is_null()) else {
            let found = match &field.lookup {
                Some(lookup) => self.look_up(lookup, place, record, fields)?,
                None => field.default.clone(),
            };
            let taken_for_granted = field.lookup.is_some() && self.lookups.is_none();
            if found.is_none() && field.required && !taken_for_granted {
                return Err(FieldError::new(path, ErrorCode::FieldRequired, "is required"));
            }
            return Ok(found);
        };
        let meant = if let Some(entity) = &field.references {
            Value::String(self.resolve(given, entity, path)?)
        } else if let Some(words) = &field.words {
            translate(words, given, path)?
        } else {
            given.clone()
        };
        let encoded = match (&field.references, self.references) {
            // The key itself is not an id of the system: there is nothing to encode yet.
            (Some(_), None) => Ok(meant),
            _ => field.codec.encode(&meant),
        };
        let encoded = encoded.map_err(|why| invalid(path, why.to_string()))?;
        field.bound.check(given).map_err(|why| invalid(path, why))?;
        Ok(Some(encoded))
    }

    fn resolve(&self, given: &Value, entity: &str, path: &str) -> Result<String, FieldError> {
        let key = given.as_str().ok_or_else(|| invalid(path, "must be a key, as text"))?;
        match self.references {
            None => Ok(key.to_owned()),
            Some(known) => {
                known.get(entity, key).map(str::to_owned).ok_or_else(|| no_such(path, entity))
            }
        }
    }

    fn look_up(
        &self,
        lookup: &LookupValue,
        place: &str,
        record: &Record,
        fields: &Table<WriteField>,
    ) -> Result<Option<Value>, FieldError> {
        let (Some(lookups), Some(references)) = (self.lookups, self.references) else {
            return Ok(None);
        };
        let entity = match fields.get(&lookup.by) {
            Some(WriteField::Value(field)) => field.references.as_deref().unwrap_or_default(),
            _ => return Ok(None),
        };
        let key = record.get(&lookup.by).and_then(Value::as_str);
        let Some(id) = key.and_then(|key| references.get(entity, key)) else { return Ok(None) };
        let row = lookups.get(&lookup.lookup).and_then(|rows| rows.get(id));
        let row = row.ok_or_else(|| no_such(&format!("{place}{}", lookup.by), entity))?;
        let value = lookup.path.get(row, NestedKeys::Plain);
        Ok(value.filter(|value| !value.is_null()).cloned())
    }

    fn lines(
        &self,
        name: &str,
        field: &LinesField,
        given: Option<&Value>,
        faults: &mut Vec<FieldError>,
    ) -> Option<Value> {
        let items = match given {
            None | Some(Value::Null) => &Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                faults.push(invalid(name, "must be a list"));
                return None;
            }
        };
        if items.is_empty() {
            if field.required {
                let message = "at least one line is required";
                faults.push(FieldError::new(name, ErrorCode::LinesRequired, message));
            }
            return None;
        }
        let lines = items.iter().enumerate();
        let lines: Vec<Value> = lines
            .filter_map(|(position, line)| {
                self.line(&format!("{name}[{position}]"), field, line, faults)
            })
            .collect();
        match &field.wrap {
            None => Some(Value::Array(lines)),
            Some(wrap) => {
                let scope = Scope::default().with("lines", Value::Array(lines));
                wrap.render(&scope).map_err(|why| faults.push(invalid(name, why))).ok()
            }
        }
    }

    /// Whether a field is one of the unified model's lines, for a line at `lineItems[0]`.
    fn line_has(&self, place: &str, name: &str) -> bool {
        let list = without_positions(place);
        Entity::find(self.entity)
            .is_some_and(|entity| line_properties(entity.schema(), &list).get(name).is_some())
    }

    fn line(
        &self,
        place: &str,
        field: &LinesField,
        line: &Value,
        faults: &mut Vec<FieldError>,
    ) -> Option<Value> {
        let Some(line) = line.as_object() else {
            faults.push(invalid(place, "must be an object"));
            return None;
        };
        for name in line.keys().filter(|name| field.fields.get(name).is_none()) {
            faults.push(not_writable(&format!("{place}.{name}"), self.line_has(place, name)));
        }
        let mut row = self.row(&field.fields, &field.extra, &format!("{place}."), line, faults);
        for (name, value) in field.constants.iter() {
            row.insert(name.to_owned(), value.clone());
        }
        Some(Value::Object(row))
    }
}

/// The properties of what stands in a list of an entity's schema.
fn line_properties<'a>(schema: &'a Value, list: &str) -> &'a Value {
    let items = &schema["properties"][list]["items"];
    let definition = items["$ref"].as_str().and_then(|at| schema.pointer(at.strip_prefix('#')?));
    &definition.unwrap_or(items)["properties"]
}

fn collect(fields: &Table<WriteField>, place: &str, record: &Record, found: &mut Vec<Reference>) {
    for (name, field) in fields.iter() {
        let WriteField::Value(WriteValue { references: Some(entity), .. }) = field else {
            continue;
        };
        if let Some(key) = record.get(name).and_then(Value::as_str) {
            let path = format!("{place}{name}");
            found.push(Reference { path, entity: entity.clone(), key: key.to_owned() });
        }
    }
}

/// `lineItems[3].materialKey` is at `lineItems.materialKey`.
fn without_positions(path: &str) -> String {
    let part = |part: &str| part.split('[').next().unwrap_or_default().to_owned();
    path.split('.').map(part).collect::<Vec<_>>().join(".")
}

fn translate(words: &Table<String>, given: &Value, path: &str) -> Result<Value, FieldError> {
    let word = given.as_str().and_then(|word| words.get(word));
    word.map(|word| Value::from(word.as_str())).ok_or_else(|| {
        let known: Vec<&str> = words.names().collect();
        invalid(path, format!("must be one of {}", known.join(", ")))
    })
}

fn invalid(path: &str, message: impl Into<String>) -> FieldError {
    FieldError::new(path, ErrorCode::ValidationFailed, message)
}

fn no_such(path: &str, entity: &str) -> FieldError {
    let message = format!("there is no such record among {entity}");
    FieldError::new(path, ErrorCode::ReferenceNotFound, message)
}

fn not_writable(path: &str, known: bool) -> FieldError {
    if known {
        FieldError::new(path, ErrorCode::FieldReadOnly, "cannot be written with this connector")
    } else {
        invalid(path, "is not a field that can be given here")
    }
}
