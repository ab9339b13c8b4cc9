//! Batches as Lambda hands them over: every message is judged by itself.

use std::future::Future;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{StreamExt, stream};
use millwright_core::Result;

/// Messages of one batch that are worked on at the same time.
const AT_ONCE: usize = 10;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its work is done or durably handed on: it goes.
    Done,
    /// It comes again when its visibility timeout ends.
    Again,
}

/// Works on each message of a batch and reports those that must come again. One failed message fails
/// alone: its error is logged here, once.
pub async fn each_message<F, Fut>(event: SqsEvent, work: F) -> SqsBatchResponse
where
    F: Fn(SqsMessage) -> Fut,
    Fut: Future<Output = Result<Outcome>>,
{
    let failed: Vec<BatchItemFailure> = stream::iter(event.records)
        .map(|message| {
            let id = message.message_id.clone().unwrap_or_default();
            let working = work(message);
            async move {
                match working.await {
                    Ok(Outcome::Done) => None,
                    Ok(Outcome::Again) => Some(id),
                    Err(error) => {
                        tracing::error!(message_id = id, %error, "message failed");
                        Some(id)
                    }
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(|failed| async move { failed.map(failure) })
        .collect()
        .await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed;
    response
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}

/// The name of the queue a message came from: the last part of its source's ARN.
#[must_use]
pub fn source_queue(message: &SqsMessage) -> &str {
    let arn = message.event_source_arn.as_deref().unwrap_or_default();
    arn.rsplit(':').next().unwrap_or_default()
}
