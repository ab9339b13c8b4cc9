//! A write that is taken up again, because its process died or was answered before the system: by the
//! caller who sends the request again under its idempotency key, or by the sync function. The system is
//! asked what became of it before anything is sent.

use std::{sync::Arc, time::Duration};

use millwright_connection::{Admin, Connection, ConnectionContext, connection_key, open_system};
use millwright_core::{Error, ErrorCode, Result, WallTime};
use millwright_store::{Expect, Row, Write};

use super::{
    Operation, WriteDoc, WriteState, WriteTask, WriteTiming,
    carry::{Turn, carry_out},
    doc::{WriteFault, write_key},
    journal::{Ending, Journal, Lost},
    lock::Held,
    perform::{ended, run, shown},
    request::Answered,
    work::{Work, resolve},
};

use crate::Scope;

/// How often a write that somebody works on is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the sync function waits itself before it leaves a write to a later look.
const WAIT_HERE: Duration = Duration::from_secs(20);

/// Answers with what became of a write; where that is not known yet, finds out. Nothing when it has
/// been found not to have happened: it may be made anew.
///
/// # Errors
/// As the first request's.
pub(super) async fn resume(
    context: &ConnectionContext,
    times: WriteTiming,
    connection: &Connection,
    mut row: Row<WriteDoc>,
    answer_by: WallTime,
) -> Result<Option<Answered>> {
    let store = &context.store;
    let key = row.key.clone();
    while row.doc.sent().is_some() {
        if let Ok(taken) = take_up(context, times, connection, row).await? {
            let (work, journal) = taken;
            let answered = run(Box::new(work), Arc::new(journal), Turn::Look, answer_by);
            return answered.await.map(Some);
        }
        if store.clock().wall() + LOOK_EVERY >= answer_by {
            let row = shown(store, &key).await?.ok_or_else(ending)?;
            return ended(row).map(Some);
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(again) = store.get::<WriteDoc>(&key).await? else { return Ok(None) };
        row = again;
    }
    ended(row).map(Some)
}

fn ending() -> Error {
    let message = "the first request with this idempotency key is ending just now";
    Error::new(ErrorCode::IdempotencyInProgress, message)
}

/// How often a write is looked at whose connection is paused or short of credits.
const LOOK_WHILE_INACTIVE: Duration = Duration::from_secs(300);

/// What became of settling a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It has ended, or is due at a later time.
    Done,
    /// Somebody works on it or on its record, until then at the latest.
    Busy(WallTime),
}

/// Settles a write that nobody works on any more: finds out what became of it, sends it once more where
/// its caller waits for it and it has not happened, and writes down how it ended.
///
/// # Errors
/// When the table fails.
pub async fn settle_write(
    context: &ConnectionContext,
    times: WriteTiming,
    task: &WriteTask,
) -> Result<Settled> {
    let store = &context.store;
    let key = write_key(&task.workspace, &task.connection, &task.write);
    let row = store.get::<WriteDoc>(&key).await?.filter(|row| row.doc.sent().is_some());
    let Some(row) = row else { return Ok(Settled::Done) };
    let connection = connection_key(&task.workspace, &task.connection);
    let Some(connection) = store.get::<Connection>(&connection).await? else {
        // It is being erased, and the write with it.
        store.write(Write::delete(&key, Expect::Anything)).await?;
        return Ok(Settled::Done);
    };
    if matches!(connection.doc.facts.admin, Admin::Paused | Admin::NoCredits) {
        return rest_while_inactive(context, times, row).await;
    }
    let (mut work, journal) = match take_up(context, times, &connection.doc, row).await {
        Ok(Ok(taken)) => taken,
        Ok(Err(until)) => return Ok(Settled::Busy(until)),
        Err(error) if error.code == ErrorCode::ConnectionDisconnected => {
            return lost_for_good(context, times, &key).await;
        }
        Err(error) => return Err(error),
    };
    let until = store.clock().wall() + WAIT_HERE;
    let carried = carry_out(&mut work, &journal, Turn::Look, false, until).await;
    work.let_go().await;
    match carried {
        Ok(_) | Err(Lost::Taken) => Ok(Settled::Done),
        Err(Lost::Failed(error)) => Err(error),
    }
}

