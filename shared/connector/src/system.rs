//! A connection's system, and what can be asked of it.

mod custom;
mod permissions;
mod raw;
mod reading;
mod row;
mod writing;

use std::{collections::BTreeMap, fmt, sync::Arc};

pub use custom::CustomField;
use http::HeaderMap;
use millwright_core::{Clock, ConnectionId};
pub use permissions::{Permission, Permissions};
pub use row::{RowPrint, SourceRow};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::reading::Place;
pub(crate) use self::reading::Rehearsal;
use crate::{
    codec::Zone,
    error::{SystemError, SystemErrorClass},
    json::Json,
    manifest::{EntityDef, InstanceRule, Manifest, Operation},
    mapping::{Mapper, Naming, RowFault},
    overlay::Overlay,
    path::NestedKeys,
    remote::{Hint, PassthroughAnswer, PassthroughRequest, Remote},
    sandbox::Sandbox,
};

pub use writing::LookUp;

/// A connection's system. Clones share its session.
#[derive(Clone)]
pub struct System {
    inner: Arc<Inner>,
}

struct Inner {
    manifest: Arc<Manifest>,
    connection: ConnectionId,
    source: Source,
    overlays: Overlays,
    clock: Clock,
}

/// What a connection wants otherwise.
pub(crate) struct Overlays {
    /// As it was said, by entity.
    pub own: BTreeMap<String, Overlay>,
    /// What the manifest says about entities that have an overlay, with it.
    pub laid: BTreeMap<String, EntityDef>,
}

/// Where rows come from.
pub(crate) enum Source {
    Remote(Box<Remote>),
    Sandbox(Box<Sandbox>),
}

/// Which instance of a system answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The same for the same instance, whoever logs in; differs between instances.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
}

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct Pull {
    /// Only what was created or changed since this time of the system's clock, in milliseconds since
    /// the epoch: the `source_time` at which the run before began. The manifest's overlap is taken off
    /// here. `None` reads everything.
    pub from: Option<i64>,
    /// From when on deletions are told, also when everything is read: the `source_time` of the last
    /// reading. `None` is the same as `from`; a first reading needs none.
    pub deletions_from: Option<i64>,
    /// Where the reading before came to in the system's log.
    pub checkpoint: Option<Checkpoint>,
    /// Where to go on.
    pub position: Position,
    /// Rows a page; 0 leaves it to the manifest, which also has the last word.
    pub page_size: u32,
    /// Whether records are to come with the rows that they were made of.
    pub raw: bool,
    /// Whether rows are to come as they are, to be made records by [`System::records`]. Pages that also
    /// tell of deletions come as records all the same.
    pub unmapped: bool,
}

/// A place in a reading. Opaque to whoever keeps it; a reading goes on only with the same `from`,
/// `deletions_from` and `checkpoint`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    stream: u16,
    place: Place,
}

impl Position {
    /// Whether the system may forget it, as it may a cursor that it has given: when it is refused, the
    /// reading begins anew.
    #[must_use]
    pub fn perishes(&self) -> bool {
        self.place.perishes()
    }

    /// The place behind a row in the same listing, where that goes by ids.
    #[must_use]
    pub fn behind(&self, id: String) -> Self {
        Self { stream: self.stream, place: Place::after(id) }
    }

    /// The place behind a row, in a listing that goes by ids.
    #[must_use]
    pub fn after(id: String) -> Self {
        Self { stream: 0, place: Place::after(id) }
    }
}

/// A place in a system's log, from which a later reading goes on. Opaque to whoever keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    after: Option<String>,
}

/// A page.
#[derive(Debug, Default)]
pub struct Pulled {
    /// The records, in the order of the system's ids, or of the children whose parents they are: one
    /// record may then come again on a later page.
    pub records: Vec<SourceRecord>,
    /// The rows in place of the records, where that was wanted.
    pub rows: Vec<SourceRow>,
    /// Rows that could not be mapped, or are not shown to the account.
    pub faults: Vec<RowFault>,
    /// Remote ids of records that are gone. None of them is among the records.
    pub deleted: Vec<String>,
    /// Where to go on; nothing when everything has been read.
    pub next: Option<Position>,
    /// A time by the system's clock from before the page was read, in milliseconds since the epoch.
    /// That of a reading's first page is the next reading's `from`.
    pub source_time: Option<i64>,
    /// Where the next reading goes on in the system's log, as far as is known: the last one that a
    /// reading gives counts, once it is complete.
    pub checkpoint: Option<Checkpoint>,
    /// The system's log no longer reaches back to the checkpoint: everything has to be read anew,
    /// without one.
    pub lost_track: bool,
}

/// Records that were read, and rows that could not be.
#[derive(Debug, Default)]
pub struct Found {
    /// The records.
    pub records: Vec<SourceRecord>,
    /// Rows that could not be mapped.
    pub faults: Vec<RowFault>,
}

impl From<Vec<SourceRecord>> for Found {
    fn from(records: Vec<SourceRecord>) -> Self {
        Self { records, faults: Vec::new() }
    }
}

