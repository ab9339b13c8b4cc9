//! Every way of finding deletions.

use super::*;

const FILTER: &str = "incremental: { filter: { window: \"{since|unix_seconds}\" } }";

fn rows(more: &str) -> String {
    let query = format!("after: \"{{page.after}}\", since: \"{{window}}\"{more}");
    read("rows", &query, "{ id_after: {} }")
}

async fn begun(engine: &Engine) -> (Source, Reading) {
    let source = Source::start(8).await;
    source.change(|world| world.now += 100);
    let before = first(engine, &source).await;
    assert_eq!((before.ids.len(), before.deleted.len()), (8, 0));
    source.change(|world| world.now += 100);
    (source, before)
}

#[tokio::test]
async fn a_row_that_says_itself_that_it_is_deleted_is() {
    for flag in ["set: archived", "when: { archived: [true] }"] {
        let flag = format!("deletes: {{ flag: {{ {flag} }}, sweep: {{ every_runs: 1 }} }}");
        let engine = engine(&[&rows(""), FILTER, &flag]);
        let (source, before) = begun(&engine).await;
        source.change(|world| {
            world.archive(3);
            world.put(4, "changed");
        });
        let reading = later(&engine, &source, &before).await;
        assert_eq!((reading.ids.clone(), reading.deleted.clone()), (vec![4], vec![3]));
        assert_eq!(listed(&engine, &source).await.unwrap(), [1, 2, 4, 5, 6, 7, 8]);
        source.change(|world| world.put(3, "back"));
        let back = later(&engine, &source, &reading).await;
        assert!(back.ids.contains(&3) && !back.deleted.contains(&3), "{back:?}");
    }
}

#[tokio::test]
async fn what_a_listing_of_what_was_put_away_shows_is_deleted() {
    let archived = "deletes: { archived: { request: { method: GET, path: rows, query: { archived: only, \
        after: \"{page.after}\", limit: \"{page.size}\", since: \"{window}\" } }, rows: rows } }";
    let engine = engine(&[&rows(", archived: \"no\""), FILTER, archived]);
    let (source, before) = begun(&engine).await;
    source.change(|world| {
        (2..=6).for_each(|id| world.archive(id));
        world.put(6, "and back");
    });
    let reading = later(&engine, &source, &before).await;
    assert_eq!((reading.ids, reading.deleted), (vec![6], vec![2, 3, 4, 5]));
}

fn tombstones(query: &str, more: &str) -> String {
    format!(
        "deletes: {{ tombstones: {{ request: {{ method: GET, path: tombs, query: {{ limit: \
         \"{{page.size}}\", {query} }} }}, rows: rows, record: row, {more} }} }}"
    )
}

#[tokio::test]
async fn deletions_that_are_listed_are_told_once_and_before_what_was_made_again() {
    let newest = "paging: { page: {} }, newest_first: { time: { path: at, codec: unix_seconds } }";
    for tombstones in [
        tombstones("after: \"{page.after}\", since: \"{since|unix_seconds}\"", ""),
        tombstones("number: \"{page.number}\", newest: 1", newest),
    ] {
        let engine = engine(&[&rows(""), FILTER, &tombstones]);
        let (source, before) = begun(&engine).await;
        source.change(|world| {
            (1..=5).for_each(|id| world.delete(id));
            world.put(2, "made again");
        });
        let mut pull = Pull { from: before.from, ..Pull::default() };
        let mut there: std::collections::BTreeSet<String> =
            (1..=8).map(|id: u64| id.to_string()).collect();
        let from = loop {
            let page = open(&engine, &source).pull("vendors", &pull).await.unwrap();
            there.retain(|id| !page.deleted.contains(id));
            there.extend(page.records.into_iter().map(|record| record.remote_id));
            match page.next {
                Some(next) => pull.position = kept(&next),
                None => break page.source_time,
            }
        };
        assert_eq!(there, ["2", "6", "7", "8"].map(str::to_owned).into());
        source.change(|world| world.now += 100);
        let next = Reading { from: from.map(|from| from + 10_000), ..Reading::default() };
        assert_eq!(later(&engine, &source, &next).await.deleted, Vec::<u64>::new());
    }
}

#[tokio::test]
async fn a_reading_of_everything_tells_deletions_since_the_last() {
    let since = tombstones("after: \"{page.after}\", since: \"{since|unix_seconds}\"", "");
    let engine = engine(&[&rows(""), FILTER, &since]);
    let (source, before) = begun(&engine).await;
    source.change(|world| world.delete(8));
    let pull = Pull { deletions_from: before.from, ..Pull::default() };
    let reading = read_all(&engine, &source, pull).await.unwrap();
    assert_eq!((reading.ids, reading.deleted), ((1..=7).collect(), vec![8]));
}

#[tokio::test]
async fn a_sweep_with_a_listing_of_its_own_lists_what_is_there() {
    let sweep = "deletes: { sweep: { request: { method: GET, path: rows, query: { archived: \"no\", \
        after: \"{page.after}\", limit: \"{page.size}\" } }, rows: rows, id: id, page_size: 5, every_runs: 2 } }";
    let engine = engine(&[&rows(""), FILTER, sweep]);
    let (source, _) = begun(&engine).await;
    source.change(|world| {
        world.delete(1);
        world.archive(7);
    });
    assert_eq!(listed(&engine, &source).await.unwrap(), [2, 3, 4, 5, 6, 8]);
    assert!(source.asked().last().unwrap().contains("limit=5"));
}

#[tokio::test]
async fn a_single_row_that_is_not_found_by_its_id_is_gone() {
    let one = "get: { request: { method: GET, path: \"row/{id}\" } }";
    let notes = "incremental: { filter: { window: \"{since|unix_seconds}\", streams: [{ name: notes, \
        request: { method: GET, path: children, query: { after: \"{page.after}\", since: \"{window}\" } }, \
        rows: rows, parent: of }] } }";
    let engine = engine(&[&rows(""), one, notes]);
    let (source, before) = begun(&engine).await;
    source.change(|world| {
        world.note(3, 300);
        world.refused.insert(3, 410);
    });
    let reading = later(&engine, &source, &before).await;
    assert_eq!((reading.ids, reading.deleted), (vec![], vec![3]));
}
