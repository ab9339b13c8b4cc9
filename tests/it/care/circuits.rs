//! One endpoint's circuit as several processes see it.

use std::time::Duration;

use millwright_tests::{pump::TIME_LIMIT, wait};
use serde_json::json;

use super::{receivers::Manner, world::World};
use crate::scene::LONG;

/// So many failures in a row open a circuit.
const FAILURES: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circuit_that_one_process_opens_holds_for_another_and_one_of_them_tries_it() {
    let world = World::begin().await;
    let other = world.another_process().await;
    world.receivers.set("poor", Manner::Status(500));
    let own = json!({ "retry_schedule": [3600], "timeout_seconds": 30 });
    let endpoint = world.endpoint(Some("poor"), "poor.a", own).await;
    world.send("poor.a", FAILURES).await;
    world.drain(&world.pump).await;
    let came = || world.receivers.seen("poor").messages.len();
    assert_eq!(came(), FAILURES);
    let opened = world.row(&endpoint).await;
    let circuit = opened.doc.health.circuit.clone().expect("an open circuit");
    assert_eq!((circuit.times, circuit.trial_until), (1, None));
    assert_eq!(circuit.until.since(circuit.since), Duration::from_secs(30));

    // The other process has seen none of it fail, and sends nothing. Nobody writes the row.
    world.send("poor.a", 5).await;
    world.drain(&other).await;
    assert_eq!(came(), FAILURES);
    let parked = world.deliveries(&endpoint, "pending").await;
    assert_eq!(parked.len(), 5);
    assert!(parked.iter().all(|one| one["next_attempt_at"].is_string()), "{parked:#?}");
    assert_eq!(world.row(&endpoint).await.version, opened.version, "no transition, no write");

    // Its time is up: one attempt is let through, of one process.
    world.receivers.set("poor", Manner::Waits);
    world.pass(Duration::from_secs(61));
    let trial = async {
        world.drain(&world.pump).await;
    };
    let meanwhile = async {
        wait::until("it is tried", LONG, async || {
            (world.receivers.seen("poor").open == 1).then_some(())
        })
        .await;
        let tried = world.row(&endpoint).await;
        assert!(tried.doc.health.circuit.is_some_and(|one| one.trial_until.is_some()));
        world.send("poor.a", 3).await;
        while other.turn(TIME_LIMIT, None).await > 0 {}
        assert_eq!(world.count(&endpoint, "pending").await, 8, "one of them is being tried");
        assert_eq!(came(), FAILURES + 1, "nobody else tries");
        assert_eq!(
            world.row(&endpoint).await.version,
            tried.version,
            "who finds it taken writes nothing"
        );
        world.receivers.set("poor", Manner::Well);
        world.receivers.tell("poor");
    };
    futures::join!(trial, meanwhile);

    // It has arrived: the circuit is closed for both, and the rest follows.
    let closed = world.row(&endpoint).await;
    assert_eq!((closed.doc.health.circuit, closed.doc.health.failing_since), (None, None));
    for _ in 0..10 {
        world.pass(Duration::from_secs(20));
        futures::join!(world.drain(&world.pump), world.drain(&other));
    }
    assert_eq!(world.count(&endpoint, "pending").await, 0);
    assert_eq!(world.count(&endpoint, "delivered").await, 8);
    assert_eq!(world.row(&endpoint).await.version, closed.version, "it is well: no more writes");
}
