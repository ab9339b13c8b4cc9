//! ReceiveMessage: what is asked for, and what of a message is told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    check, digest,
    fault::Fault,
    log::Content,
    receipt::Receipt,
    settings::{arn, seconds},
    shelf::Taken,
    wire::{Attributes, ReceiveMessage, Received},
    worker::Worker,
};

pub(crate) async fn receive_message(
    worker: &Worker,
    request: ReceiveMessage,
) -> Result<Value, Fault> {
    let name = check::queue_of(request.queue_url.as_deref())?.to_owned();
    let wanted = check::wanted(request.max_number_of_messages)?;
    let visibility = request.visibility_timeout.map(check::visibility).transpose()?;
    let wait = match request.wait_time_seconds {
        Some(wait) => check::wait(wait)?,
        None => {
            let name = name.clone();
            worker.call(false, move |engine| Ok(engine.settings(&name)?.wait)).await?
        }
    };
    let given = worker.receive(name, wanted, visibility, seconds(wait)).await?;
    if given.is_empty() {
        return Ok(json!({}));
    }
    let messages: Vec<_> =
        given.into_iter().map(|(taken, content)| shown(&request, &taken, content)).collect();
    Ok(json!({"Messages": messages}))
}

fn shown(request: &ReceiveMessage, taken: &Taken, content: Content) -> Received {
    let message_attributes = chosen(&request.message_attribute_names, &content.attributes);
    Received {
        attributes: system_attributes(request, taken, &content),
        message_id: content.id,
        receipt_handle: Receipt::from(taken).to_string(),
        md5_of_body: digest::of_body(&content.body),
        body: content.body,
        md5_of_message_attributes: digest::of_attributes(&message_attributes),
        message_attributes,
    }
}

fn system_attributes(
    request: &ReceiveMessage,
    taken: &Taken,
    content: &Content,
) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::from([
        ("SenderId", "000000000000".to_owned()),
        ("SentTimestamp", content.sent_at.millis().to_string()),
        ("ApproximateReceiveCount", taken.received.to_string()),
        ("ApproximateFirstReceiveTimestamp", taken.first_received.millis().to_string()),
    ]);
    if !content.group.is_empty() {
        all.insert("MessageGroupId", content.group.clone());
    }
    if let Some(queue) = &content.dead_from {
        all.insert("DeadLetterQueueSourceArn", arn(queue));
    }
    // The older and the newer name of the same parameter.
    let asked = [&request.attribute_names, &request.message_system_attribute_names];
    let is_asked = |name: &str| asked.iter().any(|names| names.iter().any(|asked| asked == name));
    if !is_asked("All") {
        all.retain(|name, _| is_asked(name));
    }
    all
}

/// The attributes asked for: all of them, by name, or by the beginning of the name (`order.*`).
fn chosen(asked: &[String], attributes: &Attributes) -> Attributes {
    let wanted = |name: &str| {
        asked.iter().any(|asked| match asked.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => asked == "All" || asked == name,
        })
    };
    let chosen = attributes.iter().filter(|(name, _)| wanted(name));
    chosen.map(|(name, value)| (name.clone(), value.clone())).collect()
}
