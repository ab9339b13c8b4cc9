//! The queues as functions are woken by them: batches are received through the fault layer, and what a
//! function has done is deleted.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::{Client, types::MessageSystemAttributeName};
use millwright_core::{QueueName, config::Source};
use millwright_queue::{DEAD_LETTER_VARIABLE, url_variable};

use crate::cloud::Cloud;

/// How long a received message is hidden: short, so that a crash is soon behind us.
const VISIBILITY_SECONDS: i32 = 2;

/// A queue that wakes a function; without a name, that of dead letters.
#[derive(Clone, Debug)]
pub struct Inlet {
    queue: Option<QueueName>,
    url: String,
}

/// Messages that were received together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where they came from; nothing for the queue of dead letters.
    pub queue: Option<QueueName>,
    url: String,
    messages: Vec<SqsMessage>,
}

impl Batch {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The event that a function gets.
    #[must_use]
    pub fn event(&self) -> SqsEvent {
        let mut event = SqsEvent::default();
        event.records = self.messages.clone();
        event
    }
}

/// All queues of a cloud.
#[derive(Debug)]
pub struct Inbox {
    client: Client,
    inlets: Vec<Inlet>,
}

impl Inbox {
    /// The queues that these variables name.
    ///
    /// # Panics
    /// When one is not named.
    #[must_use]
    pub fn new(cloud: &Cloud, source: &impl Source) -> Self {
        let inlet = |queue: Option<QueueName>| {
            let variable = queue.map_or(DEAD_LETTER_VARIABLE, url_variable);
            Inlet { queue, url: source.text(variable).expect("a queue's URL") }
        };
        let inlets = QueueName::ALL.into_iter().map(Some).chain([None]).map(inlet).collect();
        Self { client: Client::new(&cloud.sdk()), inlets }
    }

    /// The queues.
    #[must_use]
    pub fn inlets(&self) -> &[Inlet] {
        &self.inlets
    }

    /// What a queue gives out now; nothing when it cannot be asked.
    pub async fn receive(&self, inlet: &Inlet) -> Batch {
        let call = self.client.receive_message().queue_url(&inlet.url).max_number_of_messages(10);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = call.visibility_timeout(VISIBILITY_SECONDS).send().await;
        let name = inlet.url.rsplit('/').next().unwrap_or_default();
        let message = |given: aws_sdk_sqs::types::Message| {
            let mut message = SqsMessage::default();
            message.message_id = given.message_id;
            message.receipt_handle = given.receipt_handle;
            message.body = given.body;
            message.event_source_arn = Some(format!("arn:aws:sqs:local:000000000000:{name}"));
            message
        };
        let messages = answer.map(|a| a.messages.unwrap_or_default()).unwrap_or_default();
        let messages = messages.into_iter().map(message).collect();
        Batch { queue: inlet.queue, url: inlet.url.clone(), messages }
    }

    /// Deletes what a function has not reported as failed.
    pub async fn settle(&self, batch: &Batch, answer: &SqsBatchResponse) {
        let failed: Vec<&str> =
            answer.batch_item_failures.iter().map(|f| f.item_identifier.as_str()).collect();
        for message in &batch.messages {
            if !failed.contains(&message.message_id.as_deref().unwrap_or_default()) {
                self.delete(&batch.url, message).await;
            }
        }
    }

    async fn delete(&self, url: &str, message: &SqsMessage) {
        let receipt = message.receipt_handle.as_deref().unwrap_or_default();
        let _ = self.client.delete_message().queue_url(url).receipt_handle(receipt).send().await;
    }
}
