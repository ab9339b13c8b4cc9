//! In the order of keys: strong, and nothing is lost or doubled while records change, for keys never
//! do.

use millwright_core::Result;
use millwright_store::{Range, Store, Table};

use super::{Gathered, ListPlace, RecordPage, RecordQuery};
use crate::{RecordDoc, Scope, records_pk};

/// Rows of one query at most; DynamoDB ends one at 1 MB whatever it is asked for.
const ROWS_AT_ONCE: usize = 1_000;

pub(super) async fn list(
    store: &Store,
    scope: &Scope,
    query: &RecordQuery<'_>,
    mut after: Option<String>,
) -> Result<RecordPage> {
    let pk = records_pk(&scope.workspace, &scope.connection, query.entity);
    let mut found = Gathered::default();
    let mut at_once = query.limit;
    loop {
        let page = store
            .query::<RecordDoc>(Table::Records, &pk, &Range::All, after.as_deref(), at_once, true)
            .await?;
        for row in page.rows {
            if found.is_full(query.limit) {
                return Ok(ended(found, after));
            }
            let record = query.wanted.pick(&row)?;
            found.take(&row, record);
            after = Some(row.key.sk);
        }
        let Some(next) = page.next else { return Ok(ended(found, None)) };
        after = Some(next);
        if found.is_full(query.limit) || found.is_spent(query.effort) {
            return Ok(ended(found, after));
        }
        at_once = next_bite(query, at_once);
    }
}

/// The next query's rows: where much is left out, more at a time.
fn next_bite(query: &RecordQuery<'_>, before: usize) -> usize {
    if query.wanted.is_everything() { query.limit } else { (before * 2).min(ROWS_AT_ONCE) }
}

fn ended(found: Gathered, after: Option<String>) -> RecordPage {
    RecordPage { records: found.records, next: after.map(ListPlace::Key) }
}
