//! Batches as Lambda hands them over: every message is judged by itself.

use std::{future::Future, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{StreamExt, stream};
use millwright_core::Result;

use crate::Queue;

/// Messages of one batch that are worked on at the same time.
const AT_ONCE: usize = 10;
/// The wait after a message's first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait after a failure.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its work is done or durably handed on: it goes.
    Done,
    /// It cannot be worked on before this has passed: it comes again then.
    Later(Duration),
}

/// Works on each message of a batch and reports those that must come again, each after a wait of its
/// own. One failed message fails alone: its error is logged here, once.
pub async fn each_message<F, Fut>(queue: &Queue, event: SqsEvent, work: F) -> SqsBatchResponse
where
    F: Fn(SqsMessage) -> Fut,
    Fut: Future<Output = Result<Outcome>>,
{
    let failed: Vec<BatchItemFailure> = stream::iter(event.records)
        .map(|message| {
            let working = work(message.clone());
            async move {
                let wait = match working.await {
                    Ok(Outcome::Done) => return None,
                    Ok(Outcome::Later(wait)) => wait,
                    Err(error) => {
                        let id = message.message_id.as_deref().unwrap_or_default();
                        tracing::error!(message_id = id, %error, "message failed");
                        wait_after_failure(receives(&message))
                    }
                };
                come_again(queue, &message, wait).await;
                Some(failure(&message))
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(|failed| async move { failed })
        .collect()
        .await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed;
    response
}

/// The name of the queue a message came from: the last part of its source's ARN.
#[must_use]
pub fn source_queue(message: &SqsMessage) -> &str {
    let arn = message.event_source_arn.as_deref().unwrap_or_default();
    arn.rsplit(':').next().unwrap_or_default()
}

/// Sets when a message comes again. Should this fail, it comes when its visibility timeout ends.
async fn come_again(queue: &Queue, message: &SqsMessage, wait: Duration) {
    let receipt = message.receipt_handle.as_deref().unwrap_or_default();
    if let Err(error) = queue.give_back(source_queue(message), receipt, wait).await {
        tracing::warn!(%error, "message left to its visibility timeout");
    }
}

fn failure(message: &SqsMessage) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message.message_id.clone().unwrap_or_default();
    failure
}

fn receives(message: &SqsMessage) -> u32 {
    let count = message.attributes.get("ApproximateReceiveCount");
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn wait_after_failure(receives: u32) -> Duration {
    let doublings = receives.saturating_sub(1).min(10);
    (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_message_waits_longer_each_time() {
        let waits = [1, 2, 3, 7, 100].map(|receives| wait_after_failure(receives).as_secs());
        assert_eq!(waits, [5, 10, 20, 300, 300]);
    }

    #[test]
    fn a_message_names_its_queue() {
        let mut message = SqsMessage::default();
        message.event_source_arn = Some("arn:aws:sqs:eu-west-1:123456789012:mw-retry".to_owned());
        assert_eq!(source_queue(&message), "mw-retry");
    }
}
