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
/// Rows read at a time: one may hold 380 KB.
const ROWS_AT_ONCE: usize = 25;
/// Bytes of records in one answer: an HTTP API's answer holds 6 MB (Lambda quotas).
const BYTES_MAX: usize = 3 * 1024 * 1024;
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
    let bounds = (limit, EXAMINED_MAX);
    let pick = |place: At<'_>, row: &Row<RecordDoc>| change(place, row).map(Some);
    let page = read_feed(store, scope, entity, after, bounds, pick).await?;
    Ok(ChangePage { changes: page.taken, next: page.next, has_more: page.has_more })
}

/// What was taken of a stretch of the feed.
pub(crate) struct FeedStretch<T> {
    /// What was taken, in the feed's order.
    pub taken: Vec<T>,
    /// Where to go on.
    pub next: Seq,
    /// Whether there is more at once.
    pub has_more: bool,
}

/// An entry's place.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    /// Its sequence.
    seq: Seq,
    /// Its page.
    page: &'a FeedPage,
    /// The entry.
    entry: &'a Entry,
}

/// Reads the feed after `after` and takes what `pick` makes of the entries that no later page
/// replaces, until it has as much as it may take, or has examined as much as it may (`bounds`).
///
/// # Errors
/// `CURSOR_EXPIRED` when the place is older than the feed is kept.
pub(crate) async fn read_feed<T, F>(
    store: &Store,
    scope: &Scope,
    entity: Option<&str>,
    after: Option<Seq>,
    (limit, effort): (usize, usize),
    pick: F,
) -> Result<FeedStretch<T>>
where
    F: Fn(At<'_>, &Row<RecordDoc>) -> Result<Option<T>>,
{
    let now = store.clock().wall();
    // Pages are read up to the head that was there first: a query is no snapshot, and could otherwise
    // show a page whose forerunner it had already passed.
    let head = store.get::<FeedHead>(&scope.head()).await?;
    let head = head.map_or(Seq::default(), |row| row.doc.last);
    let taken = Vec::new();
    let mut reader =
        Reader { store, scope, entity, limit, effort, pick, taken, examined: 0, bytes: 0 };
    let mut at = after.unwrap_or_default();
    if at < head {
        refuse_expired(after, now)?;
    }
    while at < head && !reader.is_full() {
        at = reader.read_on(at, head).await?;
    }
    Ok(FeedStretch { taken: reader.taken, next: at, has_more: at < head })
}

struct Reader<'a, T, F> {
    store: &'a Store,
    scope: &'a Scope,
    entity: Option<&'a str>,
    limit: usize,
    effort: usize,
    pick: F,
    taken: Vec<T>,
    examined: usize,
    bytes: usize,
}

/// Pages of a feed, and how far they reach.
#[derive(Debug)]
pub struct Pages {
    /// The pages that are still kept.
    pub pages: Vec<FeedPage>,
    /// The place up to which there are no others.
    pub reach: Seq,
}

/// Reads some pages after `after` and up to `head`. Pages past their end are passed over: the table
/// removes them late, and may have many of them before the first that is kept.
///
/// # Errors
/// When the table fails.
pub async fn read_pages(
    store: &Store,
    scope: &Scope,
    after: Seq,
    head: Seq,
    limit: usize,
) -> Result<Pages> {
    let pk = feed_pk(&scope.workspace, &scope.connection);
    let range = Range::Between(after.plus(1).sort_key(), head.sort_key());
    let read = store.query(Table::Records, &pk, &range, None, limit, true).await?;
    let reach = read.next.as_deref().and_then(Seq::of_sort_key).unwrap_or(head);
    let pages = read.rows.into_iter().map(|row: Row<FeedPage>| row.doc).collect();
    Ok(Pages { pages, reach })
}

impl<T, F> Reader<'_, T, F>
where
    F: Fn(At<'_>, &Row<RecordDoc>) -> Result<Option<T>>,
{
    fn is_full(&self) -> bool {
        self.taken.len() >= self.limit || self.examined >= self.effort || self.bytes >= BYTES_MAX
    }

    /// Reads on from `after`; answers how far it came.
    async fn read_on(&mut self, after: Seq, head: Seq) -> Result<Seq> {
        let read = read_pages(self.store, self.scope, after, head, PAGES_AT_ONCE).await?;
        let mut at = after;
        for page in &read.pages {
            at = self.take(page, at).await?;
            if at < page.last() || self.is_full() {
                return Ok(at);
            }
        }
        Ok(read.reach.max(at))
    }

    /// Takes what is current of a page's entries after `after`; answers how far it came.
    async fn take(&mut self, page: &FeedPage, after: Seq) -> Result<Seq> {
        let placed = (0..).map(|i| page.first.plus(i)).zip(&page.entries);
        let entries: Vec<(Seq, &Entry)> = placed.filter(|(seq, _)| *seq > after).collect();
        if self.entity.is_some_and(|entity| entity != page.entity) {
            self.examined += 1;
            return Ok(page.last());
        }
        let wanted = self.limit - self.taken.len();
        let mut came_to = after;
        for chunk in entries.chunks(wanted.clamp(1, ROWS_AT_ONCE)) {
            if self.is_full() {
                break;
            }
            let rows = self.rows(page, chunk).await?;
            for (seq, entry) in chunk {
                if self.is_full() {
                    return Ok(came_to);
                }
                self.examined += 1;
                came_to = *seq;
                let current = rows.get(&entry.key).filter(|row| row.doc.commit == page.commit);
                if let Some(row) = current {
                    let taken = (self.pick)(At { seq: *seq, page, entry }, row)?;
                    self.bytes +=
                        row.body.as_ref().filter(|_| taken.is_some()).map_or(0, String::len);
                    self.taken.extend(taken);
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

fn change(At { seq, page, entry }: At<'_>, row: &Row<RecordDoc>) -> Result<Change> {
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
