//! A queue's attributes, with AWS's ranges and defaults (SQS API reference, SetQueueAttributes).

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use serde_json::{Value, json};

use super::fault::{Fault, Kind};

/// The largest message and the largest batch, in bytes: 1 MiB (SQS message quotas).
pub(crate) const MESSAGE_MAX: usize = 1024 * 1024;
/// The longest delay, in seconds (SQS message timers).
pub(crate) const DELAY: RangeInclusive<i64> = 0..=900;
/// The longest visibility timeout, in seconds: 12 hours.
pub(crate) const VISIBILITY: RangeInclusive<i64> = 0..=43_200;
/// The longest long poll, in seconds.
pub(crate) const WAIT: RangeInclusive<i64> = 0..=20;

const ARN_PREFIX: &str = "arn:aws:sqs:local:000000000000:";

/// The ARN of a queue of this endpoint.
pub fn arn(name: &str) -> String {
    format!("{ARN_PREFIX}{name}")
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redrive {
    /// The dead-letter queue's name.
    pub(crate) queue: String,
    /// How often a message may be received before.
    pub(crate) max_receives: u32,
    /// The policy as it was set.
    text: String,
}

/// What can be set on a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) visibility: i64,
    pub(crate) delay: i64,
    pub(crate) retention: i64,
    pub(crate) wait: i64,
    pub(crate) message_max: i64,
    pub(crate) redrive: Option<Redrive>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility: 30,
            delay: 0,
            retention: 345_600,
            wait: 0,
            message_max: MESSAGE_MAX as i64,
            redrive: None,
        }
    }
}

impl Settings {
    /// Sets the given attributes and leaves the others.
    pub(crate) fn apply(&mut self, given: &BTreeMap<String, String>) -> Result<(), Fault> {
        for (name, value) in given {
            match name.as_str() {
                "VisibilityTimeout" => self.visibility = number(name, value, VISIBILITY)?,
                "DelaySeconds" => self.delay = number(name, value, DELAY)?,
                "MessageRetentionPeriod" => self.retention = number(name, value, 60..=1_209_600)?,
                "ReceiveMessageWaitTimeSeconds" => self.wait = number(name, value, WAIT)?,
                "MaximumMessageSize" => {
                    self.message_max = number(name, value, 1024..=MESSAGE_MAX as i64)?;
                }
                "RedrivePolicy" => self.redrive = redrive(value)?,
                _ => return Err(Fault::new(Kind::InvalidAttributeName, unknown(name))),
            }
        }
        Ok(())
    }

    /// The attributes as they are shown and kept.
    pub(crate) fn shown(&self) -> BTreeMap<&'static str, String> {
        let mut shown = BTreeMap::from([
            ("VisibilityTimeout", self.visibility.to_string()),
            ("DelaySeconds", self.delay.to_string()),
            ("MessageRetentionPeriod", self.retention.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.wait.to_string()),
            ("MaximumMessageSize", self.message_max.to_string()),
        ]);
        if let Some(redrive) = &self.redrive {
            shown.insert("RedrivePolicy", redrive.text.clone());
        }
        shown
    }

    /// How long a received message is hidden unless the receiver says otherwise.
    pub(crate) fn visibility(&self) -> Duration {
        seconds(self.visibility)
    }
}

/// The words for an attribute that does not exist.
pub(crate) fn unknown(name: &str) -> String {
    format!("Unknown Attribute {name}.")
}

/// A number of seconds that is known not to be negative.
pub(crate) fn seconds(n: i64) -> Duration {
    Duration::from_secs(u64::try_from(n).unwrap_or(0))
}

fn number(name: &str, value: &str, range: RangeInclusive<i64>) -> Result<i64, Fault> {
    let parsed = value.parse().ok().filter(|n| range.contains(n));
    parsed.ok_or_else(|| {
        let message = format!("Invalid value for the parameter {name}.");
        Fault::new(Kind::InvalidAttributeValue, message)
    })
}

/// A policy, or nothing when it is emptied.
fn redrive(text: &str) -> Result<Option<Redrive>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = |why: &str| Fault::parameter("RedrivePolicy", text, why);
    let policy: Value = serde_json::from_str(text)
        .map_err(|_| invalid("Redrive policy is not a valid JSON map."))?;
    let arn = policy["deadLetterTargetArn"].as_str().ok_or_else(|| {
        invalid("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
    })?;
    // AWS takes the count as a number or as text.
    let count = match &policy["maxReceiveCount"] {
        Value::String(count) => count.parse().ok(),
        count => count.as_u64(),
    };
    let max_receives = count.filter(|n| (1..=1000).contains(n)).ok_or_else(|| {
        invalid(
            "Invalid value for maxReceiveCount, valid values are from 1 to 1000 both inclusive.",
        )
    })?;
    let queue = arn.strip_prefix(ARN_PREFIX).unwrap_or(arn).to_owned();
    let text = json!({"deadLetterTargetArn": arn, "maxReceiveCount": max_receives}).to_string();
    let max_receives = u32::try_from(max_receives).unwrap_or(u32::MAX);
    Ok(Some(Redrive { queue, max_receives, text }))
}
