//! What must happen later. DynamoDB holds the truth about time; SQS carries only the last stretch.
//!
//! A waiting row has `attempt_at`, when the thing must happen, and `due_at`, when the sweep must look.
//! While a queue message carries the wait, the sweep looks [`DUE_GRACE`] after it should have happened,
//! and so repairs a lost send. While nothing carries it, the sweep looks [`DUE_LOOKAHEAD`] before, and
//! sends it with the exact delay that remains. A crash anywhere makes the thing late, never lost.

use std::time::Duration;

use millwright_core::{QueueName, ScheduleTime, Work, shard_of};

use crate::Key;

/// SQS carries a delay of at most 15 minutes (SQS quotas, "work timers").
pub const QUEUE_DELAY_MAX: Duration = Duration::from_secs(900);
/// How long after its time a carried thing is looked for.
pub const DUE_GRACE: Duration = Duration::from_secs(120);
/// How long before its time a parked thing is taken up: two ticks.
pub const DUE_LOOKAHEAD: Duration = Duration::from_secs(120);
/// Partitions per queue in the due index: each takes 1,000 writes a second.
pub const DUE_SHARDS: u32 = 4;

/// A thing that must happen later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The queue whose consumer does it.
    pub queue: QueueName,
    /// When it must happen.
    pub attempt_at: ScheduleTime,
    /// When the sweep must look.
    pub due_at: ScheduleTime,
    /// What is sent when the time comes.
    pub work: Work,
}

/// Who keeps a wait: decided once, when the wait begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A queue message with this delay.
    Carried(Duration),
    /// The due index alone: it is further away than a queue message may wait.
    Parked,
}

impl Wait {
    /// How a wait from `now` until `attempt_at` is kept.
    #[must_use]
    pub fn until(now: ScheduleTime, attempt_at: ScheduleTime) -> Self {
        let wait = attempt_at.since(now);
        if wait <= QUEUE_DELAY_MAX { Self::Carried(wait) } else { Self::Parked }
    }
}

impl Due {
    /// Something that must happen at `attempt_at`, with the sweep looking where [`Wait`] says.
    #[must_use]
    pub fn at(queue: QueueName, now: ScheduleTime, attempt_at: ScheduleTime, work: Work) -> Self {
        let due_at = match Wait::until(now, attempt_at) {
            Wait::Carried(_) => attempt_at.max(now) + DUE_GRACE,
            Wait::Parked => attempt_at - DUE_LOOKAHEAD,
        };
        Self { queue, attempt_at, due_at, work }
    }

    /// The index partition of a shard.
    #[must_use]
    pub fn shard(queue: QueueName, shard: u32) -> String {
        format!("{queue}#{shard}")
    }

    pub(crate) fn partition(&self, key: &Key) -> String {
        Self::shard(self.queue, shard_of(&format!("{}{}", key.pk, key.sk), DUE_SHARDS))
    }
}

/// A row that the sweep found.
#[derive(Clone, Debug)]
pub struct DueRow {
    /// The row.
    pub key: Key,
    /// When it must happen.
    pub attempt_at: ScheduleTime,
    /// When the sweep had to look.
    pub due_at: ScheduleTime,
    /// What to send.
    pub work: Work,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const NOW: ScheduleTime = ScheduleTime::from_millis(1_000_000_000);

    fn due(wait: u64) -> Due {
        let work = Work { group: "g".to_owned(), task: Value::Null };
        Due::at(QueueName::Retry, NOW, NOW + Duration::from_secs(wait), work)
    }

    #[test]
    fn a_wait_of_up_to_15_minutes_is_carried_by_the_queue() {
        let edge = NOW + QUEUE_DELAY_MAX;
        assert_eq!(Wait::until(NOW, edge), Wait::Carried(QUEUE_DELAY_MAX));
        assert_eq!(Wait::until(NOW, edge + Duration::from_millis(1)), Wait::Parked);
        assert_eq!(Wait::until(NOW, NOW - DUE_GRACE), Wait::Carried(Duration::ZERO));
    }

    #[test]
    fn the_sweep_looks_after_a_carried_wait_and_before_a_parked_one() {
        assert_eq!(due(30).due_at, NOW + Duration::from_secs(30) + DUE_GRACE);
        assert_eq!(due(3600).due_at, NOW + Duration::from_secs(3600) - DUE_LOOKAHEAD);
    }
}
