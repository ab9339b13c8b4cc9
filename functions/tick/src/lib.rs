//! The function `tick`: every minute it asks for one sweep of each shard of the due index, and does
//! nothing else. The sweeps run elsewhere, each as a message of its own, so a slow one delays no other.

use aws_config::SdkConfig;
use millwright_core::{
    Clock, QueueName, Result, Work,
    config::{ConfigError, Source},
};
use millwright_queue::{Queue, QueueUrls, queue_client};
use millwright_store::{DUE_SHARDS, Due};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the sweep queue carries: one shard of one queue's waiting work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepTask {
    /// Whose waiting work.
    pub queue: QueueName,
    /// Which shard of it.
    pub shard: u32,
}

/// The function, built once per process.
#[derive(Clone, Debug)]
pub struct Handler {
    queue: Queue,
}

impl Handler {
    /// Reads the configuration and builds the client.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub async fn build(
        source: &impl Source,
        _clock: Clock,
        sdk: &SdkConfig,
    ) -> Result<Self, ConfigError> {
        let queue = Queue::new(queue_client(sdk), QueueUrls::from_source(source)?);
        queue.warm().await;
        Ok(Self { queue })
    }

    /// Asks for the sweeps. The schedule's input carries nothing.
    ///
    /// # Errors
    /// When a request could not be sent; the next minute asks again.
    pub async fn handle(&self, _event: Value) -> Result<()> {
        for queue in QueueName::SWEPT {
            for shard in 0..DUE_SHARDS {
                let work = Work::new(Due::shard(queue, shard), &SweepTask { queue, shard })?;
                self.queue.send(QueueName::Sweep, &work).await?;
            }
        }
        Ok(())
    }
}
