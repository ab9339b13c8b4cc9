//! Reading pages, records and ids.

use millwright_core::WallTime;
use serde_json::{Value, json};

use super::{Found, IdPage, Position, Pull, Pulled, RowPage, Source, SourceRecord, System};
use crate::{
    error::SystemError,
    manifest::{
        Ending, EntityDef, Get, Incremental, Operation, Paging, Read, Request, Stream, Sweep,
    },
    mapping::Mapper,
    path::{NestedKeys, Path},
    remote::Remote,
    template::Scope,
};

/// A listing that is read page by page.
#[derive(Clone, Copy)]
struct Listing<'a> {
    request: &'a Request,
    rows: &'a Path,
    id: &'a Path,
    paging: &'a Paging,
}

/// The page that is wanted of a listing.
struct Turn<'a> {
    after: Option<&'a str>,
    size: u32,
    since: Value,
    window: Value,
    fields: Vec<String>,
}

impl<'a> Turn<'a> {
    /// A page of everything.
    fn new(after: Option<&'a str>, size: u32) -> Self {
        Self { after, size, since: Value::Null, window: Value::Null, fields: Vec::new() }
    }

    /// A page of what has changed since a time, or of everything when there is none.
    fn since(self, def: &EntityDef, since: Option<i64>) -> Result<Self, SystemError> {
        let since = since.map_or(Value::Null, |ms| Value::from(WallTime::from_millis(ms).iso()));
        Ok(Self { window: window(def, &since)?, since, ..self })
    }
}

impl System {
    /// Reads a page of an entity's records. First come the records themselves, then, in a reading with
    /// `from`, those whose child rows have changed.
    ///
    /// # Errors
    /// When the system cannot be read, or answers with pages that cannot be.
    pub async fn pull(&self, entity: &str, pull: &Pull) -> Result<Pulled, SystemError> {
        let def = self.def(entity, "read")?;
        let size = self.manifest().limits.page(pull.page_size);
        let after = pull.position.after.as_deref();
        let children = match usize::from(pull.position.stream).checked_sub(1) {
            None => None,
            Some(number) => Some(def.streams().get(number).ok_or_else(outdated)?),
        };
        let since = pull.from.map(|from| from - overlap_ms(def));
        let page = match (&self.inner.source, children) {
            (Source::Sandbox(sandbox), _) => sandbox.page(entity, after, size, since).await?,
            (Source::Remote(remote), None) => {
                let turn = Turn::new(after, size).since(def, since)?;
                let turn = Turn { fields: def.field_names(), ..turn };
                page(remote, own_listing(entity, def)?, turn).await?
            }
            (Source::Remote(remote), Some(stream)) => {
                let turn = Turn::new(after, size).since(def, since)?;
                let page = page(remote, child_listing(stream), turn).await?;
                let parents = parents(&stream.parent, &page.rows);
                RowPage { rows: self.rows(entity, def, &parents).await?, ..page }
            }
        };
        let next = following(&pull.position, page.next.clone(), pull.from.is_some(), def);
        Ok(self.mapped(entity, def, page, next))
    }

    /// Reads records by their remote ids. Those that are not there are left out, those that cannot be
    /// mapped are told.
    ///
    /// # Errors
    /// When the system cannot be read.
    pub async fn find(&self, entity: &str, remote_ids: &[String]) -> Result<Found, SystemError> {
        let def = self.def(entity, "read")?;
        let rows = self.rows(entity, def, remote_ids).await?;
        let page = RowPage { rows, next: None, asked_at: None };
        let Pulled { records, faults, .. } = self.mapped(entity, def, page, None);
        Ok(Found { records, faults })
    }

    /// Reads records by their remote ids. Those that are not there are left out; a row that cannot be
    /// mapped is an error.
    ///
    /// # Errors
    /// When the system cannot be read.
    pub async fn get(
        &self,
        entity: &str,
        remote_ids: &[String],
    ) -> Result<Vec<SourceRecord>, SystemError> {
        let found = self.find(entity, remote_ids).await?;
        match found.faults.first() {
            None => Ok(found.records),
            Some(fault) => {
                let place = format!("{} of {entity} {}", fault.field, fault.remote_id);
                Err(SystemError::malformed(format!("{place} {}", fault.message)))
            }
        }
    }

    /// Lists the ids of everything that is there, in the system's order.
    ///
    /// # Errors
    /// When the system cannot be read, or the connector has no listing for this entity.
    pub async fn list_ids(&self, entity: &str, after: Option<&str>) -> Result<IdPage, SystemError> {
        let def = self.def(entity, "list")?;
        let sweep = def.sweep().ok_or_else(|| SystemError::unsupported(entity, "list"))?;
        match &self.inner.source {
            Source::Sandbox(sandbox) => {
                let page = sandbox.page(entity, after, sweep.page_size, None).await?;
                let ids = page.rows.into_iter().map(|(id, _)| id).collect();
                Ok(IdPage { ids, next: page.next })
            }
            Source::Remote(remote) => {
                let turn = Turn::new(after, sweep.page_size);
                let page = page(remote, id_listing(entity, sweep)?, turn).await?;
                Ok(IdPage {
                    ids: page.rows.into_iter().map(|(id, _)| id).collect(),
                    next: page.next,
                })
            }
        }
    }

