//! Histories of a system behind HTTP, read by Millwright's own binary that is killed with -9 again and
//! again, on tables on the disk. After quiet the records equal the system's rows, the feed replayed from
//! its beginning equals the records, and the receiver was told of every change in the feed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use millwright_tests::{api::Api, wait};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    reading_histories::source::{Source, World, manifest, read},
    scene::{LONG, Scene, changes_after, sync_now, sync_state, text},
};

const ROWS: u64 = 60;

/// Systems that are read whole and compared, and that list what has changed.
fn systems() -> [Vec<String>; 2] {
    let sweep = "deletes: { sweep: { every_runs: 1 } }".to_owned();
    let paged = |query: &str| {
        read("rows", &format!("after: \"{{page.after}}\"{query}"), "{ id_after: {} }")
    };
    let window = "incremental: { filter: { window: \"{since|unix_seconds}\" } }".to_owned();
    [vec![paged(""), sweep.clone()], vec![paged(", since: \"{window}\""), window, sweep]]
}

fn step(world: &mut World, chance: &mut StdRng) {
    let id = chance.random_range(1..ROWS + 20);
    match chance.random_bool(0.4) {
        true => world.delete(id),
        false => world.put(id, &format!("name {}", chance.next_u32())),
    }
}

async fn history(parts: &[String], seed: u64, kills: u64) {
    println!("{kills} kills from seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let source = Source::start(ROWS).await;
    let connectors = tempfile::tempdir().unwrap();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    fs::write(connectors.path().join("made-up.yaml"), manifest(&parts)).unwrap();
    let mut scene = Scene::new(&[
        &format!("MILLWRIGHT_CONNECTORS=file:{}", connectors.path().display()),
        // The claim of a puller that was killed must end before another goes on.
        "MILLWRIGHT_SYNC_LEASE_SECONDS=1",
        "MILLWRIGHT_SYNC_VANISH_PERCENT=100",
    ])
    .await;
    scene.endpoint("own", json!({ "event_types": ["vendors.*"], "initial_load": true })).await;
    let new =
        json!({ "connector_id": "made-up", "name": "One", "settings": { "url": source.url } });
    let made = scene.api().post("/v1/connections", &new, 201).await;
    let connection = made["id"].as_str().unwrap();
    let api = scene.api().about(connection);
    for _ in 0..kills {
        let mut own = StdRng::seed_from_u64(chance.next_u64());
        source
            .change(|world| (0..chance.random_range(0..12)).for_each(|_| step(world, &mut chance)));
        source.meddle(move |_, world| {
            if own.random_bool(0.2) {
                step(world, &mut own);
            }
        });
        ask(&api, if chance.random_bool(0.3) { "full" } else { "incremental" }).await;
        tokio::time::sleep(Duration::from_millis(chance.random_range(1..500))).await;
        scene.millwright.kill_9();
        scene.millwright.restart().await;
    }
    source.meddle(|_, _| {});
    synced(&api).await;
    // That one may have gone on with a pass that was cut off, behind which rows had changed since.
    sync_now(&api, &["vendors"]).await;
    let names = |world: &mut World| -> BTreeMap<String, String> {
        world.rows.iter().map(|(id, row)| (id.to_string(), row.name.clone())).collect()
    };
    check(&api, &source.change(names)).await;
    every_change_arrives(&scene, &api, connection).await;
}

/// Asks for a sync, unless one runs already.
async fn ask(api: &Api, mode: &str) {
    let body = json!({ "mode": mode });
    let answer = api.call(http::Method::POST, "/v1/sync", Some(&body)).await;
    assert!([202, 409].contains(&answer.status), "{answer:?}");
}

/// Waits until a sync has ended that was asked for now.
async fn synced(api: &Api) {
    wait::until("a sync begins", LONG, async || {
        let body = json!({ "mode": "incremental" });
        let answer = api.call(http::Method::POST, "/v1/sync", Some(&body)).await;
        (answer.status == 202).then_some(())
    })
    .await;
    wait::until("it ends", LONG, async || {
        let state = sync_state(api, "vendors").await;
        (state["status"] == "completed").then_some(())
    })
    .await;
}

async fn check(api: &Api, truth: &BTreeMap<String, String>) {
    let records = api.all("/v1/vendors?limit=500").await;
    let names = |records: &[&Value]| -> BTreeMap<String, String> {
        let pair = |record: &&Value| {
            (text(record, "remoteId").to_owned(), text(record, "name").to_owned())
        };
        records.iter().map(pair).collect()
    };
    assert_eq!(names(&records.iter().collect::<Vec<_>>()), *truth, "records against the system");
    let changes = changes_after(api, None).await;
    let mut replayed: BTreeMap<&str, &Value> = BTreeMap::new();
    for change in &changes {
        match change["action"] == "deleted" {
            true => replayed.remove(text(change, "key")),
            false => replayed.insert(text(change, "key"), &change["record"]),
        };
    }
    let replayed: Vec<&Value> = replayed.into_values().collect();
    assert_eq!(names(&replayed), *truth, "the feed against the system");
}

/// The latest state of each record in the feed has been told by a webhook.
async fn every_change_arrives(scene: &Scene, api: &Api, connection: &str) {
    let changes = changes_after(api, None).await;
    let all: BTreeSet<String> =
        changes.iter().map(|change| text(change, "key").to_owned()).collect();
    wait::until("every change has arrived", LONG, async || {
        let mut arrived = scene.receiver.deliveries("own");
        // The sandbox may have told of its own before the receiver knew the secret.
        arrived.retain(|delivery| delivery.data()["connection_id"] == connection);
        let refused = arrived.iter().find(|delivery| !delivery.verified);
        assert!(refused.is_none(), "a receiver could not verify {refused:?}");
        let told: BTreeSet<String> = arrived
            .iter()
            .flat_map(|delivery| delivery.data()["keys"].as_array().cloned().unwrap_or_default())
            .filter_map(|key| key.as_str().map(str::to_owned))
            .collect();
        all.is_subset(&told).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_survive_kills_in_the_midst_of_syncs() {
    // `MILLWRIGHT_SEED` and `MILLWRIGHT_KILLS`, as tests/long sets them.
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (seed, kills) = (number("MILLWRIGHT_SEED").unwrap_or(7), number("MILLWRIGHT_KILLS"));
    for (number, parts) in systems().iter().enumerate() {
        history(parts, seed + number as u64, kills.unwrap_or(3)).await;
    }
}
