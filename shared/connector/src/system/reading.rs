//! Reading pages, records and ids.

mod events;
mod listing;
mod paging;
mod pull;
mod rehearsal;
mod rows;
mod seam;
mod signals;
mod since;
mod streams;
mod trail;

use std::collections::HashSet;

use serde_json::Value;

pub(super) use self::listing::{rows_at, with_ids};
use self::{
    listing::{Pages, Turn},
    pull::Reading,
    rows::Completer,
};
pub(crate) use self::{paging::Place, rehearsal::Rehearsal, rows::Rows};
use super::{Found, IdPage, Position, Pull, Pulled, Source, SourceRecord, SourceRow, System};
use crate::{
    error::SystemError,
    json::Row,
    manifest::{EntityDef, Sweep},
    mapping::RowFault,
    remote::Remote,
};

/// Rows, and the fields that a reading of their kind does not show.
struct Shown<'a> {
    rows: Rows,
    lacks: &'a [String],
}

impl System {
    /// Reads a page of an entity's records. A reading goes through deletions, then the records
    /// themselves, then, in a reading with `from`, those whose child rows have changed; or, where the
    /// system keeps a log, through that.
    ///
    /// # Errors
    /// When the system cannot be read, or answers with pages that cannot be.
    pub async fn pull(&self, entity: &str, pull: &Pull) -> Result<Pulled, SystemError> {
        let def = self.def(entity, "read")?;
        match &self.inner.source {
            Source::Remote(remote) => {
                Reading { system: self, remote, entity, def, pull }.page().await
            }
            Source::Sandbox(sandbox) => {
                let size = self.manifest().limits.page(pull.page_size);
                let since = since::since(def, pull.from);
                let after = pull.position.place.after_id();
                let page = sandbox.page(entity, after, size, since).await?;
                let rows = Rows::of(page.rows);
                let rows = rows.judged(def, self.keys());
                let shown = Shown { rows, lacks: &def.by_id_only };
                let mut pulled = self.made(entity, def, shown, pull);
                pulled.next = page.next.map(Position::after);
                pulled.source_time = page.asked_at;
                Ok(pulled)
            }
        }
    }

    /// Whether the page may be asked for with fewer rows than the one before: it is one of the entity's own
    /// rows, which go by their ids.
    #[must_use]
    pub fn narrows(&self, entity: &str, pull: &Pull) -> bool {
        self.def(entity, "read").is_ok_and(|def| {
            let own = pull::is_own(def, pull);
            own && matches!(def.read.paging, crate::manifest::Paging::IdAfter(_))
        })
    }

    /// The first id after a place among an entity's own rows, out of the listing of ids; nothing where
    /// that goes otherwise, or there is none.
    ///
    /// # Errors
    /// When the system cannot be read.
    pub async fn next_id(
        &self,
        entity: &str,
        at: &Position,
    ) -> Result<Option<String>, SystemError> {
        let def = self.def(entity, "list")?;
        let by_id = |sweep: &Sweep| {
            let own = sweep.request.is_some() || matches!(self.inner.source, Source::Sandbox(_));
            own && matches!(def.sweep_paging(sweep), crate::manifest::Paging::IdAfter(_))
        };
        if !def.sweep().is_some_and(by_id) {
            return Ok(None);
        }
        let start = Position { stream: 0, place: at.place.clone() };
        Ok(self.list_ids(entity, Some(&start)).await?.ids.into_iter().next())
    }

    /// Reads records by their remote ids. Those that are not there are left out, those that cannot be
    /// mapped, or are not shown to the account, are told.
    ///
    /// # Errors
    /// When the system cannot be read, or refuses every one of them.
    pub async fn find(&self, entity: &str, remote_ids: &[String]) -> Result<Found, SystemError> {
        let def = self.def(entity, "read")?;
        let rows = self.rows(entity, def, remote_ids).await?;
        let shown = Shown { rows, lacks: &def.listed_only };
        let Pulled { records, faults, .. } = self.mapped(entity, def, shown, false);
        Ok(Found { records, faults })
    }

