//! Pages that have been read and wait to be committed together: most of what a source shows again and
//! again is as it was, and a commit for each page would cost more than all the rest.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use millwright_connector::{Checkpoint, Position};
use millwright_core::WallTime;
use millwright_entities::record_key;

use crate::{
    SyncState,
    poison::widened,
    pull::Fetched,
    sift::{Sifted, key_of},
    slice::Slice,
    state::Phase,
};

/// For so long a page may wait for others. What it shows is told so much later.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Nor longer than this part of a puller's claim, which only a commit renews.
const PARTS_OF_LEASE: u32 = 5;
/// So many pages wait at most: a crash makes them be read again.
const PAGES_MAX: u64 = 50;
/// A page with more to put than this does not wait.
const FEW: usize = 50;
/// Nor does any once there is so much to put.
const MANY: usize = 250;

/// A page after sifting.
pub(crate) struct Sieved {
    /// What is left of it.
    pub fetched: Fetched,
    /// What is known of that.
    pub sifted: Sifted,
    /// When its fetching began.
    pub fetch_started: WallTime,
    /// The source's time before it was read.
    pub source_time: i64,
    /// Where the source's log ended then.
    pub reached: Option<Checkpoint>,
    /// What comes after it; nothing after the last page of a pass.
    pub phase: Option<Phase>,
}

/// Pages that wait for their commit.
#[derive(Debug)]
pub(crate) struct Held {
    /// What is left of them. Of a record that came more than once, the last one.
    pub fetched: Fetched,
    /// What is known of that.
    pub sifted: Sifted,
    /// When the fetching of the first one began.
    pub fetch_started: WallTime,
    /// When that of others' records began, by their keys.
    pub later: HashMap<String, WallTime>,
    /// What comes after the last one.
    pub phase: Option<Phase>,
    wait: Duration,
    source_time: i64,
    reached: Option<Checkpoint>,
    pages: u64,
}

impl Held {
    /// A first page, of a puller whose claim lasts so long.
    pub fn new(page: Sieved, lease: Duration) -> Self {
        let wait = WAIT_MAX.min(lease / PARTS_OF_LEASE);
        let Sieved { fetched, sifted, fetch_started, source_time, reached, phase } = page;
        let later = HashMap::new();
        Self { fetched, sifted, fetch_started, later, phase, wait, source_time, reached, pages: 1 }
    }

    /// One more page.
    pub fn add(&mut self, page: Sieved) {
        let Sieved { fetched, sifted, fetch_started, reached, phase, .. } = page;
        let newer: HashSet<&str> = fetched.records.iter().filter_map(key_of).collect();
        let before = self.fetched.records.len();
        self.fetched.records.retain(|own| key_of(own).is_none_or(|key| !newer.contains(key)));
        self.sifted.same += (before - self.fetched.records.len()) as u64;
        self.later.extend(newer.iter().map(|key| ((*key).to_owned(), fetch_started)));
        self.fetched.records.extend(fetched.records);
        self.fetched.faults.extend(fetched.faults);
        self.fetched.deleted.extend(fetched.deleted);
        self.sifted.add(sifted);
        self.reached = reached.or(self.reached.take());
        self.phase = phase;
        self.pages += 1;
    }

    /// Where the reading goes on; nothing where something else comes first.
    pub fn position(&self) -> Option<&Position> {
        match &self.phase {
            Some(Phase::Pulling(position)) => Some(position),
            _ => None,
        }
    }

    /// How much longer the next page may be waited for.
    pub fn patience(&self, now: WallTime) -> Duration {
        (self.fetch_started + self.wait).since(now)
    }

    /// Whether it may be committed with the page that comes next: not where something is said to be gone,
    /// which the next page may show. `last` is how much the last page has left to put.
    pub fn may_wait(&self, now: WallTime, last: usize) -> bool {
        let small = self.fetched.deleted.is_empty()
            && last <= FEW
            && self.fetched.records.len() <= MANY
            && self.pages < PAGES_MAX;
        small && self.position().is_some() && !self.patience(now).is_zero()
    }

    /// Whether one commit may hold this page beside what waits. What a page says is gone was there, or
    /// not, when that page was read.
    pub fn takes(&self, page: &Sieved) -> bool {
        page.fetched.deleted.is_empty() && page.fetched.records.len() <= FEW
    }

    /// Whether a record waits: what another page shows of it then comes after that.
    pub fn has(&self, key: &str) -> bool {
        self.sifted.knows(key)
    }

