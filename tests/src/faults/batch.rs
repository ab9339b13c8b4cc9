//! Batches of which part is left undone.

use std::iter;

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

/// Splits a call of statements: the call with those that are made, and which of all are not.
pub(crate) fn split_statements(call: &Call, chance: &Chance) -> (Call, Vec<bool>) {
    let statements = call.body["Statements"].as_array().cloned().unwrap_or_default();
    let kept = chance.below(statements.len());
    let refused: Vec<bool> =
        (0..statements.len()).map(|place| place != kept && chance.falls(0.5)).collect();
    let mut part = call.clone();
    let made = iter::zip(statements, &refused).filter(|(_, refused)| !**refused);
    part.body["Statements"] = made.map(|(statement, _)| statement).collect();
    (part, refused)
}

/// Puts the refusals into the answer to the statements that were made.
pub(crate) fn add_refusals(body: &mut Value, refused: &[bool]) {
    let mut made = body["Responses"].as_array().cloned().unwrap_or_default().into_iter();
    let error = json!({ "Error": { "Code": "ThrottlingError", "Message": "Too many requests" } });
    let answer = |refused: &bool| if *refused { Some(error.clone()) } else { made.next() };
    body["Responses"] = refused.iter().filter_map(answer).collect();
}
