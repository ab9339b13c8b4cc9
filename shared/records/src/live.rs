//! Reading through: records as the system has them at this moment, and its own rows beside records
//! that are kept. Nothing is written: the next sync notices what has changed.

mod preview;

use std::collections::HashMap;

use millwright_connection::{Connection, ConnectionContext, Patience, open_system};
use millwright_connector::{Found, Position, Pull, Pulled, SourceRecord, System, SystemError};
use millwright_core::Result;
use millwright_entities::record_key;
use millwright_store::{Key, Row};
use serde_json::{Map, Value, json};

pub use preview::Previewed;

use crate::{
    Filters, RecordDoc, Scope, content::content_hash, filter::is_record_key, unshown::fill,
};

/// What to list of what the system has.
#[derive(Clone, Debug)]
pub struct LiveQuery<'a> {
    /// The entity.
    pub entity: &'a str,
    /// Which of its records.
    pub filters: &'a Filters,
    /// Where to go on.
    pub position: Position,
    /// The most records.
    pub limit: usize,
}

/// A page of the system's own list.
#[derive(Debug)]
pub struct LivePage {
    /// The records that are wanted. It may be short, even empty, while there is more.
    pub records: Vec<Value>,
    /// Where to go on, when there is more.
    pub next: Option<Position>,
}

/// A connection's system, open to be read.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    context: &'a ConnectionContext,
    connection: &'a Connection,
    scope: &'a Scope,
    patience: Patience,
}

impl<'a> Live<'a> {
    /// Reads of one connection for one request, within `patience`.
    #[must_use]
    pub const fn new(
        context: &'a ConnectionContext,
        connection: &'a Connection,
        scope: &'a Scope,
        patience: Patience,
    ) -> Self {
        Self { context, connection, scope, patience }
    }

    /// A record as the system has it; nothing when it is not known, or gone from the system.
    ///
    /// # Errors
    /// What the system says; `CONNECTION_UNAVAILABLE` when it says nothing in time.
    pub async fn get(&self, entity: &str, key: &str) -> Result<Option<Value>> {
        let Some(id) = self.remote_id(entity, key).await? else { return Ok(None) };
        let system = open_system(self.context, self.connection).await?;
        let found = self.asked(&system, system.get(entity, &[id])).await?;
        Ok(self.shown(entity, found).await?.pop())
    }

    /// A page of records as the system lists them. Rows that cannot be mapped are left out, as by a
    /// sync.
    ///
    /// # Errors
    /// What the system says; `CONNECTION_UNAVAILABLE` when it says nothing in time.
    pub async fn list(&self, query: LiveQuery<'_>) -> Result<LivePage> {
        let LiveQuery { entity, filters, position, limit } = query;
        let system = open_system(self.context, self.connection).await?;
        let Pulled { mut records, faults, next, .. } = match self.named(entity, filters).await? {
            Some(ids) => {
                let Found { records, faults } =
                    self.asked(&system, system.find(entity, &ids)).await?;
                Pulled { records, faults, ..Pulled::default() }
            }
            None => {
                let page_size = u32::try_from(limit).unwrap_or(u32::MAX);
                let pull = Pull { position, page_size, ..Pull::default() };
                self.asked(&system, system.pull(entity, &pull)).await?
            }
        };
        if !faults.is_empty() {
            tracing::warn!(entity, rows = faults.len(), "rows left out of a live list");
        }
        records.retain(|record| filters.admit(&record.record));
        Ok(LivePage { records: self.shown(entity, records).await?, next })
    }

