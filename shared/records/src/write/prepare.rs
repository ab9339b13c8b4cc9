//! Before anything is sent: the references, the record as it is now, the condition, every rule.

use std::time::Duration;

use millwright_connection::{Connection, ConnectionContext, open_system};
use millwright_connector::{References, SourceRecord};
use millwright_core::{Error, ErrorCode, Result, WallTime, WriteId};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::{
    Operation, WriteRequest, WriteTiming,
    answer::would_be,
    commit::Place,
    doc::Before,
    lock::Held,
    patch::{key_of, merged},
    request::Answered,
    work::{Work, resolve},
};
use crate::{CommitId, Origin, RecordDoc, Scope, content::content_hash, filter::is_record_key};

/// How long a system is asked what the connected account may do.
const PERMITTED_WITHIN: Duration = Duration::from_secs(5);

/// A write whose checks are behind it.
pub(super) enum Prepared {
    /// It may be sent. Its record is held for it.
    Ready(Box<Work>),
    /// Nothing is to be sent: this is the answer.
    Answer(Answered),
}

/// Checks a write. A record that is to be changed is held for it first, so that it is still the one
/// that was checked when the write is sent.
///
/// # Errors
/// `NOT_FOUND`, `PRECONDITION_FAILED`, `OPERATION_NOT_SUPPORTED`, `PERMISSION_DENIED`, the validation
/// codes, `STATE_CONFLICT`, what the system says when the record cannot be read.
pub(super) async fn prepare(
    context: &ConnectionContext,
    connection: &Connection,
    times: WriteTiming,
    id: &WriteId,
    request: &WriteRequest,
) -> Result<Prepared> {
    let mut work = open(context, connection, times, id, request).await?;
    let checking = timeout(times.answer_within, held_against(&mut work, request));
    let prepared = checking.await.unwrap_or_else(|_| Err(nothing_sent()));
    if !matches!(prepared, Ok(None)) {
        work.let_go().await;
    }
    Ok(match prepared? {
        None => Prepared::Ready(Box::new(work)),
        Some(answer) => Prepared::Answer(answer),
    })
}

/// What the connected account may not do is not sent. Of what the system does not say in time, nothing
/// is known: it will refuse by itself.
async fn permitted(work: &Work) -> Result<()> {
    let operation = work.operation.op();
    let asked = work.system.permitted(&work.entity, &operation);
    Ok(timeout(PERMITTED_WITHIN, asked).await.unwrap_or(Ok(()))?)
}

/// Reads the record that is to be written, and holds the condition and the rules against the write; the
/// answer, when nothing is to be sent.
async fn held_against(work: &mut Work, request: &WriteRequest) -> Result<Option<Answered>> {
    permitted(work).await?;
    let Some(key) = &request.key else { return checked(work, request).await };
    let remote_id = remote_id(work, key).await?;
    if !request.dry_run {
        work.held = Some(hold(work, key).await?);
    }
    let read_at = work.now();
    read_current(work, &remote_id).await?;
    let refused = match condition(work, request) {
        Ok(()) => match checked(work, request).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        },
        Err(error) => error,
    };
    if !request.dry_run {
        show_what_was_read(work, read_at).await;
    }
    Err(refused)
}

fn condition(work: &Work, request: &WriteRequest) -> Result<()> {
    match (&request.if_match, &work.before) {
        (Some(condition), Some(before)) => condition.check(&before.hash),
        _ => Ok(()),
    }
}

/// Whoever is refused reads the record again, and must find it as it was when it was held against the
/// write: it is kept, should the last sync have seen another. A failure is only logged: the next sync
/// makes up for it.
async fn show_what_was_read(work: &Work, read_at: WallTime) {
    let Some(current) = work.current.as_ref().filter(|_| !work.system.simulated()) else { return };
    // A commit of its own: the write itself may still be made, under the same key.
    let commit = CommitId::of_write(&format!("{}.read", work.id));
    let place = Place { origin: Origin::Sync, ..work.place(&commit) };
    if let Err(error) = place.keep(current, read_at).await {
        tracing::warn!(entity = work.entity, %error, "a record that was read is not kept");
    }
}

