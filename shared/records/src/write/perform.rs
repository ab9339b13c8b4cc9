//! A write from the request to its answer. Sending goes on in a task of its own, so that a caller who
//! goes away, or is answered before the system, does not cut it off.

use std::{sync::Arc, time::Duration};

use millwright_connection::{Connection, ConnectionContext};
use millwright_core::{Error, ErrorCode, Result, WallTime, WriteId};
use millwright_store::{Key, Row, Store};
use tokio::{task::JoinHandle, time::timeout};
use tracing::Instrument;

use super::{
    WriteDoc, WriteRequest, WriteTiming,
    carry::{Done, Turn, carry_out},
    doc::write_key,
    journal::{Journal, Lost},
    prepare::{Prepared, prepare},
    request::{Answered, WriteShown},
    resume::resume,
    work::Work,
};
use crate::Scope;

/// The largest body of a write, in bytes of JSON: its row holds it, and an item holds 400 KB.
const BODY_MAX: usize = 256 * 1024;
/// How long a write that is ending just now is waited for.
const ENDING: Duration = Duration::from_secs(2);

/// Makes a write.
///
/// # Errors
/// What the checks find, what the system says, `WRITE_OUTCOME_UNKNOWN` when nobody can find out whether
/// it happened.
pub async fn write(
    context: &ConnectionContext,
    times: WriteTiming,
    connection: &Connection,
    request: WriteRequest,
) -> Result<Answered> {
    let answer_by = context.store.clock().wall() + times.answer_within;
    let body = serde_json::to_string(&request.body).map_err(Error::internal)?;
    if body.len() > BODY_MAX {
        let message = format!("a record to write has at most {BODY_MAX} bytes");
        return Err(Error::new(ErrorCode::PayloadTooLarge, message));
    }
    let id = id_of(connection, &request, context.store.clock().wall());
    if request.same_as.is_some() && !request.dry_run {
        let key = write_key(&connection.workspace, &connection.id, &id);
        if let Some(row) = context.store.get::<WriteDoc>(&key).await?
            && let Some(answer) = resume(context, times, connection, row, answer_by).await?
        {
            return Ok(answer);
        }
    }
    let mut work = match prepare(context, connection, times, &id, &request).await? {
        Prepared::Answer(answer) => return Ok(answer),
        Prepared::Ready(work) => work,
    };
    let doc = work.doc(request.key, request.same_as.is_some());
    match Journal::begin(work.store(), times, doc, body).await {
        Ok(journal) => run(work, Arc::new(journal), Turn::Send, answer_by).await,
        Err(error) => {
            work.let_go().await;
            Err(error)
        }
    }
}

/// Carries a write out in a task of its own and answers when it has ended, or when the time is over.
pub(super) async fn run(
    mut work: Box<Work>,
    journal: Arc<Journal>,
    turn: Turn,
    answer_by: WallTime,
) -> Result<Answered> {
    let (store, times) = (work.store().clone(), work.times);
    let until = answer_by + times.read_back_within;
    let own = Arc::clone(&journal);
    let carrying = async move {
        let done = carry_out(&mut work, &own, turn, true, until).await;
        if let Ok(Done::Succeeded(_) | Done::Failed(_)) = &done {
            work.let_go().await;
        }
        done
    };
    let mut task = tokio::spawn(carrying.in_current_span());
    let ended = match timeout(answer_by.since(store.clock().wall()), &mut task).await {
        Ok(ended) => Some(ended),
        // The system has said yes: the record is only being read back.
        Err(_) if journal.is_accepted().await => {
            timeout(times.read_back_within, &mut task).await.ok()
        }
        Err(_) => None,
    };
    match ended {
        Some(Ok(Ok(Done::Succeeded(record)))) => Ok(Answered::record(record)),
        Some(Ok(Ok(Done::Failed(error)))) => Err(error),
        Some(_) => pending(&store, &journal, None).await,
        None => pending(&store, &journal, Some(task)).await,
    }
}

/// Answers with the write's id, unless it has ended just now.
async fn pending(
    store: &Store,
    journal: &Journal,
    task: Option<JoinHandle<Result<Done, Lost>>>,
) -> Result<Answered> {
    match journal.show().await {
        Ok(Some(row)) => return Ok(Answered::Pending(Box::new(WriteShown::of(row)?))),
        Ok(None) => {}
        Err(error) => {
            tracing::error!(%error, "a write under way cannot be shown");
            return Err(outcome_unknown());
        }
    }
    if let Some(task) = task {
        match timeout(ENDING, task).await {
            Ok(Ok(Ok(Done::Succeeded(record)))) => return Ok(Answered::record(record)),
            Ok(Ok(Ok(Done::Failed(error)))) => return Err(error),
            _ => {}
        }
    }
    shown(store, journal.key()).await?.ok_or_else(outcome_unknown).and_then(ended)
}

/// The row of a write that others may be working on. While it is pending, the caller may ask for it
/// from now on.
pub(super) async fn shown(store: &Store, key: &Key) -> Result<Option<Row<WriteDoc>>> {
    let show = store.modify(key, |doc: &mut WriteDoc| {
        doc.askers.by_id |= doc.sent().is_some();
        Ok(())
    });
    Ok(show.await?.map(|(row, ())| row))
}

/// The answer of a write that has ended, or that others go on with.
pub(super) fn ended(row: Row<WriteDoc>) -> Result<Answered> {
    if let Some(fault) = row.doc.state.fault() {
        return Err(fault.clone().into());
    }
    let shown = WriteShown::of(row)?;
    Ok(match shown.record {
        Some(record) => Answered::record(record),
        None => Answered::Pending(Box::new(shown)),
    })
}

/// A write whose id a caller was told.
///
/// # Errors
/// `NOT_FOUND` when the connection has no such write.
pub async fn find_write(store: &Store, scope: &Scope, id: &WriteId) -> Result<WriteShown> {
    let key = write_key(&scope.workspace, &scope.connection, id);
    let row = store.get::<WriteDoc>(&key).await?.filter(|row| row.doc.askers.by_id);
    WriteShown::of(row.ok_or_else(|| Error::not_found("write"))?)
}

fn id_of(connection: &Connection, request: &WriteRequest, now: WallTime) -> WriteId {
    match &request.same_as {
        None => WriteId::new_at(now.millis()),
        Some(same_as) => {
            WriteId::derived(&[connection.workspace.as_str(), connection.id.as_str(), same_as])
        }
    }
}

fn outcome_unknown() -> Error {
    let message = "nobody knows whether the system did this: look there before you try again";
    Error::new(ErrorCode::WriteOutcomeUnknown, message)
}
