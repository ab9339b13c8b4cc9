//! The hop that is left out: the functions' AWS clients hand their requests to tables and queues of the
//! same process.
//!
//! The clients are the SDK's own, and what they write and read is what would go over the wire. Only the
//! sockets are not there, and the signatures. Whoever is outside the process uses the endpoints.
//!
//! Those who take messages in and those who deliver them share the processors of one machine. What the
//! API hands to the queue of new messages while that is behind is answered a little later: so messages
//! are taken in as fast as they are delivered, and wait with those who bring them rather than in the queue.
//! Nobody who works off the queue is held.

use std::time::{Duration, Instant};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use axum::http::{Uri, uri::Authority};
use serde::Deserialize;

use crate::{
    dynamo::server::{self, Server},
    sqs::{http as queues, worker::Worker},
};

/// A queue is behind when more messages wait: two batches.
const BEHIND: usize = 20;
/// The longest that a send to it waits for its answer.
const HELD_MAX: Duration = Duration::from_millis(20);
/// How often it is looked whether it still is behind.
const LOOK: Duration = Duration::from_millis(1);

/// Tables and queues as a client of the SDK reaches them. It has no other place to go.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    tables: Server,
    queues: Worker,
    /// The queue whose senders are held while it is behind.
    paced: Option<String>,
}

/// Of a send: where it goes.
#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "QueueUrl")]
    queue: String,
}

impl Near {
    pub(crate) fn new(tables: Server, queues: Worker) -> Self {
        Self { tables, queues, paced: None }
    }

    /// For whoever takes in what goes to this queue: sends to it are answered later while it is behind.
    pub(crate) fn paced_by(&self, queue: String) -> Self {
        Self { paced: Some(queue), ..self.clone() }
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get(queues::TARGET).unwrap_or_default();
        // What tables and queues are asked is never a stream.
        let body = request.body().bytes().unwrap_or_default();
        if target.starts_with(server::TARGET) {
            let (status, body) = self.tables.answer(target, body).await;
            return response(status.as_u16(), body.into());
        }
        if target.starts_with(queues::SERVICE) {
            let uri: Uri = request.uri().parse().unwrap_or_default();
            let host = uri.authority().map(Authority::as_str).unwrap_or_default();
            let answer = queues::call(&self.queues, host, target, body).await;
            if answer.status.is_success() && target.ends_with("SendMessageBatch") {
                self.let_catch_up(body).await;
            }
            let mut answered = response(answer.status.as_u16(), answer.body.into())?;
            if let Some(error) = answer.query_error {
                answered.headers_mut().try_insert(queues::QUERY_ERROR, error).map_err(foreign)?;
            }
            return Ok(answered);
        }
        Err(foreign("this machine has no such service"))
    }

    /// After a send: waits while its queue is behind, where it is paced, and not for long. The messages are
    /// safe.
    async fn let_catch_up(&self, body: &[u8]) {
        let Some(paced) = &self.paced else { return };
        let sent: Option<Sent> = serde_json::from_slice(body).ok();
        let queue = sent.as_ref().and_then(|sent| sent.queue.rsplit('/').next());
        if queue != Some(paced) {
            return;
        }
        let until = Instant::now() + HELD_MAX;
        while Instant::now() < until && self.queues.ready(paced).await > BEHIND {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn response(status: u16, body: SdkBody) -> Result<HttpResponse, ConnectorError> {
    Ok(HttpResponse::new(StatusCode::try_from(status).map_err(foreign)?, body))
}

fn foreign(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ConnectorError {
    ConnectorError::user(error.into())
}

impl HttpConnector for Near {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let near = self.clone();
        HttpConnectorFuture::new(async move { near.answer(request).await })
    }
}

impl HttpClient for Near {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry as Entry};
    use millwright_core::QueueName;
    use millwright_queue::queue_client;

    use super::*;
    use crate::{Durability, Stack, data::DataFolder, host::QUEUES};

    async fn url(client: &Client, queue: QueueName) -> String {
        let queue = QUEUES.iter().find(|def| def.work == Some(queue)).unwrap();
        let found = client.get_queue_url().queue_name(queue.name()).send().await;
        found.unwrap().queue_url.unwrap()
    }

    /// How long it takes to send a message.
    async fn send(client: &Client, url: &str) -> Duration {
        let entry = Entry::builder().id("0").message_body("{}").message_group_id("one");
        let call = client.send_message_batch().queue_url(url).entries(entry.build().unwrap());
        let began = Instant::now();
        call.send().await.unwrap();
        began.elapsed()
    }

    #[tokio::test]
    async fn whoever_sends_to_a_queue_that_is_behind_waits_a_little_and_only_there() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let stack = Stack::start(data, 1.0, Durability::Process).await.unwrap();
        let client = queue_client(stack.intake_sdk());
        let incoming = url(&client, QueueName::Fanout).await;
        let other = url(&client, QueueName::Delivery).await;
        for _ in 0..BEHIND {
            send(&client, &incoming).await;
            send(&client, &other).await;
        }
        let worker = queue_client(stack.sdk());
        let free = futures::future::join_all((0..5).map(|_| send(&worker, &incoming))).await;
        assert!(free.iter().any(|took| *took < HELD_MAX), "who works it off is not held: {free:?}");
        let held = send(&client, &incoming).await;
        assert!(held >= HELD_MAX, "nobody receives, so it is behind: {held:?}");
        let quick = futures::future::join_all((0..5).map(|_| send(&client, &other))).await;
        assert!(quick.iter().any(|took| *took < HELD_MAX), "another queue: {quick:?}");
        // As soon as somebody has taken a batch.
        let taken = async {
            tokio::time::sleep(HELD_MAX / 4).await;
            let call = client.receive_message().queue_url(&incoming).max_number_of_messages(10);
            call.send().await.unwrap().messages.unwrap().len()
        };
        let (sent, taken) = tokio::join!(send(&client, &incoming), taken);
        assert_eq!(taken, 10);
        assert!(sent >= HELD_MAX / 4, "{sent:?}");
        let direct = crate::sdk::config(&stack.dynamodb_url(), &stack.sqs_url());
        let outside = queue_client(&direct);
        let told = outside.get_queue_attributes().queue_url(&incoming);
        let told = told.attribute_names("ApproximateNumberOfMessages".into()).send().await.unwrap();
        let ready = told.attributes.unwrap().into_values().next().unwrap();
        assert_eq!(ready, (BEHIND + 7 - 10).to_string(), "each is there");
    }
}
