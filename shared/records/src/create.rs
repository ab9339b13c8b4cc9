//! Creating a record through the API: checked, sent, read back, committed.

use std::time::Duration;

use millwright_connection::{Connection, ConnectionContext, Observation, observe, open_system};
use millwright_connector::{
    References, SourceRecord, System, SystemError, SystemErrorClass, WriteOp,
};
use millwright_core::{Error, ErrorCode, Result, random_token};
use millwright_entities::record_key;
use serde_json::{Map, Value, json};

use crate::{RecordDoc, Scope, commit_written, list::with_meta};

/// How long a system may take for a write: the rest of the request's time (29 s) is for reading the
/// record back.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A record that was created.
#[derive(Clone, Debug)]
pub struct Creation {
    /// The record as the API shows it.
    pub record: Value,
}

/// Creates a record in the connected system. Every rule that is known is checked before anything is
/// sent; the record is answered as the system has it then.
///
/// # Errors
/// `OPERATION_NOT_SUPPORTED`, the validation codes, what the system says, and `WRITE_OUTCOME_UNKNOWN`
/// when it did not say whether it happened.
pub async fn create(
    context: &ConnectionContext,
    connection: &Connection,
    entity: &str,
    body: &Map<String, Value>,
) -> Result<Creation> {
    let system = open_system(context, connection).await?;
    let scope = Scope {
        workspace: connection.workspace.clone(),
        connection: connection.id.clone(),
        customer: connection.customer_json(),
    };
    let references = resolve(context, &scope, &system, entity, body).await?;
    let token = random_token(16);
    let creating = system.create(entity, body, &references, &token);
    let remote_id = match tokio::time::timeout(ANSWER_WITHIN, creating).await {
        Ok(Ok(remote_id)) => remote_id,
        Ok(Err(error)) => return Err(refused(context, connection, &system, error).await),
        Err(_) => return Err(unanswered()),
    };
    tracing::info!(connection = %connection.id, entity, remote_id, "record created");
    let (written, warning) = read_back(&system, &scope, entity, body, &remote_id).await;
    if system.simulated() {
        return Ok(Creation { record: pretended(written) });
    }
    let committed = commit_written(&context.store, &context.queue, &scope, entity, &written).await;
    Ok(Creation { record: answer(written, committed, warning) })
}

/// The record as it is answered. It exists in the system by now, so whatever fails here is a warning:
/// an error would make the caller create it a second time. The next sync brings what is missing.
fn answer(
    written: SourceRecord,
    committed: Result<RecordDoc>,
    warning: Option<&'static str>,
) -> Value {
    let (mut record, warning) = match committed {
        Ok(doc) => (with_meta(written.record, &doc), warning),
        Err(error) => {
            tracing::error!(remote_id = written.remote_id, %error, "created record not kept");
            let mut record = written.record;
            record.insert("meta".to_owned(), json!({}));
            let warning = "the record was created and shows here after the next sync";
            (Value::Object(record), Some(warning))
        }
    };
    if let Some(message) = warning {
        record["meta"]["warnings"] = json!([{ "path": "", "message": message }]);
    }
    record
}

fn unanswered() -> Error {
    let message = "the system did not answer in time: it may have created the record; look before \
                   trying again";
    Error::new(ErrorCode::WriteOutcomeUnknown, message)
}

/// The remote ids behind the keys that the body names, once every rule that is known holds.
async fn resolve(
    context: &ConnectionContext,
    scope: &Scope,
    system: &System,
    entity: &str,
    body: &Map<String, Value>,
) -> Result<References> {
    let mut found = References::new();
    for reference in system.references(entity, &WriteOp::Create, body, None)? {
        let key = scope.record(&reference.entity, &reference.key);
        let row = context.store.get_doc::<RecordDoc>(&key).await?;
        if let Some(row) = row.filter(|row| row.doc.deleted_at.is_none()) {
            found.insert(reference.entity, reference.key, row.doc.remote_id);
        }
    }
    system.check_write(entity, &WriteOp::Create, body, None, Some(&found))?;
    Ok(found)
}

/// The error of a refused write. What it says of the connection's health counts, once the probe
/// agrees.
async fn refused(
    context: &ConnectionContext,
    connection: &Connection,
    system: &System,
    error: SystemError,
) -> Error {
    if matches!(error.class, SystemErrorClass::Unreachable | SystemErrorClass::Reauthorize)
        && let Err(second) = system.probe().await
    {
        let observation = match second.class {
            SystemErrorClass::Unreachable => Some(Observation::Unreachable(second.message)),
            SystemErrorClass::Reauthorize => Some(Observation::Refused(second.message)),
            _ => None,
        };
        if let Some(observation) = observation {
            let (workspace, id) = (&connection.workspace, &connection.id);
            if let Err(error) = observe(context, workspace, id, &observation).await {
                tracing::warn!(connection = %id, %error, "health not noted");
            }
        }
    }
    error.into_write_error()
}

/// The record as the system has it. When it cannot be read just now, what was sent stands for it and a
/// warning says so: the next sync brings the rest.
async fn read_back(
    system: &System,
    scope: &Scope,
    entity: &str,
    body: &Map<String, Value>,
    remote_id: &str,
) -> (SourceRecord, Option<&'static str>) {
    let ids = [remote_id.to_owned()];
    match system.get(entity, &ids).await.map(|mut records| records.pop()) {
        Ok(Some(record)) => return (record, None),
        Ok(None) => {}
        Err(error) => tracing::warn!(entity, remote_id, %error, "created record not read back"),
    }
    let mut record = body.clone();
    let key = record_key(&scope.connection, entity, remote_id);
    record.insert("key".to_owned(), json!(key));
    record.insert("remoteId".to_owned(), json!(remote_id));
    let written = SourceRecord { remote_id: remote_id.to_owned(), record, raw: None };
    (written, Some("the record was created and could not be read back yet"))
}

fn pretended(written: SourceRecord) -> Value {
    let mut record = written.record;
    record.insert("meta".to_owned(), json!({ "simulated": true }));
    Value::Object(record)
}
