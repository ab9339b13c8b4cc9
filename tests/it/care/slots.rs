//! Millwright in this process, with a note of every invocation of `deliver`: for which endpoints, from
//! when until when.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aws_lambda_events::sqs::SqsEvent;
use futures::FutureExt;
use millwright_connection::ConnectionContext;
use millwright_core::{ExposeSecret, QueueName};
use millwright_local::{
    Durability, Stack,
    bootstrap::bootstrap,
    data::DataFolder,
    host::{Functions, Host, SqsFunction},
};
use millwright_queue::Envelope;
use millwright_tests::api::Api;
use tokio::net::TcpListener;

/// A worker slot while one invocation has it.
#[derive(Clone, Debug)]
struct Slot {
    queue: QueueName,
    /// The endpoints that its tasks are for.
    endpoints: BTreeSet<String>,
    begun: Instant,
    ended: Option<Instant>,
}

/// All invocations so far.
#[derive(Clone, Debug, Default)]
pub struct Slots(Arc<Mutex<Vec<Slot>>>);

/// An invocation that is under way.
struct UnderWay(Slots, usize);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.lock().unwrap()[self.1].ended = Some(Instant::now());
    }
}

impl Slots {
    /// The function with its invocations noted.
    fn around(&self, function: SqsFunction) -> SqsFunction {
        let slots = self.clone();
        Arc::new(move |event, deadline| {
            let under_way = slots.begin(&event);
            let ended = function(event, deadline);
            async move {
                let _under_way = under_way;
                ended.await
            }
            .boxed()
        })
    }

    fn begin(&self, event: &SqsEvent) -> Option<UnderWay> {
        let bodies = event.records.iter().filter_map(|record| record.body.as_deref());
        let tasks: Vec<Envelope> =
            bodies.filter_map(|body| serde_json::from_str(body).ok()).collect();
        let queue = tasks.first()?.queue;
        let endpoints = tasks.into_iter().map(|task| task.work.group).collect();
        let mut all = self.0.lock().unwrap();
        all.push(Slot { queue, endpoints, begun: Instant::now(), ended: None });
        Some(UnderWay(self.clone(), all.len() - 1))
    }

    /// How many slots of the delivery and retry queues were ever held at the same time by invocations
    /// that had work for one of these endpoints and took longer than `beyond`: from there on they wait
    /// for that endpoint.
    pub fn most_held(&self, endpoints: &[&str], beyond: Duration) -> usize {
        let waits = |slot: &&Slot| {
            matches!(slot.queue, QueueName::Delivery | QueueName::Retry)
                && endpoints.iter().any(|one| slot.endpoints.contains(*one))
        };
        let now = Instant::now();
        let all = self.0.lock().unwrap();
        let held =
            all.iter().filter(waits).map(|one| (one.begun + beyond, one.ended.unwrap_or(now)));
        most_at_once(&held.filter(|(from, until)| from < until).collect::<Vec<_>>())
    }

    /// How long each invocation of the delivery queue had its slot that had work for this endpoint, of those
    /// that have ended.
    pub fn held_for(&self, endpoint: &str) -> Vec<Duration> {
        let all = self.0.lock().unwrap();
        let has =
            |slot: &&Slot| slot.queue == QueueName::Delivery && slot.endpoints.contains(endpoint);
        all.iter().filter(has).filter_map(|one| Some(one.ended? - one.begun)).collect()
    }

    /// How many invocations had work for one of these endpoints.
    pub fn count(&self, endpoints: &[&str]) -> usize {
        let all = self.0.lock().unwrap();
        let has = |slot: &&Slot| endpoints.iter().any(|one| slot.endpoints.contains(*one));
        all.iter().filter(has).count()
    }
}

/// How many of these stretches of time ever overlap.
fn most_at_once(stretches: &[(Instant, Instant)]) -> usize {
    let at =
        |moment: Instant| stretches.iter().filter(|(a, b)| *a <= moment && moment < *b).count();
    stretches.iter().map(|(begun, _)| at(*begun)).max().unwrap_or(0)
}

/// Millwright with its slots watched.
pub struct Watched {
    pub api: Api,
    pub slots: Slots,
    host: Host,
    stack: Stack,
}

impl Watched {
    pub async fn start(folder: &Path) -> Self {
        let data = DataFolder::open(&folder.join("data")).unwrap();
        let stack = Stack::start(data, 1.0, Durability::Flush).await.unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let variables = stack.environment(url.clone(), vec!["127.0.0.0/8".to_owned()]).variables();
        let (sdk, clock) = (stack.sdk(), stack.clock());
        let functions = Functions::build(&variables, clock, sdk, stack.intake_sdk()).await;
        let mut functions = functions.unwrap();
        let slots = Slots::default();
        functions.deliver = slots.around(functions.deliver);
        let context = ConnectionContext::from_source(&variables, clock.clone(), sdk).unwrap();
        let key = bootstrap(&context, None).await.unwrap().key.expect("a key of the first start");
        let host = Host::start(listener, sdk, clock.clone(), functions, None).await.unwrap();
        let api = Api::new(&url, Some(key.expose_secret()));
        Self { api, slots, host, stack }
    }

    /// Ends it, once what is under way has ended.
    pub async fn stop(self) {
        self.host.stop().await;
        self.stack.stop().await.unwrap();
    }
}

#[test]
fn stretches_that_touch_do_not_overlap() {
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    assert_eq!(most_at_once(&[]), 0);
    assert_eq!(most_at_once(&[(at(0), at(2)), (at(2), at(4))]), 1);
    assert_eq!(most_at_once(&[(at(0), at(5)), (at(1), at(2)), (at(3), at(4)), (at(3), at(9))]), 3);
}
