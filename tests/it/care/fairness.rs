//! Nine healthy endpoints beside one that hangs and one that always fails.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use millwright_tests::{api::Api, millwright::Millwright, wait};
use serde_json::json;

use super::receivers::{Manner, Receivers};
use crate::scene::LONG;

/// How many requests an endpoint that never answers well may hold open at the same time, of one
/// process: what the first attempts to an endpoint may be before anything is known of it.
const HELD_MAX: usize = 2;

/// How many messages: 2,000 in tests/long.
fn messages() -> usize {
    std::env::var("MILLWRIGHT_FAIR_MESSAGES").map_or(40, |text| text.parse().unwrap())
}

fn healthy() -> impl Iterator<Item = String> {
    (1..=9).map(|n| format!("healthy-{n}"))
}

async fn endpoints(api: &Api, receivers: &Receivers) {
    receivers.set("hangs", Manner::Hangs);
    receivers.set("fails", Manner::Status(500));
    for hook in healthy().chain(["hangs".to_owned(), "fails".to_owned()]) {
        let timeout = if hook == "hangs" { 30 } else { 10 };
        let request = json!({
            "url": receivers.url(&hook), "timeout_seconds": timeout, "event_types": ["fair.*"],
        });
        api.post("/v1/webhook-endpoints", &request, 201).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_endpoints_get_everything_while_one_hangs_and_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let receivers = Receivers::start().await;
    let millwright = Millwright::start(folder.path(), &[]).await;
    let api = millwright.api();
    endpoints(&api, &receivers).await;
    let count = messages();
    let begun = Instant::now();
    let post = |n: usize| {
        let api = api.clone();
        let message = json!({ "type": "fair.play", "data": { "n": n } });
        async move { drop(api.post("/v1/webhook-messages", &message, 202).await) }
    };
    stream::iter(0..count).map(post).buffer_unordered(16).collect::<Vec<()>>().await;
    let limit = LONG + Duration::from_secs(count as u64);
    wait::until("the healthy ones have everything", limit, async || {
        healthy().all(|hook| receivers.seen(&hook).messages.len() >= count).then_some(())
    })
    .await;
    for hook in healthy() {
        let seen = receivers.seen(&hook);
        assert_eq!(seen.messages.len(), count, "{hook}");
        assert!(seen.messages.values().all(|times| *times == 1), "{hook}: something came twice");
    }
    let (hangs, fails) = (receivers.seen("hangs"), receivers.seen("fails"));
    println!(
        "{count} messages, {:?}; held at the same time: hanging {}, failing {}; tried: hanging {}, \
              failing {}",
        begun.elapsed(),
        hangs.most_open,
        fails.most_open,
        hangs.messages.len(),
        fails.messages.len()
    );
    assert!((1..=HELD_MAX).contains(&hangs.most_open), "hanging: {}", hangs.most_open);
    assert!((1..=HELD_MAX).contains(&fails.most_open), "failing: {}", fails.most_open);
    if count <= 200 {
        assert!(hangs.open > 0, "the healthy ones did not wait for the one that hangs");
    }
}
