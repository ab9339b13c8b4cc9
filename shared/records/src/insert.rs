//! First loads: rows that are new are put many at a time, without looking for them first.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use millwright_connector::SourceRecord;
use millwright_core::{Error, Result};
use millwright_store::{Expect, Key, Store, Write};

use crate::{
    KeptRaw, Op, Pulled, RecordDoc,
    commit::{Outcome, RECORD_MAX, changed_doc, record_key, task},
    content::content_hash,
};

/// Rows of one call to the table (BatchExecuteStatement).
const ROWS_AT_ONCE: usize = 25;
/// Calls at the same time.
const CALLS_AT_ONCE: usize = 4;

/// In a first load, puts the fetched records that have no row, and takes them out of `fetched`. What is
/// left is to be judged: there is a row, or the record needs one to be whole, or is too large.
///
/// Each put expects that there is no row, so a write through the API that came first stands, and a page
/// that is read a second time tells nothing twice.
pub(crate) async fn insert_new(
    store: &Store,
    pulled: &Pulled<'_>,
    fetched: &mut HashMap<String, &SourceRecord>,
) -> Result<Vec<(String, Outcome)>> {
    // Where rows of a lost commit may stand, most of a page may be there.
    if !pulled.initial || !pulled.unfinished.is_empty() {
        return Ok(Vec::new());
    }
    // In the source's order, mostly that of time: so rows that are put together stand beside one another
    // in the indexes by time. Their keys, which are hashes, do so nowhere.
    let new = pulled.records.iter().filter_map(|own| {
        let (key, last) = fetched.get_key_value(record_key(&own.record).ok()?)?;
        std::ptr::eq(*last, own).then_some((key, own))
    });
    let new: Vec<(&String, &SourceRecord)> = new.collect();
    let put: Vec<Vec<String>> = stream::iter(new.chunks(ROWS_AT_ONCE))
        .map(|chunk| insert(store, pulled, chunk))
        .buffer_unordered(CALLS_AT_ONCE)
        .try_collect()
        .await?;
    let put: Vec<String> = put.into_iter().flatten().collect();
    for key in &put {
        fetched.remove(key);
    }
    Ok(put.into_iter().map(|key| (key, Outcome::Put(Op::Inserted))).collect())
}

/// The keys of those that were put.
async fn insert(
    store: &Store,
    pulled: &Pulled<'_>,
    records: &[(&String, &SourceRecord)],
) -> Result<Vec<String>> {
    let mut writes = Vec::with_capacity(records.len());
    let mut tried = Vec::with_capacity(records.len());
    for (key, record) in records {
        if let Some(write) = new_row(store, pulled, key, record)? {
            writes.push(write);
            tried.push((*key).clone());
        }
    }
    // A task for each call: while one is made ready another is on its way.
    let table = store.clone();
    let taken = task(async move { table.insert_batch(writes).await }).await??;
    let others = of_others(store, pulled, &taken).await?;
    tried.retain(|key| !others.contains(key));
    Ok(tried)
}

/// A row that was there may be this commit's own, the answer to its put having been lost: the others.
async fn of_others(store: &Store, pulled: &Pulled<'_>, taken: &[Key]) -> Result<HashSet<String>> {
    let mut others: HashSet<String> = taken.iter().map(|key| key.sk.clone()).collect();
    for row in store.get_docs::<RecordDoc>(taken).await? {
        if row.doc.commit == pulled.commit {
            others.remove(&row.key.sk);
        }
    }
    Ok(others)
}

fn new_row(
    store: &Store,
    pulled: &Pulled<'_>,
    key: &str,
    record: &SourceRecord,
) -> Result<Option<Write>> {
    let body = serde_json::to_string(&record.record).map_err(Error::internal)?;
    if !record.unshown.is_empty() || body.len() > RECORD_MAX {
        return Ok(None);
    }
    let hash = content_hash(pulled.entity, &record.record)?;
    let raw = KeptRaw::of(record, body.len())?;
    let doc = RecordDoc { raw, ..changed_doc(store, pulled, key, None, record, &hash) };
    let row = pulled.scope.record(pulled.entity, key);
    Ok(Some(Write::put_with_body(&row, &doc, Some(&body), Expect::Absent)?))
}