/// Nothing is sent to the system of a connection that is paused or short of credits, not even a
/// question: what became of the write is found out when the connection is worked on again.
async fn rest_while_inactive(
    context: &ConnectionContext,
    times: WriteTiming,
    row: Row<WriteDoc>,
) -> Result<Settled> {
    let journal = match Journal::take_over(&context.store, times, row).await? {
        Ok(journal) => journal,
        Err(until) => return Ok(Settled::Busy(until)),
    };
    match journal.leave(LOOK_WHILE_INACTIVE).await {
        Ok(()) | Err(Lost::Taken) => Ok(Settled::Done),
        Err(Lost::Failed(error)) => Err(error),
    }
}

/// The credentials are gone: nobody can ask the system any more.
async fn lost_for_good(
    context: &ConnectionContext,
    times: WriteTiming,
    key: &millwright_store::Key,
) -> Result<Settled> {
    let Some(row) = context.store.get::<WriteDoc>(key).await? else { return Ok(Settled::Done) };
    let journal = match Journal::take_over(&context.store, times, row).await? {
        Ok(journal) => journal,
        Err(until) => return Ok(Settled::Busy(until)),
    };
    let message = "the connection was disconnected before anybody knew whether the system did this";
    let fault = WriteFault::from(&Error::new(ErrorCode::WriteOutcomeUnknown, message));
    let ending = Ending { state: WriteState::Unknown(fault), key: None, body: None };
    match journal.end(&ending).await {
        Ok(()) | Err(Lost::Taken) => Ok(Settled::Done),
        Err(Lost::Failed(error)) => Err(error),
    }
}

type Taken = (Work, Journal);

/// Takes a pending write up, with its record held for it; or says until when somebody else works on
/// either.
async fn take_up(
    context: &ConnectionContext,
    times: WriteTiming,
    connection: &Connection,
    row: Row<WriteDoc>,
) -> Result<Result<Taken, WallTime>> {
    let mut work = rebuilt(context, times, connection, &row).await?;
    let key = row.doc.key.clone().filter(|_| row.doc.operation != Operation::Create);
    let journal = match Journal::take_over(work.store(), times, row).await? {
        Ok(journal) => journal,
        Err(until) => return Ok(Err(until)),
    };
    let Some(key) = key else { return Ok(Ok((work, journal))) };
    let record = (work.entity.as_str(), key.as_str());
    let held = Held::take(work.store(), &work.scope, record, &work.id, times.claim, Duration::ZERO);
    match held.await {
        Ok(held) => {
            work.held = Some(held);
            Ok(Ok((work, journal)))
        }
        Err(error) => {
            // Another write is at the record: what is seen of it now says nothing.
            let left = journal.leave(times.wait_for_other).await;
            let busy = error.code == ErrorCode::StateConflict && left.is_ok();
            if busy { Ok(Err(work.now() + times.wait_for_other)) } else { Err(error) }
        }
    }
}

async fn rebuilt(
    context: &ConnectionContext,
    times: WriteTiming,
    connection: &Connection,
    row: &Row<WriteDoc>,
) -> Result<Work> {
    let system = open_system(context, connection).await?;
    let scope = Scope::of(connection);
    let doc = &row.doc;
    let body = serde_json::from_str(row.body.as_deref().unwrap_or("{}"));
    let body = body.map_err(Error::internal)?;
    let (store, operation) = (&context.store, &doc.operation);
    Ok(Work {
        references: resolve(store, &scope, &system, &doc.entity, (operation, &body), None).await?,
        context: context.clone(),
        connection: connection.clone(),
        scope,
        system,
        times,
        id: doc.id.clone(),
        entity: doc.entity.clone(),
        operation: operation.clone(),
        body,
        current: None,
        before: doc.before.clone(),
        held: None,
    })
}
