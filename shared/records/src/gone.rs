//! Marking rows whose records are gone from the source.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use millwright_core::{Error, Result};
use millwright_entities::record_key;
use millwright_store::{Key, Row, Store, StoreError, Write};

use crate::{
    Entry, Op, Pulled, RecordDoc, Tally,
    commit::{PUTS_AT_ONCE, TRIES, record_key as key_of},
    compare::is_gone,
};

/// Marks the rows whose records are gone and answers with their entries.
pub(crate) async fn mark_gone(
    store: &Store,
    pulled: &Pulled<'_>,
    tally: &mut Tally,
) -> Result<Vec<Entry>> {
    // A system may tell of the same deletions again and again: their rows are not read whole.
    let docs = store.get_docs::<RecordDoc>(&keys(pulled)?).await?;
    let there = docs.into_iter();
    let there = there.filter(|row| is_gone(&row.doc, pulled.fetch_started, pulled.unfinished));
    let keys: Vec<Key> = there.map(|row| row.key).collect();
    let rows = store.get_all::<RecordDoc>(&keys).await?;
    let marked: Vec<Option<Entry>> = stream::iter(rows)
        .map(|row| mark(store, pulled, row))
        .buffer_unordered(PUTS_AT_ONCE)
        .try_collect()
        .await?;
    let entries: Vec<Entry> = marked.into_iter().flatten().collect();
    tally.deleted += entries.len() as u64;
    Ok(entries)
}

/// The rows in question, each once. What was fetched in the same page is there.
fn keys(pulled: &Pulled<'_>) -> Result<Vec<Key>> {
    let scope = pulled.scope;
    let fetched: HashSet<&str> =
        pulled.records.iter().map(|record| key_of(&record.record)).collect::<Result<_>>()?;
    let told = pulled.deleted.iter().map(|id| {
        let key = record_key(&scope.connection, pulled.entity, id);
        scope.record(pulled.entity, &key)
    });
    let keys = pulled.gone.iter().map(|row| row.key.clone()).chain(told);
    let keys = keys.filter(|key| !fetched.contains(key.sk.as_str()));
    let each: HashMap<String, Key> = keys.map(|key| (key.sk.clone(), key)).collect();
    Ok(each.into_values().collect())
}

/// Marks a row. When somebody writes it in between, it is judged again: a source tells of a deletion
/// once.
async fn mark(
    store: &Store,
    pulled: &Pulled<'_>,
    mut row: Row<RecordDoc>,
) -> Result<Option<Entry>> {
    let entry = Entry { key: row.key.sk.clone(), op: Op::Deleted };
    for _ in 0..TRIES {
        if !is_gone(&row.doc, pulled.fetch_started, pulled.unfinished) {
            return Ok(None);
        }
        let now = store.clock().wall();
        row.doc.known_before = row.doc.is_known(pulled.unfinished);
        row.doc.commit = pulled.commit.clone();
        row.doc.deleted_at = row.doc.deleted_at.or(Some(now));
        row.doc.changed_at = now;
        row.doc.kept_days = pulled.kept_days;
        row.doc.fetched_at = Some(pulled.fetch_started.min(now));
        match store.write(Write::replace(&row)?).await {
            Ok(_) => return Ok(Some(entry)),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
        match store.get::<RecordDoc>(&row.key).await? {
            None => return Ok(None),
            // The mark stands: only its answer was lost.
            Some(now) if now.doc.commit == pulled.commit => return Ok(Some(entry)),
            Some(now) => row = now,
        }
    }
    Err(Error::internal("a record changed too often to be marked"))
}
