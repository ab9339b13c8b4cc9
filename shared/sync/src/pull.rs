//! Reading pages and committing them.

use std::time::Duration;

use millwright_connector::{Found, Position, Pull};
use millwright_core::WallTime;
use millwright_records::{FeedPage, Pulled, Tally, commit_pulled};
use millwright_store::{Row, Write};

use crate::{
    SyncState, end,
    plan::wants_sweep,
    slice::{Slice, Step, StepError},
    state::{Counts, Phase},
};

/// Where a system does not tell its time, its clock is taken to be this much behind ours.
const UNKNOWN_CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// Pulls the page at `position` and commits it with the position after it.
pub(crate) async fn step(slice: &mut Slice<'_>, position: Position) -> Result<Step, StepError> {
    let fetch_started = slice.context.store.clock().wall();
    let page_size = slice.system.manifest().limits.page_size;
    let from = slice.row.doc.pass.as_ref().and_then(|pass| pass.from);
    let pull = Pull { from, position, page_size };
    let entity = slice.row.doc.entity.clone();
    let page = slice.ask(slice.system.pull(&entity, &pull)).await?;
    end::answered(slice).await?;

    let mut records = page.records;
    let faults = page.faults;
    while records.len() > FeedPage::ENTRIES_MAX {
        // A page of the source may hold more than a page of the feed: its position comes with the
        // last part.
        let rest = records.split_off(FeedPage::ENTRIES_MAX);
        commit(slice, &entity, fetch_started, records.into(), |_| {}).await?;
        records = rest;
    }
    let sweep = slice.entity()?.sweep().map(|sweep| sweep.every_runs);
    let source_time =
        page.source_time.unwrap_or_else(|| (fetch_started - UNKNOWN_CLOCK_MARGIN).millis());
    let mut step = Step::More;
    let next = page.next;
    commit(slice, &entity, fetch_started, Found { records, faults }, |state| {
        let runs_since = state.runs_since_sweep;
        let Some(pass) = &mut state.pass else { return };
        pass.source_started.get_or_insert(source_time);
        match (next, sweep) {
            (Some(next), _) => pass.phase = Phase::Pulling(next),
            (None, Some(every)) if wants_sweep(pass, runs_since, every) => {
                pass.phase = Phase::Listing { after: None, parts: 0, began: fetch_started };
            }
            (None, _) => step = Step::Finished,
        }
    })
    .await?;
    Ok(step)
}

/// Commits records together with the state as `advance` makes it.
pub(crate) async fn commit(
    slice: &mut Slice<'_>,
    entity: &str,
    fetch_started: WallTime,
    found: Found,
    advance: impl FnOnce(&mut SyncState),
) -> Result<(), StepError> {
    for fault in &found.faults {
        tracing::warn!(entity, ?fault, "row left out");
    }
    let seen = found.records.len() as u64;
    let left_out = found.faults.len() as u64;
    let scope = slice.scope.clone();
    let pulled = Pulled {
        scope: &scope,
        entity,
        fetch_started,
        commit: slice.row.doc.next_commit(),
        unfinished: &slice.row.doc.unfinished.clone(),
        initial: slice.row.doc.is_first_load(),
        records: found.records,
        gone: Vec::new(),
    };
    commit_page(slice, pulled, seen, |state| {
        state.counts.skipped += left_out;
        if let Some(pass) = &mut state.pass {
            pass.counts.skipped += left_out;
        }
        advance(state);
    })
    .await
}

/// Commits a page and takes over the state that was written with it.
pub(crate) async fn commit_page(
    slice: &mut Slice<'_>,
    pulled: Pulled<'_>,
    seen: u64,
    advance: impl FnOnce(&mut SyncState),
) -> Result<(), StepError> {
    let context = slice.context;
    slice.renew_lease();
    let mut next: Row<SyncState> = slice.row.clone();
    next.doc.failures = 0;
    advance(&mut next.doc);
    let tally = commit_pulled(&context.store, &context.queue, pulled, |tally| {
        count(&mut next.doc, tally, seen);
        Ok(Write::replace(&next)?)
    })
    .await?;
    tracing::debug!(entity = slice.row.doc.entity, ?tally, "page committed");
    next.version = next.version.next();
    slice.row = next;
    Ok(())
}

/// Adds a commit to the counts, and to the fence's commits if it made a feed page.
fn count(state: &mut SyncState, tally: &Tally, seen: u64) {
    if tally.inserted + tally.updated + tally.deleted > 0 {
        state.commits += 1;
    }
    let add = |counts: &mut Counts| {
        counts.seen += seen;
        counts.inserted += tally.inserted;
        counts.updated += tally.updated;
        counts.deleted += tally.deleted;
        counts.unchanged += tally.unchanged;
        counts.skipped += tally.skipped;
    };
    add(&mut state.counts);
    if let Some(pass) = &mut state.pass {
        add(&mut pass.counts);
    }
}
