//! The wire: DynamoDB's JSON protocol, as far as Millwright speaks it.

use std::{io, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use super::flush::Flusher;

/// What a request's target begins with (DynamoDB low-level API).
pub(crate) const TARGET: &str = "DynamoDB_20120810.";
pub(crate) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
/// The longest request: a batch of 16 MB, as JSON.
const BODY_MAX: usize = 32 * 1024 * 1024;

/// The tables behind the wire. Clones share them.
#[derive(Clone)]
pub(crate) struct Server {
    database: Database,
    /// Whose turn it is: there is one connection, and whoever waits for it must not hold up a thread.
    turn: Arc<Mutex<()>>,
    /// Who sees to it that a commit is on the disk before it is answered.
    flusher: Option<Flusher>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    pub(super) fn new(database: Database, flusher: Option<Flusher>) -> Self {
        Self { database, turn: Arc::default(), flusher }
    }

    pub(super) fn router(self) -> Router {
        let limit = axum::extract::DefaultBodyLimit::max(BODY_MAX);
        Router::new().route("/", post(respond)).layer(limit).with_state(self)
    }

    /// Does the operation called `target`, as a request names it: the status and the body of the answer.
    pub(crate) async fn answer(&self, target: &str, body: &[u8]) -> (StatusCode, Vec<u8>) {
        let operation = target.strip_prefix(TARGET).unwrap_or_default();
        match self.call(operation, body).await {
            Ok(body) => (StatusCode::OK, body),
            Err(error) => {
                let status = StatusCode::from_u16(error.status_code());
                (status.unwrap_or(StatusCode::BAD_REQUEST), error.to_json().into_bytes())
            }
        }
    }

    async fn call(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
        let (answer, written) = {
            let _turn = self.turn.lock().await;
            self.run(operation, body)?
        };
        if let Some(flusher) = self.flusher.as_ref().filter(|_| written) {
            flusher.flush().await.map_err(unflushed)?;
        }
        Ok(answer)
    }

    /// The answer, and whether something was written.
    fn run(&self, operation: &str, body: &[u8]) -> Result<(Vec<u8>, bool), DynoxideError> {
        let tables = &self.database;
        let answer = match operation {
            "GetItem" => run(body, |request| tables.get_item(request)),
            "BatchGetItem" => run(body, |request| tables.batch_get_item(request)),
            "Query" => run(body, |request| tables.query(request)),
            "Scan" => run(body, |request| tables.scan(request)),
            "DescribeTable" => run(body, |request| tables.describe_table(request)),
            "ListTables" => run(body, |request| tables.list_tables(request)),
            _ => return self.write(operation, body).map(|answer| (answer, true)),
        };
        answer.map(|answer| (answer, false))
    }

    fn write(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
        let tables = &self.database;
        match operation {
            "PutItem" => run(body, |request| tables.put_item(request)),
            "UpdateItem" => run(body, |request| tables.update_item(request)),
            "DeleteItem" => run(body, |request| tables.delete_item(request)),
            "BatchWriteItem" => run(body, |request| tables.batch_write_item(request)),
            "BatchExecuteStatement" => run(body, |request| tables.batch_execute_statement(request)),
            "TransactWriteItems" => run(body, |request| tables.transact_write_items(request)),
            _ => Err(DynoxideError::ValidationException(format!(
                "{operation} is not spoken on this machine"
            ))),
        }
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    call: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> Result<Vec<u8>, DynoxideError> {
    let unreadable = |e: serde_json::Error| DynoxideError::SerializationException(e.to_string());
    let answer = call(serde_json::from_slice(body).map_err(unreadable)?)?;
    serde_json::to_vec(&answer).map_err(|e| DynoxideError::InternalServerError(e.to_string()))
}

fn unflushed(error: io::Error) -> DynoxideError {
    DynoxideError::InternalServerError(format!("the commit could not be flushed: {error}"))
}

async fn respond(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (status, body) = server.answer(target.unwrap_or_default(), &body).await;
    (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}
