//! What commits that were lost have put and no later page has shown: pages that go by number or place shift
//! while they are read, and a row that was on a page when its commit was lost may be on none when that is
//! read again. Before a pass ends in which commits were lost, all rows are looked at, and what only those
//! commits tell of is told.

use std::collections::HashMap;

use millwright_records::{Pulled, RecordDoc, records_pk};
use millwright_store::{Key, Range, Table};

use crate::{
    pull::commit_page,
    slice::{Slice, Step, StepError},
    state::{Phase, SyncState},
};

/// Rows looked at in one step: what is told of them fits one page of the feed.
const ROWS_AT_ONCE: usize = 500;

/// Goes over to looking for such rows, the pass being done with all else; whether there may be any.
pub(crate) fn begins(state: &mut SyncState) -> bool {
    let lost = !state.unfinished.is_empty();
    match &mut state.pass {
        Some(pass) if lost && !matches!(pass.phase, Phase::Telling { .. }) => {
            pass.phase = Phase::Telling { after: None };
            true
        }
        _ => false,
    }
}

/// Looks at some rows, and tells what is untold.
pub(crate) async fn step(slice: &mut Slice<'_>, after: Option<String>) -> Result<Step, StepError> {
    let (scope, entity) = (slice.scope.clone(), slice.row.doc.entity.clone());
    let pk = records_pk(&scope.workspace, &scope.connection, &entity);
    let store = &slice.context.store;
    let page = store
        .query_docs::<RecordDoc>(Table::Records, &pk, &Range::All, after.as_deref(), ROWS_AT_ONCE)
        .await?;
    let unfinished = slice.row.doc.unfinished.clone();
    let lost = page.rows.into_iter().filter(|row| unfinished.contains(&row.doc.commit));
    let untold: Vec<Key> = lost.map(|row| row.key).collect();
    let next = page.next;
    let goes_on = if next.is_some() { Step::More } else { Step::Finished };
    let advance = |state: &mut SyncState| {
        if let (Some(pass), Some(after)) = (&mut state.pass, next) {
            pass.phase = Phase::Telling { after: Some(after) };
        }
    };
    if untold.is_empty() {
        advance(&mut slice.row.doc);
        return Ok(goes_on);
    }
    tracing::info!(entity, rows = untold.len(), "rows of lost commits are told");
    let pulled = Pulled {
        scope: &scope,
        entity: &entity,
        fetch_started: store.clock().wall(),
        later: HashMap::new(),
        commit: slice.row.doc.next_commit(),
        unfinished: &unfinished,
        initial: slice.row.doc.is_first_load(),
        records: Vec::new(),
        gone: Vec::new(),
        deleted: Vec::new(),
        untold,
        kept_days: slice.row.doc.settings.deleted_days,
    };
    commit_page(slice, pulled, 0, |state, _| advance(state)).await?;
    Ok(goes_on)
}
