//! What ends before it is done: jobs that are cancelled, deliveries that are given up by hand, and those of
//! endpoints that are deleted.

use std::time::Duration;

use http::Method;
use millwright_core::{DeliveryId, EndpointId, ScheduleTime};
use millwright_store::Key;
use millwright_tests::{pump::TIME_LIMIT, wait};
use millwright_webhook::{Delivery, Held, Plan, State};
use serde_json::{Value, json};

use super::{receivers::Manner, world::World};
use crate::scene::{LONG, text};

const LONG_AGO: &str = "2020-01-01T00:00:00Z";
/// An invocation that has no time: it does one page, a hundred deliveries and some, and leaves the rest.
const NO_TIME: Duration = Duration::ZERO;
/// More than a page.
const MANY: usize = 160;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cancelled_given_up_or_deleted_ends_and_says_so() {
    let world = World::begin().await;
    let long = world.endpoint(Some("long"), "long.a", json!({})).await;
    world.have(&long, "disable").await;
    let paused = world.endpoint(Some("paused"), "long.a", json!({})).await;
    world.have(&paused, "pause").await;
    world.send("long.a", MANY).await;
    world.drain(&world.pump).await;
    for endpoint in [&long, &paused] {
        assert_eq!(world.count(endpoint, "held").await, MANY);
    }
    a_job_is_cancelled_half_way(&world, &long).await;
    deliveries_are_given_up_by_hand(&world).await;
    deleted_endpoints_leave_nothing_open(&world, &long, &paused).await;
}

async fn a_job_is_cancelled_half_way(world: &World, endpoint: &str) {
    world.have(endpoint, "enable").await;
    let recover = format!("/v1/webhook-endpoints/{endpoint}/recover");
    let since = json!({ "since": LONG_AGO });
    let job = world.api.post(&recover, &since, 202).await;
    let path = format!("/v1/jobs/{}", text(&job, "id"));
    let half_way = without_time(world, &path, |job| job["progress"] != 0).await;
    assert_eq!(text(&half_way, "status"), "running");
    let planned = half_way["progress"].as_u64().unwrap() as usize;
    assert!((100..MANY).contains(&planned), "{planned} were planned in one page");

    let cancel = format!("{path}/cancel");
    let cancelled = world.act(&cancel).await.expect(200);
    assert_eq!(
        (text(&cancelled, "status"), &cancelled["progress"]),
        ("cancelled", &json!(planned))
    );
    assert_eq!(world.act(&cancel).await.expect(200), cancelled, "once more changes nothing");
    // The job's message comes again and finds nothing to do. What was planned stays planned.
    world.pass(Duration::from_secs(60));
    for _ in 0..3 {
        world.pump.turn(NO_TIME, None).await;
    }
    assert_eq!(world.api.get(&path).await, cancelled);
    assert_eq!(world.count(endpoint, "pending").await, planned);
    assert_eq!(world.count(endpoint, "held").await, MANY - planned);

    let again = world.api.post(&recover, &since, 202).await;
    let path = format!("/v1/jobs/{}", text(&again, "id"));
    let done = without_time(world, &path, |job| job["status"] != "running").await;
    assert_eq!((text(&done, "status"), &done["progress"]), ("succeeded", &json!(MANY - planned)));
    assert_eq!(world.count(endpoint, "pending").await, MANY);
    let refused = world.act(&format!("{path}/cancel")).await;
    assert_eq!((refused.status, refused.code()), (409, Some("STATE_CONFLICT")));
    let came = world.receivers.seen("long").messages;
    assert!(came.is_empty(), "an invocation without time begins no attempt");
    delete(world, endpoint).await;
}

