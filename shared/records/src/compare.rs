//! What a fetched record is against the row that stands there: a pure decision.

use millwright_core::WallTime;

use crate::{CommitId, Op, RecordDoc};

/// What to do with a fetched record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Put it and tell of it.
    Changed(Op),
    /// It is as it was.
    Unchanged,
    /// A write through the API, or another fetch, is newer than this one: the row stands.
    WrittenSince,
    /// The same, and the commit that put the row never came to be: what stands there must be told.
    Untold,
}

/// Judges a fetched record with content `hash` against the row. A row written by one of the
/// `unfinished` commits counts as changed even when it is the same: its page never was committed.
#[must_use]
pub(crate) fn judge(
    row: Option<&RecordDoc>,
    hash: &str,
    fetch_started: WallTime,
    unfinished: &[CommitId],
) -> Verdict {
    let Some(row) = row else { return Verdict::Changed(Op::Inserted) };
    let untold = unfinished.contains(&row.commit);
    if is_newer(row, fetch_started) {
        return if untold { Verdict::Untold } else { Verdict::WrittenSince };
    }
    if row.deleted_at.is_none() && row.hash == hash && !untold {
        return Verdict::Unchanged;
    }
    Verdict::Changed(if row.is_known(unfinished) { Op::Updated } else { Op::Inserted })
}

/// Whether a row holds what is newer than a fetch: a write through the API, or what another fetch found
/// that began later.
fn is_newer(row: &RecordDoc, fetch_started: WallTime) -> bool {
    row.written_at.is_some_and(|written| written >= fetch_started)
        || row.fetched_at.is_some_and(|fetched| fetched > fetch_started)
}

/// Whether a row is to be marked as gone. Not when what it holds is newer than the fetch, and not when it is marked already, unless by one of the `unfinished` commits, which never told of it.
#[must_use]
pub(crate) fn is_gone(row: &RecordDoc, fetch_started: WallTime, unfinished: &[CommitId]) -> bool {
    if is_newer(row, fetch_started) {
        return false;
    }
    row.deleted_at.is_none() || unfinished.contains(&row.commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceTimes;

    const FETCHED: WallTime = WallTime::from_millis(1_000);

    fn row(hash: &str) -> RecordDoc {
        RecordDoc {
            remote_id: "7".to_owned(),
            hash: hash.to_owned(),
            commit: CommitId::of_pull(3, 1),
            known_before: true,
            first_seen_at: WallTime::from_millis(10),
            changed_at: WallTime::from_millis(20),
            written_at: None,
            fetched_at: None,
            deleted_at: None,
            revived: false,
            source: SourceTimes::default(),
            kept_days: None,
            raw: None,
        }
    }

    #[test]
    fn a_record_is_new_changed_or_as_it_was() {
        assert_eq!(judge(None, "a", FETCHED, &[]), Verdict::Changed(Op::Inserted));
        assert_eq!(judge(Some(&row("a")), "b", FETCHED, &[]), Verdict::Changed(Op::Updated));
        assert_eq!(judge(Some(&row("a")), "a", FETCHED, &[]), Verdict::Unchanged);
    }

    #[test]
    fn a_row_of_an_unfinished_commit_counts_as_changed() {
        let unfinished = [CommitId::of_pull(3, 1)];
        let updated = row("a");
        assert_eq!(judge(Some(&updated), "a", FETCHED, &unfinished), Verdict::Changed(Op::Updated));
        let inserted = RecordDoc { known_before: false, ..updated };
        assert_eq!(
            judge(Some(&inserted), "a", FETCHED, &unfinished),
            Verdict::Changed(Op::Inserted)
        );
    }

    #[test]
    fn a_write_newer_than_the_fetch_wins_and_an_older_one_does_not() {
        let written = |at| RecordDoc { written_at: Some(WallTime::from_millis(at)), ..row("a") };
        assert_eq!(judge(Some(&written(1_000)), "b", FETCHED, &[]), Verdict::WrittenSince);
        assert_eq!(judge(Some(&written(999)), "b", FETCHED, &[]), Verdict::Changed(Op::Updated));
    }

    #[test]
    fn of_two_fetches_the_one_that_began_later_stands() {
        let fetched = |at| RecordDoc { fetched_at: Some(WallTime::from_millis(at)), ..row("a") };
        assert_eq!(judge(Some(&fetched(1_001)), "b", FETCHED, &[]), Verdict::WrittenSince);
        assert_eq!(judge(Some(&fetched(1_000)), "b", FETCHED, &[]), Verdict::Changed(Op::Updated));
        assert!(!is_gone(&fetched(1_001), FETCHED, &[]) && is_gone(&fetched(1_000), FETCHED, &[]));
        let gone = RecordDoc { deleted_at: Some(FETCHED), ..fetched(1_001) };
        assert_eq!(judge(Some(&gone), "a", FETCHED, &[]), Verdict::WrittenSince);
    }

    #[test]
    fn a_commit_knows_those_of_a_puller_that_come_later() {
        let of = |fence, number| CommitId::of_pull(fence, number).is_of_pull_from(3, 9);
        assert!(of(3, 9) && of(3, 10) && of(4, 1));
        assert!(!of(3, 8) && !of(2, 10));
        assert!(!CommitId::of_hints("posts", 9).is_of_pull_from(3, 1));
        assert!(!CommitId::of_write("p9.9").is_of_pull_from(3, 1));
    }

    #[test]
    fn a_record_deleted_through_the_api_is_not_raised_by_a_page_fetched_before() {
        let at = |ms| Some(WallTime::from_millis(ms));
        let gone = RecordDoc { deleted_at: at(1_000), written_at: at(1_000), ..row("a") };
        assert_eq!(judge(Some(&gone), "a", FETCHED, &[]), Verdict::WrittenSince);
        let later = FETCHED + std::time::Duration::from_millis(1);
        assert_eq!(judge(Some(&gone), "a", later, &[]), Verdict::Changed(Op::Inserted));
    }

    #[test]
    fn what_an_unfinished_commit_put_is_told_even_when_it_was_written_since() {
        let written = RecordDoc { written_at: Some(FETCHED), ..row("a") };
        let unfinished = [CommitId::of_pull(3, 1)];
        assert_eq!(judge(Some(&written), "b", FETCHED, &unfinished), Verdict::Untold);
    }

    #[test]
    fn a_deleted_record_that_comes_back_is_new() {
        let gone = RecordDoc { deleted_at: Some(FETCHED), ..row("a") };
        assert_eq!(judge(Some(&gone), "a", FETCHED, &[]), Verdict::Changed(Op::Inserted));
    }

    #[test]
    fn a_row_is_marked_as_gone_once_and_not_against_a_newer_write() {
        let live = row("a");
        assert!(is_gone(&live, FETCHED, &[]));
        let marked = RecordDoc { deleted_at: Some(FETCHED), ..row("a") };
        assert!(!is_gone(&marked, FETCHED, &[]));
        assert!(is_gone(&marked, FETCHED, &[CommitId::of_pull(3, 1)]), "its mark was never told");
        let written = |at| RecordDoc { written_at: Some(WallTime::from_millis(at)), ..row("a") };
        assert!(!is_gone(&written(1_000), FETCHED, &[]));
        assert!(is_gone(&written(999), FETCHED, &[]));
    }
}
