//! What a registered type may be.

use jsonschema::PatternOptions;
use millwright_core::{Error, ErrorCode, FieldError, Result};
use serde_json::Value;

use super::is_told_by_millwright;
use crate::is_event_type;

const DESCRIPTION_MAX: usize = 1000;
/// How long a schema and an example may be as JSON, in bytes: they stand in one row.
const SCHEMA_MAX: usize = 64 * 1024;
const EXAMPLE_MAX: usize = 32 * 1024;

/// What a type is registered with.
#[derive(Clone, Debug, Default)]
pub struct NewEventType {
    /// When it is told, in words.
    pub description: String,
    /// What its `data` looks like: a JSON Schema, complete in itself.
    pub schema: Option<Value>,
    /// Such `data`.
    pub example: Option<Value>,
}

impl NewEventType {
    /// Whether it may be registered under a name.
    ///
    /// # Errors
    /// All the fields that are not valid.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Vec::new();
        let mut add = |path: &str, message: &str| {
            faults.push(FieldError::new(path, ErrorCode::ValidationFailed, message));
        };
        if !is_event_type(name) {
            add("name", "must be parts of letters, digits and underscores with full stops between");
        } else if is_told_by_millwright(name) {
            add("name", "must not begin like an event of Millwright's own");
        }
        if self.description.chars().count() > DESCRIPTION_MAX {
            add("description", "must have at most 1000 characters");
        }
        if let Err((path, message)) = self.check_schema() {
            add(path, &message);
        }
        Error::from_fields(faults).map_or(Ok(()), Err)
    }

    fn check_schema(&self) -> Result<(), (&'static str, String)> {
        let size = |value: &Option<Value>| value.as_ref().map_or(0, |one| one.to_string().len());
        if size(&self.schema) > SCHEMA_MAX {
            return Err(("schema", "must have at most 65536 bytes as JSON".to_owned()));
        }
        if size(&self.example) > EXAMPLE_MAX {
            return Err(("example", "must have at most 32768 bytes as JSON".to_owned()));
        }
        let Some(schema) = &self.schema else { return Ok(()) };
        // Patterns are those of others: they are matched by an engine that takes linear time.
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map_err(|error| ("schema", format!("is not a JSON Schema (2020-12): {error}")))?;
        let Some(example) = &self.example else { return Ok(()) };
        match validator.iter_errors(example).next() {
            None => Ok(()),
            Some(error) => {
                let at = error.instance_path().as_str();
                let place = if at.is_empty() { "the whole" } else { at };
                Err(("example", format!("is not as the schema says, at {place}: {error}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(name: &str, new: &NewEventType) -> Vec<String> {
        let error = new.check(name).err();
        error.map_or_else(Vec::new, |e| e.fields.into_iter().map(|field| field.path).collect())
    }

    #[test]
    fn the_example_is_held_against_the_schema() {
        let schema = Some(json!({ "type": "object", "required": ["amount"] }));
        let of = |example| NewEventType { schema: schema.clone(), example, ..Default::default() };
        assert!(faults("invoice.paid", &of(Some(json!({ "amount": "1.50" })))).is_empty());
        assert!(faults("invoice.paid", &of(None)).is_empty());
        assert_eq!(faults("invoice.paid", &of(Some(json!({})))), ["example"]);
    }

    #[test]
    fn a_schema_is_one_and_complete_in_itself() {
        for schema in [
            json!({ "type": "banana" }),
            json!(7),
            json!({ "$ref": "https://example.com/schema.json" }),
            json!({ "$ref": "#/$defs/missing" }),
            json!({ "description": "x".repeat(65_536) }),
        ] {
            let new = NewEventType { schema: Some(schema.clone()), ..Default::default() };
            assert_eq!(faults("invoice.paid", &new), ["schema"], "{schema}");
        }
    }

    #[test]
    fn a_name_is_an_event_type_that_is_not_millwrights_own() {
        let new = NewEventType { description: "x".repeat(1001), ..Default::default() };
        assert_eq!(faults("test.ping", &new), ["name", "description"]);
        assert_eq!(faults("a b", &NewEventType::default()), ["name"]);
        assert!(faults("invoice.paid", &NewEventType::default()).is_empty());
    }
}
