//! A delivery that is changed while an attempt of it is being made.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use millwright_core::{Clock, DeliveryId, WorkspaceId};
use millwright_event::Message;
use millwright_tests::{cloud::Cloud, wait};
use millwright_webhook::{
    AttemptEnd, AttemptTask, Delivery, DeliveryStatus, Handled, NewEndpoint, State, Webhooks,
};

use super::fanned_again::{message, start_hanging};
use crate::in_process::{context, variables, webhooks};

const SOON: Duration = Duration::from_secs(20);

/// A message and the one endpoint that wants it.
struct Ground {
    _cloud: (Cloud, tempfile::TempDir),
    webhooks: Webhooks,
    workspace: WorkspaceId,
    answers: Arc<AtomicU16>,
    message: Message,
    id: DeliveryId,
}

impl Ground {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::calm(folder.path()).await;
        let context = context(&variables(&cloud, folder.path()), Clock::system(), &cloud.sdk());
        let webhooks = webhooks(&context);
        let (answers, base) = start_hanging().await;
        let workspace = WorkspaceId::new_at(context.store.clock().wall().millis());
        let new = NewEndpoint { url: Some(format!("{base}/hanging")), ..NewEndpoint::default() };
        let endpoint = webhooks.create_endpoint(&workspace, new).await.unwrap().id;
        let message = message(&context, &workspace).await;
        let id = DeliveryId { endpoint, message: message.id.clone() };
        Self { _cloud: (cloud, folder), webhooks, workspace, answers, message, id }
    }

    async fn delivery(&self) -> Delivery {
        self.webhooks.get_delivery(&self.workspace, &self.id).await.unwrap()
    }

    /// Waits until an attempt is being made, and removes the message's content then.
    async fn expunge_meanwhile(&self) {
        wait::until("an attempt is being made", SOON, async || {
            let there = self.webhooks.get_delivery(&self.workspace, &self.id).await.ok()?;
            matches!(there.state, State::Attempting(_)).then_some(())
        })
        .await;
        self.webhooks.expunge_message(&self.workspace, &self.id.message).await.unwrap();
    }

    fn answer(&self, status: u16) {
        self.answers.store(status, Ordering::SeqCst);
    }
}

/// The statuses and bodies of what was answered.
fn answers(delivery: &Delivery) -> Vec<(u16, String)> {
    let answer = |end: &AttemptEnd| match end {
        AttemptEnd::Answered(answer) => (answer.status, answer.body.clone()),
        other => panic!("{other:?}"),
    };
    delivery.attempts.iter().map(|attempt| answer(&attempt.end)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_attempt_under_way_is_recorded_without_what_was_answered() {
    let ground = Ground::new().await;
    let fanned_out = ground.webhooks.fan_out(ground.message.clone(), 0);
    let meanwhile = async {
        ground.expunge_meanwhile().await;
        ground.answer(500);
    };
    let (handled, ()) = futures::join!(fanned_out, meanwhile);
    assert_eq!(handled.unwrap(), Handled::Done);
    let ended = ground.delivery().await;
    assert_eq!(answers(&ended), [(500, String::new())]);
    assert_eq!(ended.status(), DeliveryStatus::Waiting);
    assert!(ended.next_attempt_at().is_some(), "somebody looks after it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_attempt_under_way_ends_the_delivery_that_was_changed_meanwhile() {
    let ground = Ground::new().await;
    ground.answer(500);
    ground.webhooks.fan_out(ground.message.clone(), 0).await.unwrap();
    assert_eq!(answers(&ground.delivery().await), [(500, "what was sent".to_owned())]);
    ground.answer(0);
    ground.webhooks.retry_delivery(&ground.workspace, &ground.id).await.unwrap();
    let (delivery, workspace) = (ground.id.clone(), ground.workspace.clone());
    let task = AttemptTask { delivery, workspace, number: 2 };
    let attempted = ground.webhooks.attempt(&task, 0);
    let meanwhile = async {
        ground.expunge_meanwhile().await;
        ground.answer(200);
    };
    let (handled, ()) = futures::join!(attempted, meanwhile);
    assert_eq!(handled.unwrap(), Handled::Done);
    let ended = ground.delivery().await;
    assert_eq!(ended.status(), DeliveryStatus::Delivered, "{ended:#?}");
    assert_eq!(answers(&ended), [(500, String::new()), (200, String::new())]);
}
