//! The tables behind one client.

use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::Client;
use millwright_core::Clock;

use crate::{Key, StoreError, Tables, Together, gathered::Gathered, row::Item};

/// How often a read-decide-write is begun again when somebody else wrote first, and a call when it met
/// a transaction or was left undone.
pub(crate) const TRIES: u32 = 12;

/// The tables. Clones share one client.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) client: Client,
    pub(crate) tables: Arc<Tables>,
    pub(crate) clock: Clock,
    /// Reads of rows that many ask for at the same time.
    pub(crate) shared: Together<Key, Arc<Option<Item>>>,
    /// New rows that are put at the same time.
    pub(crate) gathered: Gathered,
}

impl Store {
    /// The tables behind a client.
    #[must_use]
    pub fn new(client: Client, tables: Tables, clock: Clock) -> Self {
        Self {
            client,
            tables: Arc::new(tables),
            clock,
            shared: Together::default(),
            gathered: Gathered::default(),
        }
    }

    /// The clock that the tables' times are read by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Opens the connection ahead of the first request: its set-up is most of a cold start.
    pub async fn warm(&self) {
        let key = Key::state("warm", "warm");
        let _ = self.get_item(&key, None).await;
    }
}

/// Waits before the second and later tries: doubling from 10 ms to 640 ms, the half of it by chance.
pub(crate) async fn pause_before(tries: u32) {
    if tries > 0 {
        let ceiling = 10_u64 << tries.min(6);
        let wait = ceiling / 2 + rand::random_range(0..=ceiling / 2);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

/// Whether trying on is pointless.
pub(crate) fn give_up_after(tries: u32, done: bool) -> Result<(), StoreError> {
    if !done && tries >= TRIES {
        return Err(StoreError::Sdk("the table leaves items unprocessed".into()));
    }
    Ok(())
}
