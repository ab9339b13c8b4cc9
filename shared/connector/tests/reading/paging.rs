//! Every kind of paging over rows that nobody changes.

use super::*;

#[tokio::test]
async fn every_kind_of_paging_reads_every_row_at_each_edge_of_a_page() {
    for (kind, read) in kinds() {
        let engine = engine(&[&read]);
        for rows in [0, 1, 2, 3, 4, 5, 6, 7, 9, 10] {
            let source = Source::start(rows).await;
            let reading = first(&engine, &source).await;
            let all: Vec<u64> = (1..=rows).collect();
            assert_eq!(reading.each(), all, "{kind}, {rows} rows");
            assert!(overlaps(kind) || reading.ids == all, "{kind}: {:?} once each", reading.ids);
            let pages = usize::try_from(rows).unwrap().div_ceil(if overlaps(kind) { 2 } else { 3 });
            assert!(reading.pages <= pages + 1, "{kind}: {} pages for {rows} rows", reading.pages);
        }
    }
}

#[tokio::test]
async fn a_page_of_one_row_comes_to_its_end_in_every_kind() {
    for (kind, read) in kinds() {
        let source = Source::start(4).await;
        let pull = Pull { page_size: 1, ..Pull::default() };
        let reading = read_all(&engine(&[&read]), &source, pull).await.unwrap();
        assert_eq!(reading.ids, [1, 2, 3, 4], "{kind}");
    }
}

#[tokio::test]
async fn no_page_is_larger_than_the_manifest_allows() {
    let source = Source::start(3).await;
    let (_, read) = kinds().swap_remove(0);
    let pull = Pull { page_size: 100_000, ..Pull::default() };
    read_all(&engine(&[&read]), &source, pull).await.unwrap();
    assert!(source.asked()[0].contains("limit=500"));
}

#[tokio::test]
async fn a_sweep_lists_what_its_entitys_listing_has_in_every_kind() {
    for (kind, read) in kinds() {
        let engine = engine(&[&read, "deletes: { sweep: { every_runs: 1 } }"]);
        let source = Source::start(7).await;
        let mut ids = listed(&engine, &source).await.unwrap();
        ids.dedup();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7], "{kind}");
    }
}

#[tokio::test]
async fn a_next_page_on_another_host_is_refused_and_nobody_is_asked() {
    for (kind, read) in kinds() {
        if !["next_url", "link_header", "skiptoken"].contains(&kind) {
            continue;
        }
        let source = Source::start(5).await;
        source.change(|world| world.manner = Manner::LeadsElsewhere);
        let error = read_all(&engine(&[&read]), &source, Pull::default()).await.unwrap_err();
        assert!(error.message.contains("another host"), "{kind}: {}", error.message);
        assert_eq!(source.asked().len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn a_refusal_in_the_middle_leaves_the_position_good() {
    for (kind, read) in kinds().into_iter().filter(|(kind, _)| *kind != "none") {
        let (engine, source) = (engine(&[&read]), Source::start(7).await);
        let system = open(&engine, &source);
        let page = system.pull("vendors", &Pull::default()).await.unwrap();
        let position = page.next.clone().unwrap();
        let nobody =
            engine.open(support::target("made-up", json!({"url": "http://127.0.0.1:1"}), &[]));
        let pull = Pull { position, ..Pull::default() };
        nobody.unwrap().pull("vendors", &pull).await.unwrap_err();
        let rest = read_all(&engine, &source, pull).await.unwrap();
        let mut all = Reading::default();
        all.take(page);
        all.ids.extend(rest.ids);
        assert_eq!(all.each(), [1, 2, 3, 4, 5, 6, 7], "{kind}");
    }
}
