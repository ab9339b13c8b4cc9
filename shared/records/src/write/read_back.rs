//! Reading a written record back, and what stands for it when it cannot be read.

use millwright_connector::SourceRecord;
use millwright_entities::record_key;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::{
    Operation,
    patch::merged,
    stuck::{Comparison, Warning, not_kept},
    work::Work,
};

/// What came of reading a record back.
#[derive(Debug)]
pub(super) enum Reading {
    /// The record.
    Found(Box<SourceRecord>),
    /// The system does not have it.
    Gone,
    /// The system could not be asked.
    Unread,
}

/// Reads the record.
pub(super) async fn read_back(work: &Work, remote_id: &str) -> Reading {
    match timeout(work.times.read_back_within, work.read(remote_id)).await {
        Ok(Ok(Some(record))) => Reading::Found(Box::new(record)),
        Ok(Ok(None)) => Reading::Gone,
        Ok(Err(error)) => {
            tracing::warn!(entity = work.entity, remote_id, %error, "written record not read back");
            Reading::Unread
        }
        Err(_) => {
            tracing::warn!(entity = work.entity, remote_id, "written record not read back in time");
            Reading::Unread
        }
    }
}

/// The given fields that the record does not show.
pub(super) fn compared(work: &Work, after: &Map<String, Value>) -> Vec<Warning> {
    if !matches!(work.operation, Operation::Create | Operation::Update) {
        return Vec::new();
    }
    let reads = |name: &str| work.reads(name);
    not_kept(&Comparison {
        entity: &work.entity,
        given: &work.body,
        before: work.before.as_ref().map(|before| &before.lines),
        after,
        reads: &reads,
    })
}

/// The record as it should be by what was given; nothing where that is not known.
pub(super) fn guessed(work: &Work, remote_id: &str) -> Option<Map<String, Value>> {
    let current = work.current.as_ref().map(|current| &current.record);
    match &work.operation {
        Operation::Create => {
            let key = record_key(&work.scope.connection, &work.entity, remote_id);
            let mut record = Map::from_iter([
                ("key".to_owned(), json!(key)),
                ("remoteId".to_owned(), json!(remote_id)),
            ]);
            record.extend(work.body.clone());
            Some(record)
        }
        Operation::Update => current.map(|current| merged(current, &work.body)),
        Operation::Action(_) | Operation::Delete => current.cloned(),
    }
}
