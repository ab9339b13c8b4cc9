//! What Millwright asks of the tables all the time, done with few statements.
//!
//! dynoxide reads, parses and checks a request and its table several times, prepares each statement anew,
//! and commits each row by itself. Here plain requests are carried out on the same tables with statements
//! that are kept ready: batches of inserts (`insert`), single writes, transactions and batches without
//! conditions (`put`), single reads (`get`). What stands in the tables afterwards, and what is answered, is
//! what dynoxide would have made of it, which the tests compare.
//!
//! A request is read and its rows are written out before its turn at the connection comes (`Ready`): only
//! the statements themselves have to wait for each other.
//!
//! Only what succeeds is done here. Whatever is not plain (other expressions, values that are neither text
//! nor whole numbers, keys or items near their limits, the same row twice) and whatever is refused is left
//! to dynoxide, which says what is wrong with it. Nothing has happened then.

mod get;
mod insert;
mod plan;
mod put;

pub(super) use plan::{Plan, Plans};
use rusqlite::Connection;

/// A request that is for here, made ready for its turn at the connection.
pub(super) enum Ready<'a> {
    Get(plan::Place<'a>),
    Insert(Vec<insert::New<'a>>),
    /// What is answered is known before.
    Write(Vec<put::Write<'a>>, &'static str),
}

impl<'a> Ready<'a> {
    /// Nothing when the request is not for here.
    pub(super) fn of(plans: &'a Plans, operation: &str, body: &[u8]) -> Option<Self> {
        match operation {
            "GetItem" => get::asked(plans, body).map(Self::Get),
            "BatchExecuteStatement" => insert::asked(plans, body).map(Self::Insert),
            _ => {
                let writes = put::asked(plans, operation, body)?;
                Some(Self::Write(writes, put::answer(operation)))
            }
        }
    }

    /// Carries it out: the answer's body, or nothing when it is left to dynoxide.
    pub(super) fn run(&self, connection: &Connection) -> Option<Vec<u8>> {
        match self {
            Self::Get(place) => get::get(connection, place),
            Self::Insert(rows) => serde_json::to_vec(&insert::together(connection, rows)?).ok(),
            Self::Write(writes, answer) => {
                put::make(connection, writes).map(|()| answer.as_bytes().to_vec())
            }
        }
    }
}

/// Removes rows, together, which are named as dynoxide keeps keys. Whether it was done.
pub(super) fn remove(
    connection: &Connection,
    plans: &Plans,
    table: &str,
    keys: impl Iterator<Item = (String, String)>,
) -> bool {
    let Some((table, plan)) = plans.get_key_value(table) else { return false };
    let removed = transaction(connection, || {
        for (pk, sk) in keys {
            let place = plan::Place { table, plan, pk, sk };
            if let Some(there) = place.standing(connection)? {
                place.delete(connection, &there)?;
            }
        }
        Ok(Some(()))
    });
    removed.is_some()
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
