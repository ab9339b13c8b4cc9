//! Before anything is sent: the references, the record as it is now, the condition, every rule.

use millwright_connection::{Connection, ConnectionContext, open_system};
use millwright_connector::{References, SourceRecord};
use millwright_core::{Error, Result, WriteId};
use serde_json::{Map, Value, json};

use super::{
    Operation, WriteRequest, WriteTiming,
    answer::would_be,
    doc::Before,
    lock::Held,
    patch::{key_of, merged},
    request::Answered,
    work::{Work, resolve},
};
use crate::{RecordDoc, Scope, content::content_hash};

/// A write whose checks are behind it.
pub(super) enum Prepared {
    /// It may be sent. The record is held for it.
    Ready(Box<Work>, Option<Held>),
    /// Nothing is to be sent: this is the answer.
    Answer(Answered),
}

/// Checks a write. A record that is to be changed is held for it first, so that it is still the one
/// that was checked when the write is sent.
///
/// # Errors
/// `NOT_FOUND`, `PRECONDITION_FAILED`, `OPERATION_NOT_SUPPORTED`, the validation codes, `STATE_CONFLICT`,
/// what the system says when the record cannot be read.
pub(super) async fn prepare(
    context: &ConnectionContext,
    connection: &Connection,
    times: WriteTiming,
    id: &WriteId,
    request: &WriteRequest,
) -> Result<Prepared> {
    let mut work = open(context, connection, times, id, request).await?;
    let held = match &request.key {
        None => None,
        Some(key) => {
            let remote_id = remote_id(&work, key).await?;
            let held = match request.dry_run {
                true => None,
                false => Some(hold(&work, key).await?),
            };
            match read_current(&mut work, &remote_id, request).await {
                Ok(()) => held,
                Err(error) => return released(held, error).await,
            }
        }
    };
    match checked(&mut work, request).await {
        Ok(None) => Ok(Prepared::Ready(Box::new(work), held)),
        Ok(Some(answer)) => {
            release(held).await;
            Ok(Prepared::Answer(answer))
        }
        Err(error) => released(held, error).await,
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
        scope: scope_of(connection),
        times,
        id: id.clone(),
        entity: request.entity.clone(),
        operation: request.operation.clone(),
        body: request.body.clone(),
        references: References::new(),
        current: None,
        before: None,
    })
}

/// The remote id of a record that is there.
async fn remote_id(work: &Work, key: &str) -> Result<String> {
    let row = work.store().get_doc::<RecordDoc>(&work.scope.record(&work.entity, key)).await?;
    let row = row.filter(|row| row.doc.deleted_at.is_none());
    row.map(|row| row.doc.remote_id).ok_or_else(|| Error::not_found("record"))
}

async fn hold(work: &Work, key: &str) -> Result<Held> {
    let record = (work.entity.as_str(), key);
    let (term, patience) = (work.times.claim, work.times.wait_for_other);
    Held::take(work.store(), &work.scope, record, &work.id, term, patience).await
}

/// Reads the record as the system has it now, and holds the condition against it.
async fn read_current(work: &mut Work, remote_id: &str, request: &WriteRequest) -> Result<()> {
    let current = match work.read(remote_id).await {
        Ok(current) => current.ok_or_else(|| Error::not_found("record"))?,
        Err(error) => {
            work.note_failure(&error).await;
            return Err(error.into());
        }
    };
    let hash = content_hash(&work.entity, &current.record)?;
    if let Some(condition) = &request.if_match {
        condition.check(&hash)?;
    }
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
    if request.dry_run {
        let record = match (&work.operation, current) {
            (Operation::Update, Some(current)) => merged(current, &work.body),
            (_, Some(current)) => current.clone(),
            (_, None) => work.body.clone(),
        };
        return Ok(Some(Answered::record(would_be(work, record))));
    }
    let empty = work.operation == Operation::Update && work.body.is_empty();
    Ok(current.filter(|_| empty).map(|current| Answered::record(would_be(work, current.clone()))))
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

/// Whose records a connection's are.
pub(super) fn scope_of(connection: &Connection) -> Scope {
    Scope {
        workspace: connection.workspace.clone(),
        connection: connection.id.clone(),
        customer: connection.customer_json(),
    }
}

async fn release(held: Option<Held>) {
    if let Some(held) = held {
        held.release().await;
    }
}

async fn released(held: Option<Held>, error: Error) -> Result<Prepared> {
    release(held).await;
    Err(error)
}