async fn delete(world: &World, endpoint: &str) {
    let path = format!("/v1/webhook-endpoints/{endpoint}");
    assert_eq!(world.api.call(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(world.api.call(Method::DELETE, &path, None).await.status, 404);
}

/// Has invocations that have no time work on a job until it is so.
async fn without_time(world: &World, path: &str, so: impl Fn(&Value) -> bool) -> Value {
    wait::until("the job gets on", LONG, async || {
        world.pump.turn(NO_TIME, None).await;
        world.pass(Duration::from_secs(2));
        Some(world.api.get(path).await).filter(|job| so(job))
    })
    .await
}

async fn deliveries_are_given_up_by_hand(world: &World) {
    let endpoint = world.endpoint(Some("hand"), "hand.a", json!({ "timeout_seconds": 30 })).await;
    world.receivers.set("hand", Manner::Waits);
    world.send("hand.a", 1).await;
    let work = world.drain(&world.pump);
    let meanwhile = async {
        // No list has it yet; its message tells of it.
        let busy = wait::until("it is being tried", LONG, async || {
            let messages = world.api.get("/v1/webhook-messages?limit=1").await;
            let id = delivery_id(text(&messages["data"][0], "id"), &endpoint);
            let answer =
                world.api.call(Method::GET, &format!("/v1/webhook-deliveries/{id}"), None).await;
            let open = answer.status == 200 && world.receivers.seen("hand").open == 1;
            open.then_some(answer.body)
        })
        .await;
        for what in ["abort", "retry"] {
            refused(world, &busy, what, "an attempt is being made").await;
        }
        world.receivers.tell("hand");
    };
    futures::join!(work, meanwhile);
    let arrived = world.deliveries(&endpoint, "delivered").await.remove(0);
    refused(world, &arrived, "abort", "it has ended").await;

    world.have(&endpoint, "pause").await;
    world.send("hand.a", 1).await;
    world.drain(&world.pump).await;
    let held = world.deliveries(&endpoint, "held").await.remove(0);
    let abort = format!("/v1/webhook-deliveries/{}/abort", text(&held, "id"));
    let aborted = world.act(&abort).await.expect(200);
    assert_eq!((text(&aborted, "status"), text(&aborted, "abort_reason")), ("aborted", "by_hand"));
    assert_eq!((&aborted["held_since"], &aborted["next_attempt_at"]), (&Value::Null, &Value::Null));
    refused(world, &held, "abort", "it has ended").await;
    world.have(&endpoint, "resume").await;
    world.pass(Duration::from_secs(30));
    world.drain(&world.pump).await;
    refused(world, &held, "retry", "it was aborted").await;
    assert_eq!(world.receivers.seen("hand").messages.len(), 1, "what was given up is not sent");
}

fn delivery_id(message: &str, endpoint: &str) -> String {
    let (message, endpoint) = (message.parse().unwrap(), endpoint.parse().unwrap());
    DeliveryId { endpoint, message }.to_string()
}

async fn refused(world: &World, delivery: &Value, what: &str, why: &str) {
    let path = format!("/v1/webhook-deliveries/{}/{what}", text(delivery, "id"));
    let answer = world.act(&path).await;
    assert_eq!((answer.status, answer.code()), (409, Some("STATE_CONFLICT")));
    assert!(text(&answer.body["error"], "message").contains(why), "{:#}", answer.body);
}

async fn deleted_endpoints_leave_nothing_open(world: &World, long: &str, paused: &str) {
    let polled = world.endpoint(None, "gone.polled", json!({})).await;
    world.receivers.set("poor", Manner::Status(500));
    let poor = world.endpoint(Some("poor"), "gone.poor", json!({})).await;
    for (event_type, count) in [("gone.polled", 7), ("gone.poor", 2)] {
        world.send(event_type, count).await;
    }
    world.until_count(&poor, "waiting", 2).await;
    assert_eq!(world.count(paused, "held").await, MANY);
    assert_eq!(world.count(&polled, "pending").await, 7);
    for endpoint in [paused, &polled, &poor] {
        delete(world, endpoint).await;
    }

    // Invocations without time, and one that dies: the job goes on where it was.
    world.pump.turn(NO_TIME, None).await;
    let left = world.count(paused, "held").await;
    assert!((1..MANY).contains(&left), "{left} are left after a page");
    world.pump.turn(TIME_LIMIT, Some(Duration::from_millis(15))).await;
    for (endpoint, count) in [(long, MANY), (paused, MANY), (&polled, 7), (&poor, 2)] {
        world.until_count(endpoint, "aborted", count).await;
        for delivery in world.deliveries(endpoint, "aborted").await {
            assert_eq!(text(&delivery, "abort_reason"), "endpoint_deleted");
            assert_eq!(delivery["next_attempt_at"], Value::Null);
        }
    }
    who_comes_late_is_found(world, paused).await;
    for hook in ["long", "paused"] {
        assert!(world.receivers.seen(hook).messages.is_empty());
    }
}

/// Somebody read the endpoint before it was deleted, and put a delivery aside after the job had been there.
async fn who_comes_late_is_found(world: &World, endpoint: &str) {
    let now = world.clock.schedule();
    let id = text(&world.deliveries(endpoint, "aborted").await[0], "id").to_owned();
    let id: DeliveryId = id.parse().unwrap();
    let key = delivery_key(world, &id).await;
    let hold = |delivery: &mut Delivery| {
        delivery.state = State::Held(Held { since: now, plan: Plan::Automatic });
        Ok(())
    };
    world.store.modify(&key, hold).await.unwrap().expect("the delivery's row");
    let endpoint: EndpointId = endpoint.parse().unwrap();
    assert_eq!(world.count(endpoint.as_str(), "held").await, 1);
    world.until_count(endpoint.as_str(), "held", 0).await;
}

/// Where a delivery's row is: its shard is one of four.
async fn delivery_key(world: &World, id: &DeliveryId) -> Key {
    let day = ScheduleTime::from_millis(id.message.time_ms()).iso();
    for shard in 0..4 {
        let pk = format!("{}#{}#delivery#{}#{shard}", world.workspace, id.endpoint, &day[..10]);
        let key = Key::state(pk, id.message.as_str());
        if world.store.get::<Delivery>(&key).await.unwrap().is_some() {
            return key;
        }
    }
    panic!("{id} has no row");
}
