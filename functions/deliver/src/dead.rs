//! Dead letters: Millwright broke on this work. It goes back into the due index, for later, and an
//! alarm is raised; nothing is dropped.

use std::time::Duration;

use millwright_core::{QueueName, Result, ScheduleTime, WallTime, Work, sha256_hex, shard_of};
use millwright_queue::Envelope;
use millwright_store::{Document, Due, DueRow, Expect, Key, Store, Write};
use serde::{Deserialize, Serialize};

/// How long work that broke is left alone before it is tried anew.
const REST: Duration = Duration::from_secs(900);
/// How long what cannot be read is kept for people to look at.
const UNREADABLE_RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);
/// Partitions of dead letters.
const SHARDS: u32 = 4;
const PREFIX: &str = "dead#";

/// A dead letter at rest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DeadLetter {
    /// Work to be tried anew.
    Parked { queue: QueueName, work: Work, since: ScheduleTime },
    /// A body that is no work of ours.
    Unreadable { body: String, at: WallTime },
}

impl Document for DeadLetter {
    fn due(&self) -> Option<Due> {
        match self {
            Self::Parked { queue, work, since } => {
                let at = *since + REST;
                // Nothing carries it: the sweep has to look when its time has come.
                Some(Due { queue: *queue, attempt_at: at, due_at: at, work: work.clone() })
            }
            Self::Unreadable { .. } => None,
        }
    }

    fn expires_at(&self) -> Option<WallTime> {
        match self {
            Self::Parked { .. } => None,
            Self::Unreadable { at, .. } => Some(*at + UNREADABLE_RETENTION),
        }
    }
}

/// Puts a dead letter's work back into the due index and raises an alarm.
pub(crate) async fn park(store: &Store, body: &str) -> Result<()> {
    let letter = match serde_json::from_str::<Envelope>(body) {
        Ok(Envelope { queue, work, .. }) => {
            DeadLetter::Parked { queue, work, since: store.clock().schedule() }
        }
        Err(_) => DeadLetter::Unreadable { body: body.to_owned(), at: store.clock().wall() },
    };
    let queue = match &letter {
        DeadLetter::Parked { queue, .. } => queue.as_str(),
        DeadLetter::Unreadable { .. } => "unreadable",
    };
    millwright_telemetry::alarm("DeadLetter", &[("queue", queue)]);
    tracing::error!(queue, "dead letter parked");
    let name = sha256_hex(body.as_bytes());
    let key = Key::state(format!("{PREFIX}{}", shard_of(&name, SHARDS)), name);
    store.write(Write::put(&key, &letter, Expect::Anything)?).await?;
    Ok(())
}

/// A dead letter that has been sent again is a letter like any other.
pub(crate) async fn forget_if_dead_letter(store: &Store, row: &DueRow) -> Result<()> {
    if row.key.pk.starts_with(PREFIX) {
        store.write(Write::delete(&row.key, Expect::Anything)).await?;
    }
    Ok(())
}
