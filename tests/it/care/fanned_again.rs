//! A message that is fanned out again after its first fan-out died.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use millwright_connection::ConnectionContext;
use millwright_core::{Clock, DeliveryId, MessageId, WorkspaceId};
use millwright_event::{Message, NewMessage, Scope};
use millwright_tests::cloud::Cloud;
use millwright_webhook::{DeliveryStatus, Handled, NewEndpoint, Outcome};
use serde_json::json;

use crate::in_process::{context, variables, webhooks};

/// A receiver that answers with this status, and says something; not while it is 0.
pub(super) async fn start_hanging() -> (Arc<AtomicU16>, String) {
    let answers = Arc::new(AtomicU16::new(0));
    let receive = |State(answers): State<Arc<AtomicU16>>| async move {
        loop {
            if let Ok(status) = StatusCode::from_u16(answers.load(Ordering::SeqCst)) {
                return (status, "what was sent");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let app = Router::new()
        .route("/hanging", post(receive))
        .route("/well", post(|| async { StatusCode::NO_CONTENT }))
        .with_state(Arc::clone(&answers));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (answers, base)
}

/// A message to whoever wants everything.
pub(super) async fn message(context: &ConnectionContext, workspace: &WorkspaceId) -> Message {
    let clock = context.store.clock();
    let new = NewMessage {
        workspace,
        id: MessageId::new_at(clock.schedule().millis()),
        event_type: "order.shipped",
        data: &json!({}),
        scope: Scope::default(),
    };
    Message::render(&context.blob, clock, new).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_fan_out_began_is_ended_also_when_the_endpoint_seems_ill_by_then() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::calm(folder.path()).await;
    let context = context(&variables(&cloud, folder.path()), Clock::system(), &cloud.sdk());
    let webhooks = webhooks(&context);
    let (answers, base) = start_hanging().await;
    let workspace = WorkspaceId::new_at(context.store.clock().wall().millis());
    let mut endpoints = Vec::new();
    for hook in ["hanging", "well"] {
        let new = NewEndpoint {
            url: Some(format!("{base}/{hook}")),
            timeout_seconds: Some(1),
            ..NewEndpoint::default()
        };
        endpoints.push(webhooks.create_endpoint(&workspace, new).await.unwrap().id);
    }
    let first = message(&context, &workspace).await;
    let dies = tokio::time::timeout(Duration::from_millis(300), webhooks.fan_out(first.clone(), 0));
    assert!(dies.await.is_err(), "it hangs while its receiver does");
    // That one times out: from now on nothing is begun there while a message is fanned out.
    webhooks.fan_out(message(&context, &workspace).await, 0).await.unwrap();

    // The claim of who died may still be alive, and its queue message stands for the attempt.
    let id = DeliveryId { endpoint: endpoints[0].clone(), message: first.id.clone() };
    let Handled::Later { after } = webhooks.fan_out(first.clone(), 0).await.unwrap() else {
        panic!("nobody would end this: {:#?}", webhooks.get_delivery(&workspace, &id).await);
    };
    answers.store(200, Ordering::SeqCst);
    tokio::time::sleep(after).await;
    assert_eq!(webhooks.fan_out(first, 0).await.unwrap(), Handled::Done);
    let ended = webhooks.get_delivery(&workspace, &id).await.unwrap();
    assert_eq!(ended.attempts[0].end.outcome(), Outcome::Unknown);
    assert_eq!(ended.status(), DeliveryStatus::Waiting);
    assert!(ended.next_attempt_at().is_some());
}
