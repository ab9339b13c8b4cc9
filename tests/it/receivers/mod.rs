//! What receivers live by: signatures, the rotation of secrets, polling, and `millwright listen`.

mod late;
mod listen;
mod poll;
mod rotation;
mod snippets;

use millwright_tests::api::Api;
use serde_json::{Value, json};

use crate::scene::text;

/// Makes a polled endpoint with these settings and answers with its id.
pub async fn polled(api: &Api, mut request: Value) -> String {
    request["delivery"] = "poll".into();
    let made = api.post("/v1/webhook-endpoints", &request, 201).await;
    text(&made, "id").to_owned()
}

/// Sends messages of the workspace's own, `data` counting from 0; answers with their ids.
pub async fn send(api: &Api, event_type: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let message = json!({ "type": event_type, "data": { "number": number } });
        let accepted = api.post("/v1/webhook-messages", &message, 202).await;
        ids.push(text(&accepted, "id").to_owned());
    }
    ids
}

/// The ids of the messages in a page.
pub fn ids(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().expect("a page");
    data.iter().map(|message| text(message, "id").to_owned()).collect()
}
