//! Nine healthy endpoints beside one that hangs and one that always fails.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use millwright_tests::{api::Api, wait};
use serde_json::json;

use super::{
    receivers::{Manner, Receivers},
    slots::Watched,
};
use crate::scene::{LONG, text};

/// How many requests an endpoint that never answers well may hold open at the same time, of one
/// process: what the first attempts to an endpoint may be before anything is known of it.
const OPEN_MAX: usize = 2;
/// How many of the twelve worker slots for deliveries both bad endpoints together may ever hold: one for
/// each of the two attempts to the one that hangs. Whoever fails at once holds none.
const SLOTS_MAX: usize = 2;
/// An invocation that takes longer waits for an endpoint that does not answer: finding no lane takes a
/// second, the rest is work.
const WAITS: Duration = Duration::from_secs(15);

/// How many messages: 2,000 in tests/long.
fn messages() -> usize {
    std::env::var("MILLWRIGHT_FAIR_MESSAGES").map_or(40, |text| text.parse().unwrap())
}

fn healthy() -> impl Iterator<Item = String> {
    (1..=9).map(|n| format!("healthy-{n}"))
}

/// Makes the eleven endpoints; answers with the ids of the one that hangs and of the one that fails.
async fn endpoints(api: &Api, receivers: &Receivers) -> [String; 2] {
    let make = async |hook: &str, timeout: u64| {
        let request = json!({
            "url": receivers.url(hook), "timeout_seconds": timeout, "event_types": ["fair.*"],
        });
        text(&api.post("/v1/webhook-endpoints", &request, 201).await, "id").to_owned()
    };
    for hook in healthy() {
        make(&hook, 10).await;
    }
    receivers.set("hangs", Manner::Waits);
    receivers.set("fails", Manner::Status(500));
    [make("hangs", 30).await, make("fails", 10).await]
}

async fn post(api: &Api, count: usize) {
    let one = |n: usize| {
        let api = api.clone();
        let message = json!({ "type": "fair.play", "data": { "n": n } });
        async move { drop(api.post("/v1/webhook-messages", &message, 202).await) }
    };
    stream::iter(0..count).map(one).buffer_unordered(16).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_endpoints_get_everything_while_one_hangs_and_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let receivers = Receivers::start().await;
    let millwright = Watched::start(folder.path()).await;
    let [hanging, failing] = endpoints(&millwright.api, &receivers).await;
    let (count, begun) = (messages(), Instant::now());
    post(&millwright.api, count).await;
    let limit = LONG + Duration::from_secs(count as u64);
    wait::until("the healthy ones have everything", limit, async || {
        healthy().all(|hook| receivers.seen(&hook).messages.len() >= count).then_some(())
    })
    .await;
    let took = begun.elapsed();
    for hook in healthy() {
        let seen = receivers.seen(&hook);
        assert_eq!(seen.messages.len(), count, "{hook}");
        assert!(seen.messages.values().all(|times| *times == 1), "{hook}: something came twice");
    }
    // Long enough that whoever waits for one that hangs is seen to wait.
    let slots = &millwright.slots;
    wait::until("the one that hangs holds a slot", LONG, async || {
        (slots.most_held(&[&hanging], WAITS) > 0).then_some(())
    })
    .await;
    let (hangs, fails) = (receivers.seen("hangs"), receivers.seen("fails"));
    let held = slots.most_held(&[&hanging, &failing], WAITS);
    println!(
        "{count} messages, {took:?}; at the same time: worker slots held {held} of 12, requests open \
         hanging {}, failing {}; tried: hanging {}, failing {}; invocations with work for them {}",
        hangs.most_open,
        fails.most_open,
        hangs.messages.len(),
        fails.messages.len(),
        slots.count(&[&hanging, &failing])
    );
    receivers.tell("hangs");
    millwright.stop().await;
    assert!((1..=SLOTS_MAX).contains(&held), "slots held: {held}");
    assert!((1..=OPEN_MAX).contains(&hangs.most_open), "hanging: {}", hangs.most_open);
    assert!((1..=OPEN_MAX).contains(&fails.most_open), "failing: {}", fails.most_open);
}
