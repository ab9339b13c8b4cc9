//! What the function works with, from its environment.

use aws_config::SdkConfig;
use millwright_blob::Blob;
use millwright_core::{
    Clock,
    config::{ConfigError, Source, required},
};
use millwright_outbound::Outbound;
use millwright_queue::{DEAD_LETTER_VARIABLE, Queue, QueueUrls};
use millwright_store::{Store, Tables};
use millwright_vault::Vault;
use millwright_webhook::Webhooks;

/// The parts, shared by all invocations of a process.
#[derive(Clone)]
pub(crate) struct Context {
    pub store: Store,
    pub queue: Queue,
    pub blob: Blob,
    pub webhooks: Webhooks,
    /// The name of the dead-letter queue, as it ends its URL and its ARN.
    pub dead_queue: String,
}

impl Context {
    pub fn build(source: &impl Source, clock: Clock, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let tables = Tables::from_source(source)?;
        let store = Store::new(aws_sdk_dynamodb::Client::new(sdk), tables, clock);
        let queue = Queue::new(aws_sdk_sqs::Client::new(sdk), QueueUrls::from_source(source)?);
        let blob = Blob::from_source(source)?;
        let webhooks = Webhooks::new(
            store.clone(),
            queue.clone(),
            blob.clone(),
            Vault::from_source(source, sdk)?,
            Outbound::from_source(source)?,
        );
        let dead_url = required(source, DEAD_LETTER_VARIABLE)?;
        let dead_queue = dead_url.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Self { store, queue, blob, webhooks, dead_queue })
    }
}
