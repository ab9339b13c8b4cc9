//! In the order of one of the source's times, by an index that trails the table. Rows are read
//! strongly, so that what is shown is current and meets the conditions; only their places can be old.
//! Records that were written through the API a moment ago are looked up beside the index: an accepted
//! write shows in the next read.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use millwright_core::Result;
use millwright_store::{self as store, Key, Row, Store};
use serde_json::Value;

use super::{Gathered, ListPlace, RecordPage, RecordQuery, access::Ordered};
use crate::{
    FeedHead, Origin, RecordDoc, Scope, Seq,
    feed::{Pages, read_pages},
    records_pk,
};

/// How long an index may need for a write: usually it takes a fraction of a second (DynamoDB guide on
/// global secondary indexes).
const INDEX_LAG: Duration = Duration::from_secs(10);
/// Pages of the feed that are looked through for recent writes.
const RECENT_PAGES: usize = 50;
/// Rows read at a time: one may hold 380 KB.
const ROWS_AT_ONCE: usize = 50;

/// A record and its place.
struct Placed {
    at: String,
    record: Value,
}

pub(super) async fn list(
    store: &Store,
    scope: &Scope,
    query: &RecordQuery<'_>,
    ordered: Ordered,
) -> Result<RecordPage> {
    let mut walk = Walk::new(store, scope, query, ordered);
    while !walk.is_over() {
        walk.step().await?;
    }
    let recent = recent_writes(store, scope, query.entity).await?;
    walk.add(recent)?;
    Ok(walk.page())
}

/// A walk along the order.
struct Walk<'a> {
    store: &'a Store,
    query: &'a RecordQuery<'a>,
    pk: String,
    ordered: Ordered,
    began_after: Option<String>,
    found: Gathered,
    places: Vec<String>,
    seen: HashSet<String>,
    more: bool,
}

impl<'a> Walk<'a> {
    fn new(store: &'a Store, scope: &Scope, query: &'a RecordQuery<'a>, ordered: Ordered) -> Self {
        Self {
            store,
            query,
            pk: records_pk(&scope.workspace, &scope.connection, query.entity),
            began_after: ordered.after.clone(),
            ordered,
            found: Gathered::default(),
            places: Vec::new(),
            seen: HashSet::new(),
            more: true,
        }
    }

    fn is_over(&self) -> bool {
        let enough = self.found.is_full(self.query.limit);
        !self.more || enough || self.found.is_spent(self.query.effort)
    }

    /// Goes on by some entries.
    async fn step(&mut self) -> Result<()> {
        let after = self.ordered.after.as_ref().map(|at| entry(&self.pk, at));
        let Ordered { order, stretch, .. } = &self.ordered;
        let (entries, more) =
            self.store.ordered(*order, &self.pk, stretch, after.as_ref(), ROWS_AT_ONCE).await?;
        let keys: Vec<Key> = entries.iter().map(|entry| entry.key.clone()).collect();
        let rows = self.store.get_all::<RecordDoc>(&keys).await?;
        let rows: HashMap<&str, &Row<RecordDoc>> =
            rows.iter().map(|row| (row.key.sk.as_str(), row)).collect();
        self.more = more;
        for entry in entries {
            if self.found.is_full(self.query.limit) {
                self.more = true;
                return Ok(());
            }
            // A row whose place has changed shows at the old one: it might otherwise be missed.
            if let Some(row) = rows.get(entry.key.sk.as_str())
                && self.seen.insert(entry.key.sk.clone())
            {
                self.take(row, entry.at.clone())?;
            }
            self.ordered.after = Some(entry.at);
        }
        Ok(())
    }

    fn take(&mut self, row: &Row<RecordDoc>, at: String) -> Result<()> {
        let record = self.query.wanted.pick(row)?;
        if record.is_some() {
            self.places.push(at);
        }
        self.found.take(row, record);
        Ok(())
    }

    /// Adds rows that the index may not have yet, as far as they belong where this walk has been.
    fn add(&mut self, rows: Vec<Row<RecordDoc>>) -> Result<()> {
        for row in rows {
            let at = row.doc.source.place(self.ordered.order).at(&row.key);
            if self.has_passed(&at) && !self.seen.contains(&row.key.sk) {
                self.take(&row, at)?;
            }
        }
        Ok(())
    }

    /// Whether a place lies in the stretch, after where this walk began and not after where it ended.
    fn has_passed(&self, at: &str) -> bool {
        let stretch = &self.ordered.stretch;
        let within = stretch.from.as_str() <= at && at <= stretch.to.as_str();
        let began = self.began_after.as_deref().is_none_or(|began| self.is_before(began, at));
        let ended = self.ordered.after.as_deref().filter(|_| self.more);
        within && began && ended.is_none_or(|ended| !self.is_before(ended, at))
    }

    fn is_before(&self, left: &str, right: &str) -> bool {
        if self.ordered.stretch.forward { left < right } else { left > right }
    }

    /// The page: in order, and no longer than it may be.
    fn page(self) -> RecordPage {
        let forward = self.ordered.stretch.forward;
        let placed = self.places.into_iter().zip(self.found.records);
        let mut placed: Vec<Placed> = placed.map(|(at, record)| Placed { at, record }).collect();
        placed.sort_by(|left, right| {
            let order = left.at.cmp(&right.at);
            if forward { order } else { order.reverse() }
        });
        let cut = placed.len() > self.query.limit;
        placed.truncate(self.query.limit);
        let last_shown = placed.last().map(|placed| placed.at.clone()).filter(|_| cut);
        let next = last_shown.or_else(|| self.ordered.after.filter(|_| self.more));
        let records = placed.into_iter().map(|placed| placed.record).collect();
        RecordPage { records, next: next.map(ListPlace::Order) }
    }
}

/// The entry at a place.
fn entry(pk: &str, at: &str) -> store::OrderEntry {
    let sk = at.rsplit('#').next().unwrap_or_default();
    store::OrderEntry { key: Key::records(pk, sk), at: at.to_owned() }
}

/// The rows of an entity that were written through the API within the time that an index may need.
async fn recent_writes(store: &Store, scope: &Scope, entity: &str) -> Result<Vec<Row<RecordDoc>>> {
    let head = store.get::<FeedHead>(&scope.head()).await?;
    let Some(head) = head.map(|row| row.doc.last) else { return Ok(Vec::new()) };
    let since = Seq::before(store.clock().wall() - INDEX_LAG);
    if since >= head {
        return Ok(Vec::new());
    }
    let Pages { pages, .. } = read_pages(store, scope, since, head, RECENT_PAGES).await?;
    let written = pages.iter().filter(|page| page.origin == Origin::Write && page.entity == entity);
    let keys: HashSet<&String> =
        written.flat_map(|page| &page.entries).map(|entry| &entry.key).collect();
    let keys: Vec<Key> = keys.into_iter().map(|key| scope.record(entity, key)).collect();
    Ok(store.get_all(&keys).await?)
}
