//! Polling while messages come late and out of order, and the table is as AWS's may be: indexes that
//! trail, answers that are lost, writers that meet.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use millwright_connection::ConnectionContext;
use millwright_core::{Clock, EndpointId, ErrorCode, MessageId, WorkspaceId};
use millwright_event::{Message, NewMessage, Scope};
use millwright_tests::{
    cloud::Cloud,
    faults::{QueueFaults, TableFaults},
};
use millwright_webhook::{NewEndpoint, PollPage, PollRequest, StatusChange, Webhooks};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::in_process::{context, variables, webhooks};

const MESSAGES: usize = 60;
const SEED: u64 = 25;

/// An endpoint that is polled while messages come.
struct Late {
    webhooks: Webhooks,
    workspace: WorkspaceId,
    endpoint: EndpointId,
    all_sent: AtomicBool,
}

/// Until it is done: a call that a fault struck is made again, as everybody does.
async fn stubbornly<T>(mut call: impl AsyncFnMut() -> millwright_core::Result<T>) -> T {
    for _ in 0..100 {
        match call().await {
            Ok(done) => return done,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("a hundred tries were not enough");
}

impl Late {
    /// Takes in messages whose ids are of any time of the last hour, in any order.
    async fn send(&self, context: &ConnectionContext, count: usize) -> BTreeSet<MessageId> {
        let mut chance = StdRng::seed_from_u64(SEED);
        let clock = context.store.clock();
        let mut sent = BTreeSet::new();
        for number in 0..count {
            let ago = chance.random_range(0..3_600_000);
            let id = MessageId::new_at(clock.schedule().millis() - ago);
            sent.insert(id.clone());
            let data = json!({ "number": number });
            let message = stubbornly(async || {
                let new = NewMessage {
                    workspace: &self.workspace,
                    id: id.clone(),
                    event_type: "late.message",
                    data: &data,
                    scope: Scope::default(),
                };
                Message::render(&context.blob, clock, new).await
            })
            .await;
            stubbornly(async || self.webhooks.fan_out(message.clone(), 0).await).await;
        }
        self.all_sent.store(true, Ordering::SeqCst);
        sent
    }

    async fn page(&self, cursor: Option<&str>) -> PollPage {
        let asked = PollRequest { cursor, limit: 7, wait: Duration::ZERO };
        stubbornly(async || self.webhooks.poll(&self.workspace, &self.endpoint, asked).await).await
    }

    /// Polls until nothing more comes: what it has seen. Now and then it forgets its cursor.
    async fn receive(&self, seed: u64) -> Vec<MessageId> {
        let mut chance = StdRng::seed_from_u64(seed);
        let (mut seen, mut cursor, mut idle) = (Vec::new(), None, 0);
        while idle < 15 {
            let over = self.all_sent.load(Ordering::SeqCst);
            let page = self.page(cursor.as_deref()).await;
            idle = if over && page.messages.is_empty() { idle + 1 } else { 0 };
            if page.messages.is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            seen.extend(page.messages.into_iter().map(|message| message.id));
            cursor = chance.random_bool(0.8).then_some(page.next_cursor);
        }
        seen
    }
}

/// A polled endpoint on a table with these faults.
async fn scene(faults: TableFaults) -> (Cloud, tempfile::TempDir, ConnectionContext, Late) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let cloud = Cloud::start(folder.path(), faults, QueueFaults::NONE, SEED, clock.clone()).await;
    let context = context(&variables(&cloud, folder.path()), clock, &cloud.sdk());
    let webhooks = webhooks(&context);
    let workspace = WorkspaceId::new_at(1);
    let made = stubbornly(async || {
        let new = NewEndpoint { polled: true, ..NewEndpoint::default() };
        webhooks.create_endpoint(&workspace, new).await
    })
    .await;
    let endpoint = made.id;
    let late = Late { webhooks, workspace, endpoint, all_sent: AtomicBool::new(false) };
    (cloud, folder, context, late)
}

#[tokio::test]
async fn a_message_that_comes_late_is_never_passed_over() {
    let (cloud, _folder, context, late) = scene(TableFaults::ROUGH).await;
    let (sent, one, other) =
        futures::join!(late.send(&context, MESSAGES), late.receive(1), late.receive(2));
    let seen: BTreeSet<MessageId> = one.iter().chain(&other).cloned().collect();
    assert_eq!(seen, sent);
    assert!(late.page(None).await.messages.is_empty());
    println!("{} and {} of {MESSAGES}: {:?}", one.len(), other.len(), cloud.table_faults().all());
}

#[tokio::test]
async fn while_it_is_paused_it_offers_nothing_and_takes_acknowledgements() {
    let (_cloud, _folder, context, late) = scene(TableFaults::NONE).await;
    late.send(&context, 9).await;
    let first = late.page(None).await;
    assert_eq!((first.messages.len(), first.has_more), (7, true));
    let set = async |change| {
        late.webhooks.set_status(&late.workspace, &late.endpoint, change).await.unwrap();
    };
    set(StatusChange::Pause).await;
    let asked = PollRequest { cursor: Some(&first.next_cursor), limit: 7, wait: Duration::ZERO };
    let refused = late.webhooks.poll(&late.workspace, &late.endpoint, asked).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::StateConflict);
    set(StatusChange::Resume).await;
    let rest = late.page(None).await;
    assert_eq!((rest.messages.len(), rest.has_more), (2, false));
    let together: BTreeSet<_> =
        first.messages.iter().chain(&rest.messages).map(|m| &m.id).collect();
    assert_eq!(together.len(), 9);
}