    /// The rows of these ids, as many in one request as the system's limit allows.
    pub(super) async fn rows(
        &self,
        entity: &str,
        def: &EntityDef,
        ids: &[String],
    ) -> Result<Vec<(String, Value)>, SystemError> {
        let remote = match &self.inner.source {
            Source::Sandbox(sandbox) => return sandbox.rows(entity, ids).await,
            Source::Remote(remote) => remote,
        };
        let Get::Many { request, rows: at } = &def.get else {
            return Err(SystemError::unsupported(entity, "get"));
        };
        let fields = json!(def.field_names());
        let mut rows = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(self.manifest().limits.ids_per_request) {
            let answer = remote
                .call(request, Operation::Read, |scope| {
                    scope.with("ids", json!(chunk)).with("fields", fields.clone())
                })
                .await?;
            rows.extend(with_ids(rows_at(at, answer.value)?, &def.read.id)?);
        }
        Ok(rows)
    }

    fn mapped(
        &self,
        entity: &str,
        def: &EntityDef,
        page: RowPage,
        next: Option<Position>,
    ) -> Pulled {
        let mapper = self.mapper(entity);
        let mut pulled = Pulled { next, source_time: page.asked_at, ..Pulled::default() };
        for (remote_id, row) in page.rows {
            match mapper.record(def, &remote_id, &row) {
                Ok(record) => pulled.records.push(SourceRecord { remote_id, record }),
                Err(fault) => pulled.faults.push(fault),
            }
        }
        pulled
    }
}

fn own_listing<'a>(entity: &str, def: &'a EntityDef) -> Result<Listing<'a>, SystemError> {
    let Read { request, rows, id, paging, .. } = &def.read;
    let request = request.as_ref().ok_or_else(|| SystemError::unsupported(entity, "read"))?;
    Ok(Listing { request, rows, id, paging })
}

fn child_listing(stream: &Stream) -> Listing<'_> {
    let Stream { request, rows, id, paging, .. } = stream;
    Listing { request, rows, id, paging }
}

fn id_listing<'a>(entity: &str, sweep: &'a Sweep) -> Result<Listing<'a>, SystemError> {
    let Sweep { request, rows, id, paging, .. } = sweep;
    let request = request.as_ref().ok_or_else(|| SystemError::unsupported(entity, "list"))?;
    Ok(Listing { request, rows, id, paging })
}

async fn page(
    remote: &Remote,
    listing: Listing<'_>,
    turn: Turn<'_>,
) -> Result<RowPage, SystemError> {
    let Paging::IdAfter(paging) = listing.paging else {
        return Err(SystemError::malformed("this kind of paging cannot be read yet"));
    };
    let start = turn.after.or(paging.start.as_deref());
    let answer = remote
        .call(listing.request, Operation::Read, |scope| {
            scope
                .with("page", json!({"after": start, "size": turn.size}))
                .with("since", turn.since.clone())
                .with("window", turn.window.clone())
                .with("fields", json!(turn.fields))
        })
        .await?;
    let rows = with_ids(rows_at(listing.rows, answer.value)?, listing.id)?;
    let last = rows.last().map(|(id, _)| id.clone());
    if last.is_some() && last.as_deref() == turn.after {
        return Err(SystemError::malformed("the system gives the same page again"));
    }
    let full = rows.len() >= usize::try_from(turn.size).unwrap_or(usize::MAX);
    let next = last.filter(|_| full || paging.ends_with == Ending::EmptyPage);
    Ok(RowPage { rows, next, asked_at: answer.asked_at })
}

/// The ids of the records that children belong to, each once, in the children's order.
fn parents(parent: &Path, children: &[(String, Value)]) -> Vec<String> {
    let root = Path::default();
    let mut ids = Vec::new();
    for (_, child) in children {
        let found = match parent.get(child, NestedKeys::Plain) {
            Some(Value::Array(several)) => several.as_slice(),
            one => one.map_or(&[][..], std::slice::from_ref),
        };
        for id in found.iter().filter_map(|id| Mapper::remote_id(&root, id)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    ids
}

/// The rest of this stream, or the beginning of the next one.
fn following(
    at: &Position,
    after: Option<String>,
    windowed: bool,
    def: &EntityDef,
) -> Option<Position> {
    if after.is_some() {
        return Some(Position { stream: at.stream, after });
    }
    let stream = at.stream + 1;
    let more = windowed && usize::from(stream) <= def.streams().len();
    more.then_some(Position { stream, after: None })
}

fn outdated() -> SystemError {
    SystemError::malformed("the position is of another version of the connector")
}

fn overlap_ms(def: &EntityDef) -> i64 {
    match &def.incremental {
        Incremental::Filter(filter) => i64::from(filter.overlap_seconds) * 1000,
        _ => 0,
    }
}

fn window(def: &EntityDef, since: &Value) -> Result<Value, SystemError> {
    let Incremental::Filter(filter) = &def.incremental else { return Ok(Value::Null) };
    let template = if since.is_null() { &filter.everything } else { &filter.window };
    let scope = Scope::default().with("since", since.clone());
    match template {
        None => Ok(Value::Null),
        Some(template) => template.render(&scope).map_err(SystemError::malformed),
    }
}

pub(super) fn rows_at(path: &Path, value: Value) -> Result<Vec<Value>, SystemError> {
    let rows = if path.as_str().is_empty() {
        value
    } else {
        path.get(&value, NestedKeys::Plain).cloned().unwrap_or_default()
    };
    match rows {
        Value::Array(rows) => Ok(rows),
        _ => Err(SystemError::malformed("the system's answer has no list of rows")),
    }
}

pub(super) fn with_ids(rows: Vec<Value>, id: &Path) -> Result<Vec<(String, Value)>, SystemError> {
    let with_id = |row: Value| {
        let id = Mapper::remote_id(id, &row);
        id.map(|id| (id, row)).ok_or_else(|| SystemError::malformed("a row has no id"))
    };
    rows.into_iter().map(with_id).collect()
}
