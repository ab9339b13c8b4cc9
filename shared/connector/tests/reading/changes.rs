//! Every way of finding changes: each is told once, and none is lost between two readings.

use super::*;

/// A source whose rows were all made a while ago, and its first reading.
/// Seconds after which a change is past for the next reading, though a slow answer takes some off.
const PAST: i64 = 10;

async fn begun(engine: &Engine, rows: u64) -> (Source, Reading) {
    let source = Source::start(rows).await;
    source.change(|world| world.now += 100);
    let reading = first(engine, &source).await;
    assert_eq!(reading.each(), (1..=rows).collect::<Vec<_>>());
    source.change(|world| world.now += 100);
    source.asked();
    (source, reading)
}

fn filtered(more: &str) -> Vec<String> {
    vec![
        read("rows", "after: \"{page.after}\", since: \"{window}\"", "{ id_after: {} }"),
        format!("incremental: {{ filter: {{ window: \"{{since|unix_seconds}}\"{more} }} }}"),
    ]
}

fn engine_of(parts: &[String]) -> Engine {
    engine(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_filter_reads_what_was_made_or_changed_and_no_more() {
    let engine = engine_of(&filtered(""));
    let (source, before) = begun(&engine, 10).await;
    source.change(|world| {
        world.put(3, "changed");
        world.put(11, "new");
        world.now += PAST;
    });
    let reading = later(&engine, &source, &before).await;
    assert_eq!(reading.ids, [3, 11]);
    source.change(|world| world.now += 100);
    let quiet = later(&engine, &source, &reading).await;
    assert_eq!(quiet.ids, Vec::<u64>::new(), "each is told once");
}

#[tokio::test]
async fn what_changes_while_it_is_read_is_read_by_the_next() {
    let engine = engine_of(&filtered(""));
    let (source, before) = begun(&engine, 10).await;
    source.change(|world| (1..=10).for_each(|id| world.put(id, "changed")));
    // Behind the reader, on its page, and before it.
    source.meddle(|page, world: &mut World| {
        if page == 2 {
            [1, 5, 7].into_iter().for_each(|id| world.put(id, "again"));
        }
    });
    let reading = later(&engine, &source, &before).await;
    source.meddle(|_, _| {});
    let next = later(&engine, &source, &reading).await;
    for id in [1, 5, 7] {
        assert!(next.ids.contains(&id), "{id} of {:?}", next.ids);
    }
}

#[tokio::test]
async fn equal_times_over_the_borders_of_pages_hide_nothing() {
    let engine = engine_of(&filtered(""));
    let (source, before) = begun(&engine, 10).await;
    // Ten rows on four pages have one time, and two more get it while they are read.
    source.change(|world| {
        world.now += 1;
        world.still = true;
        (1..=10).for_each(|id| world.put(id, "changed"));
    });
    source.meddle(|page, world: &mut World| {
        if page == 3 {
            world.put(2, "again");
            world.put(11, "new");
        }
    });
    let reading = later(&engine, &source, &before).await;
    let mut once = reading.ids.clone();
    once.retain(|id| *id <= 10);
    assert_eq!(once, (1..=10).collect::<Vec<_>>(), "each once");
    source.meddle(|_, _| {});
    source.change(|world| world.still = false);
    let next = later(&engine, &source, &reading).await;
    assert!(next.ids.contains(&2) && next.ids.contains(&11), "{:?}", next.ids);
}

#[tokio::test]
async fn the_clock_that_counts_is_the_systems_own() {
    let engine = engine_of(&filtered(""));
    for ahead in [-40_000_000, 40_000_000] {
        let source = Source::start(4).await;
        source.change(|world| {
            world.now += ahead;
            (1..=4).for_each(|id| world.put(id, "first"));
            world.now += 100;
        });
        let before = first(&engine, &source).await;
        source.change(|world| world.now += 100);
        source.change(|world| world.put(2, "changed"));
        source.asked();
        let reading = later(&engine, &source, &before).await;
        assert_eq!(reading.ids, [2], "{ahead} s beside ours");
    }
}

#[tokio::test]
async fn a_filter_may_be_named_without_a_form_of_its_own() {
    let parts = [
        read(
            "rows",
            "after: \"{page.after}\", since: \"{since|unix_seconds}\"",
            "{ id_after: {} }",
        ),
        "incremental: { filter: {} }".to_owned(),
        "deletes: { sweep: { every_runs: 1 } }".to_owned(),
    ];
    let engine = engine_of(&parts);
    let (source, before) = begun(&engine, 7).await;
    source.change(|world| world.put(2, "changed"));
    assert_eq!(later(&engine, &source, &before).await.ids, [2]);
    assert_eq!(listed(&engine, &source).await.unwrap(), [1, 2, 3, 4, 5, 6, 7]);
}

const NOTES: &str = ", streams: [{ name: notes, request: { method: GET, path: children, query: \
    { after: \"{page.after}\", limit: \"{page.size}\", since: \"{window}\" } }, rows: rows, parent: of }]";

#[tokio::test]
async fn child_rows_that_change_bring_their_records_back() {
    let engine = engine_of(&filtered(NOTES));
    let (source, before) = begun(&engine, 10).await;
    source.change(|world| {
        world.put(2, "changed");
        (0..5).for_each(|note| world.note(5 + note % 2, 500 + note));
    });
    let reading = later(&engine, &source, &before).await;
    assert_eq!(reading.each(), [2, 5, 6]);
}

fn feed(out_of_order: &str) -> Vec<String> {
    vec![
        read("feed", "number: \"{page.number}\"", "{ page: {} }"),
        format!(
            "incremental: {{ feed: {{ time: {{ path: at, codec: unix_seconds }}{out_of_order} }} }}"
        ),
    ]
}

const PINNED: &str = ", out_of_order: { pinned: [true] }";

#[tokio::test]
async fn a_feed_is_read_until_it_is_old() {
    let engine = engine_of(&feed(""));
    let (source, before) = begun(&engine, 20).await;
    source.change(|world| [7, 21, 3, 9].into_iter().for_each(|id| world.put(id, "changed")));
    let reading = later(&engine, &source, &before).await;
    assert_eq!(reading.ids, [9, 3, 21, 7]);
    assert_eq!(source.asked().len(), 2, "the second page has old rows");
}

#[tokio::test]
async fn pinned_rows_end_no_feed_and_are_read_when_they_change() {
    let engine = engine_of(&feed(PINNED));
    let (source, before) = begun(&engine, 20).await;
    source.change(|world| {
        (1..=5).for_each(|id| world.rows.get_mut(&id).unwrap().pinned = true);
        world.put(12, "changed");
        world.put(4, "changed");
    });
    let reading = later(&engine, &source, &before).await;
    assert_eq!(reading.ids, [4, 12], "behind more than a page of old pinned rows");
}

#[tokio::test]
async fn rows_that_come_to_the_front_of_a_feed_meanwhile_hide_none() {
    let engine = engine_of(&feed(""));
    let (source, before) = begun(&engine, 20).await;
    source.change(|world| (1..=12).for_each(|id| world.put(id, "changed")));
    source.meddle(|page, world: &mut World| {
        if page > 0 && page < 4 {
            world.put(20, "again");
            world.put(12, "again");
        }
    });
    let reading = later(&engine, &source, &before).await;
    let lost: Vec<u64> = (1..=12).filter(|id| !reading.ids.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// The three ways in which a log is read on.
fn logs() -> [(&'static str, Vec<String>); 3] {
    let log = |query: &str, more: &str| {
        vec![
            read("rows", "after: \"{page.after}\"", "{ id_after: {} }"),
            format!(
                "incremental: {{ log: {{ request: {{ method: GET, path: log, query: {{ limit: \
                 \"{{page.size}}\", {query} }} }}, rows: rows, record: row, deleted: {{ what: [deleted] }}, \
                 {more} }} }}"
            ),
        ]
    };
    let time = "newest_first: { time: { path: at, codec: unix_seconds } }";
    let latest = "checkpoint: { latest: { request: { method: GET, path: log/last }, at: id } }";
    [
        ("since", log("after: \"{page.after}\", since: \"{since|unix_seconds}\"", "")),
        (
            "newest first",
            log(
                "number: \"{page.number}\", newest: 1",
                &format!("paging: {{ page: {{}} }}, {time}"),
            ),
        ),
        ("checkpoint", log("after: \"{page.after}\"", latest)),
    ]
}

#[tokio::test]
async fn a_log_tells_each_change_and_each_deletion_once() {
    for (kind, parts) in logs() {
        let engine = engine_of(&parts);
        let (source, before) = begun(&engine, 10).await;
        source.change(|world| {
            world.put(3, "changed");
            world.delete(4);
            world.put(21, "new");
            world.delete(21);
            world.delete(5);
            world.put(5, "made again");
            world.put(22, "new");
            world.now += PAST;
        });
        let reading = later(&engine, &source, &before).await;
        assert_eq!(reading.each(), [3, 5, 22], "{kind}");
        let mut gone = reading.deleted.clone();
        gone.sort_unstable();
        gone.dedup();
        // Read forwards over several pages, 5 is gone on one and back on a later one.
        gone.retain(|id| *id != 5);
        assert_eq!(gone, [4, 21], "{kind}");
        source.change(|world| world.now += 100);
        let quiet = later(&engine, &source, &reading).await;
        assert_eq!((quiet.ids, quiet.deleted), (vec![], vec![]), "{kind}");
    }
}

#[tokio::test]
async fn what_happens_during_a_first_load_is_in_the_log_that_is_read_next() {
    for (kind, parts) in logs() {
        let engine = engine_of(&parts);
        let source = Source::start(10).await;
        source.change(|world| world.now += 100);
        source.meddle(|page, world: &mut World| {
            if page == 2 {
                world.put(1, "meanwhile");
                world.delete(2);
            }
        });
        let before = first(&engine, &source).await;
        source.meddle(|_, _| {});
        let reading = later(&engine, &source, &before).await;
        assert!(reading.ids.contains(&1) && reading.deleted.contains(&2), "{kind}: {reading:?}");
    }
}

#[tokio::test]
async fn a_log_that_no_longer_reaches_back_says_so() {
    let (_, parts) = logs().into_iter().next_back().unwrap();
    let engine = engine_of(&parts);
    let (source, before) = begun(&engine, 10).await;
    source.change(|world| {
        (1..=10).for_each(|id| world.put(id, "changed"));
        world.log_from = 15;
    });
    let reading = later(&engine, &source, &before).await;
    assert!(reading.lost_track && reading.ids.is_empty());
}

#[tokio::test]
async fn without_a_way_to_find_changes_everything_is_read_each_time() {
    let engine = engine(&[&read("rows", "after: \"{page.after}\"", "{ id_after: {} }")]);
    let (source, before) = begun(&engine, 7).await;
    source.change(|world| world.put(2, "changed"));
    assert_eq!(later(&engine, &source, &before).await.ids, [1, 2, 3, 4, 5, 6, 7]);
}
