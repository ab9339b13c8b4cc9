//! Servers whose pages never end: each ends the reading with an error that says so, soon.

use millwright_connector::SystemErrorClass;

use super::*;

/// Far more than it may take to notice.
const SOON: usize = 40;

async fn error_of(kind: &str, read: &str, manner: Manner, rows: u64) -> (SystemError, usize) {
    let source = Source::start(rows).await;
    source.change(|world| world.manner = manner);
    let read = read_all(&engine(&[read]), &source, Pull::default()).await;
    let error = read.err().unwrap_or_else(|| panic!("{kind}: it ended by itself"));
    assert_eq!(error.class, SystemErrorClass::Malformed, "{kind}");
    (error, source.asked().len())
}

fn paged() -> impl Iterator<Item = (&'static str, String)> {
    kinds().into_iter().filter(|(kind, _)| *kind != "none")
}

/// Kinds whose last page is known by numbers come to an end all the same.
fn counts(kind: &str) -> bool {
    kind.contains("total") || kind.contains("pages") || kind == "range"
}

/// Kinds that go from page to page by what the answer says.
fn is_led(kind: &str) -> bool {
    ["cursor", "next_url", "link_header", "skiptoken"].iter().any(|led| kind.starts_with(led))
}

#[tokio::test]
async fn the_same_page_for_ever_is_an_error_in_every_kind() {
    for (kind, read) in paged().filter(|(kind, _)| !counts(kind)) {
        let (error, asked) = error_of(kind, &read, Manner::Stuck, 7).await;
        assert!(error.message.contains("same page"), "{kind}: {}", error.message);
        assert!(asked <= 4, "{kind}: {asked} requests");
    }
}

#[tokio::test]
async fn the_same_rows_for_ever_with_new_words_each_time_are_an_error() {
    for (kind, read) in paged().filter(|(kind, _)| is_led(kind)) {
        let (error, asked) = error_of(kind, &read, Manner::StuckWithNewWords, 7).await;
        assert!(error.message.contains("same page"), "{kind}: {}", error.message);
        assert!(asked <= SOON, "{kind}: {asked} requests");
    }
}

#[tokio::test]
async fn pages_in_a_circle_are_an_error() {
    for (kind, read) in paged().filter(|(kind, _)| !counts(kind)) {
        let (error, asked) = error_of(kind, &read, Manner::Circle, 12).await;
        let said = error.message.contains("circle") || error.message.contains("same page");
        assert!(said, "{kind}: {}", error.message);
        assert!(asked <= SOON, "{kind}: {asked} requests");
    }
}

#[tokio::test]
async fn a_server_that_takes_positions_for_pages_is_an_error_and_no_loop() {
    for (kind, read) in paged().filter(|(kind, _)| overlaps(kind)) {
        let (error, asked) = error_of(kind, &read, Manner::TakesPositionsForPages, 30).await;
        assert!(error.message.contains("circle"), "{kind}: {}", error.message);
        assert!(asked <= SOON, "{kind}: {asked} requests");
    }
}

#[tokio::test]
async fn pages_without_rows_and_without_end_are_an_error() {
    for (kind, read) in paged().filter(|(kind, _)| ["cursor", "next_url"].contains(kind)) {
        let (error, asked) = error_of(kind, &read, Manner::EndlesslyEmpty, 3).await;
        assert!(error.message.contains("do not end"), "{kind}: {}", error.message);
        assert!(asked <= 1_100, "{kind}: {asked} requests");
    }
}

#[tokio::test]
async fn a_listing_of_ids_that_never_ends_is_an_error() {
    for (kind, read) in paged().filter(|(kind, _)| !counts(kind)) {
        let source = Source::start(7).await;
        source.change(|world| world.manner = Manner::Stuck);
        let engine = engine(&[&read, "deletes: { sweep: { every_runs: 1 } }"]);
        let error = listed(&engine, &source).await.unwrap_err();
        assert!(error.message.contains("same page"), "{kind}: {}", error.message);
    }
}
