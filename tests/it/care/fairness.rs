//! Nine healthy endpoints beside one that hangs and one that always fails; and what one that hangs takes
//! before anybody knows that it does.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use millwright_tests::{api::Api, wait};
use serde_json::json;
use tokio::sync::Mutex;

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

/// The same where there is hardly anything else to do: whoever holds a slot for longer has an attempt under
/// way.
const TRIES: Duration = Duration::from_secs(3);
/// How long whoever finds no lane may hold a slot, on average: 200 ms to wait for one, and what it takes a
/// busy machine to put the delivery off.
const MOMENT: Duration = Duration::from_millis(800);

/// The tests here take turns: each looks at how long slots are held, which the other's load would change.
static ALONE: Mutex<()> = Mutex::const_new(());

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
    let _alone = ALONE.lock().await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_holds_two_slots_and_others_for_a_moment_only() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let receivers = Receivers::start().await;
    let millwright = Watched::start(folder.path()).await;
    let (api, slots) = (&millwright.api, &millwright.slots);
    receivers.set("hangs", Manner::Waits);
    let url = receivers.url("hangs");
    let hangs = json!({ "url": url, "timeout_seconds": 30, "event_types": ["fair.*"] });
    let hanging = api.post("/v1/webhook-endpoints", &hangs, 201).await;
    let hanging = text(&hanging, "id");
    // With so many endpoints every first attempt begins on the delivery queue; these take no slots.
    let polled = json!({ "delivery": "poll", "event_types": ["fair.*"] });
    for _ in 0..4 {
        api.post("/v1/webhook-endpoints", &polled, 201).await;
    }
    // One after the other, so that each has an invocation of its own.
    for _ in 0..12 {
        post(api, 1).await;
    }
    let moments = || {
        let all = slots.held_for(hanging).into_iter();
        all.filter(|held| *held < TRIES).collect::<Vec<Duration>>()
    };
    wait::until("it holds a slot, and others are free again", LONG, async || {
        (slots.most_held(&[hanging], TRIES) > 0 && !moments().is_empty()).then_some(())
    })
    .await;
    let (held, moments, open) =
        (slots.most_held(&[hanging], TRIES), moments(), receivers.seen("hangs").most_open);
    println!("worker slots held {held} of 12, requests open {open}, others held for {moments:?}");
    receivers.tell("hangs");
    millwright.stop().await;
    assert!((1..=SLOTS_MAX).contains(&held), "slots held: {held}");
    assert!((1..=OPEN_MAX).contains(&open), "open: {open}");
    let whole: Duration = moments.iter().sum();
    assert!(whole <= MOMENT * u32::try_from(moments.len()).unwrap(), "{moments:?}");
}