/// A record as the system has it.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRecord {
    /// The system's id.
    pub remote_id: String,
    /// The unified record, without `meta`.
    pub record: Map<String, Value>,
    /// Its fields that this reading could not show, for the system shows them only in another one
    /// (`listed_only`, `by_id_only`): what is known of them stays.
    pub unshown: Vec<String>,
    /// The row that it was made of, with details and children; only where it was asked for.
    pub raw: Option<Value>,
    /// What that row is, in short; only of rows that came unmapped.
    pub print: Option<RowPrint>,
}

/// A page of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdPage {
    /// The ids, in the system's order.
    pub ids: Vec<String>,
    /// Where to go on; nothing when all have been listed.
    pub next: Option<Position>,
}

/// Rows with their ids.
pub(crate) struct RowPage {
    pub rows: Vec<(String, Value)>,
    pub next: Option<String>,
    pub asked_at: Option<i64>,
}

impl System {
    pub(crate) fn new(
        manifest: Arc<Manifest>,
        connection: ConnectionId,
        source: Source,
        overlays: Overlays,
        clock: Clock,
    ) -> Self {
        Self { inner: Arc::new(Inner { manifest, connection, source, overlays, clock }) }
    }

    /// The connector.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// Whether writes are only played through. Their records are to be marked so.
    #[must_use]
    pub fn simulated(&self) -> bool {
        match &self.inner.source {
            Source::Remote(_) => false,
            Source::Sandbox(sandbox) => !sandbox.is_stateful(),
        }
    }

    /// Finds out whether the system answers to these credentials, and which instance it is.
    ///
    /// # Errors
    /// When it does not answer, refuses, or does not say which instance it is.
    pub async fn probe(&self) -> Result<Instance, SystemError> {
        match &self.inner.source {
            Source::Sandbox(sandbox) => sandbox.probe().await,
            Source::Remote(remote) => {
                let probe = self.manifest().probe.as_ref();
                let probe = probe.ok_or_else(|| SystemError::unsupported("instances", "probe"))?;
                let answer = remote.call(&probe.request, Operation::Probe, |scope| scope).await?;
                self.instance(&probe.instance, answer.value.json())
            }
        }
    }

    /// Makes a call of the system's own with the stored credentials, if it is on the connector's
    /// allow-list. No credential is in the answer.
    ///
    /// # Errors
    /// `permission` for a call that is not on the list, faulty fields for what cannot be sent, before
    /// anything is sent. A refusal by the system is an answer, not an error.
    pub async fn passthrough(
        &self,
        request: &PassthroughRequest,
    ) -> Result<PassthroughAnswer, SystemError> {
        match &self.inner.source {
            Source::Sandbox(_) => Err(SystemError::unsupported("calls", "pass on")),
            Source::Remote(remote) => remote.passthrough(request).await,
        }
    }

    /// Finds out whether a webhook comes from the system, and what it tells of. Nothing is sent.
    ///
    /// # Errors
    /// `permission` when it is not genuine, or the connection has no secret to tell; `unsupported` when
    /// the connector has no webhooks; `malformed` when it cannot be read.
    pub fn verify_hook(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Hint>, SystemError> {
        match &self.inner.source {
            Source::Sandbox(_) => Err(SystemError::unsupported("webhooks", "receive")),
            Source::Remote(remote) => remote.verify_hook(headers, body),
        }
    }

    /// How many calls have been made to the system since this was asked last, logging in and tries again
    /// among them.
    #[must_use]
    pub fn take_calls(&self) -> u64 {
        match &self.inner.source {
            Source::Remote(remote) => remote.take_calls(),
            Source::Sandbox(sandbox) => sandbox.take_calls(),
        }
    }

    /// Logs out, where a session is kept and the connector says how. That it fails is no harm: the
    /// system will end the session by itself.
    pub async fn log_out(&self) {
        if let Source::Remote(remote) = &self.inner.source {
            remote.log_out().await;
        }
    }

    fn instance(&self, rule: &InstanceRule, answer: Json<'_>) -> Result<Instance, SystemError> {
        let mapper = self.mapper("");
        let text = |field| mapper.text(field, answer);
        let parts: Option<Vec<String>> = rule.id.iter().map(text).collect();
        let Some(parts) = parts else {
            let message = "the system does not say which instance it is";
            let message = rule.none.as_deref().unwrap_or(message);
            return Err(SystemError::new(SystemErrorClass::Permission, message));
        };
        Ok(Instance { id: parts.join("/"), name: rule.name.as_ref().and_then(text) })
    }

    pub(crate) fn def(&self, entity: &str, operation: &str) -> Result<&EntityDef, SystemError> {
        let def = self.inner.overlays.laid.get(entity).or_else(|| self.manifest().entity(entity));
        def.ok_or_else(|| SystemError::unsupported(entity, operation))
    }

    fn mapper<'a>(&'a self, entity: &'a str) -> Mapper<'a> {
        Mapper {
            naming: Naming::Of(&self.inner.connection),
            entity,
            keys: self.keys(),
            zone: self.zone(),
            nothing: self.manifest().protocol.nothing(),
        }
    }

    fn zone(&self) -> Option<&Zone> {
        match &self.inner.source {
            Source::Remote(remote) => remote.zone(),
            Source::Sandbox(_) => None,
        }
    }

    fn keys(&self) -> NestedKeys {
        self.manifest().protocol.nested_keys()
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System")
            .field("connector", &self.inner.manifest.id)
            .field("connection", &self.inner.connection)
            .finish_non_exhaustive()
    }
}
