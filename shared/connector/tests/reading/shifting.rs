//! Rows that come and go while pages are read: what one reading promises, and what only two do.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A change before a page: its number, the row, and whether it goes.
type Step = (usize, u64, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0_usize..12, 1_u64..30, any::<bool>()), 0..16)
}

fn meddle_with(source: &Source, steps: Vec<Step>) {
    source.meddle(move |page, world: &mut World| {
        for (when, id, goes) in &steps {
            if *when == page && *goes {
                world.delete(*id);
            } else if *when == page {
                world.put(*id, "meanwhile");
            }
        }
    });
}

/// The rows that were there all the time.
fn stayed(steps: &[Step], rows: u64) -> BTreeSet<u64> {
    let gone: BTreeSet<u64> = steps.iter().filter(|step| step.2).map(|step| step.1).collect();
    (1..=rows).filter(|id| !gone.contains(id)).collect()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn by_id_and_by_position_no_row_that_stays_is_lost(steps in steps()) {
        run(async {
            for (kind, read) in kinds() {
                if !(kind.starts_with("id_after") || overlaps(kind) || kind == "cursor stable") {
                    continue;
                }
                let source = Source::start(24).await;
                meddle_with(&source, steps.clone());
                let reading = first(&engine(&[&read]), &source).await;
                let read: BTreeSet<u64> = reading.ids.iter().copied().collect();
                let lost: Vec<_> = stayed(&steps, 24).difference(&read).copied().collect();
                assert!(lost.is_empty(), "{kind}: {lost:?} lost");
            }
        });
    }

    /// What a pass by another kind loses, it loses without a sign; but it ends, and what it gives is
    /// there.
    #[test]
    fn in_every_kind_a_reading_ends_whatever_happens_meanwhile(steps in steps()) {
        run(async {
            for (kind, read) in kinds() {
                let source = Source::start(24).await;
                meddle_with(&source, steps.clone());
                let reading = read_all(&engine(&[&read]), &source, Pull::default()).await;
                let reading = reading.unwrap_or_else(|error| panic!("{kind}: {}", error.message));
                assert!(reading.ids.iter().all(|id| (1..30).contains(id)), "{kind}");
            }
        });
    }
}

#[tokio::test]
async fn new_rows_that_push_a_whole_page_on_are_no_page_that_comes_again() {
    // As many rows come before the reader as there are on a page, less the seam where there is one.
    for (kind, read) in kinds() {
        let source = Source::start(0).await;
        source.change(|world| (11..=18).for_each(|id| world.put(id, "first")));
        let come = if overlaps(kind) { 2 } else { 3 };
        source.meddle(move |page, world: &mut World| {
            if page == 1 {
                (1..=come).for_each(|id| world.put(id, "new"));
            }
        });
        let reading = first(&engine(&[&read]), &source).await;
        let old: Vec<u64> = reading.each().into_iter().filter(|id| *id > 10).collect();
        assert_eq!(old, (11..=18).collect::<Vec<_>>(), "{kind}");
    }
}

#[tokio::test]
async fn a_row_that_vanishes_between_pages_hides_another_only_where_the_docs_say_so() {
    for (kind, read) in kinds() {
        let source = Source::start(9).await;
        source.meddle(|page, world: &mut World| {
            if page == 1 {
                world.delete(1);
            }
        });
        let reading = first(&engine(&[&read]), &source).await;
        let lost: Vec<u64> = (2..=9).filter(|id| !reading.ids.contains(id)).collect();
        let loses = kind.starts_with("page")
            || ["cursor", "cursor empty", "next_url", "link_header", "skiptoken"].contains(&kind);
        assert_eq!(lost, if loses { vec![4] } else { vec![] }, "{kind}");
    }
}
