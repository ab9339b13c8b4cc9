//! Kill -9 in the middle of work: nothing that was acknowledged is lost, and nothing is made up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt, stream};
use http::Method;
use millwright_tests::{api::Api, tryton::Tryton, wait};
use rand::RngExt;
use serde_json::{Value, json};

use crate::{
    kill_plan::Plan,
    scene::{LONG, Scene, changes_after, sync_state, text, wait_until_synced},
};

/// The company's own party and 8 vendors beside the 5,000.
const PARTIES: usize = 5_009;
const MESSAGES: usize = 500;
/// How many of their first requests are answered with 500: fewer than open the endpoint's circuit, for what
/// is not sent meanwhile is not killed either.
const RETRIED: usize = 9;

#[tokio::test]
async fn a_first_load_survives_kills_between_its_pages() {
    let mut plan = Plan::new(2);
    // The claim of a puller that was killed must end before another goes on.
    let mut scene = Scene::new(&["MILLWRIGHT_SYNC_LEASE_SECONDS=5"]).await;
    let tryton = Tryton::start(scene.folder.path(), "parties").await;
    let api = scene.connect(&tryton).await;
    for place in plan.places(PARTIES * 9 / 10) {
        wait::until("records are committed", LONG, async || {
            (committed(&api).await >= place).then_some(())
        })
        .await;
        scene.millwright.kill_9();
        println!("killed after {place} committed vendors");
        scene.millwright.restart().await;
    }
    wait_until_synced(&api).await;
    let vendors = api.all("/v1/vendors?limit=500").await;
    let ids: BTreeSet<&str> = vendors.iter().map(|vendor| text(vendor, "remoteId")).collect();
    assert_eq!((vendors.len(), ids.len()), (PARTIES, PARTIES));
    the_feed_replayed_from_zero_equals_the_records(&api, "vendors", &vendors).await;
}

/// How many vendors the feed has, by the sync's own count of what it has committed.
async fn committed(api: &Api) -> usize {
    let counts = sync_state(api, "vendors").await["counts"].clone();
    usize::try_from(counts["inserted"].as_u64().unwrap_or(0)).unwrap()
}

async fn the_feed_replayed_from_zero_equals_the_records(
    api: &Api,
    entity: &str,
    records: &[Value],
) {
    let changes = changes_after(api, None).await;
    let mut replayed = BTreeMap::new();
    let mut times = BTreeMap::<&str, usize>::new();
    for change in changes.iter().filter(|change| change["entity"] == entity) {
        let key = text(change, "key");
        *times.entry(key).or_default() += 1;
        if change["action"] == "deleted" {
            replayed.remove(key);
        } else {
            replayed.insert(key, &change["record"]);
        }
    }
    let records: BTreeMap<&str, &Value> =
        records.iter().map(|record| (text(record, "key"), record)).collect();
    assert_eq!(replayed.len(), records.len());
    for (key, record) in &records {
        assert_eq!(replayed.get(key), Some(record), "{key}");
    }
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "{} keys stand in the feed twice", doubled.len());
}

#[tokio::test]
async fn deliveries_survive_kills_at_every_step() {
    let mut plan = Plan::new(2);
    let mut scene = Scene::new(&["--speed", "20"]).await;
    let endpoint = scene.endpoint("own", json!({ "event_types": ["order.*"] })).await;
    // Slow enough that a kill finds attempts on their way, and with retries among them.
    let rules = json!({ "hang_seconds": 0.02, "answer": 500, "times": RETRIED });
    scene.receiver.set("own", &rules).await;
    let api = scene.api();
    let posting = tokio::spawn(async move {
        let posts = (0..MESSAGES).map(|n| post(api.clone(), n));
        stream::iter(posts).buffer_unordered(8).collect::<BTreeSet<String>>().await
    });
    for place in plan.places(MESSAGES * 9 / 10) {
        wait::until("the receiver has seen some", LONG, async || {
            (scene.receiver.deliveries("own").len() >= place).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(plan.dice.random_range(0..40))).await;
        scene.millwright.kill_9();
        println!("killed after {place} requests");
        scene.millwright.restart().await;
    }
    let posted = posting.await.expect("it ends");
    assert_eq!(posted.len(), MESSAGES, "each message has an id of its own");
    let api = scene.api();
    wait::until_equal("all are delivered", LONG, MESSAGES, async || {
        deliveries(&api, &endpoint, Some("delivered")).await.len()
    })
    .await;
    assert_eq!(deliveries(&api, &endpoint, None).await.len(), MESSAGES);
    let arrived = scene.receiver.deliveries("own");
    assert!(arrived.iter().all(|delivery| delivery.verified));
    let ids: BTreeSet<String> = arrived.iter().filter_map(|d| d.id.clone()).collect();
    assert_eq!(ids, posted, "every acknowledged message arrived, and no other");
    the_log_is_what_the_receiver_saw(&api, &endpoint, &arrived).await;
}

/// Posts until it is acknowledged, under one name, so that it is one message.
async fn post(api: Api, n: usize) -> String {
    let data = json!({ "number": n });
    let message =
        json!({ "type": "order.shipped", "data": data, "event_id": format!("order {n}") });
    loop {
        let body = Some(("application/json", message.to_string()));
        let answer = api.try_raw(Method::POST, "/v1/webhook-messages", body).await;
        if let Some(answer) = answer.filter(|answer| answer.status == 202) {
            return text(&answer.body, "id").to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn deliveries(api: &Api, endpoint: &str, status: Option<&str>) -> Vec<Value> {
    let status = status.map_or_else(String::new, |status| format!("&status={status}"));
    api.all(&format!("/v1/webhook-deliveries?endpoint_id={endpoint}&limit=100{status}")).await
}

/// Every answer in the log was given, and every request that is not in it belongs to an attempt that
/// reads `unknown`, as a kill interrupted it, or that got no answer.
async fn the_log_is_what_the_receiver_saw(
    api: &Api,
    endpoint: &str,
    arrived: &[millwright_tests::receiver::Delivery],
) {
    let mut saw = BTreeMap::<&str, Vec<u64>>::new();
    for delivery in arrived {
        saw.entry(delivery.id.as_deref().unwrap()).or_default().push(delivery.answer.into());
    }
    let mut unknown = 0;
    for delivery in deliveries(api, endpoint, None).await {
        let saw = &saw[text(&delivery, "message_id")];
        if delivery["attempt_count"] == 1 && saw == &[200] {
            continue;
        }
        let path = format!("/v1/webhook-deliveries/{}/attempts", text(&delivery, "id"));
        let attempts = api.get(&path).await["data"].as_array().unwrap().clone();
        let answered = |status: u64| attempts.iter().filter(|one| one["status"] == status).count();
        let given = |status: u64| saw.iter().filter(|one| **one == status).count();
        for status in [200, 500] {
            assert!(answered(status) <= given(status), "{status}: {saw:?} {attempts:#?}");
        }
        let open = attempts.iter().filter(|one| one["status"].is_null()).count();
        assert!(saw.len() - answered(200) - answered(500) <= open, "{saw:?} {attempts:#?}");
        assert!(given(200) <= 1 + open, "sent again for no reason: {saw:?} {attempts:#?}");
        unknown += attempts.iter().filter(|one| one["outcome"] == "unknown").count();
    }
    println!("{} requests, {unknown} attempts of unknown outcome", arrived.len());
}
