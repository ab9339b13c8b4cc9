//! Batches of which part is left undone.

use serde_json::{Map, Value, json};

use super::{chance::Chance, proxy::Call};

/// Splits a batch call: the call with the part that is done, the rest in the shape in which it is given
/// back, and how many items that rest has. At least one item is done: DynamoDB refuses an empty batch.
pub(crate) fn split(call: &Call, chance: &Chance) -> (Call, Map<String, Value>, usize) {
    let mut part = call.clone();
    let mut rest = Map::new();
    let mut left = 0;
    let total: usize = tables(call).iter().map(|(_, items)| items.len()).sum();
    let kept = chance.below(total);
    let mut place = 0;
    for (table, items) in tables(call) {
        let (mut done, mut undone) = (Vec::new(), Vec::new());
        for item in items {
            if place == kept || chance.falls(0.5) { &mut done } else { &mut undone }.push(item);
            place += 1;
        }
        left += undone.len();
        let requested = &call.body["RequestItems"][&table];
        if !undone.is_empty() {
            rest.insert(table.clone(), with_items(requested, undone));
        }
        if let Some(requests) = part.body["RequestItems"].as_object_mut() {
            if done.is_empty() {
                requests.remove(&table);
            } else {
                requests.insert(table, with_items(requested, done));
            }
        }
    }
    (part, rest, left)
}

/// Adds what was left undone to an answer.
pub(crate) fn add_unprocessed(operation: &str, body: &mut Value, rest: Map<String, Value>) {
    let name = if operation == "BatchGetItem" { "UnprocessedKeys" } else { "UnprocessedItems" };
    if !body[name].is_object() {
        body[name] = json!({});
    }
    if let Some(unprocessed) = body[name].as_object_mut() {
        unprocessed.extend(rest);
    }
}

/// The items of each table: a list of requests for writes, `Keys` inside an object for reads.
fn tables(call: &Call) -> Vec<(String, Vec<Value>)> {
    let requests = call.body["RequestItems"].as_object().cloned().unwrap_or_default();
    let items = |request: Value| match request {
        Value::Array(items) => items,
        mut keys => match keys["Keys"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        },
    };
    requests.into_iter().map(|(table, request)| (table, items(request))).collect()
}

fn with_items(request: &Value, items: Vec<Value>) -> Value {
    if request.is_array() {
        return Value::Array(items);
    }
    let mut keys = request.clone();
    keys["Keys"] = Value::Array(items);
    keys
}
