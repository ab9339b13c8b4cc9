//! SQS: send now, send later, and read a body back.
//!
//! A message carries ids, not payloads, and a hop count. Lambda stops a lineage of about 16 sends that
//! follow from one event, so work that would go on longer than [`MAX_HOPS`] continues through the due
//! index instead, where a sweep begins a fresh lineage.

mod batch;
mod sender;

use std::{sync::Arc, time::Duration};

use aws_sdk_sqs::{Client, config::Builder};
use aws_types::SdkConfig;
pub use batch::{Outcome, each_message, source_queue};
use millwright_core::{
    Error, QueueName, Result, Work,
    config::{ConfigError, Source, required},
};
use sender::{Parcel, Sender};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How often work may send itself on before it must go through the due index.
pub const MAX_HOPS: u8 = 8;

/// The longest body, in bytes, that is put into a row or a message; larger ones go to the blob store.
pub const INLINE_BODY_MAX: usize = 48 * 1024;

/// The variable that holds the URL of the dead-letter queue all work queues share.
pub const DEAD_LETTER_VARIABLE: &str = "MILLWRIGHT_QUEUE_DEAD";

/// The variable that holds a queue's URL.
#[must_use]
pub const fn url_variable(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Fanout => "MILLWRIGHT_QUEUE_FANOUT",
        QueueName::Delivery => "MILLWRIGHT_QUEUE_DELIVERY",
        QueueName::Retry => "MILLWRIGHT_QUEUE_RETRY",
        QueueName::Sync => "MILLWRIGHT_QUEUE_SYNC",
        QueueName::Sweep => "MILLWRIGHT_QUEUE_SWEEP",
    }
}

/// Where the queues are.
#[derive(Clone, Debug)]
pub struct QueueUrls(Vec<(QueueName, String)>);

impl QueueUrls {
    /// From one variable per queue ([`url_variable`]).
    ///
    /// # Errors
    /// When one of them is not set.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let url = |queue| required(source, url_variable(queue)).map(|url| (queue, url));
        QueueName::ALL.into_iter().map(url).collect::<Result<_, _>>().map(Self)
    }

    /// A queue's URL.
    #[must_use]
    pub fn url(&self, queue: QueueName) -> &str {
        self.0.iter().find(|(name, _)| *name == queue).map_or("", |(_, url)| url)
    }

    /// The URL that ends with a queue's deployed name.
    fn named(&self, name: &str) -> Option<&str> {
        let urls = self.0.iter().map(|(_, url)| url.as_str());
        urls.into_iter().find(|url| url.rsplit('/').next() == Some(name))
    }
}

/// The queues' client. Where there are no credentials to sign with, nothing is signed, as with the
/// tables' client.
#[must_use]
pub fn queue_client(sdk: &SdkConfig) -> Client {
    let mut config = Builder::from(sdk);
    if sdk.credentials_provider().is_none() {
        config.set_allow_no_auth();
    }
    Client::from_conf(config.build())
}

/// What a message's body holds: enough to put the work back, should it end as a dead letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The queue it was sent to.
    pub queue: QueueName,
    /// How often it has been sent on without going through the due index.
    pub hop: u8,
    /// The work.
    pub work: Work,
}

/// A task as it came from a queue.
#[derive(Clone, Debug)]
pub struct Received<T> {
    /// How often it has been sent on without going through the due index.
    pub hop: u8,
    /// The task.
    pub task: T,
}

/// Reads a message's body.
///
/// # Errors
/// When it is not a task of this kind; one bad body must fail alone.
pub fn parse_body<T: DeserializeOwned>(body: &str) -> Result<Received<T>, serde_json::Error> {
    let envelope: Envelope = serde_json::from_str(body)?;
    Ok(Received { hop: envelope.hop, task: serde_json::from_value(envelope.work.task)? })
}

/// A message's body for some work.
///
/// # Errors
/// When the work cannot be written as JSON.
pub fn body_of(queue: QueueName, work: &Work, hop: u8) -> Result<String> {
    let envelope = Envelope { queue, hop, work: work.clone() };
    serde_json::to_string(&envelope).map_err(Error::internal)
}

/// The queues. Clones share one client, and what they send at the same time goes together.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    urls: QueueUrls,
    senders: Arc<[(QueueName, Sender)]>,
}

impl Queue {
    /// The queues behind a client.
    #[must_use]
    pub fn new(client: Client, urls: QueueUrls) -> Self {
        let sender =
            |(queue, url): &(QueueName, String)| (*queue, Sender::new(client.clone(), url.clone()));
        let senders = urls.0.iter().map(sender).collect();
        Self { client, urls, senders }
    }

    /// Opens the connection ahead of the first send.
    pub async fn warm(&self) {
        let url = self.urls.url(QueueName::Fanout);
        let _ = self.client.get_queue_attributes().queue_url(url).send().await;
    }

    /// Sends work that begins a lineage.
    ///
    /// # Errors
    /// When the queue did not take it.
    pub async fn send(&self, queue: QueueName, work: &Work) -> Result<()> {
        self.send_after(queue, work, Duration::ZERO, 0).await
    }

    /// Sends work that becomes visible after `delay`, rounded up to whole seconds so that it is never
    /// early, and at most 15 minutes (SQS message timers). `hop` is the count it carries.
    ///
    /// # Errors
    /// When the queue did not take it.
    pub async fn send_after(
        &self,
        queue: QueueName,
        work: &Work,
        delay: Duration,
        hop: u8,
    ) -> Result<()> {
        let seconds = i32::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
        let parcel = Parcel {
            group: work.group.clone(),
            body: body_of(queue, work, hop)?,
            delay_seconds: seconds,
        };
        let sender = self.senders.iter().find(|(name, _)| *name == queue);
        let (_, sender) = sender.ok_or_else(|| Error::internal("no such work queue"))?;
        sender.send(parcel).await
    }

    /// Gives a received message back to the queue of this name until `after` has passed, 12 hours at
    /// most (SQS visibility timeouts).
    ///
    /// # Errors
    /// When there is no such queue, or it did not take the change.
    pub(crate) async fn give_back(
        &self,
        name: &str,
        receipt_handle: &str,
        after: Duration,
    ) -> Result<()> {
        let url = self.urls.named(name).ok_or_else(|| Error::internal("no such work queue"))?;
        let seconds = after.as_millis().div_ceil(1000).min(43_200);
        self.client
            .change_message_visibility()
            .queue_url(url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(i32::try_from(seconds).unwrap_or(43_200))
            .send()
            .await
            .map_err(|e| Error::internal(Box::new(aws_sdk_sqs::Error::from(e))))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_body_comes_back_with_its_hop_count() {
        let work = Work::new("ep", &json!({"attempt": {"number": 3}})).unwrap();
        let body = body_of(QueueName::Retry, &work, 2).unwrap();
        let received: Received<Value> = parse_body(&body).unwrap();
        assert_eq!((received.hop, received.task), (2, json!({"attempt": {"number": 3}})));
    }

    #[test]
    fn a_foreign_body_is_refused() {
        for body in ["", "{}", "not json", r#"{"hop": -1, "task": 1}"#] {
            assert!(parse_body::<Value>(body).is_err(), "{body}");
        }
    }
}
