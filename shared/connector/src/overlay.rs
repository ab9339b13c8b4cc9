//! What one connection wants otherwise than its connector's manifest says: custom fields it has chosen,
//! and unified fields that come from elsewhere.

use std::collections::BTreeMap;

use millwright_core::{ErrorCode, FieldError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    codec::Codec,
    jq::Jq,
    manifest::{EntityDef, Manifest, WriteField},
    mapping::{Conditions, Element, Field, Origin, ValueField, model_field, unfit},
    path::Path,
    table::Table,
};

/// More chosen custom fields, or mapped fields, than this are refused.
const MANY: usize = 100;
/// Mapped fields that are longer than this together, in bytes of JSON, are refused: a row of the table
/// holds them, and every call reads it.
const FIELDS_MAX: usize = 64 * 1024;

/// Fields that follow from the record itself, or that others keep.
const FIXED: [&str; 6] = ["key", "remoteId", "statusKey", "deletedAt", "customFields", "meta"];

/// The same of a line.
const FIXED_IN_LINES: [&str; 2] = ["key", "remoteId"];

/// A connection's own say in how the rows of one entity become records. When it changes, rows that
/// were mapped before have to be read again: what a pull has not touched keeps its old form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overlay {
    /// The custom fields that stand under `customFields`, by the names that discovery gives.
    pub custom_fields: Vec<String>,
    /// Unified fields that come from elsewhere than the manifest says.
    pub fields: Vec<MappedField>,
}

/// Where a connection's unified field comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappedField {
    /// The unified field: `notes`, or `lineItems.notes` for one of each line.
    pub field: String,
    /// Where it stands in the system's row, or in the line's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A jq expression over the row or line, in place of a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jq: Option<String>,
    /// The system's fields that the expression reads, where a system must be asked for each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// In what form the value comes; text when it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    /// The system's words and ours for them.
    #[serde(rename = "enum", skip_serializing_if = "Option::is_none")]
    pub words: Option<BTreeMap<String, String>>,
    /// Our word for any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// The value when there is none, or a null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}

impl Overlay {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.custom_fields.is_empty() && self.fields.is_empty()
    }

    /// What is wrong with it for an entity (a slug) of a connector, each named by its place
    /// (`fields[0].jq`). Nothing when it can be used. Whether a chosen custom field exists only the
    /// system can say.
    #[must_use]
    pub fn check(&self, entity: &str, manifest: &Manifest) -> Vec<FieldError> {
        let Some(def) = manifest.entity(entity) else {
            let message = "this connector does not read the entity";
            return vec![FieldError::new("entity", ErrorCode::OperationNotSupported, message)];
        };
        match self.apply(entity, def) {
            Ok(_) => Vec::new(),
            Err(faults) => faults,
        }
    }

    /// The manifest's say about an entity with this laid over it. What comes from elsewhere than the
    /// manifest says cannot be written: where it would have to go nobody has said.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn apply(&self, entity: &str, def: &EntityDef) -> Result<EntityDef, Vec<FieldError>> {
        if self.fields_length() > FIELDS_MAX {
            let message = "are longer than 64 KB together";
            return Err(vec![invalid("fields", message)]);
        }
        let mut laid = def.clone();
        let mut faults = Vec::new();
        self.choose(&mut laid, &mut faults);
        if self.fields.len() > MANY {
            faults.push(invalid("fields", format!("at most {MANY} fields can be mapped")));
        }
        for (position, mapped) in self.fields.iter().enumerate().take(MANY) {
            let place = format!("fields[{position}]");
            let earlier = self.fields.iter().take(position);
            if earlier.clone().any(|other| other.field == mapped.field) {
                faults.push(invalid(&format!("{place}.field"), "is mapped twice"));
            }
            if let Err(fault) = mapped.lay(entity, &place, &mut laid) {
                faults.push(fault);
            }
        }
        if faults.is_empty() { Ok(laid) } else { Err(faults) }
    }

    /// The length of the mapped fields, in bytes of JSON.
    fn fields_length(&self) -> usize {
        serde_json::to_vec(&self.fields).map_or(usize::MAX, |text| text.len())
    }

    fn choose(&self, def: &mut EntityDef, faults: &mut Vec<FieldError>) {
        if self.custom_fields.len() > MANY {
            let message = format!("at most {MANY} custom fields can be chosen");
            return faults.push(invalid("custom_fields", message));
        }
        if !self.custom_fields.is_empty() && def.custom_fields.is_none() {
            let message = "this connector does not read custom fields of the entity";
            return faults.push(invalid("custom_fields", message));
        }
        for (position, name) in self.custom_fields.iter().enumerate() {
            let place = format!("custom_fields[{position}]");
            if name.is_empty() || name.len() > 200 {
                faults.push(invalid(&place, "must be a name of 1 to 200 bytes"));
            } else if def.chosen.contains(name) {
                faults.push(invalid(&place, "is chosen twice"));
            } else {
                def.chosen.push(name.clone());
            }
        }
    }
}

