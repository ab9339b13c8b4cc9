//! Rows in the form of the published description, with values of our own.

use serde_json::{Map, Value};

/// A recorded answer.
pub fn recorded(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/discourse/");
    let text = std::fs::read_to_string(format!("{folder}{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A row with other values in it.
pub fn with(mut row: Value, other: Value) -> Value {
    let other: Map<String, Value> = other.as_object().cloned().unwrap();
    row.as_object_mut().unwrap().extend(other);
    row
}

/// A topic as it is kept: as it is seen by its id, with the time by which lists are sorted.
pub fn topic(other: Value) -> Value {
    let listed = &recorded("latest")["topic_list"]["topics"][0];
    let topic = with(recorded("topic"), serde_json::json!({"bumped_at": listed["bumped_at"]}));
    with(topic, other)
}

/// How a topic is listed.
pub fn listed(topic: &Value) -> Value {
    let mut row = recorded("latest")["topic_list"]["topics"][0].clone();
    for (name, value) in row.as_object_mut().unwrap() {
        if let Some(own) = topic.get(name) {
            *value = own.clone();
        }
    }
    row["posters"][0]["user_id"] = topic["user_id"].clone();
    row
}

/// How a topic is seen by its id.
pub fn viewed(topic: &Value) -> Value {
    let mut row = topic.clone();
    row.as_object_mut().unwrap().retain(|name, _| name != "bumped_at" && name != "external_id");
    row
}

/// A post.
pub fn post(other: Value) -> Value {
    with(recorded("post"), other)
}
