//! What is asked for, and how it is answered.

use millwright_core::{Error, WallTime, WriteId};
use millwright_store::Row;
use serde_json::{Map, Value};

use super::{IfMatch, Operation, WriteDoc, WriteFault};

/// A write that is asked for.
#[derive(Clone, Debug)]
pub struct WriteRequest {
    /// The entity's slug.
    pub entity: String,
    /// What is to be done.
    pub operation: Operation,
    /// The record's key; none for a new one.
    pub key: Option<String>,
    /// The new record, the merge patch, or what goes with an action.
    pub body: Map<String, Value>,
    /// Only if the record is still this one.
    pub if_match: Option<IfMatch>,
    /// Only check.
    pub dry_run: bool,
    /// What the request with its idempotency key comes down to: the same for the same request under the
    /// same key.
    pub same_as: Option<String>,
}

/// How a write is answered.
#[derive(Clone, Debug)]
pub enum Answered {
    /// With the record, and its entity tag where it is kept under one.
    Record {
        /// The record as the API shows it.
        record: Value,
        /// Its entity tag.
        etag: Option<String>,
    },
    /// Not yet: the write may be asked for.
    Pending(Box<WriteShown>),
}

impl Answered {
    pub(super) fn record(record: Value) -> Self {
        let etag = record["meta"]["etag"].as_str().map(str::to_owned);
        let gone = record.get("deletedAt").is_some_and(|at| !at.is_null());
        Self::Record { etag: etag.filter(|_| !gone), record }
    }
}

/// A write as whoever was told its id may see it.
#[derive(Clone, Debug)]
pub struct WriteShown {
    /// Its id.
    pub id: WriteId,
    /// `pending`, `succeeded`, `failed` or `unknown`.
    pub status: &'static str,
    /// The entity's slug.
    pub entity: String,
    /// What it does.
    pub operation: Operation,
    /// The record's key, once it is known.
    pub key: Option<String>,
    /// The record as it was answered, once the write has succeeded.
    pub record: Option<Value>,
    /// What went wrong, if anything did.
    pub fault: Option<WriteFault>,
    /// When it began.
    pub created_at: WallTime,
    /// When it last got on.
    pub updated_at: WallTime,
}

impl WriteShown {
    /// From its row.
    ///
    /// # Errors
    /// When the row is damaged.
    pub(super) fn of(row: Row<WriteDoc>) -> Result<Self, Error> {
        let Row { doc, body, .. } = row;
        let succeeded = doc.state.as_str() == "succeeded";
        let record = body.filter(|_| succeeded).map(|body| serde_json::from_str(&body));
        Ok(Self {
            status: doc.state.as_str(),
            record: record.transpose().map_err(Error::internal)?,
            fault: doc.state.fault().cloned(),
            id: doc.id,
            entity: doc.entity,
            operation: doc.operation,
            key: doc.key,
            created_at: doc.created_at,
            updated_at: doc.updated_at,
        })
    }
}
