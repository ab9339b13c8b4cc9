//! Commits: rows first, then one transaction of page, head and checkpoint.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};
use millwright_connector::SourceRecord;
use millwright_core::{Error, Result, WallTime};
use millwright_queue::Queue;
use millwright_store::{Expect, Key, Row, Store, StoreError, Write};
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::{
    CommitId, Entry, KeptRaw, Op, Origin, RecordDoc, Scope, SourceTimes,
    append::{PageDraft, append},
    compare::{Verdict, judge},
    content::content_hash,
    gone::mark_gone,
    insert::insert_new,
    unshown::filled,
};

/// Rows of one commit that are put at the same time.
pub(crate) const PUTS_AT_ONCE: usize = 16;
/// The largest record kept, in bytes of JSON: a DynamoDB item holds 400 KB, keys and all.
pub(crate) const RECORD_MAX: usize = 380 * 1024;
/// How often a commit is begun again because another one moved the feed's head first.
pub(crate) const TRIES: u32 = 50;

/// A page of fetched records and of rows found to be gone.
#[derive(Debug)]
pub struct Pulled<'a> {
    /// Whose they are.
    pub scope: &'a Scope,
    /// Of which entity.
    pub entity: &'a str,
    /// The wall clock before the fetch began: newer writes win.
    pub fetch_started: WallTime,
    /// The same of records whose fetch began later than that, by their keys.
    pub later: HashMap<String, WallTime>,
    /// This commit.
    pub commit: CommitId,
    /// Commits of earlier pullers whose pages never came to be.
    pub unfinished: &'a [CommitId],
    /// Whether it is part of a first load.
    pub initial: bool,
    /// What was fetched.
    pub records: Vec<SourceRecord>,
    /// The rows whose records are gone from the source.
    pub gone: Vec<Row<RecordDoc>>,
    /// Remote ids of which the source says that they are gone. Ids without a row are ignored, and so
    /// is one whose record was fetched.
    pub deleted: Vec<String>,
    /// Rows that may be of an `unfinished` commit: what they hold is told as it stands, where they are.
    pub untold: Vec<Key>,
    /// How many days records are kept once they are gone; nothing for as long as the feed tells of them.
    pub kept_days: Option<u32>,
}

/// What a commit did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that were not there before.
    pub inserted: u64,
    /// Records that were different.
    pub updated: u64,
    /// Records that are gone.
    pub deleted: u64,
    /// Records that were as they are.
    pub unchanged: u64,
    /// Records that are too large to keep.
    pub skipped: u64,
}

/// What a commit did, and to which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Counted.
    pub tally: Tally,
    /// The keys of the fetched records whose rows hold just what was fetched, as far as this commit
    /// could tell: those that it put, and those that were so before.
    pub settled: Vec<String>,
    /// The remote ids of the fetched records that are too large to keep.
    pub too_large: Vec<String>,
}

impl Pulled<'_> {
    /// The wall clock before the fetch of a record began.
    pub(crate) fn fetch_of(&self, key: &str) -> WallTime {
        self.later.get(key).copied().unwrap_or(self.fetch_started)
    }
}

impl Tally {
    fn count(&mut self, op: Op) {
        match op {
            Op::Inserted => self.inserted += 1,
            Op::Updated => self.updated += 1,
            Op::Deleted => self.deleted += 1,
        }
    }
}

