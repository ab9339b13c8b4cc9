//! Messages whose first sending broke off: handing them in again loses nothing, and tells nothing twice.

use http::Method;
use millwright_core::QueueName;
use millwright_queue::url_variable;
use millwright_tests::api::Api;
use serde_json::{Value, json};

use crate::{care::world::World, in_process, scene::text};

const PATH: &str = "/v1/webhook-messages";

/// A caller of an instance over the same table that has no queue for what is to be fanned out.
async fn without_queue(world: &World) -> Api {
    let mut variables = world.variables.clone();
    let url = variables.get_mut(url_variable(QueueName::Fanout)).expect("the queue's URL");
    url.push_str("-nowhere");
    let context = in_process::context(&variables, world.clock.clone(), &world.sdk());
    in_process::serve(&context, |_| {}).await.with_key(Some(&world.key))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_sends_again_until_the_message_is_known() {
    let world = World::begin().await;
    world.endpoint(Some("taker"), "again.*", json!({})).await;
    let broken = without_queue(&world).await;
    let event = json!({ "type": "again.event", "data": 1, "event_id": "event 1" });
    comes_once(&world, &broken, &world.api, &event).await;
    let keyed = |api: &Api| api.with_header("Idempotency-Key", "key 1");
    let request = json!({ "type": "again.keyed", "data": 2 });
    comes_once(&world, &keyed(&broken), &keyed(&world.api), &request).await;
}

/// A message is handed in to an instance that cannot send it, then to one that can.
async fn comes_once(world: &World, broken: &Api, whole: &Api, message: &Value) {
    let before = world.receivers.seen("taker").messages;
    for _ in 0..2 {
        let lost = broken.call(Method::POST, PATH, Some(message)).await;
        assert_eq!(lost.status, 500, "{:#}", lost.body);
    }
    world.drain(&world.pump).await;
    assert_eq!(world.receivers.seen("taker").messages, before, "nothing is on its way");
    // Its name is taken, and it is not known: each time it is sent, and one of these is told.
    let made = again(whole, message).await;
    assert_eq!(again(whole, message).await, made);
    let id = text(&made, "id");
    assert!(!before.contains_key(id));
    for _ in 0..2 {
        world.drain(&world.pump).await;
        let came = world.receivers.seen("taker").messages;
        assert_eq!((came.get(id), came.len()), (Some(&1), before.len() + 1), "{came:?}");
        // It is known: there is nothing to send any more, so nobody needs the queue.
        assert_eq!(again(broken, message).await, made);
        assert_eq!(again(whole, message).await, made);
    }
}

/// What is answered about a message whose name is taken.
async fn again(api: &Api, message: &Value) -> Value {
    let answer = api.call(Method::POST, PATH, Some(message)).await;
    assert!(answer.headers.contains_key("idempotent-replayed"), "{:#}", answer.body);
    answer.expect(202)
}
