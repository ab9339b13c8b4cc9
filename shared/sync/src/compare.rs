//! Deletions by comparing: what a complete reading, or a listing of all ids, has not shown is told as
//! gone; what was listed and has no row is fetched. It comes after all pages of a pass, and not where too
//! much would vanish.

use std::collections::{HashMap, HashSet};

use millwright_connector::{Found, SystemErrorClass};
use millwright_core::{Result, WallTime};
use millwright_entities::record_key;
use millwright_records::{Pulled, RecordDoc};
use millwright_store::{Key, Row};

use crate::{
    Vanished,
    prints::PrintKey,
    pull::{Fetched, commit, commit_page},
    slice::{Slice, Step, StepError},
    state::Phase,
    vanish::is_held,
};

/// Rows told as gone at a time: the most that one commit holds.
const GONE_AT_ONCE: usize = 500;
/// Rows that are looked for by their ids at a time: perhaps with a call for each.
const CONFIRMED_AT_ONCE: usize = 50;
/// Records without a row that are fetched at a time.
const FETCHED_AT_ONCE: usize = 100;

/// Goes over to finding deletions, the pages of a pass being in: by what they have shown where they show
/// everything, else by a listing of ids.
pub(crate) fn phase_after_pages(slice: &Slice<'_>, began: WallTime) -> Result<Phase> {
    let shown = slice.seen_whole && slice.prints.is_some() && slice.reads_everything()?;
    if shown && slice.entity()?.reading_lists_all() {
        let began = slice.row.doc.pass.as_ref().map_or(began, |pass| pass.started_at);
        return Ok(Phase::Comparing { began, listed: false });
    }
    Ok(Phase::Listing { after: None, began })
}

/// Lists one page of ids. What they show is kept in memory, and in the blob store when the slice hands on.
pub(crate) async fn list_step(slice: &mut Slice<'_>) -> Result<Step, StepError> {
    slice.load_prints().await?;
    if !slice.seen_whole {
        tracing::info!(entity = slice.row.doc.entity, "ids are listed anew");
        list_anew(slice);
    }
    let entity = slice.row.doc.entity.clone();
    let after = match slice.row.doc.pass.as_ref().map(|pass| &pass.phase) {
        Some(Phase::Listing { after, .. }) => after.clone(),
        _ => return Ok(Step::More),
    };
    let page = slice.ask(slice.system.list_ids(&entity, after.as_ref())).await?;
    see_listed(slice, page.ids)?;
    if let Some(pass) = &mut slice.row.doc.pass
        && let Phase::Listing { after, began } = &mut pass.phase
    {
        let began = *began;
        pass.pages += 1;
        match page.next {
            Some(next) => *after = Some(next),
            None => pass.phase = Phase::Comparing { began, listed: true },
        }
    }
    Ok(Step::More)
}

fn list_anew(slice: &mut Slice<'_>) {
    let began = slice.context.store.clock().wall();
    let Some(pass) = &mut slice.row.doc.pass else { return };
    pass.begin_listing(Phase::Listing { after: None, began });
    slice.seen_anew();
}

fn see_listed(slice: &mut Slice<'_>, ids: Vec<String>) -> Result<()> {
    // Within a window, what is listed and has no row may just be older than what is wanted.
    let wanted = !slice.is_windowed()?;
    let Some(prints) = &mut slice.prints else { return Ok(()) };
    for id in ids {
        let key = record_key(&slice.scope.connection, &slice.row.doc.entity, &id);
        let Some(key) = PrintKey::of(&key) else { continue };
        prints.set.see(key);
        if wanted && !prints.set.has(key) {
            prints.missing.push(id);
        }
    }
    Ok(())
}

/// Tells some of what is gone, or fetches some of what has no row.
pub(crate) async fn compare_step(slice: &mut Slice<'_>) -> Result<Step, StepError> {
    slice.load_prints().await?;
    if !slice.seen_whole {
        list_anew(slice);
        return Ok(Step::More);
    }
    let Some(mut prints) = slice.prints.take() else { return Ok(Step::Finished) };
    let refreshed = prints.refresh(slice.of()).await;
    let gone = prints.set.unseen();
    let vanished = Vanished { missing: gone.len() as u64, of: prints.set.len() as u64 };
    slice.prints = Some(prints);
    refreshed?;
    if is_held(vanished, slice.limits.vanish_percent, slice.row.doc.confirmed) {
        tracing::warn!(entity = slice.row.doc.entity, ?vanished, "deletions are held");
        return Ok(finish(slice, Some(vanished)));
    }
    if !gone.is_empty() {
        tell_gone(slice, gone).await?;
        return Ok(Step::More);
    }
    if fetch_missing(slice).await? {
        return Ok(Step::More);
    }
    Ok(finish(slice, None))
}