/// Why a commit did not happen.
#[derive(Debug)]
pub enum CommitError {
    /// Somebody else holds the lease now: this puller must stop.
    Fenced,
    /// Something failed; the commit may be tried again.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for CommitError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Commits a page together with the puller's own row, which `checkpoint` makes from the tally.
///
/// # Errors
/// `Fenced` when the puller's row was written by another.
pub async fn commit_pulled<F>(
    store: &Store,
    queue: &Queue,
    pulled: Pulled<'_>,
    checkpoint: F,
) -> Result<Tally, CommitError>
where
    F: FnOnce(&Tally) -> Result<Write>,
{
    let checkpoint = |done: &Committed| checkpoint(&done.tally);
    commit_compared(store, queue, pulled, checkpoint).await.map(|done| done.tally)
}

/// Like [`commit_pulled`], and tells of which records it is known now what their rows hold.
///
/// # Errors
/// `Fenced` when the puller's row was written by another.
pub async fn commit_compared<F>(
    store: &Store,
    queue: &Queue,
    pulled: Pulled<'_>,
    checkpoint: F,
) -> Result<Committed, CommitError>
where
    F: FnOnce(&Committed) -> Result<Write>,
{
    let mut done = Committed::default();
    let mut entries = put_changed(store, &pulled, &mut done).await?;
    entries.extend(mark_gone(store, &pulled, &mut done.tally).await?);
    entries.extend(tell_untold(store, &pulled, &mut done.tally).await?);
    let checkpoint = checkpoint(&done)?;
    if entries.is_empty() {
        return match store.write(checkpoint).await {
            Ok(_) => Ok(done),
            Err(StoreError::Conflict(_)) => Err(CommitError::Fenced),
            Err(error) => Err(error.into()),
        };
    }
    let page = PageDraft {
        commit: pulled.commit,
        entity: pulled.entity,
        origin: Origin::Sync,
        initial: pulled.initial,
        entries,
    };
    append(store, queue, pulled.scope, &page, &[checkpoint]).await?;
    Ok(done)
}

/// Puts the rows that differ and answers with their entries.
async fn put_changed(
    store: &Store,
    pulled: &Pulled<'_>,
    done: &mut Committed,
) -> Result<Vec<Entry>> {
    let mut fetched = by_key(&pulled.records)?;
    let mut outcomes = insert_new(store, pulled, &mut fetched).await?;
    let keys: Vec<Key> =
        fetched.keys().map(|key| pulled.scope.record(pulled.entity, key)).collect();
    let rows = store.get_docs::<RecordDoc>(&keys).await?;
    let rows: HashMap<String, Row<RecordDoc>> =
        rows.into_iter().map(|row| (row.key.sk.clone(), row)).collect();
    let judged: Vec<(String, Outcome)> = stream::iter(fetched)
        .map(|(key, record)| {
            let row = rows.get(&key).cloned();
            async move { put_one(store, pulled, &key, record, row).await.map(|done| (key, done)) }
        })
        .buffer_unordered(PUTS_AT_ONCE)
        .try_collect()
        .await?;
    outcomes.extend(judged);
    let mut entries = Vec::new();
    for (key, outcome) in outcomes {
        match outcome {
            Outcome::Put(op) => {
                done.tally.count(op);
                done.settled.push(key.clone());
                entries.push(Entry { key, op });
            }
            Outcome::Told(op) => {
                done.tally.count(op);
                entries.push(Entry { key, op });
            }
            Outcome::Same => {
                done.tally.unchanged += 1;
                done.settled.push(key);
            }
            Outcome::Left => done.tally.unchanged += 1,
            Outcome::TooLarge(remote_id) => {
                done.tally.skipped += 1;
                done.too_large.push(remote_id);
            }
        }
    }
    Ok(entries)
}

/// What became of a fetched record.
pub(crate) enum Outcome {
    /// The row holds what was fetched, since this commit.
    Put(Op),
    /// What the row held before is told by this commit.
    Told(Op),
    /// The row holds what was fetched, and did before.
    Same,
    /// The row holds what is newer.
    Left,
    /// It cannot be kept; its remote id.
    TooLarge(String),
}

/// Judges one record and puts its row. When somebody writes the row in between, it is judged again.
async fn put_one(
    store: &Store,
    pulled: &Pulled<'_>,
    key: &str,
    record: &SourceRecord,
    mut row: Option<Row<RecordDoc>>,
) -> Result<Outcome> {
    let row_key = pulled.scope.record(pulled.entity, key);
    for _ in 0..TRIES {
        let record = filled(store, &row_key, record).await?;
        let hash = content_hash(pulled.entity, &record.record)?;
        let body = serde_json::to_string(&record.record).map_err(Error::internal)?;
        if body.len() > RECORD_MAX {
            tracing::warn!(key, bytes = body.len(), "record too large to keep");
            return Ok(Outcome::TooLarge(record.remote_id.clone()));
        }
        let doc = row.as_ref().map(|row| &row.doc);
        let raw = KeptRaw::of(&record, body.len())?;
        let (done, next) = match judge(doc, &hash, pulled.fetch_of(key), pulled.unfinished) {
            Verdict::Changed(op) => {
                let next = changed_doc(store, pulled, key, row.as_ref(), &record, &hash);
                (Outcome::Put(op), RecordDoc { raw, ..next })
            }
            Verdict::Unchanged => match doc.filter(|doc| record.raw.is_some() && doc.raw != raw) {
                None => return Ok(Outcome::Same),
                // Only the system's row is another one: that is kept, and is no change to tell of.
                Some(doc) => (Outcome::Same, RecordDoc { raw, ..doc.clone() }),
            },
            Verdict::WrittenSince => return Ok(Outcome::Left),
            Verdict::Untold => return tell_again(store, pulled, &row_key).await,
        };
        let write = Write::put_with_body(&row_key, &next, Some(&body), expect(row.as_ref()))?;
        // A task for each: while one is made ready another is on its way.
        let table = store.clone();
        match task(async move { table.write(write).await }).await? {
            Ok(_) => return Ok(done),
            Err(StoreError::Conflict(_)) => row = store.get_doc(&row_key).await?,
            Err(error) => return Err(error.into()),
        }
        // The put itself may have been the first to arrive, with its answer lost.
        if row.as_ref().is_some_and(|row| row.doc.commit == pulled.commit) {
            return Ok(done);
        }
    }
    Err(Error::internal("a record changed too often to be put"))
}

/// The document of a row that holds what was fetched from now on.
pub(crate) fn changed_doc(
    store: &Store,
    pulled: &Pulled<'_>,
    key: &str,
    row: Option<&Row<RecordDoc>>,
    record: &SourceRecord,
    hash: &str,
) -> RecordDoc {
    let now = store.clock().wall();
    RecordDoc {
        known_before: row.is_some_and(|row| row.doc.is_known(pulled.unfinished)),
        fetched_at: Some(pulled.fetch_of(key).min(now)),
        kept_days: pulled.kept_days,
        ..next_doc(row, record, hash, pulled.commit.clone(), now)
    }
}

/// Does something in a task of its own, which ends with whoever waits for it: nothing of a commit that has
/// failed goes on.
pub(crate) async fn task<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    let ended = tasks.join_next().await;
    ended.ok_or_else(|| Error::internal("a task was not begun"))?.map_err(Error::internal)
}

