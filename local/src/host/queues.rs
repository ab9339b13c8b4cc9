//! The queues and their event sources as the template has them.

use std::{io, time::Duration};

use aws_sdk_sqs::{Client, types::QueueAttributeName as Attribute};
use millwright_core::QueueName;
use serde_json::json;

use crate::sqs::arn;

/// The function that a queue's messages go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// `functions/sync`.
    Sync,
    /// `functions/deliver`.
    Deliver,
}

impl Consumer {
    /// How long an invocation may take: the function's time limit in the template.
    #[must_use]
    pub const fn timeout(self) -> Duration {
        match self {
            Self::Sync => Duration::from_secs(120),
            Self::Deliver => Duration::from_secs(60),
        }
    }
}

/// A queue and its event source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDef {
    /// The work queue; nothing for the dead-letter queue, which is read like one.
    pub work: Option<QueueName>,
    /// Who consumes it.
    pub consumer: Consumer,
    /// The most messages in a batch.
    pub batch: i32,
    /// The most invocations at once. Fewer than in the template: all share one machine.
    pub concurrency: usize,
    /// How long a message is hidden while it is worked on, in seconds.
    pub visibility: u32,
}

/// How often a message is given out before it goes to the dead-letter queue.
const RECEIVES: u32 = 8;
/// 14 days.
const RETENTION: &str = "1209600";

/// Every queue.
pub const QUEUES: [QueueDef; 6] = [
    def(Some(QueueName::Fanout), Consumer::Deliver, 10, 8),
    def(Some(QueueName::Delivery), Consumer::Deliver, 10, 8),
    def(Some(QueueName::Retry), Consumer::Deliver, 10, 4),
    def(Some(QueueName::Sweep), Consumer::Deliver, 1, 16),
    def(Some(QueueName::Sync), Consumer::Sync, 1, 8),
    def(None, Consumer::Deliver, 10, 2),
];

const fn def(
    work: Option<QueueName>,
    consumer: Consumer,
    batch: i32,
    concurrency: usize,
) -> QueueDef {
    let visibility = match consumer {
        Consumer::Sync => 720,
        Consumer::Deliver => 360,
    };
    QueueDef { work, consumer, batch, concurrency, visibility }
}

impl QueueDef {
    /// Its name on this machine.
    #[must_use]
    pub fn name(&self) -> String {
        format!("millwright-{}", self.work.map_or("dead", QueueName::as_str))
    }

    /// Its ARN on this machine.
    #[must_use]
    pub fn arn(&self) -> String {
        arn(&self.name())
    }

    /// The variable that holds its URL.
    #[must_use]
    pub fn variable(&self) -> &'static str {
        self.work.map_or(millwright_queue::DEAD_LETTER_VARIABLE, millwright_queue::url_variable)
    }

    fn attributes(&self) -> Vec<(Attribute, String)> {
        let mut attributes = vec![
            (Attribute::VisibilityTimeout, self.visibility.to_string()),
            (Attribute::MessageRetentionPeriod, RETENTION.to_owned()),
        ];
        if self.work.is_some() {
            let policy = json!({"deadLetterTargetArn": DEAD.arn(), "maxReceiveCount": RECEIVES});
            attributes.push((Attribute::RedrivePolicy, policy.to_string()));
        }
        attributes
    }
}

const DEAD: &QueueDef = &QUEUES[5];
/// Where new messages come in.
pub(crate) const INCOMING: &QueueDef = &QUEUES[0];

/// Creates the queues, or brings them to what this program wants of them.
///
/// # Errors
/// When the endpoint fails.
pub async fn create_queues(client: &Client) -> io::Result<()> {
    // The dead-letter queue must be there before the others name it.
    for queue in [DEAD].into_iter().chain(&QUEUES) {
        let created = client.create_queue().queue_name(queue.name()).send().await;
        let url = created.map_err(io::Error::other)?.queue_url.unwrap_or_default();
        let attributes = queue.attributes().into_iter().collect();
        let set = client.set_queue_attributes().queue_url(url).set_attributes(Some(attributes));
        set.send().await.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Where the queues are.
pub(super) async fn urls(client: &Client) -> io::Result<Vec<(QueueDef, String)>> {
    let mut urls = Vec::new();
    for queue in QUEUES {
        let found = client.get_queue_url().queue_name(queue.name()).send().await;
        urls.push((queue, found.map_err(io::Error::other)?.queue_url.unwrap_or_default()));
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_queue_is_there_once_and_the_dead_letter_queue_is_the_last() {
        let mut work: Vec<_> = QUEUES.iter().filter_map(|queue| queue.work).collect();
        work.sort_unstable();
        assert_eq!(work, QueueName::ALL);
        assert_eq!((DEAD.work, DEAD.name().as_str()), (None, "millwright-dead"));
        assert_eq!(INCOMING.work, Some(QueueName::Fanout));
    }

    #[test]
    fn a_message_is_hidden_for_six_times_its_functions_limit() {
        for queue in QUEUES {
            assert!(u64::from(queue.visibility) >= 6 * queue.consumer.timeout().as_secs());
        }
    }
}
