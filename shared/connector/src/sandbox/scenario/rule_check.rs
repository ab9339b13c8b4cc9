//! What is wrong with a rule that a caller gives.

use http::{HeaderName, HeaderValue};
use millwright_core::{ErrorCode, FieldError};
use serde_json::{Map, Value};

use super::{
    Rule,
    request::{fault, unknown},
    slug::DELAY_MAX,
};
use crate::{manifest::Manifest, sandbox::call::OPERATIONS};

/// The most bytes of JSON that an answer's body may have.
const BODY_MAX: usize = 16 * 1024;
/// The most headers of an answer.
const HEADERS_MAX: usize = 20;
/// The most that `nth` and `times` may be.
const CALLS_MAX: u64 = 1_000_000;

/// The reading of one rule: every fault is noted, so that all are told at once.
pub(super) struct RuleReading<'a> {
    /// Which entities and actions there are.
    pub manifest: &'a Manifest,
    /// What has been found so far.
    pub faults: &'a mut Vec<FieldError>,
}

impl RuleReading<'_> {
    /// The rule that stands at `place`; nothing when a fault was found.
    pub(super) fn rule(&mut self, place: &str, rule: &Value) -> Option<Rule> {
        let before = self.faults.len();
        let rule = self.object(place, rule, &["match", "respond", "times"])?;
        if let Some(which) = rule.get("match") {
            self.which(&format!("{place}.match"), which);
        }
        match rule.get("respond") {
            Some(respond) => self.respond(&format!("{place}.respond"), respond),
            None => {
                let path = format!("{place}.respond");
                self.faults.push(FieldError::new(path, ErrorCode::FieldRequired, "is required"));
            }
        }
        self.number(&format!("{place}.times"), rule.get("times"), 1, CALLS_MAX);
        if self.faults.len() > before {
            return None;
        }
        let read = serde_json::from_value(plain(rule));
        read.map_err(|error| self.say(place, error.to_string())).ok()
    }

    fn which(&mut self, place: &str, which: &Value) {
        let Some(which) = self.object(place, which, &["entity", "operation", "nth"]) else {
            return;
        };
        if let Some(entity) = which.get("entity") {
            let known = entity.as_str().is_some_and(|slug| self.manifest.entity(slug).is_some());
            if !known {
                let slugs: Vec<&str> = self.manifest.entities.names().collect();
                let message = format!("must be one of {}", slugs.join(", "));
                self.say(&format!("{place}.entity"), message);
            }
        }
        if let Some(operation) = which.get("operation") {
            let known = operation.as_str().is_some_and(|name| self.is_operation(name));
            if !known {
                let message = format!("must be one of {}, or an action", OPERATIONS.join(", "));
                self.say(&format!("{place}.operation"), message);
            }
        }
        self.number(&format!("{place}.nth"), which.get("nth"), 1, CALLS_MAX);
    }

    fn is_operation(&self, name: &str) -> bool {
        let mut entities = self.manifest.entities.iter();
        OPERATIONS.contains(&name)
            || entities.any(|(_, entity)| entity.write.actions.get(name).is_some())
    }

    fn respond(&mut self, place: &str, respond: &Value) {
        let fields = ["status", "headers", "body", "delay_ms"];
        let Some(respond) = self.object(place, respond, &fields) else { return };
        if respond.is_empty() {
            self.say(place, "must say something: a status, a body, a delay");
        }
        self.number(&format!("{place}.status"), respond.get("status"), 200, 599);
        let longest = u64::try_from(DELAY_MAX.as_millis()).unwrap_or(u64::MAX);
        self.number(&format!("{place}.delay_ms"), respond.get("delay_ms"), 0, longest);
        if respond.get("body").is_some_and(|body| body.to_string().len() > BODY_MAX) {
            self.say(&format!("{place}.body"), "must have at most 16 KB as JSON");
        }
        if let Some(headers) = respond.get("headers") {
            self.headers(&format!("{place}.headers"), headers);
        }
    }

    fn headers(&mut self, place: &str, headers: &Value) {
        let Some(headers) = headers.as_object().filter(|all| all.len() <= HEADERS_MAX) else {
            return self.say(place, format!("must be an object of at most {HEADERS_MAX} texts"));
        };
        for (name, value) in headers {
            let text = value.as_str().map(str::to_owned);
            let text = text.or_else(|| value.as_u64().map(|number| number.to_string()));
            let fine = HeaderName::try_from(name).is_ok()
                && text.is_some_and(|text| HeaderValue::try_from(text).is_ok());
            if !fine {
                self.say(&format!("{place}.{name}"), "is no header that can be sent");
            }
        }
    }

    fn number(&mut self, place: &str, value: Option<&Value>, least: u64, most: u64) {
        let Some(value) = value else { return };
        if !value.as_u64().is_some_and(|number| (least..=most).contains(&number)) {
            self.say(place, format!("must be a whole number from {least} to {most}"));
        }
    }

    fn object<'v>(
        &mut self,
        place: &str,
        value: &'v Value,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Some(fields) = value.as_object() else {
            self.say(place, "must be an object");
            return None;
        };
        self.faults.extend(unknown(&format!("{place}."), fields, known));
        Some(fields)
    }

    fn say(&mut self, place: &str, message: impl Into<String>) {
        self.faults.push(fault(place, message));
    }
}

/// The rule with its headers as text: `7` is `"7"`.
fn plain(rule: &Map<String, Value>) -> Value {
    let mut rule = Value::Object(rule.clone());
    let headers = rule.pointer_mut("/respond/headers").and_then(Value::as_object_mut);
    for header in headers.into_iter().flat_map(Map::values_mut) {
        if header.is_number() {
            *header = Value::String(header.to_string());
        }
    }
    rule
}
