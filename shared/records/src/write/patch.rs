//! What a merge patch makes of a record (RFC 7396), with lines matched by their keys.

use serde_json::{Map, Value};

/// The record as it is once the patch holds. `null` empties a field. In a list of lines (objects with
/// `key`) an entry with a known key changes that line, one without a key adds a line, one with
/// `"deleted": true` removes its line, and lines that are not mentioned stay. Any other list is
/// replaced.
pub(super) fn merged(
    current: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Map<String, Value> {
    let mut record = current.clone();
    for (name, given) in patch {
        let stands = record.get(name);
        let value = match (stands, given) {
            (Some(Value::Object(stands)), Value::Object(given)) => {
                Value::Object(merged(stands, given))
            }
            (None, Value::Object(given)) => Value::Object(merged(&Map::new(), given)),
            (Some(Value::Array(stands)), Value::Array(given)) if are_lines(stands, given) => {
                Value::Array(merged_lines(stands, given))
            }
            (_, Value::Array(given)) if are_lines(&[], given) => {
                Value::Array(merged_lines(&[], given))
            }
            _ => given.clone(),
        };
        record.insert(name.clone(), value);
    }
    record
}

/// Whether two lists are lines, old and new: objects, some of which have keys, or are to be removed.
pub(super) fn are_lines(stands: &[Value], given: &[Value]) -> bool {
    let mut all = stands.iter().chain(given);
    all.clone().all(Value::is_object)
        && all.any(|line| key_of(line).is_some() || line.get("deleted").is_some())
}

/// The key of a line.
pub(super) fn key_of(line: &Value) -> Option<&str> {
    line.get("key")?.as_str()
}

/// Whether an entry of a patch removes its line.
pub(super) fn removes(line: &Value) -> bool {
    line.get("deleted") == Some(&Value::Bool(true))
}

fn merged_lines(stands: &[Value], given: &[Value]) -> Vec<Value> {
    let mut lines = stands.to_vec();
    for entry in given {
        let place =
            key_of(entry).and_then(|key| lines.iter().position(|line| key_of(line) == Some(key)));
        match place {
            Some(place) if removes(entry) => drop(lines.remove(place)),
            None if removes(entry) => {}
            Some(place) => lines[place] = changed(&lines[place], entry),
            None => lines.push(changed(&Value::Null, entry)),
        }
    }
    lines
}

fn changed(line: &Value, entry: &Value) -> Value {
    let empty = Map::new();
    let mut entry = entry.as_object().cloned().unwrap_or_default();
    entry.shift_remove("deleted");
    Value::Object(merged(line.as_object().unwrap_or(&empty), &entry))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merge(current: Value, patch: Value) -> Value {
        Value::Object(merged(current.as_object().unwrap(), patch.as_object().unwrap()))
    }

    #[test]
    fn given_fields_are_laid_over_null_empties_and_the_rest_stays() {
        let current = json!({"a": "1", "b": "2", "address": {"city": "X", "street": "Y"}});
        let patch = json!({"b": null, "c": "3", "address": {"city": "Z"}, "new": {"x": "1"}});
        let expected = json!({"a": "1", "b": null, "address": {"city": "Z", "street": "Y"},
            "c": "3", "new": {"x": "1"}});
        assert_eq!(merge(current, patch), expected);
    }

    #[test]
    fn lines_are_added_changed_and_removed_by_key_and_unmentioned_ones_stay() {
        let current = json!({"lineItems": [
            {"key": "rec_1", "quantity": "1", "notes": "n"}, {"key": "rec_2", "quantity": "2"},
            {"key": "rec_3", "quantity": "3"}]});
        let patch = json!({"lineItems": [
            {"key": "rec_1", "quantity": "9"}, {"key": "rec_2", "deleted": true},
            {"quantity": "4"}]});
        let expected = json!({"lineItems": [
            {"key": "rec_1", "quantity": "9", "notes": "n"}, {"key": "rec_3", "quantity": "3"},
            {"quantity": "4"}]});
        assert_eq!(merge(current, patch), expected);
    }

    #[test]
    fn the_first_line_is_added_and_a_line_that_is_not_there_is_not_removed_twice() {
        let patch = json!({"lineItems": [{"key": "rec_9", "deleted": true}, {"quantity": "1"}]});
        assert_eq!(merge(json!({}), patch), json!({"lineItems": [{"quantity": "1"}]}));
    }

    #[test]
    fn a_list_without_keys_is_replaced() {
        let current = json!({"tags": ["a", "b"], "addresses": [{"city": "X"}]});
        let patch = json!({"tags": ["c"], "addresses": [{"city": "Y"}]});
        assert_eq!(merge(current, patch.clone()), patch);
    }
}
