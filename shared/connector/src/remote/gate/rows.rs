//! Where limits are kept.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use millwright_core::{Clock, WallTime};
use millwright_store::{Allowance, Key, Store};

/// The table, or this process alone.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    store: Option<Store>,
    clock: Clock,
    own: Arc<Mutex<HashMap<Key, Allowance>>>,
    #[cfg(test)]
    pub(super) asked: Arc<std::sync::atomic::AtomicUsize>,
}

impl Rows {
    /// Limits that all instances share.
    pub(crate) fn shared(store: Store) -> Self {
        Self { store: Some(store.clone()), ..Self::own(store.clock().clone()) }
    }

    /// Limits of this process.
    pub(crate) fn own(clock: Clock) -> Self {
        Self {
            store: None,
            clock,
            own: Arc::default(),
            #[cfg(test)]
            asked: Arc::default(),
        }
    }

    /// Reads a limit's row, changes it, writes it back. While the table fails, the limit is kept by
    /// this process alone: nothing else would work either, and a system must not be flooded then.
    pub(super) async fn allow<R: Send>(
        &self,
        key: &Key,
        decide: impl Fn(&mut Allowance, WallTime) -> R + Send + Sync,
    ) -> R {
        #[cfg(test)]
        self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if let Some(store) = &self.store {
            match store.allow(key, &decide).await {
                Ok(result) => return result,
                Err(error) => tracing::warn!(%error, "limit not shared: the table fails"),
            }
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        decide(own.entry(key.clone()).or_default(), self.clock.wall())
    }
}
