//! Calls of a system's own.

use millwright_connector::{PassthroughAnswer, PassthroughRequest, SystemError};
use millwright_core::{Error, ErrorCode, Result};

use crate::{
    Connection, ConnectionContext, Patience, note_answer, note_failure_within, open_system,
    patience::unanswered,
};

/// Makes a call of the system's own with the connection's credentials, within the connector's
/// allow-list.
///
/// # Errors
/// `PERMISSION_DENIED` for a call that is not on the list and the faulty fields of what cannot be sent,
/// before anything is sent; `OPERATION_NOT_SUPPORTED` where the connector lets nothing through;
/// `WRITE_OUTCOME_UNKNOWN` when a call that may change something was sent and not answered. What the
/// system refuses is an answer.
pub async fn call_native(
    context: &ConnectionContext,
    connection: &Connection,
    request: &PassthroughRequest,
) -> Result<PassthroughAnswer> {
    let clock = context.store.clock();
    let patience = Patience::begin(clock);
    let system = open_system(context, connection).await?;
    if system.manifest().passthrough.allow.is_empty() {
        return Err(nothing_allowed(&system.manifest().id));
    }
    let reads = request.method.is_safe();
    let asked = tokio::time::timeout(patience.left(clock), system.passthrough(request)).await;
    match asked {
        Err(_) if reads => Err(unanswered(ErrorCode::ConnectionUnavailable)),
        Err(_) => Err(unanswered(ErrorCode::WriteOutcomeUnknown)),
        Ok(Ok(answer)) => {
            note_answer(context, connection).await;
            Ok(answer)
        }
        Ok(Err(error)) => {
            let within = patience.left_for_probe(clock);
            note_failure_within(context, connection, &system, &error, within).await;
            Err(told(error, reads))
        }
    }
}

fn told(error: SystemError, reads: bool) -> Error {
    if reads { error.into() } else { error.into_write_error() }
}

fn nothing_allowed(connector: &str) -> Error {
    let message = format!("the connector {connector} lets no native calls through");
    let mut error = Error::new(ErrorCode::OperationNotSupported, message);
    // An empty list is a list (RFC 9110, 10.2.1): nothing can be done here.
    error.allow = Some(String::new());
    error
}
