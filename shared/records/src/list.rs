//! Reading records: one, or a list.

use millwright_core::{Error, Result, WallTime};
use millwright_store::{Range, Row, Store, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{FEED_RETENTION, RecordDoc, Scope, Seq, read_changes, records_pk};

/// What to list.
#[derive(Clone, Debug)]
pub struct RecordQuery<'a> {
    /// The entity.
    pub entity: &'a str,
    /// Only records changed at this time or later, by Millwright's own clock.
    pub modified_after: Option<WallTime>,
    /// Where to go on.
    pub after: Option<Place>,
    /// The most records.
    pub limit: usize,
}

/// Where a list of records goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// After this key, in the order of keys.
    Key(String),
    /// After this place in the feed.
    Feed(Seq),
}

/// A page of records.
#[derive(Debug)]
pub struct RecordPage {
    /// The records as the API shows them.
    pub records: Vec<Value>,
    /// Where to go on, when there is more.
    pub next: Option<Place>,
}

/// Reads one record: nothing when there is none or it is gone.
///
/// # Errors
/// When the table fails.
pub async fn get_record(
    store: &Store,
    scope: &Scope,
    entity: &str,
    key: &str,
) -> Result<Option<Value>> {
    let row = store.get::<RecordDoc>(&scope.record(entity, key)).await?;
    row.filter(|row| row.doc.deleted_at.is_none()).map(|row| record_json(&row)).transpose()
}

/// Lists records: in the order of their keys, or, with `modified_after`, in the order in which they
/// changed. The feed answers the latter, strongly and without an index; what changed before the feed
/// begins is looked for in the order of keys.
///
/// # Errors
/// When the table fails.
pub async fn list_records(
    store: &Store,
    scope: &Scope,
    query: &RecordQuery<'_>,
) -> Result<RecordPage> {
    let kept_from = store.clock().wall() - FEED_RETENTION;
    match (&query.after, query.modified_after) {
        (Some(Place::Feed(after)), _) => by_change(store, scope, query, *after).await,
        (None, Some(since)) if since > kept_from => {
            by_change(store, scope, query, Seq::before(since)).await
        }
        (Some(Place::Key(after)), since) => by_key(store, scope, query, Some(after), since).await,
        (None, since) => by_key(store, scope, query, None, since).await,
    }
}

async fn by_change(
    store: &Store,
    scope: &Scope,
    query: &RecordQuery<'_>,
    after: Seq,
) -> Result<RecordPage> {
    let page = read_changes(store, scope, Some(query.entity), Some(after), query.limit).await?;
    let next = page.has_more.then_some(Place::Feed(page.next));
    Ok(RecordPage { records: page.changes.into_iter().filter_map(|c| c.record).collect(), next })
}

async fn by_key(
    store: &Store,
    scope: &Scope,
    query: &RecordQuery<'_>,
    after: Option<&String>,
    since: Option<WallTime>,
) -> Result<RecordPage> {
    let pk = records_pk(&scope.workspace, &scope.connection, query.entity);
    let after = after.map(String::as_str);
    let page = store
        .query::<RecordDoc>(Table::Records, &pk, &Range::All, after, query.limit, true)
        .await?;
    let live = page.rows.iter().filter(|row| row.doc.deleted_at.is_none());
    let wanted = live.filter(|row| since.is_none_or(|since| row.doc.changed_at >= since));
    let records = wanted.map(record_json).collect::<Result<_>>()?;
    Ok(RecordPage { records, next: page.next.map(Place::Key) })
}

/// The record as the API shows it: its content and `meta`.
///
/// # Errors
/// When the row's content is damaged.
pub fn record_json(row: &Row<RecordDoc>) -> Result<Value> {
    let body = row.body.as_deref().unwrap_or("{}");
    let record = serde_json::from_str(body)
        .map_err(|e| Error::internal(format!("the record {:?} is damaged: {e}", row.key)))?;
    Ok(with_meta(record, &row.doc))
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
