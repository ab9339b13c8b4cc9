//! AWS's limits on requests, in AWS's words (SQS API reference and message quotas). Pure.

use std::{collections::HashSet, ops::RangeInclusive};

use super::{
    fault::{Fault, Kind},
    settings::{self, MESSAGE_MAX, Settings},
    wire::{AttributeValue, Attributes, Entry, SendMessage},
};

/// The most entries in a batch, and the most messages one receive gives.
pub(crate) const BATCH_MAX: usize = 10;

/// A queue's name from its URL: the last part of the path.
pub(crate) fn queue_of(url: Option<&str>) -> Result<&str, Fault> {
    let url = url.filter(|url| !url.is_empty()).ok_or_else(|| Fault::missing("QueueUrl"))?;
    Ok(url.trim_end_matches('/').rsplit('/').next().unwrap_or_default())
}

/// A name for a new queue.
pub(crate) fn queue_name(name: Option<String>) -> Result<String, Fault> {
    let name = name.ok_or_else(|| Fault::missing("QueueName"))?;
    if is_word(&name) {
        return Ok(name);
    }
    let message =
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
    Err(Fault::new(Kind::InvalidParameterValue, message))
}

/// A batch as a whole.
pub(crate) fn batch<T: Entry>(entries: &[T], action: &str) -> Result<(), Fault> {
    if entries.is_empty() {
        let message =
            format!("There should be at least one {action}BatchRequestEntry in the request.");
        return Err(Fault::new(Kind::EmptyBatchRequest, message));
    }
    if entries.len() > BATCH_MAX {
        let message = format!(
            "Maximum number of entries per request are {BATCH_MAX}. You have sent {}.",
            entries.len()
        );
        return Err(Fault::new(Kind::TooManyEntriesInBatchRequest, message));
    }
    let mut ids = HashSet::new();
    for entry in entries {
        if !is_word(entry.id()) {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and \
                           underscores. It can be at most 80 letters long.";
            return Err(Fault::new(Kind::InvalidBatchEntryId, message));
        }
        if !ids.insert(entry.id()) {
            let message = format!("Id {} repeated.", entry.id());
            return Err(Fault::new(Kind::BatchEntryIdsNotDistinct, message));
        }
    }
    Ok(())
}

/// The messages of a batch together.
pub(crate) fn batch_size(entries: &[SendMessage]) -> Result<(), Fault> {
    let total: usize = entries.iter().map(size).sum();
    if total <= MESSAGE_MAX {
        return Ok(());
    }
    let message = format!(
        "Batch requests cannot be longer than {MESSAGE_MAX} bytes. You have sent {total} bytes."
    );
    Err(Fault::new(Kind::BatchRequestTooLong, message))
}

/// One message: its body and the seconds it is delayed.
pub(crate) fn message<'a>(
    message: &'a SendMessage,
    settings: &Settings,
) -> Result<(&'a str, i64), Fault> {
    let body = message.message_body.as_deref().filter(|body| !body.is_empty());
    let body = body.ok_or_else(|| Fault::missing("MessageBody"))?;
    if !body.chars().all(is_allowed) {
        let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | \
                       #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
        return Err(Fault::new(Kind::InvalidMessageContents, message));
    }
    if size(message) > usize::try_from(settings.message_max).unwrap_or(MESSAGE_MAX) {
        let message = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
            settings.message_max
        );
        return Err(Fault::new(Kind::InvalidParameterValue, message));
    }
    attributes(&message.message_attributes)?;
    group(message.message_group_id.as_deref())?;
    if let Some(id) = &message.message_deduplication_id {
        let why = "The request includes a parameter that is not valid for this queue type";
        return Err(Fault::parameter("MessageDeduplicationId", id, why));
    }
    let why = "DelaySeconds must be >= 0 and <= 900.";
    let delay = message.delay_seconds.unwrap_or(settings.delay);
    Ok((body, within("DelaySeconds", delay, settings::DELAY, why)?))
}

/// How many messages are wanted.
pub(crate) fn wanted(count: Option<i64>) -> Result<usize, Fault> {
    let count = count.unwrap_or(1);
    let why = "Must be between 1 and 10, if provided.";
    let count = within("MaxNumberOfMessages", count, 1..=BATCH_MAX as i64, why)?;
    Ok(usize::try_from(count).unwrap_or(1))
}

/// How long to wait for messages, in seconds.
pub(crate) fn wait(seconds: i64) -> Result<i64, Fault> {
    within("WaitTimeSeconds", seconds, settings::WAIT, "Must be >= 0 and <= 20, if provided.")
}

/// How long to hide a message, in seconds.
pub(crate) fn visibility(seconds: i64) -> Result<i64, Fault> {
    let why = "VisibilityTimeout must be an integer between 0 and 43200.";
    within("VisibilityTimeout", seconds, settings::VISIBILITY, why)
}

fn within(name: &str, n: i64, range: RangeInclusive<i64>, why: &str) -> Result<i64, Fault> {
    if range.contains(&n) { Ok(n) } else { Err(Fault::parameter(name, n, why)) }
}

/// A message's size as AWS counts it: the body, and names, types and values of the attributes.
fn size(message: &SendMessage) -> usize {
    let attribute = |(name, value): (&String, &AttributeValue)| {
        name.len() + value.data_type.len() + value.kind_and_bytes().1.len()
    };
    let attributes: usize = message.message_attributes.iter().map(attribute).sum();
    message.message_body.as_deref().map_or(0, str::len) + attributes
}

/// Queue names and batch entry ids: 1 to 80 letters, digits, hyphens and underscores.
fn is_word(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The characters of XML 1.0, which is what SQS carries.
fn is_allowed(c: char) -> bool {
    matches!(c, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}'
        | '\u{10000}'..='\u{10ffff}')
}

fn group(id: Option<&str>) -> Result<(), Fault> {
    let Some(id) = id else { return Ok(()) };
    if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    let why = "MessageGroupId can only include alphanumeric and punctuation characters. \
               1 to 128 in length.";
    Err(Fault::parameter("MessageGroupId", id, why))
}

fn attributes(attributes: &Attributes) -> Result<(), Fault> {
    let invalid = |message: String| Err(Fault::new(Kind::InvalidParameterValue, message));
    if attributes.len() > 10 {
        return invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [10].",
            attributes.len()
        ));
    }
    for (name, value) in attributes {
        let kind = value.data_type.split('.').next().unwrap_or_default();
        if !["String", "Number", "Binary"].contains(&kind) {
            return invalid(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of \
                 supported type prefixes is Binary, Number, and String."
            ));
        }
        if value.kind_and_bytes().1.is_empty() {
            return invalid(format!(
                "The message attribute '{name}' must contain non-empty message attribute value \
                 for message attribute type '{kind}'."
            ));
        }
    }
    Ok(())
}
