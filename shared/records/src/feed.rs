//! Reading the feed.

use std::collections::HashMap;

use millwright_core::{Error, ErrorCode, Result, WallTime};
use millwright_store::{Key, Range, Row, Store, Table};
use serde_json::Value;

use crate::{
    Entry, FEED_RETENTION, FeedHead, FeedPage, Op, Origin, RecordDoc, Scope, Seq, feed_pk,
    record_json,
};

/// Pages read at a time.
const PAGES_AT_ONCE: usize = 8;
/// Entries examined before a read answers with what it has.
const EXAMINED_MAX: usize = 5_000;

/// A change as the feed tells it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its place.
    pub seq: Seq,
    /// The entity.
    pub entity: String,
    /// The record's key.
    pub key: String,
    /// What happened.
    pub op: Op,
    /// Where it came from.
    pub origin: Origin,
    /// When Millwright noticed.
    pub changed_at: WallTime,
    /// The record as it is now; nothing when it is gone.
    pub record: Option<Value>,
}

/// A stretch of the feed.
#[derive(Debug)]
pub struct ChangePage {
    /// The changes, in the feed's order.
    pub changes: Vec<Change>,
    /// Where to go on.
    pub next: Seq,
    /// Whether there is more at once.
    pub has_more: bool,
}

/// Reads up to `limit` changes after `after` (from the beginning when nothing), of one entity or of
/// all. Entries that a later page replaces are passed over, so each record shows in its latest state.
///
/// # Errors
/// `CURSOR_EXPIRED` when the place is older than the feed is kept.
pub async fn read_changes(
    store: &Store,
    scope: &Scope,
    entity: Option<&str>,
    after: Option<Seq>,
    limit: usize,
) -> Result<ChangePage> {
    let now = store.clock().wall();
    refuse_expired(after, now)?;
    // Pages are read up to the head that was there first: a query is no snapshot, and could otherwise
    // show a page whose forerunner it had already passed.
    let head = store.get::<FeedHead>(&scope.head()).await?;
    let head = head.map_or(Seq::default(), |row| row.doc.last);
    let mut reader = Reader { store, scope, entity, limit, changes: Vec::new(), examined: 0 };
    let mut at = after.unwrap_or_default();
    while at < head && !reader.is_full() {
        let pages = reader.pages(at, head).await?;
        if pages.is_empty() {
            at = head;
        }
        for page in pages {
            at = reader.take(&page, at).await?;
            if reader.is_full() {
                break;
            }
        }
    }
    Ok(ChangePage { changes: reader.changes, next: at, has_more: at < head })
}

struct Reader<'a> {
    store: &'a Store,
    scope: &'a Scope,
    entity: Option<&'a str>,
    limit: usize,
    changes: Vec<Change>,
    examined: usize,
}

impl Reader<'_> {
    fn is_full(&self) -> bool {
        self.changes.len() >= self.limit || self.examined >= EXAMINED_MAX
    }

    async fn pages(&self, after: Seq, head: Seq) -> Result<Vec<FeedPage>> {
        let pk = feed_pk(&self.scope.workspace, &self.scope.connection);
        let range = Range::Between(after.plus(1).sort_key(), head.sort_key());
        let page = self.store.query(Table::Records, &pk, &range, None, PAGES_AT_ONCE, true).await?;
        Ok(page.rows.into_iter().map(|row: Row<FeedPage>| row.doc).collect())
    }

    /// Takes what is current of a page's entries after `after`; answers how far it came.
    async fn take(&mut self, page: &FeedPage, after: Seq) -> Result<Seq> {
        let placed = (0..).map(|i| page.first.plus(i)).zip(&page.entries);
        let entries: Vec<(Seq, &Entry)> = placed.filter(|(seq, _)| *seq > after).collect();
        if self.entity.is_some_and(|entity| entity != page.entity) {
            self.examined += 1;
            return Ok(page.last());
        }
        let wanted = self.limit - self.changes.len();
        let mut came_to = after;
        for chunk in entries.chunks(wanted.clamp(1, 100)) {
            if self.is_full() {
                break;
            }
            let rows = self.rows(page, chunk).await?;
            for (seq, entry) in chunk {
                if self.changes.len() >= self.limit {
                    return Ok(came_to);
                }
                self.examined += 1;
                came_to = *seq;
                let current = rows.get(&entry.key).filter(|row| row.doc.commit == page.commit);
                if let Some(row) = current {
                    self.changes.push(change(*seq, page, entry, row)?);
                }
            }
        }
        Ok(came_to)
    }

    async fn rows(
        &self,
        page: &FeedPage,
        entries: &[(Seq, &Entry)],
    ) -> Result<HashMap<String, Row<RecordDoc>>> {
        let keys: Vec<Key> =
            entries.iter().map(|(_, entry)| self.scope.record(&page.entity, &entry.key)).collect();
        let rows = self.store.get_all::<RecordDoc>(&keys).await?;
        Ok(rows.into_iter().map(|row| (row.key.sk.clone(), row)).collect())
    }
}

fn change(seq: Seq, page: &FeedPage, entry: &Entry, row: &Row<RecordDoc>) -> Result<Change> {
    let gone = row.doc.deleted_at.is_some();
    Ok(Change {
        seq,
        entity: page.entity.clone(),
        key: entry.key.clone(),
        op: entry.op,
        origin: page.origin,
        changed_at: row.doc.changed_at,
        record: if gone { None } else { Some(record_json(row)?) },
    })
}

fn refuse_expired(after: Option<Seq>, now: WallTime) -> Result<()> {
    // The beginning is always allowed: it means "whatever is kept".
    if after.is_some_and(|after| after > Seq::default() && after.time() < now - FEED_RETENTION) {
        let message =
            "the cursor is older than the 90 days the feed is kept; list the records again";
        return Err(Error::new(ErrorCode::CursorExpired, message));
    }
    Ok(())
}