    /// Puts the system's own rows into the `meta.raw` of records: those that are kept with them, if
    /// `kept` says so, and the others as the system has them now; null where neither has one.
    ///
    /// # Errors
    /// What the system says; `CONNECTION_UNAVAILABLE` when it says nothing in time.
    pub async fn add_raw(&self, entity: &str, records: &mut [Value], kept: bool) -> Result<()> {
        let id = |record: &Value| record["remoteId"].as_str().map(str::to_owned);
        let mut rows = match kept {
            true => self.kept_raw(entity, records.iter().filter_map(id)).await?,
            false => HashMap::new(),
        };
        let there = records.iter().filter(|record| record.get("deletedAt").is_none());
        let ids = there.filter_map(id).filter(|id| !rows.contains_key(id));
        let ids: Vec<String> = ids.collect();
        if !ids.is_empty() {
            let system = open_system(self.context, self.connection).await?;
            rows.extend(self.asked(&system, system.raw(entity, &ids)).await?);
        }
        for record in records {
            let row = id(record).and_then(|id| rows.get(&id).cloned());
            record["meta"]["raw"] = row.unwrap_or_default();
        }
        Ok(())
    }

    /// The rows that are kept with records, by their remote ids.
    async fn kept_raw(
        &self,
        entity: &str,
        ids: impl Iterator<Item = String>,
    ) -> Result<HashMap<String, Value>> {
        let key =
            |id: String| self.scope.record(entity, &record_key(&self.connection.id, entity, &id));
        let keys: Vec<Key> = ids.map(key).collect();
        let rows = self.context.store.get_docs::<RecordDoc>(&keys).await?;
        let kept = rows.into_iter().filter_map(|row| Some((row.doc.remote_id, row.doc.raw?)));
        kept.map(|(id, raw)| Ok((id, raw.row()?))).collect()
    }

    /// The remote ids of the one record that the filters name, if they name one.
    async fn named(&self, entity: &str, filters: &Filters) -> Result<Option<Vec<String>>> {
        if let Some(id) = filters.exactly("remoteId") {
            return Ok(Some(vec![id.to_owned()]));
        }
        match filters.exactly("key") {
            Some(key) => Ok(Some(self.remote_id(entity, key).await?.into_iter().collect())),
            None => Ok(None),
        }
    }

    async fn remote_id(&self, entity: &str, key: &str) -> Result<Option<String>> {
        if !is_record_key(key) {
            return Ok(None);
        }
        let row = self.context.store.get_doc::<RecordDoc>(&self.scope.record(entity, key)).await?;
        Ok(row.map(|row| row.doc.remote_id))
    }

    async fn asked<T>(
        &self,
        system: &System,
        call: impl Future<Output = Result<T, SystemError>>,
    ) -> Result<T> {
        self.patience.answer(self.context, self.connection, system, call).await
    }

    /// Live records as the API shows them, with what is known of those that are kept.
    async fn shown(&self, entity: &str, records: Vec<SourceRecord>) -> Result<Vec<Value>> {
        let key =
            |record: &SourceRecord| record_key(&self.connection.id, entity, &record.remote_id);
        let keys: Vec<Key> =
            records.iter().map(|record| self.scope.record(entity, &key(record))).collect();
        let whole = records.iter().any(|record| !record.unshown.is_empty());
        let kept = match whole {
            true => self.context.store.get_all::<RecordDoc>(&keys).await?,
            false => self.context.store.get_docs::<RecordDoc>(&keys).await?,
        };
        let kept: HashMap<&str, &Row<RecordDoc>> =
            kept.iter().map(|row| (row.key.sk.as_str(), row)).collect();
        let with_meta = |mut record: SourceRecord| {
            let known = kept.get(key(&record).as_str());
            fill(&mut record, known.and_then(|row| row.body.as_deref()))?;
            with_live_meta(entity, record.record, known.map(|row| &row.doc))
        };
        records.into_iter().map(with_meta).collect()
    }
}

/// A live record. Its etag is that of what the system has now; the times are those of what is kept.
fn with_live_meta(
    entity: &str,
    mut record: Map<String, Value>,
    known: Option<&RecordDoc>,
) -> Result<Value> {
    let mut meta = json!({ "etag": content_hash(entity, &record)? });
    if let Some(doc) = known {
        meta["first_seen_at"] = json!(doc.first_seen_at.iso());
        meta["changed_at"] = json!(doc.changed_at.iso());
    }
    record.insert("meta".to_owned(), meta);
    Ok(Value::Object(record))
}
