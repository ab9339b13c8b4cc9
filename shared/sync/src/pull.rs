//! Reading pages and committing them.

use std::{collections::HashMap, time::Duration};

use millwright_connector::{Found, Position, Pull, Pulled as Page, RowFault, SourceRecord};
use millwright_core::{Result, WallTime};
use millwright_records::{Committed, FeedPage, Pulled, Tally, commit_compared};
use millwright_store::{Row, Write};

use crate::{
    Mode, Skipped, SyncState, ahead,
    compare::{look_again, phase_after_pages},
    end,
    held::{Held, Sieved},
    plan::{start_over, wants_sweep},
    sift::Sifted,
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

/// Pulls the page at `position` and commits it with the position after it, or holds it to be committed
/// with the pages that follow.
pub(crate) async fn step(slice: &mut Slice<'_>, position: Position) -> Result<Step, StepError> {
    let position = slice.held.as_ref().and_then(Held::position).cloned().unwrap_or(position);
    let entity = slice.row.doc.entity.clone();
    let pull = Pull { unmapped: true, ..pull_of(slice, position)? };
    let (page, fetch_started) = Box::pin(ahead::fetch(slice, &entity, pull.clone())).await?;
    end::answered(slice).await?;
    if page.lost_track {
        tracing::warn!(entity, "the source's log does not reach back: everything is read");
        settle(slice).await?;
        start_over(&mut slice.row.doc);
        slice.renew_lease();
        slice.save().await?;
        return Ok(Step::More);
    }
    if let Some(next) = &page.next {
        ahead::begin(slice, &entity, Pull { position: next.clone(), ..pull });
    }
    let sieved = Box::pin(sieve(slice, &entity, page, fetch_started)).await?;
    let (step, left) = (step_of(sieved.phase.as_ref()), sieved.fetched.records.len());
    hold(slice, sieved).await?;
    let now = slice.context.store.clock().wall();
    let waits = slice.holds_pages();
    if !slice.held.as_ref().is_some_and(|held| waits && held.may_wait(now, left)) {
        settle(slice).await?;
    }
    Ok(step)
}

/// A page, and what is left of it to be committed.
async fn sieve(
    slice: &mut Slice<'_>,
    entity: &str,
    page: Page,
    fetch_started: WallTime,
) -> Result<Sieved, StepError> {
    let Page { records, rows, faults, deleted, next, source_time, checkpoint, .. } = page;
    let mut fetched = Fetched { records, faults, deleted };
    look_again(slice, entity, &mut fetched).await?;
    let sifted = slice.sift(&mut fetched, rows).await?;
    let unknown = || (fetch_started - UNKNOWN_CLOCK_MARGIN).millis();
    let phase = match next {
        Some(next) => Some(Phase::Pulling(next)),
        None if compares(slice)? => Some(phase_after_pages(slice, fetch_started)?),
        None => None,
    };
    let source_time = source_time.unwrap_or_else(unknown);
    Ok(Sieved { fetched, sifted, fetch_started, source_time, reached: checkpoint, phase })
}

/// Puts a page beside those that wait, where one commit may hold it too.
async fn hold(slice: &mut Slice<'_>, page: Sieved) -> Result<(), StepError> {
    if slice.held.as_ref().is_some_and(|held| !held.takes(&page)) {
        settle(slice).await?;
    }
    match &mut slice.held {
        Some(held) => held.add(page),
        None => slice.held = Some(Held::new(page, slice.limits.lease)),
    }
    Ok(())
}

/// Commits the pages that wait, with the position after them.
pub(crate) async fn settle(slice: &mut Slice<'_>) -> Result<(), StepError> {
    match slice.held.take() {
        // On the heap, as what a page takes.
        Some(held) => Box::pin(settle_all(slice, held)).await,
        None => Ok(()),
    }
}

async fn settle_all(slice: &mut Slice<'_>, mut held: Held) -> Result<(), StepError> {
    let entity = slice.row.doc.entity.clone();
    let later = std::mem::take(&mut held.later);
    let mut left = std::mem::take(&mut held.fetched);
    let sifted = std::mem::take(&mut held.sifted);
    held.sifted.same = sifted.same;
    let read = Read { entity: &entity, fetch_started: held.fetch_started, later };
    while let Some(part) = left.split() {
        // The position comes with the last part.
        commit_sifted(slice, &read, part, &sifted, |_| {}).await?;
    }
    let usual = slice.system.manifest().limits.page_size;
    let lists = matches!(held.phase, Some(Phase::Listing { .. }));
    commit_sifted(slice, &read, left, &sifted, |state| held.advance(state, usual)).await?;
    if lists {
        slice.seen_anew();
    }
    slice.committed = true;
    Ok(())
}

/// Of what a commit is, and when that was read.
struct Read<'a> {
    entity: &'a str,
    fetch_started: WallTime,
    later: HashMap<String, WallTime>,
}

fn step_of(phase: Option<&Phase>) -> Step {
    if phase.is_some() { Step::More } else { Step::Finished }
}

