//! DynamoDB on one machine: dynoxide on a SQLite file, spoken to through the real SDK.
//!
//! dynoxide has a server of its own. This one reads each request once, flushes the commits that come at
//! the same time together, and has a short way for what is asked all the time.
//!
//! Requests over HTTP are taken on a runtime of their own. The functions' own client needs none: it
//! hands its requests over in the process (`near`). The TTL sweep, which AWS does in the background, is
//! called here.

mod checkpoint;
mod flush;
mod quick;
pub(crate) mod server;
mod sweep;
mod tables;
mod tokens;

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use axum::serve::ListenerExt as _;
use dynoxide::actions::{
    create_table::{self, CreateTableRequest},
    list_tables::{self, ListTablesRequest},
    update_time_to_live::{self, TimeToLiveSpecification, UpdateTimeToLiveRequest},
};
use millwright_store::{IndexDef, Projection, Table, TableDef, Tables};
use serde_json::{Value, json};
use tokio::sync::{Mutex, oneshot};

use self::{
    checkpoint::Checkpoints,
    flush::Flusher,
    server::Server,
    tables::{Tables as Open, done},
};
use crate::Durability;

/// The open tables: one connection, of whoever's turn it is.
type Shared = Arc<Mutex<Open>>;

/// A running endpoint.
#[derive(Debug)]
pub struct Dynamo {
    address: SocketAddr,
    server: Server,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Dynamo {
    /// Opens or creates the database at `path`, with all of [`TableDef::ALL`] in it, and serves it on a
    /// free port of 127.0.0.1.
    ///
    /// # Errors
    /// When the database cannot be opened or no port can be had.
    pub fn start(path: &Path) -> io::Result<Self> {
        Self::start_with(path, Durability::Flush)
    }

    /// The same, with commits that outlive what they are asked to.
    ///
    /// # Errors
    /// When the database cannot be opened or no port can be had.
    pub fn start_with(path: &Path, durability: Durability) -> io::Result<Self> {
        let tables = Open::open(path).map_err(io::Error::other)?;
        create_tables(&tables).map_err(io::Error::other)?;
        let plans = Arc::new(tables.plans(names()).map_err(io::Error::other)?);
        let tables: Shared = Arc::new(Mutex::new(tables));
        let checkpoints = Checkpoints::start(path, Arc::clone(&tables))?;
        let flusher = match durability {
            Durability::Flush => Some(Flusher::start(path)?),
            Durability::Process => None,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("dynamodb".to_owned());
        let server = Server::new(Arc::clone(&tables), Arc::clone(&plans), checkpoints, flusher);
        let served = server.clone();
        let thread =
            thread.spawn(move || serve(listener, served, sweep::sweep(tables, plans), stopped))?;
        Ok(Self { address, server, stop, thread })
    }

    /// The endpoint's URL, for `AWS_ENDPOINT_URL_DYNAMODB`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What answers requests, for whoever is in this process.
    pub(crate) fn server(&self) -> Server {
        self.server.clone()
    }

    /// Finishes requests and closes the database.
    ///
    /// # Errors
    /// When the server had failed.
    pub async fn stop(self) -> io::Result<()> {
        let _ = self.stop.send(());
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        joined
            .map_err(io::Error::other)?
            .map_err(|_| io::Error::other("the table thread failed"))?
    }
}

/// The names of the tables on this machine: the logical ones.
#[must_use]
pub fn tables() -> Tables {
    let name = |table: Table| format!("millwright-{}", table.name());
    Tables { state: name(Table::State), records: name(Table::Records) }
}

fn serve(
    listener: TcpListener,
    server: Server,
    sweep: impl Future<Output = ()> + Send + 'static,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("dynamodb")
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(sweep);
        let shutdown = async {
            let _ = stopped.await;
        };
        let listener = listener.tap_io(|stream| {
            // Answers are small, and the caller waits for them.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, server.router()).with_graceful_shutdown(shutdown).await
    });
    runtime.shutdown_timeout(Duration::from_secs(2));
    served
}

/// The names of all tables.
fn names() -> Vec<String> {
    TableDef::ALL.iter().map(|table| tables().name(table.table).to_owned()).collect()
}

fn create_tables(open: &Open) -> dynoxide::Result<()> {
    let asked = ListTablesRequest::default();
    let present = done(list_tables::execute(&open.storage, asked))?.table_names;
    for table in TableDef::ALL {
        let name = tables().name(table.table).to_owned();
        if present.contains(&name) {
            check_indexes(open, &name, table)?;
        } else {
            create(open, &name, table)?;
        }
        if table.table == Table::Records {
            forget_base_keys(open, &name, table)?;
        }
    }
    Ok(())
}

/// dynoxide keeps an index by the row's key for each global index, to find what it has to remove. Every
/// record has a place in each, so that these took half of what putting one costs; `quick` finds a place by
/// the keys that the row itself has. What is left to dynoxide looks through the whole index instead.
fn forget_base_keys(open: &Open, name: &str, table: &TableDef) -> dynoxide::Result<()> {
    for index in table.indexes {
        let drop = format!("DROP INDEX IF EXISTS \"{name}::gsi::{}::base_key\"", index.name);
        open.storage.conn().execute_batch(&drop)?;
    }
    Ok(())
}

fn create(open: &Open, name: &str, table: &TableDef) -> dynoxide::Result<()> {
    done(create_table::execute(&open.storage, definition(name, table)?))?;
    let ttl = TimeToLiveSpecification { attribute_name: TableDef::TTL.to_owned(), enabled: true };
    let ttl =
        UpdateTimeToLiveRequest { table_name: name.to_owned(), time_to_live_specification: ttl };
    done(update_time_to_live::execute(&open.storage, ttl)).map(drop)
}

/// Refuses a table that an earlier program has made with fewer indexes. Adding them would not be enough:
/// rows that are not written again have no places in them, and would be missing from every sorted list.
fn check_indexes(open: &Open, name: &str, table: &TableDef) -> dynoxide::Result<()> {
    let described = open.describe(name)?;
    let there: Vec<String> = described
        .global_secondary_indexes
        .into_iter()
        .flatten()
        .map(|index| index.index_name)
        .collect();
    match table.indexes.iter().find(|index| !there.iter().any(|name| name == index.name)) {
        None => Ok(()),
        Some(missing) => Err(dynoxide::DynoxideError::ValidationException(format!(
            "an earlier millwright made them, without the index `{}`; choose another folder with \
             --data and connect anew",
            missing.name
        ))),
    }
}

fn definition(name: &str, table: &TableDef) -> dynoxide::Result<CreateTableRequest> {
    let mut types = BTreeMap::from([(TableDef::PK, "S"), (TableDef::SK, "S")]);
    for index in table.indexes {
        types.extend([(index.hash, "S"), (index.range, index.sorted_by.letter())]);
    }
    let attributes: Value = types.into_iter().map(|(name, kind)| typed(name, kind)).collect();
    let mut request = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": keys(TableDef::PK, TableDef::SK),
        "AttributeDefinitions": attributes,
    });
    if !table.indexes.is_empty() {
        request["GlobalSecondaryIndexes"] = table.indexes.iter().map(index_definition).collect();
    }
    serde_json::from_value(request)
        .map_err(|e| dynoxide::DynoxideError::ValidationException(e.to_string()))
}

fn index_definition(index: &IndexDef) -> Value {
    let projection = match index.projection {
        Projection::KeysOnly => json!({"ProjectionType": "KEYS_ONLY"}),
        Projection::Include(names) => {
            json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": names})
        }
    };
    json!({
        "IndexName": index.name,
        "KeySchema": keys(index.hash, index.range),
        "Projection": projection,
    })
}

fn typed(name: &str, kind: &str) -> Value {
    json!({"AttributeName": name, "AttributeType": kind})
}

fn keys(hash: &str, range: &str) -> Value {
    json!([
        {"AttributeName": hash, "KeyType": "HASH"},
        {"AttributeName": range, "KeyType": "RANGE"},
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_without_an_index_of_this_version_are_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dynamo.sqlite");
        let bare = TableDef { table: Table::Records, indexes: &[] };
        create(&Open::open(&path).unwrap(), tables().name(bare.table), &bare).unwrap();
        let line = Dynamo::start(&path).unwrap_err().to_string();
        assert!(line.contains("`created`") && line.contains("--data"), "{line}");
    }
}
