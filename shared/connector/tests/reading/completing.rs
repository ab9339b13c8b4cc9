//! Details and children: how many calls they take, and what one that fails means.

use std::time::Duration;

use millwright_connector::SystemErrorClass;
use serde_json::Value;

use super::*;

const ONE: &str = "get: { request: { method: GET, path: \"row/{id}\" } }";

fn rows() -> String {
    read("rows", "after: \"{page.after}\"", "{ id_after: {} }")
}

fn detailed() -> Engine {
    engine(&[&rows(), ONE, "detail: get"])
}

fn of(size: u32) -> Pull {
    Pull { page_size: size, raw: true, ..Pull::default() }
}

#[tokio::test]
async fn each_row_is_one_call_and_no_more_run_at_once_than_the_system_takes() {
    let source = Source::start_slow(12, Duration::from_millis(15)).await;
    let reading = read_all(&detailed(), &source, of(5)).await.unwrap();
    assert_eq!(reading.ids, (1..=12).collect::<Vec<_>>(), "in the order of the listing");
    let asked = source.asked();
    assert_eq!(asked.iter().filter(|uri| uri.starts_with("/row/")).count(), 12);
    assert_eq!(asked.len(), 12 + 4);
    assert_eq!(source.most_at_once(), 3);
}

#[tokio::test]
async fn a_detail_that_is_not_found_is_gone_and_one_that_is_refused_is_told() {
    let source = Source::start(6).await;
    source.change(|world| world.refused.extend([(2, 404), (3, 403), (5, 422)]));
    let reading = first(&detailed(), &source).await;
    assert_eq!(reading.ids, [1, 4, 6]);
    assert_eq!((reading.deleted, reading.faults), (vec![2], vec![3, 5]));
}

#[tokio::test]
async fn details_that_all_fail_are_no_matter_of_rows() {
    for (status, class) in [(403, SystemErrorClass::Permission), (404, SystemErrorClass::Malformed)]
    {
        let source = Source::start(12).await;
        source.change(|world| world.refused.extend((1..=12).map(|id| (id, status))));
        let error = read_all(&detailed(), &source, of(12)).await.unwrap_err();
        assert_eq!(error.class, class, "{}", error.message);
    }
}

#[tokio::test]
async fn a_detail_that_fails_fails_its_page_which_can_be_read_again() {
    let source = Source::start(6).await;
    source.change(|world| world.refused.insert(5, 500));
    let engine = detailed();
    let page = open(&engine, &source).pull("vendors", &of(3)).await.unwrap();
    let pull = Pull { position: kept(&page.next.unwrap()), ..of(3) };
    let error = open(&engine, &source).pull("vendors", &pull).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Unreachable);
    source.change(|world| world.refused.clear());
    assert_eq!(read_all(&engine, &source, pull).await.unwrap().ids, [4, 5, 6]);
}

const EACH: &str = "children: [{ into: notes, request: { method: GET, path: \"row/{id}/notes\", query: \
    { number: \"{page.number}\" } }, rows: rows, paging: { page: {} } }]";
const OF_ALL: &str = "children: [{ into: notes, request: { method: GET, path: children, query: \
    { of: \"{ids|join}\", after: \"{page.after}\", limit: \"{page.size}\" } }, rows: rows, parent: of }]";

/// The ids of the notes of each row, as one reading has them.
async fn notes(engine: &Engine, source: &Source) -> Vec<(u64, Vec<u64>)> {
    let mut pull = of(3);
    let mut all = Vec::new();
    loop {
        let page = open(engine, source).pull("vendors", &pull).await.unwrap();
        all.extend(page.records.iter().map(|record| {
            let notes = record.raw.as_ref().unwrap()["notes"].as_array().unwrap();
            let ids = notes.iter().map(|note: &Value| note["id"].as_u64().unwrap());
            (record.remote_id.parse().unwrap(), ids.collect())
        }));
        match page.next {
            Some(next) => pull.position = next,
            None => return all,
        }
    }
}

fn with_notes(world: &mut World) {
    for (row, count) in [(1, 0), (2, 1), (4, 7)] {
        (0..count).for_each(|note| world.note(row, row * 100 + note));
    }
}

#[tokio::test]
async fn all_pages_of_all_children_are_put_into_their_rows() {
    for children in [EACH, OF_ALL] {
        let source = Source::start(5).await;
        source.change(with_notes);
        // The listing of one row's notes has two on a page.
        let engine = engine(&[&rows(), children]);
        let found = notes(&engine, &source).await;
        let all =
            [(1, vec![]), (2, vec![200]), (3, vec![]), (4, (400..407).collect()), (5, vec![])];
        assert_eq!(found, all, "{children}");
        let calls = source.asked().iter().filter(|uri| !uri.starts_with("/rows")).count();
        // For each row its pages and an empty one; for all rows of a page, two or three pages together.
        assert!(calls <= if children == EACH { 10 } else { 8 }, "{children}: {calls} calls");
    }
}

#[tokio::test]
async fn children_that_are_refused_leave_their_row_out_and_those_that_fail_fail_the_page() {
    let engine = engine(&[&rows(), EACH]);
    let source = Source::start(5).await;
    source.change(|world| world.refused.insert(2, 403));
    let reading = first(&engine, &source).await;
    assert_eq!((reading.ids, reading.faults), (vec![1, 3, 4, 5], vec![2]));
    source.change(|world| world.refused.insert(2, 503));
    let error = read_all(&engine, &source, Pull::default()).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Unreachable);
}

#[tokio::test]
async fn records_that_are_read_by_id_are_asked_for_in_parts() {
    let source = Source::start(10).await;
    let engine = engine(&[&rows()]);
    let ids: Vec<String> = (1..=11).map(|id| id.to_string()).collect();
    let found = open(&engine, &source).find("vendors", &ids).await.unwrap();
    assert_eq!(found.records.len(), 10, "the one that is not there is left out");
    assert_eq!(source.asked().len(), 3, "four in each");
}
