//! Sweeps: rows whose time has come, or nearly, are handed to their queue.

use millwright_core::{QueueName, Result, WallTime};
use millwright_queue::Queue;
use millwright_store::{DUE_GRACE, DueRow, QUEUE_DELAY_MAX, Store};

use crate::dead::forget_if_dead_letter;

/// Rows looked at in one query.
const ROWS_AT_ONCE: i32 = 100;

/// Sends everything that is due in a shard until `deadline`; answers how many were sent. The look-out
/// is moved first, on condition that nobody has moved it, and the send comes after: a crash in between
/// makes the row come up again after its grace, late but not lost.
pub(crate) async fn sweep(
    store: &Store,
    queues: &Queue,
    queue: QueueName,
    shard: u32,
    deadline: WallTime,
) -> Result<u64> {
    let mut sent = 0;
    while store.clock().wall() < deadline {
        let now = store.clock().schedule();
        let rows = store.due(queue, shard, now, ROWS_AT_ONCE).await?;
        let found = rows.len();
        let mut moved = 0;
        for row in rows {
            if hand_over(store, queues, queue, &row).await? {
                moved += 1;
            }
        }
        sent += moved;
        // The index trails the table: a page on which nothing could be moved is old news.
        if moved == 0 || found < usize::try_from(ROWS_AT_ONCE).unwrap_or(0) {
            break;
        }
    }
    Ok(sent)
}

async fn hand_over(store: &Store, queues: &Queue, queue: QueueName, row: &DueRow) -> Result<bool> {
    let now = store.clock().schedule();
    let look_again = row.attempt_at.max(now) + DUE_GRACE;
    if !store.move_due(row, look_again).await? {
        return Ok(false);
    }
    let delay = row.attempt_at.since(now).min(QUEUE_DELAY_MAX);
    queues.send_after(queue, &row.work, delay, 0).await?;
    forget_if_dead_letter(store, row).await?;
    Ok(true)
}
