//! The names of the work queues: shared by the rows that wait, the queue that carries and the sweep
//! between them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A work queue. Each has its own concurrency, so that one kind of work cannot starve another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueName {
    /// Messages to fan out to endpoints, and feed pages to publish. Grouped by workspace.
    Fanout,
    /// First tries of a large fan-out. Grouped by endpoint.
    Delivery,
    /// Later tries. Grouped by endpoint.
    Retry,
    /// Slices of syncs, and jobs. Grouped by connection.
    Sync,
    /// Sweeps of the due index.
    Sweep,
}

impl QueueName {
    /// Every work queue.
    pub const ALL: [Self; 5] = [Self::Fanout, Self::Delivery, Self::Retry, Self::Sync, Self::Sweep];

    /// The queues whose messages can wait in the due index.
    pub const SWEPT: [Self; 4] = [Self::Fanout, Self::Delivery, Self::Retry, Self::Sync];

    /// The name in keys, variables and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fanout => "fanout",
            Self::Delivery => "delivery",
            Self::Retry => "retry",
            Self::Sync => "sync",
            Self::Sweep => "sweep",
        }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Work for a queue: its fair-queue group and the task as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// What it is fair among: a workspace, an endpoint, a connection.
    pub group: String,
    /// The task.
    pub task: Value,
}

impl Work {
    /// Work that carries `task`.
    ///
    /// # Errors
    /// When the task cannot be written as JSON.
    pub fn new(group: impl Into<String>, task: &impl Serialize) -> Result<Self, crate::Error> {
        let task = serde_json::to_value(task).map_err(crate::Error::internal)?;
        Ok(Self { group: group.into(), task })
    }
}
