//! The id sweep: lists the ids that exist, marks the rows that are not among them, and fetches what is
//! listed but has no row. It runs only after all pages of a pass are in.

use std::collections::HashSet;

use millwright_connector::{Found, SystemErrorClass};
use millwright_core::{Result, WallTime};
use millwright_records::{Pulled, RecordDoc, records_pk};
use millwright_store::{Range, Row, Table};

use crate::{
    pull::{commit, commit_page},
    seen::Seen,
    slice::{Slice, Step, StepError},
    state::Phase,
};

/// Rows compared at a time: also the most that one commit marks.
const ROWS_AT_ONCE: usize = 500;
/// Rows that are looked for by their ids at a time: perhaps with a call for each.
const CONFIRMED_AT_ONCE: usize = 50;

/// Lists one page of ids. They and the position are kept in memory, and saved together when the slice
/// hands on.
pub(crate) async fn list_step(slice: &mut Slice<'_>) -> Result<Step, StepError> {
    load_seen(slice).await?;
    let entity = slice.row.doc.entity.clone();
    let after = slice.seen.as_ref().and_then(|seen| seen.after.clone());
    let page = slice.ask(slice.system.list_ids(&entity, after.as_ref())).await?;
    let complete = page.next.is_none();
    if let Some(seen) = &mut slice.seen {
        seen.add(page.ids);
        seen.after = page.next;
    }
    if complete {
        compare_from_here(slice).await?;
    }
    Ok(Step::More)
}

/// Goes over to comparing. The list is kept first, whole: whoever goes on with the pass must never
/// compare with a part of it, for what is not on it is marked as gone.
async fn compare_from_here(slice: &mut Slice<'_>) -> Result<(), StepError> {
    slice.keep_seen().await?;
    if let Some(pass) = &mut slice.row.doc.pass
        && let Phase::Listing { parts, began, .. } = pass.phase
    {
        pass.phase = Phase::Comparing { after: None, parts, began };
    }
    Ok(())
}

/// Compares a page of rows with the listed ids and commits what is gone.
pub(crate) async fn compare_step(
    slice: &mut Slice<'_>,
    after: Option<String>,
) -> Result<Step, StepError> {
    load_seen(slice).await?;
    if matches!(slice.row.doc.pass.as_ref().map(|pass| &pass.phase), Some(Phase::Listing { .. })) {
        return Ok(Step::More);
    }
    let entity = slice.row.doc.entity.clone();
    let pk = records_pk(&slice.scope.workspace, &slice.scope.connection, &entity);
    let store = &slice.context.store;
    let page = store
        .query_docs::<RecordDoc>(Table::Records, &pk, &Range::All, after.as_deref(), ROWS_AT_ONCE)
        .await?;
    let confirms = slice.entity()?.confirms_deletions();
    let (mut gone, stopped_at) = take_gone(slice, page.rows, confirms);
    let next = stopped_at.or(page.next);
    if confirms && !gone.is_empty() {
        gone = confirmed(slice, &entity, gone).await?;
    }
    let pulled = Pulled {
        scope: &slice.scope.clone(),
        entity: &entity,
        fetch_started: began(slice),
        commit: slice.row.doc.next_commit(),
        unfinished: &slice.row.doc.unfinished.clone(),
        initial: slice.row.doc.is_first_load(),
        records: Vec::new(),
        gone,
        deleted: Vec::new(),
    };
    let last = next.is_none();
    commit_page(slice, pulled, 0, |state| {
        if let Some(pass) = &mut state.pass
            && let Phase::Comparing { after, .. } = &mut pass.phase
            && next.is_some()
        {
            *after = next;
        }
    })
    .await?;
    if !last {
        return Ok(Step::More);
    }
    let filled = fetch_missing(slice, &entity).await?;
    if let Some(pass) = &mut slice.row.doc.pass {
        (pass.swept, pass.filled) = (true, filled);
    }
    Ok(Step::Finished)
}

/// The rows whose ids were not listed, and the row to go on after when there are more than can be
/// confirmed at a time. A row that an unfinished commit had marked is among them: that mark was never
/// told.
fn take_gone(
    slice: &mut Slice<'_>,
    rows: Vec<Row<RecordDoc>>,
    confirms: bool,
) -> (Vec<Row<RecordDoc>>, Option<String>) {
    let mut gone: Vec<Row<RecordDoc>> = Vec::new();
    let Some(seen) = &mut slice.seen else { return (gone, None) };
    let mut before = None;
    for row in rows {
        if confirms && gone.len() == CONFIRMED_AT_ONCE {
            return (gone, before);
        }
        before = Some(row.key.sk.clone());
        let listed = seen.contains(&row.doc.remote_id);
        let live = row.doc.deleted_at.is_none();
        if live && listed {
            seen.matched(&row.doc.remote_id);
        }
        let untold = slice.row.doc.unfinished.contains(&row.doc.commit);
        if !listed && (live || untold) {
            gone.push(row);
        }
    }
    (gone, None)
}

