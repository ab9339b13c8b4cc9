//! What expressions mean, which are refused, and what becomes of those that would never end.

mod bounded;
mod exact;
mod meaning;
mod refused;

use serde_json::Value;

use super::*;

fn run(text: &str, row: &str) -> Result<Option<Value>, JqError> {
    let row: Value = serde_json::from_str(row).unwrap();
    Jq::parse(text).unwrap_or_else(|why| panic!("{text}: {why}")).run(&row)
}

/// The expression's value as JSON text; nothing when it gives none.
fn given(text: &str, row: &str) -> Option<String> {
    run(text, row).unwrap_or_else(|why| panic!("{text}: {why}")).map(|value| value.to_string())
}
