//! Looking after a connection when nobody asks: its health, what was held back, its syncs after an
//! outage. Whatever is due is in its row, so a task that comes twice, or after a crash, finds what is
//! left to do.

use std::time::Duration;

use millwright_connection::{
    Connection, ConnectionContext, ConnectionTask, Duties, Observation, Occasion, Trigger, change,
    close_issues, conclude_check, connection_key, disconnect_if, find_connection, look_within,
    oauth::refresh_if_due,
};
use millwright_core::{ErrorCode, QueueName, Result, WallTime};
use millwright_queue::MAX_HOPS;

use crate::{SyncState, slice::SliceLimits, state::NextRun, sync_key, sync_states, wake::Sleepers};

/// How long a question may take: an answer that takes longer is none.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How a look at a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckEnd {
    /// Nothing is due any more.
    Done,
    /// Somebody else asks its system until then: the message is to come back.
    Busy(WallTime),
}

/// Does what is due for a connection.
///
/// # Errors
/// When Millwright failed: the queue message is to come again.
pub async fn check_connection(
    context: &ConnectionContext,
    limits: SliceLimits,
    task: &ConnectionTask,
    hop: u8,
) -> Result<CheckEnd> {
    let Some(connection) = found(context, task).await? else { return Ok(CheckEnd::Done) };
    let duties = connection.duties(context.store.clock().schedule());
    chores(context, &connection, duties, hop).await?;
    if !duties.probe {
        return Ok(CheckEnd::Done);
    }
    let Some(connection) = hold(context, limits, task).await? else { return Ok(CheckEnd::Done) };
    match connection {
        Ok(connection) => {
            let observation = ask(context, &connection).await?;
            conclude_check(context, &connection, observation, hop).await?;
            Ok(CheckEnd::Done)
        }
        Err(until) => Ok(CheckEnd::Busy(until)),
    }
}

async fn found(context: &ConnectionContext, task: &ConnectionTask) -> Result<Option<Connection>> {
    match find_connection(&context.store, &task.workspace, &task.connection).await {
        Ok(row) => Ok(Some(row.doc)),
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// All that is due but for asking the system. Each is taken off the row once it is done.
async fn chores(
    context: &ConnectionContext,
    connection: &Connection,
    duties: Duties,
    hop: u8,
) -> Result<()> {
    let Connection { workspace, id, .. } = connection;
    if duties.expire {
        let occasion = Occasion::new(Trigger::Expiry, "the link expired before it was used");
        let now = context.store.clock().schedule();
        let still = |own: &Connection| own.duties(now).expire;
        disconnect_if(context, workspace, id, &occasion.at_hop(hop), still).await?;
    }
    if duties.wake.is_some() {
        wake_syncs(context, connection, hop).await?;
    }
    if duties.over.is_some() {
        close_issues(context, connection).await?;
    }
    let refresh_at = match duties.refresh {
        true => refresh_if_due(context, connection).await?,
        false => connection.watch.refresh_at,
    };
    if duties.wake.or(duties.over).is_none() && !duties.tell && !duties.refresh {
        return Ok(());
    }
    change(context, workspace, id, &[], |own, now| {
        if duties.refresh && refresh_at.is_some() {
            // Whether a renewal in vain means anything is for the probe to say.
            own.next_check_at = Some(now.schedule);
        }
        if own.watch.refresh_at == connection.watch.refresh_at {
            own.watch.refresh_at = refresh_at;
        }
        // What was asked for anew in the meantime stays.
        if own.watch.wake == duties.wake {
            own.watch.wake = None;
        }
        if own.watch.over == duties.over {
            own.watch.over = None;
        }
        Ok(Some(Occasion::new(Trigger::Check, "looked after").at_hop(hop)))
    })
    .await?;
    Ok(())
}

/// Begins again, now, every sync that waits because of a failure or was laid to rest. A slice that is
/// just ending for that reason is fenced, so that it cannot lay itself to rest behind this.
async fn wake_syncs(context: &ConnectionContext, connection: &Connection, hop: u8) -> Result<()> {
    let Connection { workspace, id, .. } = connection;
    let clock = context.store.clock();
    let by_sweep = hop >= MAX_HOPS;
    for state in sync_states(&context.store, workspace, id).await? {
        let key = sync_key(workspace, id, &state.entity);
        let now = clock.schedule();
        let woken = context.store.modify(&key, |state: &mut SyncState| {
            let sleeps = Sleepers::All.has(state, now);
            if sleeps {
                let at = if by_sweep { NextRun::by_sweep(now) } else { NextRun::at(now, now) };
                state.wake(at);
            }
            Ok(sleeps)
        });
        let Some((row, true)) = woken.await? else { continue };
        if !by_sweep {
            let work = row.doc.work()?;
            let sent = context.queue.send_after(QueueName::Sync, &work, Duration::ZERO, hop + 1);
            if let Err(error) = sent.await {
                tracing::warn!(connection = %id, %error, "run left to the sweep");
            }
        }
    }
    Ok(())
}

/// Takes the right to ask the connection's system: the connection, or until when somebody else has it;
/// nothing when it need not be asked any more.
async fn hold(
    context: &ConnectionContext,
    limits: SliceLimits,
    task: &ConnectionTask,
) -> Result<Option<Result<Connection, WallTime>>> {
    let clock = context.store.clock();
    let key = connection_key(&task.workspace, &task.connection);
    let taken = context.store.modify(&key, |own: &mut Connection| {
        if !own.duties(clock.schedule()).probe {
            return Ok(None);
        }
        Ok(Some(own.watch.lease.take(clock.wall(), limits.lease).map(drop)))
    });
    Ok(match taken.await? {
        Some((row, Some(Ok(())))) => Some(Ok(row.doc)),
        Some((_, Some(Err(until)))) => Some(Err(until)),
        Some((_, None)) | None => None,
    })
}

/// Asks the system how it is; nothing when its answer says nothing about that.
async fn ask(context: &ConnectionContext, connection: &Connection) -> Result<Option<Observation>> {
    match look_within(context, connection, ANSWER_WITHIN).await {
        // It was disconnected a moment ago.
        Err(error) if error.code == ErrorCode::ConnectionDisconnected => Ok(None),
        looked => looked,
    }
}
