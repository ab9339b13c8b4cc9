//! The function `deliver` as it is deployed, killed with -9 again and again in the midst of its work: while
//! it fans out, makes a first attempt or a later one, or records what came of it, with faults before table
//! and queues. After quiet every message that was acknowledged has arrived at each of its endpoints, what
//! came twice came under one `webhook-id`, and what is recorded is what the receiver saw.

use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use millwright_tests::{
    inbox::{Batch, Inbox},
    lambda::{Function, Outcome},
    template::Template,
};
use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    delivery_world::{Fails, To, World},
    functions,
    kill_plan::Plan,
};

/// The waits of endpoints that say how long they are: the function goes by the time of day, and is to be
/// killed while it tries again, too.
const WAITS: [i64; 20] = [1; 20];
/// How long to wait where no queue gives out anything.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts the function, and waits until it works.
async fn start(world: &World) -> Function {
    let limit = Duration::from_secs(Template::read().function("deliver").timeout);
    let folder = world.folder.path();
    let variables = functions::variables("deliver", &world.cloud, folder);
    let started = Function::start("millwright-fn-deliver", &variables, limit, folder).await;
    let mut function = started.unwrap();
    let nothing = function.invoke(&json!({ "Records": [] })).await;
    assert!(matches!(nothing, Outcome::Answer(_)), "{nothing:?}");
    function
}

/// A batch of any queue that gives one out, beginning with one by chance.
async fn any_batch(inbox: &Inbox, dice: &mut StdRng) -> Option<Batch> {
    let inlets = inbox.inlets();
    let first = dice.random_range(0..inlets.len());
    for inlet in inlets.iter().cycle().skip(first).take(inlets.len()) {
        let batch = inbox.receive(inlet).await;
        if !batch.is_empty() {
            return Some(batch);
        }
    }
    None
}

/// How long the function is left at a batch before it is killed: what it does at first lies close together.
fn moment(dice: &mut StdRng) -> Duration {
    let most = [20, 100, 300, 800][dice.random_range(0..4_usize)];
    Duration::from_millis(dice.random_range(1..=most))
}

/// Has the function work on a batch, to its end or until it is killed; whether it was killed.
async fn work(
    inbox: &Inbox,
    function: &mut Function,
    batch: &Batch,
    kill: Option<Duration>,
) -> bool {
    let event = serde_json::to_value(batch.event()).unwrap();
    let outcome = match kill {
        Some(after) => function.invoke_or_kill(&event, after).await,
        None => Some(function.invoke(&event).await),
    };
    match outcome {
        Some(Outcome::Answer(answer)) => inbox.settle(batch, &reported(answer)).await,
        Some(Outcome::Failed(why)) => panic!("{why:#}\n{}", function.log()),
        None => return true,
    }
    false
}

fn reported(answer: Value) -> SqsBatchResponse {
    serde_json::from_value(answer).unwrap()
}

/// Some messages, some batches in whole, and then one in the midst of which the function is killed.
async fn until_killed(world: &mut World, dice: &mut StdRng) {
    let mut function = start(world).await;
    for _ in 0..dice.random_range(2..7) {
        world.post(To::by_chance(dice)).await;
    }
    let mut whole: u32 = dice.random_range(0..6);
    loop {
        let Some(batch) = any_batch(world.pump.inbox(), dice).await else {
            tokio::time::sleep(PAUSE).await;
            world.post(To::by_chance(dice)).await;
            continue;
        };
        let kill = (whole == 0).then(|| moment(dice));
        whole = whole.saturating_sub(1);
        if work(world.pump.inbox(), &mut function, &batch, kill).await {
            println!("killed after {kill:?} of {} of {:?}", batch.len(), batch.queue);
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_message_is_lost_where_the_deployed_function_is_killed() {
    let mut plan = Plan::new(5);
    let mut world = World::begin(plan.seed, Fails::AtFirst, &WAITS).await;
    for _ in 0..plan.kills {
        until_killed(&mut world, &mut plan.dice).await;
    }
    world.quiet().await;
    world.check().await;
}