/// Takes a row as it stands into this commit: the one that put it never came to be.
async fn tell_again(store: &Store, pulled: &Pulled<'_>, row_key: &Key) -> Result<Outcome> {
    let mut tried = None;
    for _ in 0..TRIES {
        let Some(mut row) = store.get::<RecordDoc>(row_key).await? else { break };
        if !pulled.unfinished.contains(&row.doc.commit) {
            // The put may have been made all the same, its answer having been lost.
            let mine = tried.filter(|_| row.doc.commit == pulled.commit);
            return Ok(mine.map_or(Outcome::Left, Outcome::Told));
        }
        let op = row.doc.op();
        row.doc.commit = pulled.commit.clone();
        if row.doc.deleted_at.is_some() {
            // It stays as long as the page that tells of it now.
            row.doc.changed_at = store.clock().wall();
        }
        match store.write(Write::replace(&row)?).await {
            Ok(_) => return Ok(Outcome::Told(op)),
            Err(StoreError::Conflict(_)) => tried = Some(op),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Outcome::Left)
}

/// Takes rows as they stand into this commit, whose own commits never came to be.
async fn tell_untold(store: &Store, pulled: &Pulled<'_>, tally: &mut Tally) -> Result<Vec<Entry>> {
    let told: Vec<(&Key, Outcome)> = stream::iter(&pulled.untold)
        .map(|key| async move { tell_again(store, pulled, key).await.map(|told| (key, told)) })
        .buffer_unordered(PUTS_AT_ONCE)
        .try_collect()
        .await?;
    let entry = |(key, told): (&Key, Outcome)| match told {
        Outcome::Told(op) => Some(Entry { key: key.sk.clone(), op }),
        _ => None,
    };
    let entries: Vec<Entry> = told.into_iter().filter_map(entry).collect();
    entries.iter().for_each(|entry| tally.count(entry.op));
    Ok(entries)
}

/// The fetched records by key; of several with one key the last fetched stands.
fn by_key(records: &[SourceRecord]) -> Result<HashMap<String, &SourceRecord>> {
    records.iter().map(|record| Ok((record_key(&record.record)?.to_owned(), record))).collect()
}

/// The key in a mapped record.
pub(crate) fn record_key(record: &Map<String, Value>) -> Result<&str> {
    let key = record.get("key").and_then(Value::as_str);
    key.ok_or_else(|| Error::internal("a mapped record has no key"))
}

/// What a write expects of a row that was read, or was not there.
pub(crate) fn expect(row: Option<&Row<RecordDoc>>) -> Expect {
    row.map_or(Expect::Absent, |row| Expect::Version(row.version))
}

/// The row's document once it holds this record.
pub(crate) fn next_doc(
    row: Option<&Row<RecordDoc>>,
    record: &SourceRecord,
    hash: &str,
    commit: CommitId,
    now: WallTime,
) -> RecordDoc {
    RecordDoc {
        remote_id: record.remote_id.clone(),
        hash: hash.to_owned(),
        commit,
        known_before: false,
        first_seen_at: row.map_or(now, |row| row.doc.first_seen_at),
        changed_at: now,
        written_at: row.and_then(|row| row.doc.written_at),
        fetched_at: row.and_then(|row| row.doc.fetched_at),
        deleted_at: None,
        revived: row.is_some_and(|row| row.doc.revived || row.doc.deleted_at.is_some()),
        source: SourceTimes::of(&record.record),
        kept_days: row.and_then(|row| row.doc.kept_days),
        raw: None,
    }
}
