//! Drives the queue functions by hand: receives through the fault layer, hands genuine batches to the
//! real handlers, deletes what succeeded. An invocation can be dropped at any point, as a crash would.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use aws_sdk_sqs::{Client, types::MessageSystemAttributeName};
use futures::future::join_all;
use millwright_core::{Clock, QueueName, config::Source};
use millwright_fn_deliver::Handler as Deliver;
use millwright_fn_sync::Handler as Sync;
use millwright_fn_tick::Handler as Tick;
use millwright_queue::{DEAD_LETTER_VARIABLE, url_variable};
use serde_json::json;

use crate::cloud::Cloud;

/// How long a received message is hidden: short, so that a crash is soon behind us.
const VISIBILITY_SECONDS: i32 = 2;
/// How long an invocation may take: as long as `deliver` on AWS, which begins no attempt shortly before its
/// end.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The queue functions and what drives them.
pub struct Pump {
    client: Client,
    clock: Clock,
    sources: Vec<(Option<QueueName>, String)>,
    sync: Sync,
    deliver: Deliver,
    tick: Tick,
    invocations: AtomicU64,
}

impl Pump {
    /// Builds the functions over a cloud's table and queues.
    ///
    /// # Panics
    /// When their configuration is not complete.
    pub async fn start(cloud: &Cloud, source: &impl Source, clock: Clock) -> Self {
        let sdk = cloud.sdk();
        let mut sources: Vec<(Option<QueueName>, String)> = Vec::new();
        for queue in QueueName::ALL {
            sources.push((Some(queue), source.text(url_variable(queue)).expect("a queue's URL")));
        }
        sources.push((None, source.text(DEAD_LETTER_VARIABLE).expect("a queue's URL")));
        Self {
            client: Client::new(&sdk),
            sync: Sync::build(source, clock.clone(), &sdk).await.expect("sync is configured"),
            deliver: Deliver::build(source, clock.clone(), &sdk).await.expect("it is configured"),
            tick: Tick::build(source, clock.clone(), &sdk).await.expect("tick is configured"),
            sources,
            clock,
            invocations: AtomicU64::new(0),
        }
    }

    /// How often a function was given messages so far.
    #[must_use]
    pub fn invocations(&self) -> u64 {
        self.invocations.load(Ordering::Relaxed)
    }

    /// One round over all queues, each invocation with this time limit; how many messages were handed
    /// out. With `crash_after`, whatever runs then is dropped where it stands.
    pub async fn turn(&self, limit: Duration, crash_after: Option<Duration>) -> usize {
        let serve =
            |(queue, url): &(Option<QueueName>, String)| self.serve(*queue, url.clone(), limit);
        let round = join_all(self.sources.iter().map(serve));
        match crash_after {
            None => round.await.into_iter().sum(),
            Some(after) => {
                tokio::time::timeout(after, round).await.map_or(1, |n| n.into_iter().sum())
            }
        }
    }

    /// The minute's tick. That one fails is no matter: the next comes.
    pub async fn tick(&self) {
        let _ = self.tick.handle(json!({})).await;
    }

    async fn serve(&self, queue: Option<QueueName>, url: String, limit: Duration) -> usize {
        let messages = self.receive(&url).await;
        let count = messages.len();
        if count == 0 {
            return 0;
        }
        self.invocations.fetch_add(1, Ordering::Relaxed);
        let mut event = SqsEvent::default();
        event.records = messages.clone();
        let deadline = self.clock.wall() + limit;
        let answer = if queue == Some(QueueName::Sync) {
            self.sync.handle(event, deadline).await
        } else {
            self.deliver.handle(event, deadline).await
        };
        let failed: Vec<&str> =
            answer.batch_item_failures.iter().map(|f| f.item_identifier.as_str()).collect();
        for message in &messages {
            if !failed.contains(&message.message_id.as_deref().unwrap_or_default()) {
                self.delete(&url, message).await;
            }
        }
        count
    }

    async fn receive(&self, url: &str) -> Vec<SqsMessage> {
        let call = self.client.receive_message().queue_url(url).max_number_of_messages(10);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = call.visibility_timeout(VISIBILITY_SECONDS).send().await;
        let name = url.rsplit('/').next().unwrap_or_default();
        let message = |given: aws_sdk_sqs::types::Message| {
            let mut message = SqsMessage::default();
            message.message_id = given.message_id;
            message.receipt_handle = given.receipt_handle;
            message.body = given.body;
            message.event_source_arn = Some(format!("arn:aws:sqs:local:000000000000:{name}"));
            message
        };
        answer
            .map(|a| a.messages.unwrap_or_default())
            .unwrap_or_default()
            .into_iter()
            .map(message)
            .collect()
    }

    async fn delete(&self, url: &str, message: &SqsMessage) {
        let receipt = message.receipt_handle.as_deref().unwrap_or_default();
        let _ = self.client.delete_message().queue_url(url).receipt_handle(receipt).send().await;
    }
}
