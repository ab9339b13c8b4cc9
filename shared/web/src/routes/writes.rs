//! `/v1/writes`: writes that the system had not answered in time.

use axum::extract::State;
use millwright_core::{Error, ErrorCode, ErrorType, FieldError, Upstream, WriteId};
use millwright_records::{Operation, WriteFault, WriteShown, find_write};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    App,
    data_answer::{DataAnswer, synced_at},
    error::{Answer, FaultyField, UpstreamAnswer},
    extract::{IdPath, InformationScope, Reader, records_of},
};

/// A write that the system had not answered in time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Write)]
pub(crate) struct WriteAnswer {
    /// Its id.
    #[schema(value_type = String, example = "write_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    write_id: WriteId,
    /// How far it is.
    status: WriteStatus,
    /// What it writes.
    #[schema(example = "purchase-orders")]
    entity: String,
    /// What it does.
    operation: WriteKind,
    /// The action's name, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    action: Option<String>,
    /// The record's key; of a new record once it is known.
    #[schema(required)]
    key: Option<String>,
    /// The record as it stood after the write, once it has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    record: Option<Value>,
    /// What went wrong, where it has failed or nobody can find out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<WriteError>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
    /// When it last got on.
    #[schema(value_type = String, format = DateTime)]
    updated_at: String,
}

/// How far a write is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WriteStatus {
    /// The system has not answered, and is asked about it.
    Pending,
    /// The system has done it.
    Succeeded,
    /// The system has not done it.
    Failed,
    /// Nobody can find out: look there before you try again.
    Unknown,
}

/// What a write does.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WriteKind {
    /// Makes a record.
    Create,
    /// Changes one.
    Update,
    /// Does something else to one.
    Action,
    /// Deletes one.
    Delete,
}

/// What went wrong with a write.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WriteError {
    /// A stable code to branch on.
    #[schema(value_type = String, example = "BUSINESS_RULE_VIOLATED")]
    code: ErrorCode,
    /// Whose fault it is.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "upstream")]
    error_type: ErrorType,
    /// A sentence for a person.
    message: String,
    /// The faulty fields, where the fault is in fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<FaultyField>>, nullable = false)]
    fields: Vec<FieldError>,
    /// What the connected system said, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<UpstreamAnswer>, nullable = false)]
    upstream: Option<Upstream>,
    /// Whether the same request may succeed later without being changed.
    retryable: bool,
}

impl From<WriteShown> for WriteAnswer {
    fn from(shown: WriteShown) -> Self {
        Self {
            write_id: shown.id,
            status: match shown.status {
                "succeeded" => WriteStatus::Succeeded,
                "failed" => WriteStatus::Failed,
                "unknown" => WriteStatus::Unknown,
                _ => WriteStatus::Pending,
            },
            entity: shown.entity,
            action: shown.operation.action().map(str::to_owned),
            operation: match shown.operation {
                Operation::Create => WriteKind::Create,
                Operation::Update => WriteKind::Update,
                Operation::Action(_) => WriteKind::Action,
                Operation::Delete => WriteKind::Delete,
            },
            key: shown.key,
            record: shown.record,
            error: shown.fault.map(WriteError::from),
            created_at: shown.created_at.iso(),
            updated_at: shown.updated_at.iso(),
        }
    }
}

impl From<WriteFault> for WriteError {
    fn from(fault: WriteFault) -> Self {
        let retryable = Error::from(fault.clone()).retryable();
        let WriteFault { code, message, fields, upstream } = fault;
        let upstream = upstream.filter(|said| *said != Upstream::default());
        Self { code, error_type: code.error_type(), message, fields, upstream, retryable }
    }
}

/// Get a write
///
/// A write that was answered with 202. It ends by itself: where the system never answers it is asked
/// whether it did what was wanted. Kept for 30 days.
#[utoipa::path(
    get,
    path = "/v1/writes/{id}",
    operation_id = "get_write",
    tag = crate::openapi::DATA,
    params(("id" = String, Path, description = "The write's id.")),
    responses((status = 200, description = "The write.", body = WriteAnswer))
)]
pub(crate) async fn get_write(
    _: Reader,
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    IdPath(id): IdPath<WriteId>,
) -> Answer<DataAnswer<WriteAnswer>> {
    let shown = find_write(&app.store, &records_of(&connection), &id).await?;
    let synced_at = synced_at(&app.store, &connection, &shown.entity).await?;
    Ok(DataAnswer::new(&connection, synced_at, WriteAnswer::from(shown)))
}
