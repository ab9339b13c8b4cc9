//! Sends that come at the same time go in one request.
//!
//! A send begins at once when no request is under way. What comes while one is goes together with
//! the next (SendMessageBatch): nobody waits for company, and the busier it is, the fewer requests there
//! are per message. On AWS the request is what is paid for.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_sdk_sqs::{
    Client, operation::send_message_batch::SendMessageBatchOutput,
    types::SendMessageBatchRequestEntry,
};
use millwright_core::{Error, Result};
use tokio::sync::oneshot;

/// The most messages of a request (SQS, "Message quotas").
const BATCH_MAX: usize = 10;
/// The most bytes of a request; SQS allows 1 MiB.
const BYTES_MAX: usize = 1_000_000;
/// The most requests under way for one queue: what comes meanwhile fills the next.
const REQUESTS_MAX: usize = 1;

/// A message to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) group: String,
    pub(crate) body: String,
    pub(crate) delay_seconds: i32,
}

/// The way to one queue. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Sender(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    url: String,
    line: Mutex<Line>,
}

/// Who waits to be sent.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<(Parcel, oneshot::Sender<Result<()>>)>,
    requests: usize,
}

/// A request: what it carries, and whom to tell.
type Batch = Vec<(Parcel, oneshot::Sender<Result<()>>)>;

impl Sender {
    pub(crate) fn new(client: Client, url: String) -> Self {
        Self(Arc::new(Shared { client, url, line: Mutex::default() }))
    }

    /// Sends, and answers once the queue holds the message.
    pub(crate) async fn send(&self, parcel: Parcel) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        let begin = {
            let mut line = self.0.line();
            line.waiting.push_back((parcel, answer));
            line.begin()
        };
        if begin {
            // A task of its own: whoever sends may go away, and others' messages go with the request.
            tokio::spawn(Arc::clone(&self.0).work());
        }
        answered.await.unwrap_or_else(|_| Err(Error::internal("the queue's sender ended")))
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self: Arc<Self>) {
        loop {
            let batch = self.line().next();
            let Some(batch) = batch else { return };
            self.request(batch).await;
        }
    }

    async fn request(&self, batch: Batch) {
        let entries = batch.iter().enumerate().map(|(at, (parcel, _))| entry(at, parcel));
        let call = self.client.send_message_batch().queue_url(&self.url);
        let sent = match entries.collect::<Result<Vec<_>, _>>() {
            Ok(entries) => call.set_entries(Some(entries)).send().await.map_err(|error| {
                Error::internal(Box::new(aws_sdk_sqs::Error::from(error))).to_string()
            }),
            Err(error) => Err(error.to_string()),
        };
        for (at, (_, answer)) in batch.into_iter().enumerate() {
            // Whoever went away does not hear it.
            let _ = answer.send(outcome(&sent, at));
        }
    }
}

impl Line {
    /// Whether a further request may begin for what waits.
    fn begin(&mut self) -> bool {
        let begin = self.requests < REQUESTS_MAX && !self.waiting.is_empty();
        self.requests += usize::from(begin);
        begin
    }

    /// The next request's messages; nothing, and the request's place is free, when nobody waits.
    fn next(&mut self) -> Option<Batch> {
        let (mut batch, mut bytes) = (Batch::new(), 0);
        while let Some((parcel, _)) = self.waiting.front() {
            bytes += parcel.body.len() + parcel.group.len();
            let room = batch.is_empty() || (batch.len() < BATCH_MAX && bytes <= BYTES_MAX);
            if !room {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        if batch.is_empty() {
            self.requests -= 1;
            return None;
        }
        Some(batch)
    }
}

fn entry(
    at: usize,
    parcel: &Parcel,
) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    SendMessageBatchRequestEntry::builder()
        .id(at.to_string())
        .message_group_id(&parcel.group)
        .message_body(&parcel.body)
        .delay_seconds(parcel.delay_seconds)
        .build()
}

/// What became of the message at a place of a request.
fn outcome(sent: &Result<SendMessageBatchOutput, String>, at: usize) -> Result<()> {
    let output = sent.as_ref().map_err(|error| Error::internal(error.clone()))?;
    let id = at.to_string();
    match output.failed().iter().find(|failed| failed.id() == id) {
        None => Ok(()),
        Some(failed) => {
            let why = failed.message().unwrap_or_default();
            Err(Error::internal(format!("the queue refused a message: {} {why}", failed.code())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bodies: &[usize]) -> Line {
        let parcel = |length: &usize| Parcel {
            group: String::new(),
            body: "x".repeat(*length),
            delay_seconds: 0,
        };
        let waiting = bodies.iter().map(|length| (parcel(length), oneshot::channel().0));
        Line { waiting: waiting.collect(), requests: 0 }
    }

    fn lengths(line: &mut Line) -> Option<Vec<usize>> {
        Some(line.next()?.iter().map(|(parcel, _)| parcel.body.len()).collect())
    }

    #[test]
    fn a_request_carries_ten_messages_and_a_megabyte_at_most() {
        let mut many = line(&[1; 23]);
        assert!(many.begin());
        assert_eq!(lengths(&mut many), Some(vec![1; 10]));
        assert_eq!(lengths(&mut many), Some(vec![1; 10]));
        assert_eq!(lengths(&mut many), Some(vec![1; 3]));
        assert_eq!(lengths(&mut many), None);
        let mut large = line(&[BYTES_MAX - 1, 1, 1, BYTES_MAX + 1, 1]);
        assert!(large.begin());
        assert_eq!(lengths(&mut large), Some(vec![BYTES_MAX - 1, 1]));
        assert_eq!(lengths(&mut large), Some(vec![1]));
        assert_eq!(lengths(&mut large), Some(vec![BYTES_MAX + 1]), "refused by the queue, alone");
        assert_eq!(lengths(&mut large), Some(vec![1]));
    }

    #[test]
    fn no_more_requests_than_allowed_are_under_way_and_an_ended_one_makes_room() {
        let mut line = line(&[1; 3]);
        for _ in 0..REQUESTS_MAX {
            assert!(line.begin());
        }
        assert!(!line.begin());
        assert!(line.next().is_some());
        assert!(line.next().is_none());
        assert_eq!(line.requests, REQUESTS_MAX - 1);
        assert!(!line.begin(), "there is nothing to send");
    }
}
