//! Laying one object over another.

use serde_json::{Map, Value};

/// Members of `over` take the place of those of the same name; objects are merged.
pub(super) fn lay_over(row: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, value) in over {
        match (row.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => lay_over(inner, value),
            (_, value) => drop(row.insert(name, value)),
        }
    }
}