    /// The complete rows of these ids.
    pub(super) async fn rows(
        &self,
        entity: &str,
        def: &EntityDef,
        remote_ids: &[String],
    ) -> Result<Rows, SystemError> {
        let mut rows = match &self.inner.source {
            Source::Sandbox(sandbox) => {
                let rows = sandbox.rows(entity, remote_ids).await?;
                Rows::of(rows).judged(def, self.keys())
            }
            Source::Remote(remote) => {
                self.completer(remote, entity, def).by_ids(remote_ids).await?
            }
        };
        if !remote_ids.is_empty() && rows.refused.len() == remote_ids.len() {
            return Err(rows.refused.swap_remove(0).1);
        }
        Ok(rows)
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
    pub async fn list_ids(
        &self,
        entity: &str,
        at: Option<&Position>,
    ) -> Result<IdPage, SystemError> {
        let def = self.def(entity, "list")?;
        let sweep = def.sweep().ok_or_else(|| SystemError::unsupported(entity, "list"))?;
        let start = Position::default();
        let place = &at.unwrap_or(&start).place;
        let (rows, next) = match &self.inner.source {
            Source::Sandbox(sandbox) => {
                let listed = sandbox.ids(entity, place.after_id(), sweep.page_size).await?;
                let (ids, next) = listed;
                return Ok(IdPage { ids, next: next.map(Position::after) });
            }
            Source::Remote(remote) => self.id_page(remote, entity, def, sweep, place).await?,
        };
        let flag = def.deletes.flag.as_ref();
        let there = rows
            .into_iter()
            .filter(|(_, row)| !flag.is_some_and(|flag| flag.holds(row.json(), self.keys())));
        Ok(IdPage { ids: there.map(|(id, _)| id).collect(), next })
    }

    async fn id_page(
        &self,
        remote: &Remote,
        entity: &str,
        def: &EntityDef,
        sweep: &Sweep,
        place: &Place,
    ) -> Result<(Vec<(String, Row)>, Option<Position>), SystemError> {
        let limits = &self.manifest().limits;
        let size = if sweep.request.is_some() { sweep.page_size } else { limits.page(0) };
        let turn = Turn { place, size, start: None, later: None, keys: self.keys() };
        let pages = Pages::of_sweep(entity, def, sweep)?;
        let everything = since::window(def, &Value::Null)?;
        let fields = serde_json::json!(def.field_names());
        let add = |scope: crate::template::Scope| {
            scope.with("window", everything.clone()).with("fields", fields.clone())
        };
        let page = pages.page(remote, &turn, add).await?;
        Ok((page.rows, page.next.map(|place| Position { stream: 0, place })))
    }

    fn completer<'a>(
        &'a self,
        remote: &'a Remote,
        entity: &'a str,
        def: &'a EntityDef,
    ) -> Completer<'a> {
        Completer { remote, entity, def, limits: &self.manifest().limits, keys: self.keys() }
    }

    /// The records of rows, or the rows themselves where they are wanted. With deletions beside them it
    /// takes records: what is said to be gone may be among them, and may be none.
    fn made(&self, entity: &str, def: &EntityDef, shown: Shown<'_>, pull: &Pull) -> Pulled {
        if !pull.unmapped || !shown.rows.gone.is_empty() {
            return self.mapped(entity, def, shown, pull.raw);
        }
        let Shown { rows, lacks } = shown;
        let refused = rows.refused.into_iter().map(refused).collect();
        Pulled { rows: SourceRow::of(rows.rows, lacks), faults: refused, ..Pulled::default() }
    }

    /// The records of rows. What is said to be gone and is there all the same is there.
    fn mapped(&self, entity: &str, def: &EntityDef, shown: Shown<'_>, raw: bool) -> Pulled {
        let Shown { rows, lacks } = shown;
        let mapper = self.mapper(entity);
        let mut pulled = Pulled::default();
        for (remote_id, row) in rows.rows {
            match mapper.record(def, &remote_id, row.json()) {
                Ok(record) => {
                    let raw = raw.then(|| row.to_value());
                    let unshown = lacks.to_vec();
                    let print = None;
                    pulled.records.push(SourceRecord { remote_id, record, unshown, raw, print });
                }
                Err(fault) => pulled.faults.push(fault),
            }
        }
        pulled.faults.extend(rows.refused.into_iter().map(refused));
        if rows.gone.is_empty() {
            return pulled;
        }
        let there: HashSet<&String> =
            pulled.records.iter().map(|record| &record.remote_id).collect();
        let mut told = HashSet::new();
        let gone =
            rows.gone.into_iter().filter(|id| !there.contains(id) && told.insert(id.clone()));
        pulled.deleted = gone.collect();
        pulled
    }
}

/// A row that the system does not show.
fn refused((remote_id, error): (String, SystemError)) -> RowFault {
    RowFault { remote_id, field: String::new(), message: error.message }
}
