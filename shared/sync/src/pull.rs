//! Reading pages and committing them.

use std::time::Duration;

use millwright_connector::{Found, Position, Pull, RowFault, SourceRecord};
use millwright_core::WallTime;
use millwright_records::{FeedPage, Pulled, Tally, commit_pulled};
use millwright_store::{Row, Write};

use crate::{
    SyncState, end,
    plan::{start_over, wants_sweep},
    slice::{Slice, Step, StepError},
    state::{Counts, Phase},
};

/// Where a system does not tell its time, its clock is taken to be this much behind ours.
const UNKNOWN_CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// What was found in the source, to be committed.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    pub records: Vec<SourceRecord>,
    pub faults: Vec<RowFault>,
    /// Remote ids of what is gone.
    pub deleted: Vec<String>,
}

impl From<Found> for Fetched {
    fn from(found: Found) -> Self {
        Self { records: found.records, faults: found.faults, deleted: Vec::new() }
    }
}

impl Fetched {
    /// Takes out as much as one commit holds; nothing when it is small enough as it is. A page of the
    /// source may hold more than a page of the feed.
    fn split(&mut self) -> Option<Self> {
        if self.records.len() + self.deleted.len() <= FeedPage::ENTRIES_MAX {
            return None;
        }
        let rest = self.records.split_off(self.records.len().min(FeedPage::ENTRIES_MAX));
        let records = std::mem::replace(&mut self.records, rest);
        let room = FeedPage::ENTRIES_MAX - records.len();
        let rest = self.deleted.split_off(self.deleted.len().min(room));
        let deleted = std::mem::replace(&mut self.deleted, rest);
        Some(Self { records, deleted, faults: Vec::new() })
    }
}

/// Pulls the page at `position` and commits it with the position after it.
pub(crate) async fn step(slice: &mut Slice<'_>, position: Position) -> Result<Step, StepError> {
    let fetch_started = slice.context.store.clock().wall();
    let entity = slice.row.doc.entity.clone();
    let page = slice.ask(slice.system.pull(&entity, &pull_of(slice, position))).await?;
    end::answered(slice).await?;
    if page.lost_track {
        tracing::warn!(entity, "the source's log does not reach back: everything is read");
        start_over(&mut slice.row.doc);
        slice.renew_lease();
        slice.save().await?;
        return Ok(Step::More);
    }
    let mut fetched = Fetched { records: page.records, faults: page.faults, deleted: page.deleted };
    while let Some(part) = fetched.split() {
        // The position comes with the last part.
        commit(slice, &entity, fetch_started, part, |_| {}).await?;
    }
    let sweep = slice.entity()?.sweep().map(|sweep| sweep.every_runs);
    let source_time =
        page.source_time.unwrap_or_else(|| (fetch_started - UNKNOWN_CLOCK_MARGIN).millis());
    let mut step = Step::More;
    let (next, reached) = (page.next, page.checkpoint);
    commit(slice, &entity, fetch_started, fetched, |state| {
        let runs_since = state.runs_since_sweep;
        let Some(pass) = &mut state.pass else { return };
        pass.source_started.get_or_insert(source_time);
        pass.reached = reached.or(pass.reached.take());
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

fn pull_of(slice: &Slice<'_>, position: Position) -> Pull {
    let page_size = slice.system.manifest().limits.page_size;
    let pull = Pull { position, page_size, ..Pull::default() };
    match &slice.row.doc.pass {
        None => pull,
        Some(pass) => Pull {
            from: pass.from,
            deletions_from: pass.deletions_from,
            checkpoint: pass.checkpoint.clone(),
            ..pull
        },
    }
}

/// Commits records together with the state as `advance` makes it.
pub(crate) async fn commit(
    slice: &mut Slice<'_>,
    entity: &str,
    fetch_started: WallTime,
    fetched: impl Into<Fetched>,
    advance: impl FnOnce(&mut SyncState),
) -> Result<(), StepError> {
    let fetched = fetched.into();
    for fault in &fetched.faults {
        tracing::warn!(entity, ?fault, "row left out");
    }
    let seen = fetched.records.len() as u64;
    let left_out = fetched.faults.len() as u64;
    let scope = slice.scope.clone();
    let pulled = Pulled {
        scope: &scope,
        entity,
        fetch_started,
        commit: slice.row.doc.next_commit(),
        unfinished: &slice.row.doc.unfinished.clone(),
        initial: slice.row.doc.is_first_load(),
        records: fetched.records,
        gone: Vec::new(),
        deleted: fetched.deleted,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: usize) -> SourceRecord {
        let record = serde_json::Map::new();
        SourceRecord { remote_id: number.to_string(), record, unshown: Vec::new(), raw: None }
    }

    #[test]
    fn a_large_page_is_committed_in_parts_of_a_feed_page() {
        for (records, deleted) in [(0, 0), (500, 0), (501, 3), (1_200, 900), (0, 501), (499, 2)] {
            let mut fetched = Fetched {
                records: (0..records).map(record).collect(),
                deleted: (0..deleted).map(|number| format!("d{number}")).collect(),
                faults: Vec::new(),
            };
            let mut parts = Vec::new();
            while let Some(part) = fetched.split() {
                parts.push(part);
            }
            parts.push(fetched);
            let sizes: Vec<usize> =
                parts.iter().map(|part| part.records.len() + part.deleted.len()).collect();
            assert!(sizes.iter().all(|size| *size <= FeedPage::ENTRIES_MAX), "{sizes:?}");
            assert_eq!(sizes.iter().sum::<usize>(), records + deleted);
            let ids = parts.iter().flat_map(|part| &part.records);
            let ids: Vec<&str> = ids.map(|record| record.remote_id.as_str()).collect();
            let all: Vec<String> = (0..records).map(|number| number.to_string()).collect();
            assert_eq!(ids, all);
        }
    }
}
