//! Drives the queue functions by hand: receives through the fault layer, hands genuine batches to the
//! real handlers, deletes what succeeded. An invocation can be dropped at any point, as a crash would.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures::future::join_all;
use millwright_core::{Clock, QueueName, config::Source};
use millwright_fn_deliver::Handler as Deliver;
use millwright_fn_sync::Handler as Sync;
use millwright_fn_tick::Handler as Tick;
use serde_json::json;

use crate::{
    cloud::Cloud,
    inbox::{Inbox, Inlet},
};

/// How long an invocation may take: as long as `deliver` on AWS, which begins no attempt shortly before its
/// end.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The queue functions and what drives them.
pub struct Pump {
    inbox: Inbox,
    clock: Clock,
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
        Self {
            inbox: Inbox::new(cloud, source),
            sync: Sync::build(source, clock.clone(), &sdk).await.expect("sync is configured"),
            deliver: Deliver::build(source, clock.clone(), &sdk).await.expect("it is configured"),
            tick: Tick::build(source, clock.clone(), &sdk).await.expect("tick is configured"),
            clock,
            invocations: AtomicU64::new(0),
        }
    }

    /// How often a function was given messages so far.
    #[must_use]
    pub fn invocations(&self) -> u64 {
        self.invocations.load(Ordering::Relaxed)
    }

    /// The queues, for another who works on what they hold.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// One round over all queues, each invocation with this time limit; how many messages were handed
    /// out. With `crash_after`, whatever runs then is dropped where it stands.
    pub async fn turn(&self, limit: Duration, crash_after: Option<Duration>) -> usize {
        let round = join_all(self.inbox.inlets().iter().map(|inlet| self.serve(inlet, limit)));
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

    async fn serve(&self, inlet: &Inlet, limit: Duration) -> usize {
        let batch = self.inbox.receive(inlet).await;
        if batch.is_empty() {
            return 0;
        }
        self.invocations.fetch_add(1, Ordering::Relaxed);
        let deadline = self.clock.wall() + limit;
        let answer = if batch.queue == Some(QueueName::Sync) {
            self.sync.handle(batch.event(), deadline).await
        } else {
            self.deliver.handle(batch.event(), deadline).await
        };
        self.inbox.settle(&batch, &answer).await;
        batch.len()
    }
}
