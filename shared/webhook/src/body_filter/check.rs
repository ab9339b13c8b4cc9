//! Whether a filter can be decided by: every fault, named by its path.

use millwright_core::{ErrorCode, FieldError};
use serde_json::{Map, Value};

use super::{Operator, decimal::Decimal, operator};

/// How deep a filter may go.
const DEPTH_MAX: usize = 12;
/// How long it may be as JSON, in bytes: it stands in the endpoint's row.
const SIZE_MAX: usize = 8 * 1024;
/// How many values it may compare with: each costs time on every message.
const CONDITIONS_MAX: usize = 100;
/// What a body has at its top: a filter on anything else would let nothing through.
const BODY_FIELDS: [&str; 3] = ["type", "timestamp", "data"];

/// All that is wrong with a filter.
pub(super) fn faults(filter: &Map<String, Value>) -> Vec<FieldError> {
    let mut check = Check { faults: Vec::new(), conditions: 0 };
    let size = serde_json::to_string(filter).map_or(usize::MAX, |text| text.len());
    if size > SIZE_MAX {
        check.add("filter", "must have at most 8192 bytes as JSON");
    } else if filter.is_empty() {
        check.add("filter", "must say something: leave it out, or null, to let everything pass");
    } else {
        check.object("filter", filter, At { depth: 1, top: true });
    }
    if check.conditions > CONDITIONS_MAX {
        check.add("filter", "must have at most 100 conditions");
    }
    check.faults
}

struct Check {
    faults: Vec<FieldError>,
    conditions: usize,
}

/// Where a check is: how deep in the filter, and whether at the top of the body.
#[derive(Clone, Copy)]
struct At {
    depth: usize,
    top: bool,
}

impl At {
    fn deeper(self, top: bool) -> Self {
        Self { depth: self.depth + 1, top }
    }
}

impl Check {
    fn add(&mut self, path: &str, message: &str) {
        self.faults.push(FieldError::new(path, ErrorCode::ValidationFailed, message));
    }

    fn object(&mut self, path: &str, conditions: &Map<String, Value>, at: At) {
        if at.depth > DEPTH_MAX {
            return self.add(path, "must be at most 12 levels deep");
        }
        for (name, operand) in conditions {
            let path = format!("{path}.{name}");
            match operator(name) {
                Some(operator) => self.operator(&path, operator, operand, at),
                None if name.starts_with('$') => self.add(&path, "is not a known operator"),
                None if at.top && !BODY_FIELDS.contains(&name.as_str()) => {
                    self.add(&path, "is not in a body, which has type, timestamp and data");
                }
                None => self.node(&path, operand, at.deeper(false)),
            }
        }
    }

    /// A part of a filter: an object of conditions or a plain value.
    fn node(&mut self, path: &str, condition: &Value, at: At) {
        match condition {
            Value::Object(conditions) if conditions.is_empty() => {
                self.add(path, "must say something; use $exists to ask whether a field is there");
            }
            Value::Object(conditions) => self.object(path, conditions, at),
            _ if at.top => self.add(path, "must be an object"),
            plain => self.operand(path, plain, at),
        }
    }

    /// A value to compare with.
    fn operand(&mut self, path: &str, value: &Value, at: At) {
        self.conditions += 1;
        if depth_of(value) + at.depth > DEPTH_MAX + 1 {
            self.add(path, "must be at most 12 levels deep");
        }
    }

    fn operator(&mut self, path: &str, operator: Operator, operand: &Value, at: At) {
        match operator {
            Operator::Not => self.node(path, operand, at.deeper(at.top)),
            Operator::And | Operator::Or => self.list(path, operand, |check, path, one| {
                check.node(path, one, at.deeper(at.top));
            }),
            _ if at.top => self.add(path, "must be below type, timestamp or data"),
            Operator::In | Operator::Nin => {
                self.list(path, operand, |check, path, one| check.operand(path, one, at));
            }
            Operator::Eq | Operator::Ne => self.operand(path, operand, at),
            Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte => {
                self.one_of(path, operand.is_number() || operand.is_string(), NUMBER_OR_TEXT);
                self.number(path, operand);
            }
            Operator::Exists => self.one_of(path, operand.is_boolean(), "must be true or false"),
            Operator::Contains => {
                let plain = !(operand.is_object() || operand.is_array());
                self.one_of(path, plain, "must be text, a number, true, false or null");
            }
            Operator::StartsWith => self.one_of(path, operand.is_string(), "must be text"),
        }
    }

    fn one_of(&mut self, path: &str, fine: bool, message: &str) {
        self.conditions += 1;
        if !fine {
            self.add(path, message);
        }
    }

    fn number(&mut self, path: &str, operand: &Value) {
        if let Value::Number(number) = operand
            && Decimal::of_text(number.as_str()).is_none()
        {
            self.add(path, "is a number out of range");
        }
    }

    fn list(&mut self, path: &str, operand: &Value, each: impl Fn(&mut Self, &str, &Value)) {
        match operand.as_array() {
            Some(items) if !items.is_empty() => {
                for (place, one) in items.iter().enumerate() {
                    each(self, &format!("{path}[{place}]"), one);
                }
            }
            _ => self.add(path, "must be a list with at least one item"),
        }
    }
}

const NUMBER_OR_TEXT: &str = "must be a number or text";

/// How deep a value goes: it was parsed, which bounds it.
fn depth_of(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(items) => items.iter().map(depth_of).max(),
        Value::Object(fields) => fields.values().map(depth_of).max(),
        _ => return 0,
    };
    1 + deepest.unwrap_or(0)
}