    /// The state once all pages are committed.
    pub fn advance(self, state: &mut SyncState, usual: u32) {
        state.count_same(self.sifted.same);
        let Some(pass) = &mut state.pass else { return };
        pass.source_started.get_or_insert(self.source_time);
        pass.reached = self.reached.or(pass.reached.take());
        pass.pages += self.pages;
        pass.narrow = pass.narrow.and_then(|narrow| widened(narrow, usual));
        match self.phase {
            Some(listing @ Phase::Listing { .. }) => pass.begin_listing(listing),
            Some(phase) => pass.phase = phase,
            None => {}
        }
    }
}

impl Slice<'_> {
    /// Whether pages may wait for each other. Not in a first load, in which each has much to put, nor where
    /// a row is looked for that makes pages fail.
    pub fn holds_pages(&self) -> bool {
        let narrow = self.row.doc.pass.as_ref().is_some_and(|pass| pass.narrow.is_some());
        !self.row.doc.is_first_load() && !narrow
    }

    /// Whether a record waits to be committed, by the remote id.
    pub fn is_held(&self, remote_id: &str) -> bool {
        let Some(held) = self.held.as_ref().filter(|held| !held.fetched.records.is_empty()) else {
            return false;
        };
        held.has(&record_key(&self.scope.connection, &self.row.doc.entity, remote_id))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use millwright_connector::SourceRecord;
    use serde_json::json;

    use super::*;

    fn at(millis: i64) -> WallTime {
        WallTime::from_millis(1_800_000_000_000 + millis)
    }

    pub(crate) fn record(key: &str, name: &str) -> SourceRecord {
        let record = json!({ "key": key, "name": name }).as_object().cloned().unwrap();
        SourceRecord {
            remote_id: key.to_owned(),
            record,
            unshown: Vec::new(),
            raw: None,
            print: None,
        }
    }

    /// A page whose fetching began then, with these records left and others after it.
    fn page(millis: i64, records: Vec<SourceRecord>) -> Sieved {
        Sieved {
            fetched: Fetched { records, ..Fetched::default() },
            sifted: Sifted { same: 3, ..Sifted::default() },
            fetch_started: at(millis),
            source_time: millis,
            reached: None,
            phase: Some(Phase::Pulling(Position::after(millis.to_string()))),
        }
    }

    fn held(page: Sieved) -> Held {
        Held::new(page, Duration::from_secs(60))
    }

    fn many(count: usize) -> Vec<SourceRecord> {
        (0..count).map(|number| record(&number.to_string(), "")).collect()
    }

    #[test]
    fn of_a_record_that_comes_again_the_last_one_is_committed_as_of_when_that_was_read() {
        let mut held = held(page(1, vec![record("a", "old"), record("b", "old")]));
        held.add(page(2, vec![record("a", "new"), record("c", "new")]));
        held.add(page(3, Vec::new()));
        assert_eq!(
            held.fetched.records,
            [record("b", "old"), record("a", "new"), record("c", "new")]
        );
        assert_eq!(held.later, HashMap::from(["a", "c"].map(|key| (key.to_owned(), at(2)))));
        assert_eq!(held.fetch_started, at(1));
        assert_eq!(held.position(), Some(&Position::after("3".to_owned())));
        // Three pages of three that are as they were, and the record that came twice.
        assert_eq!(held.sifted.same, 10);
    }

    #[test]
    fn a_page_waits_for_a_while_and_only_where_it_has_little_to_put_and_more_follows() {
        let waits = |held: &Held, last| held.may_wait(at(10), last);
        let small = held(page(0, many(2)));
        assert!(waits(&small, 2));
        assert!(small.may_wait(at(999), 2) && !small.may_wait(at(1_000), 2));
        let short = Held::new(page(0, many(2)), Duration::from_secs(1));
        assert!(short.may_wait(at(199), 2) && !short.may_wait(at(200), 2), "a short claim");
        assert!(!waits(&held(page(0, many(FEW + 1))), FEW + 1));
        let last = held(Sieved { phase: None, ..page(0, many(2)) });
        assert!(!waits(&last, 2), "nothing follows");
        let comparing = Phase::Comparing { began: at(0), listed: false };
        let last = held(Sieved { phase: Some(comparing), ..page(0, many(2)) });
        assert!(!waits(&last, 2));
        let mut gone = page(0, many(2));
        gone.fetched.deleted.push("7".to_owned());
        assert!(!small.takes(&gone) && !waits(&held(gone), 2));
        assert!(small.takes(&page(1, many(FEW))) && !small.takes(&page(1, many(FEW + 1))));
        let mut long = held(page(0, Vec::new()));
        (2..PAGES_MAX).for_each(|number| long.add(page(number.cast_signed(), Vec::new())));
        assert!(waits(&long, 0));
        long.add(page(1, Vec::new()));
        assert!(!waits(&long, 0));
        let mut full = small;
        full.add(page(1, many(MANY + 1)));
        assert!(!waits(&full, 2));
    }
}
