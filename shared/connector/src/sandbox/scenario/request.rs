//! What a caller tells a sandbox, and what is wrong with it.

use millwright_core::{ErrorCode, FieldError, ScheduleTime, from_iso};
use serde_json::{Map, Value};

use super::{Rule, Scenario, Told, Window, rule_check::RuleReading, told::Named};
use crate::manifest::Manifest;

/// The most rules.
const RULES_MAX: usize = 20;
/// The most bytes of JSON that all rules together may have: they are one row of the table.
const TOTAL_MAX: usize = 64 * 1024;

/// A request that says how a sandbox is to behave.
#[derive(Clone, Debug, PartialEq)]
pub enum ScenarioRequest {
    /// By a name, and for an outage when.
    Named {
        /// The name.
        name: Scenario,
        /// From when on; from now on, without it.
        from: Option<ScheduleTime>,
        /// Until when; the name's own time, without it.
        to: Option<ScheduleTime>,
    },
    /// By rules.
    Rules(Vec<Rule>),
}

impl From<Scenario> for ScenarioRequest {
    fn from(name: Scenario) -> Self {
        Self::Named { name, from: None, to: None }
    }
}

impl ScenarioRequest {
    /// Reads a body. `manifest` knows which entities and actions there are.
    ///
    /// # Errors
    /// Every faulty field.
    pub fn read(body: &Value, manifest: &Manifest) -> Result<Self, Vec<FieldError>> {
        let Value::Object(fields) = body else {
            return Err(vec![fault("body", "must be an object")]);
        };
        let mut faults = unknown("", fields, &["name", "from", "to", "rules"]);
        let read = match (fields.get("name"), fields.get("rules")) {
            (Some(name), None) => named(fields, name, &mut faults),
            (None, Some(rules)) => self::rules(fields, rules, manifest, &mut faults),
            (Some(_), Some(_)) => {
                faults.push(fault("rules", "and `name` cannot be given together"));
                None
            }
            (None, None) => {
                faults.push(FieldError::new(
                    "name",
                    ErrorCode::FieldRequired,
                    "or `rules` is required",
                ));
                None
            }
        };
        read.filter(|_| faults.is_empty()).ok_or(faults)
    }

    /// What the sandbox is told by it at this time.
    #[must_use]
    pub fn told(self, now: ScheduleTime) -> Told {
        let (name, from, to) = match self {
            Self::Rules(rules) => return Told::Rules(rules),
            Self::Named { name, from, to } => (name, from, to),
        };
        let window = match name {
            Scenario::Outage(lasts) if lasts.is_some() || from.is_some() || to.is_some() => {
                let from = from.unwrap_or(now);
                Some(Window { from, to: to.or(lasts.map(|lasts| from + lasts)) })
            }
            _ => None,
        };
        Told::Named(Named { name, window })
    }
}

fn named(
    fields: &Map<String, Value>,
    name: &Value,
    faults: &mut Vec<FieldError>,
) -> Option<ScenarioRequest> {
    let name: Result<Scenario, String> =
        name.as_str().ok_or_else(|| "must be text".to_owned()).and_then(str::parse);
    let name = name.map_err(|why| faults.push(fault("name", why))).ok()?;
    let windowed = name == Scenario::Outage(None);
    let mut moment = |field: &str| {
        let given = fields.get(field).filter(|value| !value.is_null())?;
        let read = match given.as_str().and_then(from_iso) {
            _ if !windowed => Err("goes with the name `outage` alone"),
            Some(ms) => Ok(ScheduleTime::from_millis(ms)),
            None => Err("must be a time such as 2026-01-31T08:00:00Z"),
        };
        read.map_err(|why| faults.push(fault(field, why))).ok()
    };
    let (from, to) = (moment("from"), moment("to"));
    if to.is_some_and(|to| from.is_some_and(|from| from >= to)) {
        faults.push(fault("to", "must be after `from`"));
    }
    Some(ScenarioRequest::Named { name, from, to })
}

fn rules(
    fields: &Map<String, Value>,
    rules: &Value,
    manifest: &Manifest,
    faults: &mut Vec<FieldError>,
) -> Option<ScenarioRequest> {
    for name in ["from", "to"] {
        if fields.contains_key(name) {
            faults.push(fault(name, "goes with the name `outage` alone"));
        }
    }
    let Some(rules) = rules.as_array().filter(|rules| (1..=RULES_MAX).contains(&rules.len()))
    else {
        faults.push(fault("rules", format!("must be a list of 1 to {RULES_MAX} rules")));
        return None;
    };
    if Value::from(rules.clone()).to_string().len() > TOTAL_MAX {
        faults.push(fault("rules", "must have at most 64 KB as JSON, all together"));
    }
    let read = rules.iter().enumerate().filter_map(|(position, rule)| {
        RuleReading { manifest, faults }.rule(&format!("rules[{position}]"), rule)
    });
    Some(ScenarioRequest::Rules(read.collect()))
}

pub(super) fn unknown(place: &str, fields: &Map<String, Value>, known: &[&str]) -> Vec<FieldError> {
    let names = fields.keys().filter(|name| !known.contains(&name.as_str()));
    names.map(|name| fault(format!("{place}{name}"), "is not a known field")).collect()
}

pub(super) fn fault(path: impl Into<String>, message: impl Into<String>) -> FieldError {
    FieldError::new(path, ErrorCode::ValidationFailed, message)
}
