//! Lambda's event source mapping for a queue: receive, invoke, delete what succeeded.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage, SqsMessageAttribute};
use aws_sdk_sqs::{
    Client,
    error::DisplayErrorContext,
    types::{
        DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    },
};
use millwright_core::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{Consumer, QueueDef, SqsFunction, invocation::invoke, stopping};

/// The longest long poll.
const WAIT_SECONDS: i32 = 20;
/// With so many invocations under way and no full batch waiting, messages are let gather for a moment:
/// ten are received, worked on and deleted for little more than one. Queues that have no more slots than
/// that never wait.
const BUSY: usize = 4;
/// How long.
const GATHER: Duration = Duration::from_millis(4);
/// How long to wait after the queue could not be asked.
const PAUSE: Duration = Duration::from_millis(500);

/// One queue's mapping.
pub(super) struct Poller {
    pub(super) queue: QueueDef,
    pub(super) url: String,
    pub(super) function: SqsFunction,
    pub(super) client: Client,
    pub(super) clock: Clock,
}

impl Poller {
    /// Polls until the host stops, then until the running invocations have ended.
    pub(super) async fn run(self, stopped: watch::Receiver<bool>) {
        let all = self.queue.concurrency;
        let slots = Arc::new(Semaphore::new(all));
        let poller = Arc::new(self);
        tokio::select! {
            () = Arc::clone(&poller).poll(&slots) => {}
            () = stopping(stopped) => {}
        }
        let _ = slots.acquire_many(u32::try_from(all).unwrap_or(u32::MAX)).await;
    }

    async fn poll(self: Arc<Self>, slots: &Arc<Semaphore>) {
        let most = usize::try_from(self.queue.batch).unwrap_or(1);
        let mut last = most;
        // The semaphore is never closed.
        while let Ok(slot) = Arc::clone(slots).acquire_owned().await {
            if last < most && slots.available_permits() + BUSY < self.queue.concurrency {
                tokio::time::sleep(GATHER).await;
            }
            let messages = self.receive().await;
            last = messages.len();
            if !messages.is_empty() {
                tokio::spawn(Arc::clone(&self).work(messages, slot));
                // The work comes first, then the next question to the queue.
                tokio::task::yield_now().await;
            }
        }
    }

    async fn receive(&self) -> Vec<Message> {
        let call = self.client.receive_message().queue_url(&self.url);
        let call = call.max_number_of_messages(self.queue.batch).wait_time_seconds(WAIT_SECONDS);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
        match call.message_attribute_names("All").send().await {
            Ok(received) => received.messages.unwrap_or_default(),
            Err(error) => {
                let error = DisplayErrorContext(&error);
                tracing::warn!(queue = self.queue.name(), %error, "the queue could not be asked");
                tokio::time::sleep(PAUSE).await;
                Vec::new()
            }
        }
    }

    /// Works on a batch. When the function gives no answer, nothing is deleted: the messages come again
    /// when their visibility timeout ends.
    async fn work(self: Arc<Self>, messages: Vec<Message>, _slot: OwnedSemaphorePermit) {
        let limit = self.queue.consumer.timeout();
        let deadline = self.clock.wall() + limit;
        let event = event(&self.queue, &messages);
        let work = (self.function)(event, deadline);
        let answered = invoke(self.function_name(), limit, work).await;
        let Ok(response) = answered else { return };
        let done = succeeded(messages, &response);
        if !done.is_empty() {
            self.delete(done).await;
        }
    }

    fn function_name(&self) -> &'static str {
        match self.queue.consumer {
            Consumer::Sync => "sync",
            Consumer::Deliver => "deliver",
        }
    }

    async fn delete(&self, messages: Vec<Message>) {
        let entry = |(n, message): (usize, Message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
            entry.set_receipt_handle(message.receipt_handle).build().ok()
        };
        let entries = messages.into_iter().enumerate().filter_map(entry).collect();
        let call = self.client.delete_message_batch().queue_url(&self.url);
        if let Err(error) = call.set_entries(Some(entries)).send().await {
            let error = DisplayErrorContext(&error);
            tracing::warn!(queue = self.queue.name(), %error, "done messages were not deleted");
        }
    }
}

/// The messages that the response does not report. A response with an id that is empty or not in the
/// batch means that the whole batch failed (Lambda guide, "Reporting batch item failures").
fn succeeded(messages: Vec<Message>, response: &SqsBatchResponse) -> Vec<Message> {
    let failed: Vec<&str> =
        response.batch_item_failures.iter().map(|item| item.item_identifier.as_str()).collect();
    let ids: Vec<&str> = messages.iter().filter_map(Message::message_id).collect();
    if failed.iter().any(|id| !ids.contains(id)) {
        return Vec::new();
    }
    let failed: Vec<String> = failed.into_iter().map(str::to_owned).collect();
    let is_done = |message: &Message| {
        message.message_id().is_some_and(|id| !failed.iter().any(|failed| failed == id))
    };
    messages.into_iter().filter(is_done).collect()
}

fn event(queue: &QueueDef, messages: &[Message]) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = messages.iter().map(|message| record(queue, message)).collect();
    event
}

fn record(queue: &QueueDef, message: &Message) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = message.message_id.clone();
    record.receipt_handle = message.receipt_handle.clone();
    record.body = message.body.clone();
    record.md5_of_body = message.md5_of_body.clone();
    record.md5_of_message_attributes = message.md5_of_message_attributes.clone();
    record.attributes = texts(message);
    let attributes = message.message_attributes().into_iter().flatten();
    record.message_attributes =
        attributes.map(|(name, value)| (name.clone(), attribute(value))).collect();
    record.event_source_arn = Some(queue.arn());
    record.event_source = Some("aws:sqs".to_owned());
    record.aws_region = Some("local".to_owned());
    record
}

fn texts(message: &Message) -> HashMap<String, String> {
    let attributes = message.attributes().into_iter().flatten();
    attributes.map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect()
}

fn attribute(value: &MessageAttributeValue) -> SqsMessageAttribute {
    let mut attribute = SqsMessageAttribute::default();
    attribute.data_type = Some(value.data_type.clone());
    attribute.string_value = value.string_value.clone();
    attribute.binary_value = value.binary_value.clone().map(|blob| {
        let mut data = aws_lambda_events::encodings::Base64Data::default();
        data.0 = blob.into_inner();
        data
    });
    attribute
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::BatchItemFailure;

    use super::*;

    fn ids_left(failed: &[&str]) -> Vec<String> {
        let message = |id: &str| Message::builder().message_id(id).build();
        let failure = |id: &&str| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = (*id).to_owned();
            failure
        };
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failed.iter().map(failure).collect();
        let done = succeeded(vec![message("a"), message("b")], &response);
        done.into_iter().filter_map(|message| message.message_id).collect()
    }

    #[test]
    fn what_is_not_reported_is_done() {
        assert_eq!(ids_left(&[]), ["a", "b"]);
        assert_eq!(ids_left(&["a"]), ["b"]);
    }

    #[test]
    fn an_empty_or_foreign_id_fails_the_whole_batch() {
        assert!(ids_left(&[""]).is_empty());
        assert!(ids_left(&["a", "c"]).is_empty());
    }
}