fn finish(slice: &mut Slice<'_>, held: Option<Vanished>) -> Step {
    if let Some(pass) = &mut slice.row.doc.pass {
        (pass.swept, pass.held) = (true, held);
        pass.filled = matches!(pass.phase, Phase::Comparing { listed: true, .. });
    }
    Step::Finished
}

/// Commits that some of these are gone, as far as they are.
async fn tell_gone(slice: &mut Slice<'_>, mut gone: Vec<PrintKey>) -> Result<(), StepError> {
    let confirms = slice.entity()?.confirms_deletions();
    gone.truncate(if confirms { CONFIRMED_AT_ONCE } else { GONE_AT_ONCE });
    let entity = slice.row.doc.entity.clone();
    let keys: Vec<Key> = gone.iter().map(|key| slice.scope.record(&entity, &key.text())).collect();
    let mut rows = slice.context.store.get_docs::<RecordDoc>(&keys).await?;
    let unfinished = slice.row.doc.unfinished.clone();
    // A row that an unfinished commit had marked is among them: that mark was never told.
    rows.retain(|row| row.doc.deleted_at.is_none() || unfinished.contains(&row.doc.commit));
    if confirms && !rows.is_empty() {
        rows = confirmed(slice, &entity, rows).await?;
    }
    let pulled = Pulled {
        scope: &slice.scope.clone(),
        entity: &entity,
        fetch_started: began(slice),
        later: HashMap::new(),
        commit: slice.row.doc.next_commit(),
        unfinished: &unfinished,
        initial: slice.row.doc.is_first_load(),
        records: Vec::new(),
        gone: rows,
        deleted: Vec::new(),
        untold: Vec::new(),
        kept_days: slice.row.doc.settings.deleted_days,
    };
    commit_page(slice, pulled, 0, |_, _| {}).await?;
    // Each is looked at once: some are there after all, or were put since.
    if let Some(prints) = &mut slice.prints {
        gone.into_iter().for_each(|key| prints.set.see(key));
    }
    Ok(())
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

/// Fetches some of what is listed but has no row, such as what a slow transaction brought in under an old
/// time. Whether there was any.
async fn fetch_missing(slice: &mut Slice<'_>) -> Result<bool, StepError> {
    let Some(prints) = &mut slice.prints else { return Ok(false) };
    let from = prints.missing.len().saturating_sub(FETCHED_AT_ONCE);
    let ids = prints.missing.split_off(from);
    if ids.is_empty() {
        return Ok(false);
    }
    let entity = slice.row.doc.entity.clone();
    let fetch_started = slice.context.store.clock().wall();
    // An account may list what it may not see.
    let found = shown(slice, &entity, &ids).await;
    if found.is_err()
        && let Some(prints) = &mut slice.prints
    {
        prints.missing.extend(ids);
    }
    if let Some(found) = found? {
        commit(slice, &entity, fetch_started, found, |_| {}).await?;
    }
    Ok(true)
}

/// Looks for records that are said to be gone and that had been gone before: a log or a list of deletions
/// is read with some overlap, and may mean the time before they came back.
pub(crate) async fn look_again(
    slice: &Slice<'_>,
    entity: &str,
    fetched: &mut Fetched,
) -> Result<(), StepError> {
    if fetched.deleted.is_empty() || !slice.entity()?.reads_past_deletions() {
        return Ok(());
    }
    let key =
        |id: &String| slice.scope.record(entity, &record_key(&slice.scope.connection, entity, id));
    let keys: Vec<Key> = fetched.deleted.iter().map(key).collect();
    let rows = slice.context.store.get_docs::<RecordDoc>(&keys).await?;
    let rows = rows.into_iter().map(|row| row.doc);
    let back = rows.filter(|row| row.revived && row.deleted_at.is_none());
    let ids: Vec<String> = back.map(|row| row.remote_id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let Some(found) = shown(slice, entity, &ids).await? else { return Ok(()) };
    let records = found.records.iter().map(|own| &own.remote_id);
    let there: HashSet<&String> =
        records.chain(found.faults.iter().map(|own| &own.remote_id)).collect();
    fetched.deleted.retain(|id| !there.contains(id));
    fetched.records.extend(found.records);
    Ok(())
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