async fn open(
    context: &ConnectionContext,
    connection: &Connection,
    times: WriteTiming,
    id: &WriteId,
    request: &WriteRequest,
) -> Result<Work> {
    Ok(Work {
        system: open_system(context, connection).await?,
        context: context.clone(),
        connection: connection.clone(),
        scope: Scope::of(connection),
        times,
        id: id.clone(),
        entity: request.entity.clone(),
        operation: request.operation.clone(),
        body: request.body.clone(),
        references: References::new(),
        current: None,
        before: None,
        held: None,
    })
}

/// The remote id of a record that is there.
async fn remote_id(work: &Work, key: &str) -> Result<String> {
    if !is_record_key(key) {
        return Err(Error::not_found("record"));
    }
    let row = work.store().get_doc::<RecordDoc>(&work.scope.record(&work.entity, key)).await?;
    let row = row.filter(|row| row.doc.deleted_at.is_none());
    row.map(|row| row.doc.remote_id).ok_or_else(|| Error::not_found("record"))
}

async fn hold(work: &Work, key: &str) -> Result<Held> {
    let record = (work.entity.as_str(), key);
    let (term, patience) = (work.times.claim, work.times.wait_for_other);
    Held::take(work.store(), &work.scope, record, &work.id, term, patience).await
}

/// Reads the record as the system has it now.
async fn read_current(work: &mut Work, remote_id: &str) -> Result<()> {
    let current = match work.read(remote_id).await {
        Ok(current) => current.ok_or_else(|| Error::not_found("record"))?,
        Err(error) => {
            work.note_failure(&error).await;
            return Err(error.into());
        }
    };
    let hash = content_hash(&work.entity, &current.record)?;
    work.before = Some(before(&current, hash));
    work.current = Some(current);
    Ok(())
}

/// Holds the rules against the write; the answer, when nothing is to be sent.
async fn checked(work: &mut Work, request: &WriteRequest) -> Result<Option<Answered>> {
    let Work { system, scope, entity, operation, body, .. } = &*work;
    let current = work.current.as_ref().map(|current| &current.record);
    let what = (operation, body);
    let references = resolve(work.store(), scope, system, entity, what, current).await?;
    system.check_write(entity, &operation.op(), body, current, Some(&references))?;
    work.references = references;
    if !request.dry_run {
        return Ok(None);
    }
    let record = match (&work.operation, current) {
        (Operation::Update, Some(current)) => merged(current, &work.body),
        (_, Some(current)) => current.clone(),
        (_, None) => work.body.clone(),
    };
    Ok(Some(Answered::record(would_be(work, record))))
}

fn before(current: &SourceRecord, hash: String) -> Before {
    let status_key = current.record.get("statusKey").and_then(Value::as_str).map(str::to_owned);
    Before { remote_id: current.remote_id.clone(), hash, status_key, lines: lines(&current.record) }
}

/// The keys of a record's lines, by the lists they stand in.
fn lines(record: &Map<String, Value>) -> Map<String, Value> {
    let keys = |value: &Value| {
        let lines = value.as_array()?.iter().filter_map(key_of);
        Some(lines.map(|key| json!({ "key": key })).collect::<Vec<_>>())
    };
    let lists = record.iter().filter_map(|(name, value)| Some((name, keys(value)?)));
    let lists = lists.filter(|(_, keys)| !keys.is_empty());
    lists.map(|(name, keys)| (name.clone(), Value::Array(keys))).collect()
}

fn nothing_sent() -> Error {
    let message =
        "the system did not answer in time when the write was being checked; nothing was sent";
    Error::new(ErrorCode::ConnectionUnavailable, message)
}
