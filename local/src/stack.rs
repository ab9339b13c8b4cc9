//! Tables and queues on a data folder: what AWS keeps for the functions.

use std::{io, sync::Arc};

use aws_config::SdkConfig;
use millwright_core::Clock;
use millwright_queue::queue_client;
use millwright_store::{Store, table_client};

use crate::{
    Durability,
    data::{ClockKeeper, DataError, DataFolder},
    dynamo::{self, Dynamo},
    host::{Environment, INCOMING, StepClock, create_queues},
    near::Near,
    sdk,
    sqs::Sqs,
};

/// Why the stack does not start: one line.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A part does not start.
    #[error("the {part} in the data folder cannot be opened: {error}")]
    Part {
        /// Tables or queues.
        part: &'static str,
        /// Why.
        error: io::Error,
    },
}

/// Running tables and queues.
#[derive(Debug)]
pub struct Stack {
    data: DataFolder,
    keeper: Arc<ClockKeeper>,
    dynamo: Dynamo,
    sqs: Sqs,
    sdk: SdkConfig,
    intake_sdk: SdkConfig,
}

impl Stack {
    /// Starts tables and queues on a data folder, with a schedule clock that runs `speed` times as fast
    /// as the wall clock, and commits that outlive what they are asked to.
    ///
    /// # Errors
    /// When a part cannot be opened.
    pub async fn start(
        data: DataFolder,
        speed: f64,
        durability: Durability,
    ) -> Result<Self, StackError> {
        let part = |part| move |error| StackError::Part { part, error };
        let keeper = Arc::new(data.clock(speed)?);
        let dynamo = Dynamo::start_with(&data.tables(), durability).map_err(part("tables"))?;
        let sqs = Sqs::start_with(&data.queues(), keeper.clock().clone(), durability).await;
        let sqs = sqs.map_err(part("queues"))?;
        let near = Near::new(dynamo.server(), sqs.worker());
        let intake = near.paced_by(INCOMING.name());
        let intake_sdk = sdk::near(&dynamo.url(), &sqs.url(), intake);
        let sdk = sdk::near(&dynamo.url(), &sqs.url(), near);
        create_queues(&queue_client(&sdk)).await.map_err(part("queues"))?;
        Ok(Self { data, keeper, dynamo, sqs, sdk, intake_sdk })
    }

    /// The DynamoDB endpoint.
    #[must_use]
    pub fn dynamodb_url(&self) -> String {
        self.dynamo.url()
    }

    /// The SQS endpoint.
    #[must_use]
    pub fn sqs_url(&self) -> String {
        self.sqs.url()
    }

    /// How the SDK reaches both.
    #[must_use]
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// How the API does: what it takes in waits for what is worked off.
    #[must_use]
    pub fn intake_sdk(&self) -> &SdkConfig {
        &self.intake_sdk
    }

    /// The clocks.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.keeper.clock()
    }

    /// Keeps the schedule clock from time to time, for ever.
    pub fn keep_clock(&self) -> impl Future<Output = ()> + use<> {
        let keeper = Arc::clone(&self.keeper);
        async move { keeper.keep_on().await }
    }

    /// The tables.
    #[must_use]
    pub fn store(&self) -> Store {
        let client = table_client(&self.sdk);
        Store::new(client, dynamo::tables(), self.clock().clone())
    }

    /// What the functions' variables are made from.
    #[must_use]
    pub fn environment(&self, public_url: String, allow_targets: Vec<String>) -> Environment {
        Environment {
            sqs_url: self.sqs.url(),
            blobs: self.data.blobs(),
            vault_key: self.data.vault_key(),
            public_url,
            allow_targets,
        }
    }

    /// What `POST /local/clock` needs.
    #[must_use]
    pub fn step_clock(&self) -> StepClock {
        let (keeper, delays) = (Arc::clone(&self.keeper), self.sqs.delays());
        StepClock { keeper, store: self.store(), delays }
    }

    /// Finishes what is being written and closes everything.
    ///
    /// # Errors
    /// When a part had failed.
    pub async fn stop(self) -> io::Result<()> {
        let kept = self.keeper.keep().map_err(io::Error::other);
        self.sqs.stop().await?;
        self.dynamo.stop().await?;
        kept
    }
}
