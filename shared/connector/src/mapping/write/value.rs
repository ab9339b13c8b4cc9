//! Judging one value, and lists of them.

use millwright_core::ErrorCode;
use serde_json::Value;

use super::{
    judge::{At, Judge, Level},
    trail::RuleKind,
};
use crate::{
    manifest::{ListField, WriteValue},
    mapping::write::TextFault,
    table::Table,
};

impl Judge<'_, '_> {
    /// The system's form of a value that is given, unless a rule is broken.
    pub(super) fn value(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        field: &WriteValue,
        given: &Value,
    ) -> Option<Value> {
        let _ = level;
        if let Some(entity) = &field.references {
            return self.reference(at, field, entity, given);
        }
        let meant = match &field.words {
            Some(words) => self.word(at, words, given)?,
            None => given.clone(),
        };
        let encoded = match field.codec.encode_in(&meant, self.writer.zone) {
            Ok(encoded) => encoded,
            Err(why) => {
                self.invalid(at, why.to_string());
                return None;
            }
        };
        let lengthy = self.text(at, field, given);
        let bounded = self.bounds(at, field, given);
        (lengthy && bounded).then_some(encoded)
    }

    fn reference(
        &mut self,
        at: At<'_>,
        field: &WriteValue,
        entity: &str,
        given: &Value,
    ) -> Option<Value> {
        let Some(key) = given.as_str() else {
            self.invalid(at, "must be a key, as text");
            return None;
        };
        // The key itself is not an id of the system: there is nothing to encode yet.
        let Some(references) = self.writer.references else { return Some(given.clone()) };
        let Some(id) = self.writer.resolve(references, entity, key) else {
            self.no_such(at, entity);
            return None;
        };
        self.trail.pass(at.rules, RuleKind::Reference);
        match field.codec.encode(&Value::from(id)) {
            Ok(encoded) => Some(encoded),
            Err(why) => {
                self.invalid(at, why.to_string());
                None
            }
        }
    }

    fn word(&mut self, at: At<'_>, words: &Table<String>, given: &Value) -> Option<Value> {
        if let Some(word) = given.as_str().and_then(|word| words.get(word)) {
            self.trail.pass(at.rules, RuleKind::OneOf);
            return Some(Value::from(word.as_str()));
        }
        let known: Vec<&str> = words.names().collect();
        let message = format!("must be one of {}", known.join(", "));
        let code = ErrorCode::ValidationFailed;
        self.trail.fault(at.rules, RuleKind::OneOf, at.path, code, message);
        None
    }

    fn text(&mut self, at: At<'_>, field: &WriteValue, given: &Value) -> bool {
        let Some(text) = given.as_str().filter(|_| !field.text.is_empty()) else { return true };
        let kind = |fault| match fault {
            TextFault::OtherForm => RuleKind::Pattern,
            TextFault::TooShort | TextFault::TooLong => RuleKind::Length,
        };
        if let Some(fault) = field.text.check(text) {
            let (code, message) = (ErrorCode::ValidationFailed, field.text.words(fault));
            self.trail.fault(at.rules, kind(fault), at.path, code, message);
            return false;
        }
        if field.text.pattern.is_some() {
            self.trail.pass(at.rules, RuleKind::Pattern);
        }
        if field.text.min_length.or(field.text.max_length).is_some() {
            self.trail.pass(at.rules, RuleKind::Length);
        }
        true
    }

    fn bounds(&mut self, at: At<'_>, field: &WriteValue, given: &Value) -> bool {
        if field.bounds.is_empty() {
            return true;
        }
        match field.bounds.check(given) {
            Ok(()) => {
                self.trail.pass(at.rules, RuleKind::Bounds);
                true
            }
            Err(why) => {
                let code = ErrorCode::ValidationFailed;
                self.trail.fault(at.rules, RuleKind::Bounds, at.path, code, why);
                false
            }
        }
    }

    /// The system's form of a list of values that is given, unless a rule is broken.
    pub(super) fn list(
        &mut self,
        level: Level<'_>,
        at: At<'_>,
        list: &ListField,
        given: &Value,
    ) -> Option<Value> {
        let Some(items) = given.as_array() else {
            self.invalid(at, "must be a list");
            return None;
        };
        let mut values = Vec::with_capacity(items.len());
        for (position, item) in items.iter().enumerate() {
            let path = format!("{}[{position}]", at.path);
            let at = At { path: &path, ..at };
            if item.is_null() {
                self.invalid(at, "must have a value");
            } else {
                values.extend(self.value(level, at, &list.value, item));
            }
        }
        let fits = self.few_enough(at, list.max_items, items.len());
        (fits && values.len() == items.len()).then_some(Value::Array(values))
    }

    /// `max_items`.
    pub(super) fn few_enough(&mut self, at: At<'_>, max: Option<usize>, count: usize) -> bool {
        let Some(max) = max else { return true };
        if count <= max {
            self.trail.pass(at.rules, RuleKind::Items);
            return true;
        }
        let (code, message) = (ErrorCode::ValidationFailed, format!("has at most {max} entries"));
        self.trail.fault(at.rules, RuleKind::Items, at.path, code, message);
        false
    }
}