impl MappedField {
    /// Puts the field into the table that it belongs to.
    fn lay(&self, entity: &str, place: &str, def: &mut EntityDef) -> Result<(), FieldError> {
        let named = |message: &str| invalid(&format!("{place}.field"), message);
        if FIXED.contains(&self.field.as_str()) || FIXED_IN_LINES.contains(&self.inner()) {
            return Err(named("follows from the record and cannot be mapped"));
        }
        let field = self.compile(entity, place)?;
        for (position, name) in self.reads.iter().enumerate() {
            let path = Path::parse(name);
            let path = path.map_err(|why| invalid(&format!("{place}.reads[{position}]"), why))?;
            def.reads.push(path);
        }
        let Some((list, inner)) = self.field.split_once('.') else {
            def.fields.set(&self.field, Field::Value(field));
            def.write.fields.remove(&self.field);
            return Ok(());
        };
        if let Some(WriteField::Lines(lines)) = def.write.fields.get_mut(list) {
            lines.fields.remove(inner);
        }
        match def.fields.get_mut(list) {
            Some(Field::Each(each)) => match &mut each.element {
                Element::Object(fields) => fields.set(inner, Field::Value(field)),
                Element::Value(_) => return Err(named("is in a list that has no fields")),
            },
            _ => return Err(named("is in a list that this connector does not read")),
        }
        Ok(())
    }

    /// The field's name within its line; nothing when it is none of a line.
    fn inner(&self) -> &str {
        self.field.split_once('.').map_or("", |(_, inner)| inner)
    }

    fn compile(&self, entity: &str, place: &str) -> Result<ValueField, FieldError> {
        let at = |part: &str| format!("{place}.{part}");
        let model = model_field(entity, &self.field);
        let model = model.ok_or_else(|| invalid(&at("field"), "is not a field of this entity"))?;
        let path = self.path.as_deref().map(Path::parse).transpose();
        let path = path.map_err(|why| invalid(&at("path"), why))?;
        let jq = self.jq.as_deref().map(Jq::parse).transpose();
        let jq = jq.map_err(|why| invalid(&at("jq"), why))?;
        let from = Origin::of(path, jq).map_err(|why| invalid(place, why))?;
        if matches!(from, Origin::Nothing) && self.default.is_none() {
            return Err(invalid(place, "has neither a `path` nor `jq` nor a `default`"));
        }
        let words = self.words.clone().map(|words| words.into_iter().collect::<Table<String>>());
        let field = ValueField {
            from,
            codec: self.codec.unwrap_or_default(),
            words,
            otherwise: self.otherwise.clone(),
            default: self.default.clone(),
            references: model.references.map(str::to_owned),
            when: Conditions::default(),
            required: false,
        };
        match unfit(model, &field) {
            None => Ok(field),
            Some((part, why)) => Err(invalid(&at(part), why)),
        }
    }
}

fn invalid(place: &str, message: impl Into<String>) -> FieldError {
    FieldError::new(place, ErrorCode::ValidationFailed, message)
}

#[cfg(test)]
mod tests;
