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
use dynoxide::DynoxideError;

use super::{
    Shared,
    checkpoint::Checkpoints,
    flush::Flusher,
    quick::{Plans, Ready},
};

/// What a request's target begins with (DynamoDB low-level API).
pub(crate) const TARGET: &str = "DynamoDB_20120810.";
pub(crate) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
/// The longest request: a batch of 16 MB, as JSON.
const BODY_MAX: usize = 32 * 1024 * 1024;

/// The tables behind the wire. Clones share them.
#[derive(Clone)]
pub(crate) struct Server {
    /// There is one connection, and whoever waits for it must not hold up a thread.
    tables: Shared,
    plans: Arc<Plans>,
    checkpoints: Checkpoints,
    /// Who sees to it that a commit is on the disk before it is answered.
    flusher: Option<Flusher>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    pub(super) fn new(
        tables: Shared,
        plans: Arc<Plans>,
        checkpoints: Checkpoints,
        flusher: Option<Flusher>,
    ) -> Self {
        Self { tables, plans, checkpoints, flusher }
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
        let ready = Ready::of(&self.plans, operation, body);
        let (answer, rows) = self.tables.lock().await.run(operation, body, ready.as_ref())?;
        if rows > 0 {
            self.checkpoints.wrote(rows);
            if let Some(flusher) = &self.flusher {
                flusher.flush().await.map_err(unflushed)?;
            }
        }
        Ok(answer)
    }
}

fn unflushed(error: io::Error) -> DynoxideError {
    DynoxideError::InternalServerError(format!("the commit could not be flushed: {error}"))
}

async fn respond(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (status, body) = server.answer(target.unwrap_or_default(), &body).await;
    (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}
