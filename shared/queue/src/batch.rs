//! Batches as Lambda hands them over: every message is judged by itself.

use std::{future::Future, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{StreamExt, stream};
use millwright_core::Result;

use crate::{Envelope, MAX_HOPS, Queue};

/// Messages of one batch that are worked on at the same time.
const AT_ONCE: usize = 10;
/// The wait after a message's first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait after a failure.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// A queue counts how often a message is given out, and takes it for a dead letter after eight times. To
/// wait is no failure: a message that has been given out so often and has to wait is sent anew.
const GIVEN_OUT_MAX: u32 = 4;
/// The longest that a message can be delayed (SQS message timers).
const DELAY_MAX: Duration = Duration::from_secs(900);

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
                    Ok(Outcome::Later(wait)) => match send_anew(queue, &message, wait).await {
                        true => return None,
                        false => wait,
                    },
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

/// Sends a message anew that has waited often: whether that was done. The one at hand may go then.
async fn send_anew(queue: &Queue, message: &SqsMessage, wait: Duration) -> bool {
    let Some(Envelope { queue: name, hop, work }) = to_be_renewed(message, wait) else {
        return false;
    };
    queue.send_after(name, &work, wait, hop + 1).await.is_ok()
}

/// What a message holds that is to be sent anew. Work that has come over its hops is not: it goes on
/// through the dead letters and the due index.
fn to_be_renewed(message: &SqsMessage, wait: Duration) -> Option<Envelope> {
    if receives(message) < GIVEN_OUT_MAX || wait > DELAY_MAX {
        return None;
    }
    let envelope: Envelope = serde_json::from_str(message.body.as_deref()?).ok()?;
    Some(envelope).filter(|envelope| envelope.hop < MAX_HOPS)
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
    use millwright_core::{QueueName, Work};

    use super::*;
    use crate::body_of;

    #[test]
    fn a_failed_message_waits_longer_each_time() {
        let waits = [1, 2, 3, 7, 100].map(|receives| wait_after_failure(receives).as_secs());
        assert_eq!(waits, [5, 10, 20, 300, 300]);
    }

    #[test]
    fn what_waits_is_sent_anew_before_it_would_count_as_dead() {
        let message = |received: u32, hop: u8| {
            let work = Work::new("con", &serde_json::json!({"slice": 1})).unwrap();
            let mut message = SqsMessage::default();
            message.body = Some(body_of(QueueName::Sync, &work, hop).unwrap());
            let count = ("ApproximateReceiveCount".to_owned(), received.to_string());
            message.attributes.extend([count]);
            message
        };
        let wait = Duration::from_secs(5);
        assert!(to_be_renewed(&message(3, 0), wait).is_none());
        let renewed = to_be_renewed(&message(4, 2), wait).unwrap();
        assert_eq!(
            (renewed.queue, renewed.hop, renewed.work.group.as_str()),
            (QueueName::Sync, 2, "con")
        );
        assert!(to_be_renewed(&message(7, MAX_HOPS - 1), DELAY_MAX).is_some());
        assert!(to_be_renewed(&message(7, MAX_HOPS), wait).is_none());
        assert!(to_be_renewed(&message(7, 0), DELAY_MAX + wait).is_none());
        assert!(to_be_renewed(&SqsMessage::default(), wait).is_none());
    }

    #[test]
    fn a_message_names_its_queue() {
        let mut message = SqsMessage::default();
        message.event_source_arn = Some("arn:aws:sqs:eu-west-1:123456789012:mw-retry".to_owned());
        assert_eq!(source_queue(&message), "mw-retry");
    }
}
