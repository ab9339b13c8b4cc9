//! What pages of the feed make of fingerprints.

use millwright_connector::RowPrint;
use millwright_core::{ConnectionId, ScheduleTime};
use millwright_entities::record_key;
use millwright_records::{Entry, Origin};

use super::*;

fn text(id: u64) -> String {
    record_key(&ConnectionId::derived(&["one"]), "vendors", &id.to_string())
}

fn key(id: u64) -> PrintKey {
    PrintKey::of(&text(id)).unwrap()
}

fn content(number: u64) -> Content {
    Content::of(&format!("{number:016x}"))
}

fn known(number: u64) -> Known {
    Known::content(content(number))
}

fn page(commit: &CommitId, entries: &[(u64, Op)]) -> FeedPage {
    let entry = |(id, op): &(u64, Op)| Entry { key: text(*id), op: *op };
    FeedPage {
        first: Seq::default(),
        commit: commit.clone(),
        entity: "vendors".to_owned(),
        origin: Origin::Sync,
        initial: false,
        scheduled: ScheduleTime::from_millis(0),
        entries: entries.iter().map(entry).collect(),
    }
}

/// Fingerprints of a row 1 that holds 1.
fn prints() -> Prints {
    let mut set = PrintSet::default();
    set.put(key(1), Some(known(1)));
    Prints::new(set, Seq::default(), 0)
}

fn own() -> CommitId {
    CommitId::of_pull(1, 1)
}

fn other() -> CommitId {
    CommitId::of_write("write_1")
}

#[test]
fn what_others_put_is_there_and_unknown_and_what_they_deleted_is_gone() {
    let (mut prints, mut others) = (prints(), HashSet::new());
    prints.apply(&page(&other(), &[(1, Op::Updated), (2, Op::Inserted)]), &mut others);
    assert!(prints.set.has(key(1)) && prints.set.has(key(2)));
    assert!(!prints.set.holds(key(1), content(1)));
    prints.apply(&page(&other(), &[(1, Op::Deleted)]), &mut others);
    assert_eq!((prints.set.has(key(1)), prints.set.len()), (false, 1));
}

#[test]
fn what_an_own_commit_has_put_is_known_once_its_page_is_read() {
    let (mut prints, mut others) = (prints(), HashSet::new());
    prints.learn(&own(), true, vec![(key(1), known(2)), (key(2), known(3))]);
    assert!(!prints.set.has(key(2)), "its page may never come to be");
    prints.apply(&page(&own(), &[(1, Op::Updated), (2, Op::Inserted)]), &mut others);
    assert!(prints.set.holds(key(1), content(2)) && prints.set.holds(key(2), content(3)));
}

#[test]
fn what_a_write_put_beside_an_own_commit_is_unknown_whichever_page_came_first() {
    let pages = [page(&own(), &[(1, Op::Updated)]), page(&other(), &[(1, Op::Updated)])];
    for order in [[0, 1], [1, 0]] {
        let (mut prints, mut others) = (prints(), HashSet::new());
        prints.learn(&own(), true, vec![(key(1), known(2))]);
        order.iter().for_each(|page| prints.apply(&pages[*page], &mut others));
        assert!(prints.set.has(key(1)) && !prints.set.holds(key(1), content(2)), "{order:?}");
    }
}

#[test]
fn what_was_found_as_it_is_is_known_at_once_until_a_page_says_otherwise() {
    let (mut prints, mut others) = (prints(), HashSet::new());
    prints.set.put(key(1), None);
    prints.learn(&own(), false, vec![(key(1), known(4)), (key(9), known(9))]);
    assert!(prints.set.holds(key(1), content(4)));
    assert!(!prints.set.has(key(9)), "a row that no page has told of is none");
    prints.apply(&page(&other(), &[(1, Op::Updated)]), &mut others);
    assert!(!prints.set.holds(key(1), content(4)));
}

#[test]
fn those_that_cannot_be_brought_up_to_date_are_of_no_use() {
    let now = WallTime::from_millis(1_800_000_000_000);
    let at = |days: u64| {
        let time = now - Duration::from_secs(days * 24 * 3600);
        Prints { as_of: Seq::default().next(time), ..prints() }
    };
    let head = Seq::default().next(now);
    assert!(at(80).is_usable(0, head, now));
    assert!(!at(90).is_usable(0, head, now), "pages since then are no longer kept");
    assert!(at(90).is_usable(0, at(90).as_of, now), "nothing has happened since");
    assert!(!at(80).is_usable(1, head, now), "a commit was lost since");
    assert!(!at(1).is_usable(0, at(2).as_of, now), "the table is older than they are");
}

#[test]
fn what_others_put_is_not_known_by_its_row_either_and_a_row_is_learnt_only_of_what_is_known() {
    let row = RowPrint::of_bytes([5; RowPrint::SIZE]);
    let of = |number| Known { content: content(number), row: Some(row) };
    let (mut prints, mut others) = (prints(), HashSet::new());
    prints.map_by(Some("mapping".to_owned()));
    prints.learn_row(key(1), of(2));
    assert!(!prints.set.is_made_of(key(1), row), "it holds another content");
    prints.learn_row(key(1), of(1));
    assert!(prints.set.is_made_of(key(1), row));
    prints.apply(&page(&other(), &[(1, Op::Updated)]), &mut others);
    assert!(!prints.set.is_made_of(key(1), row));
    prints.learn_row(key(1), of(1));
    assert!(!prints.set.is_made_of(key(1), row), "it may hold anything");
    prints.learn(&own(), false, vec![(key(1), of(1))]);
    assert!(prints.set.is_made_of(key(1), row), "its row was read");
    prints.apply(&page(&other(), &[(1, Op::Deleted)]), &mut others);
    assert!(!prints.set.is_made_of(key(1), row));
}

#[test]
fn no_row_is_learnt_where_a_row_does_not_say_what_it_becomes() {
    let row = RowPrint::of_bytes([5; RowPrint::SIZE]);
    let (mut prints, mut others) = (prints(), HashSet::new());
    prints.map_by(None);
    let of = |number| Known { content: content(number), row: Some(row) };
    prints.learn_row(key(1), of(1));
    prints.learn(&own(), true, vec![(key(1), of(2)), (key(2), of(2))]);
    prints.apply(&page(&own(), &[(1, Op::Updated), (2, Op::Inserted)]), &mut others);
    assert!(prints.set.holds(key(1), content(2)) && prints.set.holds(key(2), content(2)));
    assert!(!prints.set.is_made_of(key(1), row) && !prints.set.is_made_of(key(2), row));
}