/// Whether deletions are found by comparing, the pages of this pass being in: where they have shown
/// everything it costs nothing.
fn compares(slice: &Slice<'_>) -> Result<bool, StepError> {
    let def = slice.entity()?;
    let (Some(sweep), Some(pass)) = (def.sweep(), &slice.row.doc.pass) else { return Ok(false) };
    let shown = def.reading_lists_all() && slice.reads_everything()?;
    Ok(shown || wants_sweep(pass, slice.row.doc.runs_since_sweep, sweep.every_runs))
}

/// What is asked for at a place.
pub(crate) fn pull_of(slice: &Slice<'_>, position: Position) -> Result<Pull> {
    let narrow = slice.row.doc.pass.as_ref().and_then(|pass| pass.narrow);
    let usual = slice.system.manifest().limits.page_size;
    let page_size = narrow.map_or(usual, |narrow| narrow.size);
    let raw = slice.row.doc.settings.keep_raw;
    let pull = Pull { position, page_size, raw, ..Pull::default() };
    // What a system cannot be asked for by time is read whole, however far back its records reach.
    let everything = !slice.entity()?.has_time_filter();
    Ok(match &slice.row.doc.pass {
        None => pull,
        Some(pass) => Pull {
            from: pass.from.filter(|_| pass.mode == Mode::Incremental || !everything),
            deletions_from: pass.deletions_from,
            checkpoint: pass.checkpoint.clone(),
            ..pull
        },
    })
}

/// Commits records together with the state as `advance` makes it.
pub(crate) async fn commit(
    slice: &mut Slice<'_>,
    entity: &str,
    fetch_started: WallTime,
    fetched: impl Into<Fetched>,
    advance: impl FnOnce(&mut SyncState),
) -> Result<(), StepError> {
    let (sifted, later) = (Sifted::default(), HashMap::new());
    let read = Read { entity, fetch_started, later };
    commit_sifted(slice, &read, fetched.into(), &sifted, advance).await
}

/// Commits what sifting has left of a page, and takes over what that finds out.
async fn commit_sifted(
    slice: &mut Slice<'_>,
    read: &Read<'_>,
    fetched: Fetched,
    sifted: &Sifted,
    advance: impl FnOnce(&mut SyncState),
) -> Result<(), StepError> {
    let Read { entity, fetch_started, later } = read;
    for fault in &fetched.faults {
        tracing::warn!(entity, ?fault, "row left out");
    }
    let seen = fetched.records.len() as u64;
    let faults = fetched.faults;
    let scope = slice.scope.clone();
    let commit = slice.row.doc.next_commit();
    let pulled = Pulled {
        scope: &scope,
        entity,
        fetch_started: *fetch_started,
        later: later.clone(),
        commit: commit.clone(),
        unfinished: &slice.row.doc.unfinished.clone(),
        initial: slice.row.doc.is_first_load(),
        records: fetched.records,
        gone: Vec::new(),
        deleted: fetched.deleted,
        untold: Vec::new(),
        kept_days: slice.row.doc.settings.deleted_days,
    };
    let done = commit_page(slice, pulled, seen, |state, done| {
        state.count_skipped(&faults, &done.too_large);
        advance(state);
    })
    .await?;
    slice.learn(&commit, &done, sifted);
    Ok(())
}

/// Commits a page and takes over the state that was written with it.
pub(crate) async fn commit_page(
    slice: &mut Slice<'_>,
    pulled: Pulled<'_>,
    seen: u64,
    advance: impl FnOnce(&mut SyncState, &Committed),
) -> Result<Committed, StepError> {
    let context = slice.context;
    slice.renew_lease();
    let mut next: Row<SyncState> = slice.row.clone();
    next.doc.failures = 0;
    let done = commit_compared(&context.store, &context.queue, pulled, |done| {
        count(&mut next.doc, &done.tally, seen);
        advance(&mut next.doc, done);
        Ok(Write::replace(&next)?)
    })
    .await?;
    tracing::debug!(entity = slice.row.doc.entity, tally = ?done.tally, "page committed");
    next.version = next.version.next();
    slice.row = next;
    Ok(done)
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
    state.add_counts(add);
}

impl SyncState {
    fn add_counts(&mut self, add: impl Fn(&mut Counts)) {
        add(&mut self.counts);
        if let Some(pass) = &mut self.pass {
            add(&mut pass.counts);
        }
    }

    /// Counts records that are as they were, of which no row was read.
    pub(crate) fn count_same(&mut self, same: u64) {
        self.add_counts(|counts| {
            counts.seen += same;
            counts.unchanged += same;
        });
    }

    /// Counts and names what is left out. What is too large has been counted with the commit.
    fn count_skipped(&mut self, faults: &[RowFault], too_large: &[String]) {
        self.add_counts(|counts| counts.skipped += faults.len() as u64);
        let faults = faults.iter();
        self.skip(faults.map(|own| Skipped::new(&own.remote_id, &own.field, &own.message)));
        self.skip(too_large.iter().map(|id| Skipped::new(id, "", "is too large to keep")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: usize) -> SourceRecord {
        let record = serde_json::Map::new();
        SourceRecord {
            remote_id: number.to_string(),
            record,
            unshown: Vec::new(),
            raw: None,
            print: None,
        }
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
