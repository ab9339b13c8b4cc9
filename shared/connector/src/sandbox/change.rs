//! Laying a change over a row of a sandbox.

use serde_json::{Value, json};

use super::SandboxRow;

/// Lays a change over a row.
pub(super) fn merge(row: &mut SandboxRow, change: SandboxRow) {
    for (name, value) in change {
        match (row.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(change)) => merge(inner, change),
            (Some(Value::Array(there)), Value::Array(lines)) if is_lines(there, &lines) => {
                merge_lines(there, lines);
            }
            (_, value) => drop(row.insert(name, value)),
        }
    }
}

/// Whether these are lines, and no list of values that takes the place of another.
fn is_lines(there: &[Value], given: &[Value]) -> bool {
    there.iter().chain(given).all(Value::is_object)
        && there.iter().all(|line| line.get("id").is_some())
}

fn merge_lines(there: &mut Vec<Value>, given: Vec<Value>) {
    for line in given {
        let Value::Object(change) = line else { continue };
        let id = change.get("id").cloned();
        let at = id.and_then(|id| there.iter().position(|line| line["id"] == id));
        match at {
            Some(at) if change.get("deleted") == Some(&json!(true)) => drop(there.remove(at)),
            Some(at) => {
                if let Value::Object(line) = &mut there[at] {
                    merge(line, change);
                }
            }
            None => there.push(Value::Object(change)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(row: Value, change: Value) -> Value {
        let (Value::Object(mut row), Value::Object(change)) = (row, change) else { panic!() };
        merge(&mut row, change);
        Value::Object(row)
    }

    #[test]
    fn a_change_is_laid_over_a_row_and_lines_are_matched_by_id() {
        let row = json!({
            "title": "A", "notes": "B", "custom": {"a": 1, "b": 2}, "list": ["x"],
            "lines": [{"id": "1", "n": "1"}, {"id": "2", "n": "2"}],
        });
        let change = json!({
            "title": "C", "notes": null, "custom": {"b": 3}, "list": ["y", "z"],
            "lines": [{"id": "1", "deleted": true}, {"id": "2", "n": "5"}, {"n": "7"}],
        });
        let expected = json!({
            "title": "C", "notes": null, "custom": {"a": 1, "b": 3}, "list": ["y", "z"],
            "lines": [{"id": "2", "n": "5"}, {"n": "7"}],
        });
        assert_eq!(merged(row, change), expected);
    }
}
