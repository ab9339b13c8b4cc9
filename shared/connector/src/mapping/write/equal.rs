//! Whether a value that is given is the one that is there.

use std::cmp::Ordering;

use millwright_core::from_iso;
use serde_json::Value;

use crate::codec::compare_decimals;

/// Equal in the unified model: decimals by their value, times by the moment they mean.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left == right || same_text(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let of = |name: &String| (left.get(name), right.get(name));
            left.keys().chain(right.keys()).all(|name| match of(name) {
                (Some(left), Some(right)) => same(left, right),
                (Some(one), None) | (None, Some(one)) => one.is_null(),
                (None, None) => true,
            })
        }
        (left, right) => left == right,
    }
}

fn same_text(left: &str, right: &str) -> bool {
    let decimal =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte));
    let fraction = |text: &str| text.contains('.') || text.starts_with('-');
    // `007` and `7` are two codes; `7` and `7.0` one number.
    if (fraction(left) || fraction(right))
        && decimal(left)
        && decimal(right)
        && compare_decimals(left, right) == Some(Ordering::Equal)
    {
        return true;
    }
    let time = |text: &str| text.contains('T').then(|| from_iso(text)).flatten();
    matches!((time(left), time(right)), (Some(left), Some(right)) if left == right)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decimals_are_equal_by_value_and_times_by_moment() {
        for (left, right) in [
            (json!("1.5"), json!("1.50")),
            (json!("0"), json!("0.00")),
            (json!("2026-01-01T00:00:00Z"), json!("2026-01-01T00:00:00.000Z")),
            (json!({"a": "1.0", "b": null}), json!({"a": "1"})),
            (json!(["a", "2.0"]), json!(["a", "2"])),
            (json!(null), json!(null)),
        ] {
            assert!(same(&left, &right), "{left} {right}");
        }
        for (left, right) in [
            (json!("1.5"), json!("1.51")),
            (json!("007"), json!("7")),
            (json!("a"), json!("A")),
            (json!(null), json!("")),
            (json!(["a"]), json!(["a", "b"])),
            (json!("2026-01-01T00:00:00Z"), json!("2026-01-01T00:00:01Z")),
        ] {
            assert!(!same(&left, &right), "{left} {right}");
        }
    }
}
