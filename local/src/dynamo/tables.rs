//! The tables themselves: dynoxide's storage and what it does with requests, on one connection.
//!
//! dynoxide is called below its own front, since that keeps the connection to itself: its cache of pages
//! and statements can be set here, its log is brought into the file by a thread of its own
//! (`checkpoint`), and what is asked all the time takes another way (`quick`).

use std::path::Path;

use dynoxide::{
    DynoxideError,
    actions::{self, TableDescription, vector_lifecycle::VectorIndexLifecycle},
    storage::Storage,
};
use futures::FutureExt as _;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    quick::{Plan, Plans, Ready},
    tokens::Tokens,
};

/// What is set beside SQLite's own defaults: the log is flushed by `flush` and brought into the file by
/// `checkpoint`, not by SQLite for each commit; pages are kept in 8 MiB of memory.
const PRAGMAS: &str =
    "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8192;";
/// Statements that are kept ready: all that the two tables' writes take.
const STATEMENTS_KEPT: usize = 64;

/// The tables on their file.
pub(super) struct Tables {
    pub(super) storage: Storage,
    tokens: Tokens,
}

/// An answer's body, and how many rows its request has written, about.
pub(super) type Answer = (Vec<u8>, usize);

impl Tables {
    /// Opens or creates the file.
    pub(super) fn open(path: &Path) -> dynoxide::Result<Self> {
        let storage = Storage::new(&path.to_string_lossy())?;
        storage.conn().execute_batch(PRAGMAS)?;
        storage.conn().set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Ok(Self { storage, tokens: Tokens::default() })
    }

    /// How rows of these tables are written. They are not altered from now on.
    pub(super) fn plans(&self, names: Vec<String>) -> dynoxide::Result<Plans> {
        let mut plans = Plans::new();
        for name in names {
            if let Some(plan) = Plan::of(&self.describe(&name)?) {
                plans.insert(name, plan);
            }
        }
        Ok(plans)
    }

    /// What a table is.
    pub(super) fn describe(&self, name: &str) -> dynoxide::Result<TableDescription> {
        let request = actions::describe_table::DescribeTableRequest { table_name: name.to_owned() };
        let none = VectorIndexLifecycle::new();
        Ok(done(actions::describe_table::execute(&self.storage, request, &none))?.table)
    }

    /// Does an operation, which may have been made ready.
    pub(super) fn run(
        &mut self,
        operation: &str,
        body: &[u8],
        ready: Option<&Ready<'_>>,
    ) -> Result<Answer, DynoxideError> {
        let Self { storage, tokens } = self;
        let make = || {
            let quick = ready.and_then(|ready| ready.run(storage.conn()));
            quick.map_or_else(|| act(storage, operation, body), Ok)
        };
        let answer = match operation {
            "TransactWriteItems" => tokens.once(body, make),
            _ => make(),
        };
        answer.map(|answer| (answer, rows_of(operation)))
    }
}

/// How many rows an operation writes, about, each with its places in indexes.
fn rows_of(operation: &str) -> usize {
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => 2,
        "TransactWriteItems" => 6,
        "BatchWriteItem" | "BatchExecuteStatement" => 25,
        _ => 0,
    }
}

/// Has dynoxide do an operation.
pub(super) fn act(
    tables: &Storage,
    operation: &str,
    body: &[u8],
) -> Result<Vec<u8>, DynoxideError> {
    use actions::{
        batch_execute_statement as batch_execute, batch_get_item as batch_get,
        batch_write_item as batch_write, delete_item, describe_table, get_item, list_tables,
        put_item, query, scan, transact_write_items as transact, update_item,
    };
    match operation {
        "GetItem" => run(body, |request| done(get_item::execute(tables, request))),
        "BatchGetItem" => run(body, |request| done(batch_get::execute(tables, request))),
        "Query" => run(body, |request| done(query::execute(tables, request))),
        "Scan" => run(body, |request| done(scan::execute(tables, request))),
        "ListTables" => run(body, |request| done(list_tables::execute(tables, request))),
        "DescribeTable" => {
            let none = VectorIndexLifecycle::new();
            run(body, |request| done(describe_table::execute(tables, request, &none)))
        }
        "PutItem" => run(body, |request| done(put_item::execute(tables, request))),
        "UpdateItem" => run(body, |request| done(update_item::execute(tables, request))),
        "DeleteItem" => run(body, |request| done(delete_item::execute(tables, request))),
        "BatchWriteItem" => run(body, |request| done(batch_write::execute(tables, request))),
        "BatchExecuteStatement" => {
            run(body, |request| done(batch_execute::execute(tables, request)))
        }
        "TransactWriteItems" => run(body, |request| done(transact::execute(tables, request))),
        _ => Err(DynoxideError::ValidationException(format!(
            "{operation} is not spoken on this machine"
        ))),
    }
}

/// The outcome of an action of dynoxide: on SQLite none ever waits.
pub(super) fn done<A>(action: impl Future<Output = dynoxide::Result<A>>) -> dynoxide::Result<A> {
    let waited = || DynoxideError::InternalServerError("an action waited".to_owned());
    action.now_or_never().unwrap_or_else(|| Err(waited()))
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    call: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> Result<Vec<u8>, DynoxideError> {
    let unreadable = |e: serde_json::Error| DynoxideError::SerializationException(e.to_string());
    let answer = call(serde_json::from_slice(body).map_err(unreadable)?)?;
    serde_json::to_vec(&answer).map_err(|e| DynoxideError::InternalServerError(e.to_string()))
}
