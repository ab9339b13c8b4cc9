//! Reading records: one, or a list.
//!
//! A list goes through an entity's records in one of three ways ([`access`]): in the order of their
//! keys, in the order in which they changed, or in the order of one of the source's times. On the way
//! it leaves out what is not wanted, and stops after a bounded effort, so a page may be short, even
//! empty, while there is more.

mod access;
mod by_feed;
mod by_key;
mod by_order;
mod page;

use millwright_core::{Error, ErrorCode, Result, WallTime};
use millwright_entities::record_key;
use millwright_store::{Order, Row, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Filters, RecordDoc, Scope, Seq, filter::is_record_key};
use access::{Access, choose};
use page::Gathered;

/// What to list.
#[derive(Clone, Debug)]
pub struct RecordQuery<'a> {
    /// The entity.
    pub entity: &'a str,
    /// Which of its records.
    pub wanted: Wanted,
    /// In which order; nothing leaves it to the list.
    pub sort: Option<Sort>,
    /// Where to go on.
    pub after: Option<ListPlace>,
    /// The most records.
    pub limit: usize,
    /// The most records to examine.
    pub effort: usize,
}

/// Which records of an entity.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Conditions on their fields.
    pub filters: Filters,
    /// Only records changed at this time or later, by Millwright's own clock.
    pub modified_after: Option<WallTime>,
    /// Only records first seen at this time or later, by Millwright's own clock.
    pub created_after: Option<WallTime>,
    /// Those that are gone as well.
    pub deleted: bool,
}

/// An order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By which of the source's times. Records without it come first.
    pub by: Order,
    /// The other way round.
    pub descending: bool,
}

/// Where a list of records goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListPlace {
    /// After this key, in the order of keys.
    Key(String),
    /// After this place in the feed.
    Feed(Seq),
    /// After this place in an order.
    Order(String),
}

/// A page of records.
#[derive(Debug)]
pub struct RecordPage {
    /// The records as the API shows them.
    pub records: Vec<Value>,
    /// Where to go on, when there is more.
    pub next: Option<ListPlace>,
}

impl Wanted {
    /// Whether nothing is left out but what is gone.
    fn is_everything(&self) -> bool {
        self.filters.is_empty() && self.modified_after.is_none() && self.created_after.is_none()
    }

    /// The record, if it is wanted.
    fn pick(&self, row: &Row<RecordDoc>) -> Result<Option<Value>> {
        let doc = &row.doc;
        let there = self.deleted || doc.deleted_at.is_none();
        let recent = self.modified_after.is_none_or(|since| doc.changed_at >= since)
            && self.created_after.is_none_or(|since| doc.first_seen_at >= since);
        if !there || !recent {
            return Ok(None);
        }
        let record = content(row)?;
        let wanted = self.filters.admit(&record);
        Ok(wanted.then(|| with_meta(record, doc)))
    }
}

/// Reads one record: nothing when there is none, or when it is gone and `deleted` is false.
///
/// # Errors
/// When the table fails.
pub async fn get_record(
    store: &Store,
    scope: &Scope,
    entity: &str,
    key: &str,
    deleted: bool,
) -> Result<Option<Value>> {
    if !is_record_key(key) {
        return Ok(None);
    }
    let row = store.get::<RecordDoc>(&scope.record(entity, key)).await?;
    let row = row.filter(|row| deleted || row.doc.deleted_at.is_none());
    row.map(|row| record_json(&row)).transpose()
}

/// Lists records.
///
/// # Errors
/// `CURSOR_INVALID` for a place that this list cannot have given out; when the table fails.
pub async fn list_records(
    store: &Store,
    scope: &Scope,
    query: &RecordQuery<'_>,
) -> Result<RecordPage> {
    let now = store.clock().wall();
    match choose(query, now).ok_or_else(no_such_place)? {
        Access::One => one(store, scope, query).await,
        Access::Keys(after) => by_key::list(store, scope, query, after).await,
        Access::Feed(after) => by_feed::list(store, scope, query, after).await,
        Access::Order(order) => by_order::list(store, scope, query, order).await,
    }
}

/// The record that the filters name by its key or its remote id.
async fn one(store: &Store, scope: &Scope, query: &RecordQuery<'_>) -> Result<RecordPage> {
    let filters = &query.wanted.filters;
    let by_remote_id = |id: &str| record_key(&scope.connection, query.entity, id);
    let key = filters.exactly("key").map(str::to_owned);
    let key = key.or_else(|| filters.exactly("remoteId").map(by_remote_id));
    let key = key.ok_or_else(|| Error::internal("a look-up of no record"))?;
    let row = store.get::<RecordDoc>(&scope.record(query.entity, &key)).await?;
    let record = row.map(|row| query.wanted.pick(&row)).transpose()?.flatten();
    Ok(RecordPage { records: record.into_iter().collect(), next: None })
}

fn no_such_place() -> Error {
    Error::new(ErrorCode::CursorInvalid, "the cursor is not one this list has given out")
}

/// The record as the API shows it: its content and `meta`.
///
/// # Errors
/// When the row's content is damaged.
pub fn record_json(row: &Row<RecordDoc>) -> Result<Value> {
    Ok(with_meta(content(row)?, &row.doc))
}

fn content(row: &Row<RecordDoc>) -> Result<Map<String, Value>> {
    let body = row.body.as_deref().unwrap_or("{}");
    serde_json::from_str(body)
        .map_err(|e| Error::internal(format!("the record {:?} is damaged: {e}", row.key)))
}

/// A record's content with what Millwright knows of it.
pub(crate) fn with_meta(mut record: Map<String, Value>, doc: &RecordDoc) -> Value {
    if let Some(at) = doc.deleted_at {
        record.insert("deletedAt".to_owned(), json!(at.iso()));
    }
    let meta = json!({
        "first_seen_at": doc.first_seen_at.iso(),
        "changed_at": doc.changed_at.iso(),
        "etag": doc.hash,
    });
    record.insert("meta".to_owned(), meta);
    Value::Object(record)
}