/// Of rows that a listing did not show which may have shifted while it was read, those whose records
/// the system does not know by their ids either. What it does know is committed as it is now, and what
/// it does not want to show stays as it is.
async fn confirmed(
    slice: &mut Slice<'_>,
    entity: &str,
    gone: Vec<Row<RecordDoc>>,
) -> Result<Vec<Row<RecordDoc>>, StepError> {
    let ids: Vec<String> = gone.iter().map(|row| row.doc.remote_id.clone()).collect();
    let fetch_started = slice.context.store.clock().wall();
    // The account may see none of them: that is not the same as gone.
    let Some(found) = shown(slice, entity, &ids).await? else { return Ok(Vec::new()) };
    let records = found.records.iter().map(|record| &record.remote_id);
    let there: HashSet<String> =
        records.chain(found.faults.iter().map(|fault| &fault.remote_id)).cloned().collect();
    if !there.is_empty() {
        tracing::info!(entity, rows = there.len(), "a listing left out rows that are there");
        commit(slice, entity, fetch_started, found, |_| {}).await?;
    }
    Ok(gone.into_iter().filter(|row| !there.contains(&row.doc.remote_id)).collect())
}

/// Fetches what is listed but has no row, such as what a slow transaction brought in under an old
/// time. Only when this slice has compared all rows itself; else the next sweep does it. Whether it was
/// done.
async fn fetch_missing(slice: &mut Slice<'_>, entity: &str) -> Result<bool, StepError> {
    let Some(seen) = slice.seen.as_ref().filter(|seen| seen.whole) else { return Ok(false) };
    for ids in seen.unmatched().chunks(100) {
        let fetch_started = slice.context.store.clock().wall();
        // An account may list what it may not see.
        if let Some(found) = shown(slice, entity, ids).await? {
            commit(slice, entity, fetch_started, found, |_| {}).await?;
        }
    }
    Ok(true)
}

/// The records of these ids; nothing where the system refuses to show any of them.
async fn shown(
    slice: &Slice<'_>,
    entity: &str,
    ids: &[String],
) -> Result<Option<Found>, StepError> {
    use SystemErrorClass::{Permission, Validation};
    match slice.ask(slice.system.find(entity, ids)).await {
        Err(StepError::System(error)) if matches!(error.class, Permission | Validation) => {
            tracing::warn!(entity, rows = ids.len(), error = error.message, "rows are not shown");
            Ok(None)
        }
        found => found.map(Some),
    }
}

fn began(slice: &Slice<'_>) -> WallTime {
    match slice.row.doc.pass.as_ref().map(|pass| &pass.phase) {
        Some(Phase::Listing { began, .. } | Phase::Comparing { began, .. }) => *began,
        _ => slice.context.store.clock().wall(),
    }
}

/// Makes the list of ids ready: what earlier slices kept, or an empty one. Where a part of it is gone,
/// the listing begins anew: comparing with less than all ids would mark records that are there.
async fn load_seen(slice: &mut Slice<'_>) -> Result<(), StepError> {
    if slice.seen.is_some() {
        return Ok(());
    }
    let Some(pass) = &mut slice.row.doc.pass else { return Ok(()) };
    let folder = format!(
        "{}/sync/{}/{}/{}",
        slice.scope.workspace, slice.scope.connection, slice.row.doc.entity, pass.run
    );
    let (parts, after, whole) = match &pass.phase {
        Phase::Listing { after, parts, .. } => (*parts, after.clone(), true),
        Phase::Comparing { after, parts, .. } => (*parts, None, after.is_none()),
        Phase::Pulling(_) => return Ok(()),
    };
    let kept = Seen::load(&slice.context.blob, folder.clone(), parts).await?;
    if let Some(mut seen) = kept {
        seen.after = after;
        seen.whole = whole;
        slice.seen = Some(seen);
        return Ok(());
    }
    tracing::warn!(entity = slice.row.doc.entity, "kept ids are gone: listing anew");
    let began = slice.context.store.clock().wall();
    pass.phase = Phase::Listing { after: None, parts: 0, began };
    slice.seen = Some(Seen::new(folder));
    Ok(())
}
