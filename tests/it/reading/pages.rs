//! Pages of lists while records change, and pages that examine much and find little.

use std::collections::{BTreeMap, BTreeSet};

use millwright_tests::faults::TableFaults;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::scene::{Scene, ids_of};

const VENDORS: usize = 700;

/// A vendor of the list that is asked for, or not.
fn vendor(n: usize, round: usize) -> (String, Value) {
    let minute = (n * 7 + round * 11) % 60;
    let fields = json!({
        "name": format!("{} {n} {round}", if n.is_multiple_of(5) { "wanted" } else { "other" }),
        "updatedAt": format!("2026-03-01T{:02}:{minute:02}:00Z", 5 + round.min(18)),
    });
    (format!("v{n:04}"), fields)
}

/// Reads a list page by page while records change, come and go between pages; answers how often each
/// record was shown.
async fn read_while_records_change(
    scene: &Scene,
    path: &str,
    seed: u64,
) -> BTreeMap<String, usize> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut shown = BTreeMap::new();
    let mut cursor = String::new();
    for round in 1.. {
        let page = scene.api.get(&format!("{path}&limit=9&cursor={cursor}")).await;
        for id in ids_of(page["data"].as_array().unwrap()) {
            *shown.entry(id).or_default() += 1;
        }
        if page["has_more"] != true {
            return shown;
        }
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
        if round < 40 {
            let changed: BTreeSet<usize> =
                (0..12).map(|_| chance.random_range(0..VENDORS)).collect();
            scene.found("vendors", changed.into_iter().map(|n| vendor(n, round))).await;
            let new = VENDORS + round * 5;
            scene.found("vendors", [vendor(new, round)]).await;
        }
        assert!(round < 5_000, "{path} does not end");
    }
    shown
}

fn wanted() -> BTreeSet<String> {
    (0..VENDORS).filter(|n| n % 5 == 0).map(|n| vendor(n, 0).0).collect()
}

#[tokio::test]
async fn a_filtered_list_loses_and_doubles_nothing_while_records_change() {
    let scene = Scene::start(TableFaults::NONE, 500).await;
    scene.found("vendors", (0..VENDORS).map(|n| vendor(n, 0))).await;
    let shown =
        read_while_records_change(&scene, "/v1/vendors?filter[name:starts_with]=wanted", 1).await;
    let missing: Vec<String> = wanted().into_iter().filter(|id| !shown.contains_key(id)).collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
    assert!(shown.values().all(|times| *times == 1), "doubled: {shown:?}");
    assert!(shown.keys().all(|id| id[1..].parse::<usize>().unwrap() % 5 == 0));
}

#[tokio::test]
async fn a_list_by_time_shows_a_record_again_when_it_changes_and_loses_none() {
    let faults = TableFaults { late_index: 0.5, stale_index: 0.3, ..TableFaults::NONE };
    let scene = Scene::start(faults, 500).await;
    scene.found("vendors", (0..VENDORS).map(|n| vendor(n, 0))).await;
    // What is just being put may be missing from an index; what has been there for a while is not.
    tokio::time::sleep(faults.index_lag * 2).await;
    let path =
        "/v1/vendors?filter[updatedAt:gteq]=2026-03-01T00:00:00Z&filter[name:starts_with]=wanted";
    let shown = read_while_records_change(&scene, path, 2).await;
    let missing: Vec<String> = wanted().into_iter().filter(|id| !shown.contains_key(id)).collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
}

#[tokio::test]
async fn a_page_examines_no_more_than_it_may_and_the_next_goes_on() {
    let scene = Scene::start(TableFaults::NONE, 500).await;
    let material = |n: usize| (format!("m{n:05}"), json!({"name": format!("name {n}")}));
    scene.found("materials", (0..1_300).map(material)).await;
    let path = "/v1/materials?filter[name]=name%20777";
    let first = scene.api.get(path).await;
    let found = scene.ids(path).await;
    assert_eq!(found, ["m00777"]);
    let (mut pages, mut cursor) = (0, String::new());
    loop {
        let page = scene.api.get(&format!("{path}&cursor={cursor}")).await;
        pages += 1;
        assert_eq!(page["has_more"], page["next_cursor"].is_string());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert!((2..=3).contains(&pages), "{pages} pages; the first: {first:#}");
}

#[tokio::test]
async fn a_full_list_is_whole_at_every_size_of_its_pages() {
    let scene = Scene::calm().await;
    scene.found("vendors", (0..120).map(|n| vendor(n, 0))).await;
    for limit in [1, 7, 40, 60, 119, 120, 121, 500] {
        let ids = scene.ids(&format!("/v1/vendors?limit={limit}")).await;
        let distinct: BTreeSet<&String> = ids.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (120, 120), "limit {limit}");
    }
}
