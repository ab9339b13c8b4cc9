//! What Millwright asks of the tables all the time, done with few statements.
//!
//! dynoxide reads, parses and checks a request and its table several times, prepares each statement anew,
//! and commits each row by itself. Here plain requests are carried out on the same tables with statements
//! that are kept ready: batches of inserts (`insert`), single writes and transactions (`put`), single
//! reads (`get`). What stands in the tables afterwards, and what is answered, is what dynoxide would have
//! made of it, which the tests compare.
//!
//! Only what succeeds is done here. Whatever is not plain (other expressions, values that are neither text
//! nor whole numbers, keys or items near their limits, the same row twice) and whatever is refused is left
//! to dynoxide, which says what is wrong with it. Nothing has happened then.

mod get;
mod insert;
mod plan;
mod put;

use std::collections::HashMap;

pub(super) use plan::Plan;
use rusqlite::Connection;

/// Does an operation: the answer's body, or nothing when it is not for here.
pub(super) fn run(
    connection: &Connection,
    plans: &HashMap<String, Plan>,
    operation: &str,
    body: &[u8],
) -> Option<Vec<u8>> {
    match operation {
        "GetItem" => get::get(connection, plans, body),
        "BatchExecuteStatement" => {
            let answer = insert::together(connection, plans, body)?;
            serde_json::to_vec(&answer).ok()
        }
        // None of these answers anything.
        _ => put::write(connection, plans, operation, body).map(|()| b"{}".to_vec()),
    }
}

/// Begins a transaction, in which `work` either succeeds or leaves nothing.
fn transaction<T>(
    connection: &Connection,
    work: impl FnOnce() -> rusqlite::Result<Option<T>>,
) -> Option<T> {
    let whole = || {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let Some(done) = work()? else { return Ok(None) };
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(Some(done))
    };
    let done = whole().unwrap_or_else(|error: rusqlite::Error| {
        tracing::warn!(%error, "a write is left to dynoxide");
        None
    });
    if done.is_none() && !connection.is_autocommit() {
        // A failure may have ended the transaction already.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

#[cfg(test)]
mod tests;
