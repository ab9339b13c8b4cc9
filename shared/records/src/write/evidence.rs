//! What the system shows of a write whose answer was lost.

use millwright_connector::{LookUp, SourceRecord, SystemError, SystemErrorClass};
use millwright_core::{Result, WallTime};
use millwright_entities::{record_key, status_key};
use serde_json::{Map, Value};

use super::{
    Operation,
    decide::Evidence,
    doc::Before,
    stuck::{Comparison, not_kept},
    work::Work,
};
use crate::{RecordDoc, content::content_hash};

/// Asks the system.
///
/// # Errors
/// When it cannot be asked.
pub(super) async fn look(work: &Work, began: WallTime) -> Result<Evidence, SystemError> {
    let Work { system, entity, body, references, .. } = work;
    if work.operation == Operation::Create {
        let found = system.find_created(entity, body, work.id.as_str(), references).await?;
        return Ok(match found {
            LookUp::Found(remote_id) if was_there(work, &remote_id, began).await? => {
                Evidence::NotYet
            }
            LookUp::Found(remote_id) => Evidence::Happened(remote_id),
            LookUp::NotThere => Evidence::NotYet,
            LookUp::CannotTell => Evidence::CannotTell,
        });
    }
    let Some(before) = &work.before else { return Ok(Evidence::CannotTell) };
    let now = work.read(&before.remote_id).await?;
    let happened = || Evidence::Happened(before.remote_id.clone());
    let Some(now) = now else {
        let deleted = work.operation == Operation::Delete;
        return Ok(if deleted { happened() } else { Evidence::CannotTell });
    };
    let as_before = content_hash(&work.entity, &now.record).is_ok_and(|hash| hash == before.hash);
    Ok(match shown(work, before, &now, as_before) {
        Some(true) => happened(),
        Some(false) => Evidence::NotYet,
        None => Evidence::CannotTell,
    })
}

/// Whether a record that was found by what it says, and not by the write's own token, is one that was
/// there before the write: another that says the same.
async fn was_there(work: &Work, remote_id: &str, began: WallTime) -> Result<bool, SystemError> {
    if work.has_token() {
        return Ok(false);
    }
    let key = record_key(&work.scope.connection, &work.entity, remote_id);
    let row = work.store().get_doc::<RecordDoc>(&work.scope.record(&work.entity, &key)).await;
    let row = row.map_err(|error| {
        tracing::warn!(write = %work.id, %error, "a found record cannot be looked up");
        SystemError::new(SystemErrorClass::Unreachable, "the record could not be looked up")
    })?;
    Ok(row.is_some_and(|row| row.doc.first_seen_at < began))
}

/// Whether the record shows that the write happened, or that it did not.
fn shown(work: &Work, before: &Before, now: &SourceRecord, as_before: bool) -> Option<bool> {
    let done = match &work.operation {
        Operation::Create => return None,
        Operation::Update => patch_holds(work, before, &now.record)?,
        Operation::Action(name) => reached(work, before, &now.record, name)?,
        Operation::Delete => ended(work, before, &now.record),
    };
    if done {
        return Some(true);
    }
    // Anything else: others were at it, or a part of the write.
    as_before.then_some(false)
}

/// Whether every given field shows; nothing when none of them is read.
fn patch_holds(work: &Work, before: &Before, now: &Map<String, Value>) -> Option<bool> {
    let reads = |name: &str| work.reads(name);
    work.body.keys().any(|name| now.contains_key(name) || reads(name)).then(|| {
        let comparison = Comparison {
            entity: &work.entity,
            given: &work.body,
            before: Some(&before.lines),
            after: now,
            reads: &reads,
        };
        not_kept(&comparison).is_empty()
    })
}

/// Whether the record has come into the action's status, where it leads to another one.
fn reached(work: &Work, before: &Before, now: &Map<String, Value>, name: &str) -> Option<bool> {
    let def = work.system.manifest().entity(&work.entity)?;
    let to = def.write.actions.get(name)?.to.as_ref()?;
    let to = status_key(&work.connection.id, &work.entity, to);
    let leads_on = before.status_key.as_ref() != Some(&to);
    leads_on.then(|| now.get("statusKey").and_then(Value::as_str) == Some(to.as_str()))
}

/// Whether a record that is still there counts as deleted: marked so, or in a status that ends it.
fn ended(work: &Work, before: &Before, now: &Map<String, Value>) -> bool {
    let marked = now.get("deletedAt").is_some_and(|at| !at.is_null());
    let status = now.get("statusKey").and_then(Value::as_str);
    let moved = status.is_some() && status != before.status_key.as_deref();
    marked || moved && status.is_some_and(|key| work.is_final_status(key))
}
