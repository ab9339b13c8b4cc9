//! Random histories of messages on their way, to two endpoints or to one, through the real functions on the
//! real local stack with faults before table and queues, and with functions that die at any point: before
//! and after the claim, while the receiver works, before the outcome is recorded, before the retry is sent.
//! After quiet every message that was acknowledged has arrived, and what is recorded is what the receiver
//! saw.

use std::time::Duration;

use millwright_tests::pump::TIME_LIMIT;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::delivery_world::{Fails, To, World};

/// The waits of endpoints that say how long they are.
const WAITS: [i64; 10] = [5, 5, 20, 20, 60, 60, 60, 600, 600, 3600];

/// A history and all of its checks.
async fn history(seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut world = World::begin(seed, Fails::Often, &WAITS).await;
    for _ in 0..chance.random_range(4..8) {
        for _ in 0..chance.random_range(0..5) {
            world.post(To::by_chance(&mut chance)).await;
        }
        for _ in 0..chance.random_range(1..4) {
            let dies = chance.random_bool(0.5);
            let after = Duration::from_millis(chance.random_range(1..600));
            world.pump.turn(TIME_LIMIT, dies.then_some(after)).await;
        }
        world.clock.step(Duration::from_secs(chance.random_range(0..90)));
        if chance.random_bool(0.5) {
            world.pump.tick().await;
        }
    }
    world.quiet().await;
    world.check().await;
}

/// One history, or as many as `MILLWRIGHT_HISTORIES` says, from `MILLWRIGHT_SEED` on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_message_is_lost_and_the_log_is_what_the_receiver_saw() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("MILLWRIGHT_SEED").unwrap_or(7);
    let count = number("MILLWRIGHT_HISTORIES").unwrap_or(1);
    for seed in first..first + count {
        println!("history {seed}");
        history(seed).await;
    }
}
