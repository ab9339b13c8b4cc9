//! What the operations work with.

use aws_config::SdkConfig;
use millwright_blob::Blob;
use millwright_connector::{Catalog, Engine, oauth::Registrations};
use millwright_core::{
    Clock, PublicUrl,
    config::{ConfigError, Source},
};
use millwright_outbound::Outbound;
use millwright_queue::{Queue, QueueUrls, queue_client};
use millwright_store::{Store, Tables, table_client};
use millwright_vault::Vault;

use crate::HealthTiming;

/// The parts an operation on connections needs. Clones share them.
#[derive(Clone)]
pub struct ConnectionContext {
    /// The tables.
    pub store: Store,
    /// The queues.
    pub queue: Queue,
    /// Large bodies.
    pub blob: Blob,
    /// The secrets.
    pub vault: Vault,
    /// The connectors.
    pub engine: Engine,
    /// Where people reach this service.
    pub public_url: PublicUrl,
    /// How health is watched and told.
    pub timing: HealthTiming,
}

impl ConnectionContext {
    /// Builds the parts from the variables that each of them names.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_source(
        source: &impl Source,
        clock: Clock,
        sdk: &SdkConfig,
    ) -> Result<Self, ConfigError> {
        let store = Store::new(table_client(sdk), Tables::from_source(source)?, clock);
        let queue = Queue::new(queue_client(sdk), QueueUrls::from_source(source)?);
        let outbound = Outbound::from_source(source)?;
        Ok(Self {
            engine: Engine::new(Catalog::from_source(source)?, outbound, store.clone())
                .with_registrations(Registrations::from_source(source)?),
            blob: Blob::from_source(source)?,
            vault: Vault::from_source(source, sdk)?,
            public_url: PublicUrl::from_source(source)?,
            timing: HealthTiming::from_source(source)?,
            store,
            queue,
        })
    }
}
