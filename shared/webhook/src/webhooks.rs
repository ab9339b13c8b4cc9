//! The parts that the operations work with.

use std::{sync::Arc, time::Duration};

use millwright_blob::Blob;
use millwright_core::{Clock, WorkspaceId};
use millwright_outbound::Outbound;
use millwright_queue::Queue;
use millwright_store::{Store, Together};
use millwright_vault::Vault;

use crate::{
    Endpoint, admit::Care, lasting::DISABLE_AFTER, retention::Retention, secrets::Signers,
};

/// The operations on endpoints, messages and deliveries. Each takes the workspace it acts in;
/// nothing of another workspace is within its reach. Clones share all connections.
#[derive(Clone, Debug)]
pub struct Webhooks {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) blob: Blob,
    pub(crate) vault: Vault,
    pub(crate) outbound: Outbound,
    pub(crate) care: Care,
    pub(crate) disable_after: Duration,
    pub(crate) signers: Signers,
    pub(crate) retention: Retention,
    pub(crate) chosen_from: Together<WorkspaceId, Arc<Vec<Endpoint>>>,
}

/// What becomes of a queue message whose task has been worked on. A failed attempt is `Done`: it is
/// recorded. An error means that Millwright failed, and the message must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// The task has been done: the message may go.
    Done,
    /// There was nothing to do any more, as the attempt was made or replaced: the message may go.
    Dropped,
    /// It cannot be done yet: the message is given back to its queue.
    Later {
        /// For how long, on the wall clock.
        after: Duration,
    },
}

/// A page of a list, newest first.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The things; there may be fewer than asked for although there are more.
    pub data: Vec<T>,
    /// What the next page continues from; nothing when this is the last.
    pub next_cursor: Option<String>,
}

impl Webhooks {
    /// The operations over these parts. The clock is the store's.
    #[must_use]
    pub fn new(store: Store, queue: Queue, blob: Blob, vault: Vault, outbound: Outbound) -> Self {
        Self {
            store,
            queue,
            blob,
            vault,
            outbound,
            care: Care::default(),
            signers: Signers::default(),
            disable_after: DISABLE_AFTER,
            retention: Retention::default(),
            chosen_from: Together::default(),
        }
    }

    /// The same, where an endpoint is disabled after so long of only failures.
    #[must_use]
    pub fn disabling_after(self, disable_after: Duration) -> Self {
        Self { disable_after, ..self }
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.store.clock()
    }
}
