//! What differs between what was expected and what came.

use serde_json::Value;

/// A line for each place where two values differ; none when they are equal.
pub(super) fn diff(expected: &Value, found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    collect("", expected, found, &mut lines);
    lines
}

fn collect(place: &str, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(wanted), Value::Object(there)) => {
            for (name, expected) in wanted {
                let inside = join(place, name);
                match there.get(name) {
                    Some(found) => collect(&inside, expected, found, lines),
                    None => lines.push(format!("{inside}: expected {expected}, and nothing came")),
                }
            }
            for (name, found) in there.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
                lines.push(format!("{}: nothing expected, and {found} came", join(place, name)));
            }
        }
        (Value::Array(wanted), Value::Array(there)) => {
            for (position, (expected, found)) in wanted.iter().zip(there).enumerate() {
                collect(&format!("{place}[{position}]"), expected, found, lines);
            }
            if wanted.len() != there.len() {
                let (wanted, there) = (wanted.len(), there.len());
                lines.push(format!("{place}: expected {wanted} elements, and {there} came"));
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!("{place}: expected {expected}, and {found} came")),
    }
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_is_named_by_its_place() {
        let expected = json!({"a": 1, "b": {"c": [1, {"d": 2}]}, "e": 5});
        let found = json!({"a": 1, "b": {"c": [1, {"d": 3}, 4]}, "f": 6});
        assert_eq!(
            diff(&expected, &found),
            [
                "b.c[1].d: expected 2, and 3 came",
                "b.c: expected 2 elements, and 3 came",
                "e: expected 5, and nothing came",
                "f: nothing expected, and 6 came",
            ]
        );
        assert_eq!(diff(&expected, &expected), [""; 0]);
    }
}
