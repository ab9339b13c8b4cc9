//! The tables themselves: dynoxide's storage and what it does with requests, on one connection.
//!
//! dynoxide is called below its own front, since that keeps the connection to itself: its cache of pages
//! and statements can be set here, its log is brought into the file by a thread of its own
//! (`checkpoint`), and many inserts can share a commit (`insert`).

use std::{collections::HashMap, path::Path};

use dynoxide::{
    DynoxideError,
    actions::{self, TableDescription, vector_lifecycle::VectorIndexLifecycle},
    storage::Storage,
};
use futures::FutureExt as _;
use serde::{Serialize, de::DeserializeOwned};

use super::{insert::Plan, tokens::Tokens};

/// What is set beside SQLite's own defaults: the log is flushed by `flush` and brought into the file by
/// `checkpoint`, not by SQLite for each commit; pages are kept in 8 MiB of memory.
const PRAGMAS: &str =
    "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8192;";
/// Statements that are kept ready: all that the two tables' writes take.
const STATEMENTS_KEPT: usize = 64;

/// The tables on their file.
pub(super) struct Tables {
    pub(super) storage: Storage,
    /// How rows are inserted many at a time, by table.
    plans: HashMap<String, Plan>,
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
        Ok(Self { storage, plans: HashMap::new(), tokens: Tokens::default() })
    }

    /// Makes a table's inserts quick. It is not altered from now on.
    pub(super) fn plan(&mut self, name: &str) -> dynoxide::Result<()> {
        if let Some(plan) = Plan::of(&self.describe(name)?) {
            self.plans.insert(name.to_owned(), plan);
        }
        Ok(())
    }

    /// What a table is.
    pub(super) fn describe(&self, name: &str) -> dynoxide::Result<TableDescription> {
        let request = actions::describe_table::DescribeTableRequest { table_name: name.to_owned() };
        let none = VectorIndexLifecycle::new();
        Ok(done(actions::describe_table::execute(&self.storage, request, &none))?.table)
    }

    /// Does an operation.
    pub(super) fn run(&mut self, operation: &str, body: &[u8]) -> Result<Answer, DynoxideError> {
        let tables = &self.storage;
        let read = match operation {
            "GetItem" => run(body, |request| done(actions::get_item::execute(tables, request))),
            "BatchGetItem" => {
                run(body, |request| done(actions::batch_get_item::execute(tables, request)))
            }
            "Query" => run(body, |request| done(actions::query::execute(tables, request))),
            "Scan" => run(body, |request| done(actions::scan::execute(tables, request))),
            "ListTables" => {
                run(body, |request| done(actions::list_tables::execute(tables, request)))
            }
            "DescribeTable" => {
                let none = VectorIndexLifecycle::new();
                run(body, |request| done(actions::describe_table::execute(tables, request, &none)))
            }
            _ => return self.write(operation, body),
        };
        read.map(|answer| (answer, 0))
    }

    fn write(&mut self, operation: &str, body: &[u8]) -> Result<Answer, DynoxideError> {
        let tables = &self.storage;
        let (written, rows) = match operation {
            "PutItem" => {
                (run(body, |request| done(actions::put_item::execute(tables, request))), 2)
            }
            "UpdateItem" => {
                (run(body, |request| done(actions::update_item::execute(tables, request))), 2)
            }
            "DeleteItem" => {
                (run(body, |request| done(actions::delete_item::execute(tables, request))), 2)
            }
            "BatchWriteItem" => {
                (run(body, |request| done(actions::batch_write_item::execute(tables, request))), 50)
            }
            "BatchExecuteStatement" => (self.statements(body), 25),
            "TransactWriteItems" => {
                let execute =
                    |request| done(actions::transact_write_items::execute(tables, request));
                (run(body, |request| self.tokens.once(request, execute)), 6)
            }
            _ => {
                let unknown = format!("{operation} is not spoken on this machine");
                return Err(DynoxideError::ValidationException(unknown));
            }
        };
        written.map(|answer| (answer, rows))
    }

    fn statements(&self, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
        if let Some(answer) = super::insert::together(self.storage.conn(), &self.plans, body) {
            return written(&answer);
        }
        run(body, |request| done(actions::batch_execute_statement::execute(&self.storage, request)))
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
    written(&call(serde_json::from_slice(body).map_err(unreadable)?)?)
}

fn written(answer: &impl Serialize) -> Result<Vec<u8>, DynoxideError> {
    serde_json::to_vec(answer).map_err(|e| DynoxideError::InternalServerError(e.to_string()))
}
