//! The ways from a message to its fan-out.

use bytes::Bytes;
use millwright_blob::Blob;
use millwright_core::{ConnectionId, Error, MessageId, QueueName, Result, Work, WorkspaceId};
use millwright_queue::Queue;
use millwright_store::Store;
use serde::{Deserialize, Serialize};

use crate::{Body, Message};

/// What the fan-out queue carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FanoutTask {
    /// A message that only the queue holds as yet.
    Inline(Box<Message>),
    /// A message whose row is there.
    Message {
        /// Whose it is.
        workspace: WorkspaceId,
        /// Which.
        message: MessageId,
    },
    /// A look at a workspace's bodies: those of days that are not kept any more go.
    Bodies {
        /// Whose they are.
        workspace: WorkspaceId,
    },
    /// Feed pages of a connection that have not been told yet.
    Feed {
        /// Whose it is.
        workspace: WorkspaceId,
        /// Which.
        connection: ConnectionId,
    },
}

/// The fan-out queue's work for a task: fair among workspaces.
///
/// # Errors
/// When the task cannot be written as JSON.
pub fn fanout_work(workspace: &WorkspaceId, task: &FanoutTask) -> Result<Work> {
    Work::new(workspace.as_str(), task)
}

/// The fan-out queue's work for the untold feed pages of a connection.
///
/// # Errors
/// When the task cannot be written as JSON.
pub fn feed_work(workspace: &WorkspaceId, connection: &ConnectionId) -> Result<Work> {
    let task = FanoutTask::Feed { workspace: workspace.clone(), connection: connection.clone() };
    fanout_work(workspace, &task)
}

/// Hands a message to the queue: when this has succeeded, the message may be acknowledged.
///
/// # Errors
/// When the queue did not take it.
pub async fn accept(queue: &Queue, message: &Message) -> Result<()> {
    let task = FanoutTask::Inline(Box::new(message.clone()));
    queue.send(QueueName::Fanout, &fanout_work(&message.workspace, &task)?).await
}

/// Tells the fan-out of messages whose rows have been written. A failure is only logged: the rows are
/// in the due index, so the sweep tells instead.
pub async fn announce(queue: &Queue, messages: &[Message]) {
    for message in messages {
        let task = FanoutTask::Message {
            workspace: message.workspace.clone(),
            message: message.id.clone(),
        };
        let sent = match fanout_work(&message.workspace, &task) {
            Ok(work) => queue.send(QueueName::Fanout, &work).await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::warn!(message = %message.id, %error, "announcement left to the sweep");
        }
    }
}

/// Records a message and announces it: for what follows from no other row. Doing it again with the
/// same id does nothing but announce again.
///
/// # Errors
/// When the row could not be written.
pub async fn publish(store: &Store, queue: &Queue, message: &Message) -> Result<()> {
    store.create(&message.key(), message).await?;
    announce(queue, std::slice::from_ref(message)).await;
    Ok(())
}

/// The bytes of a message's body.
///
/// # Errors
/// When the blob store fails, has lost the body, or it was removed.
pub async fn body_bytes(blob: &Blob, message: &Message) -> Result<Bytes> {
    bytes_of(blob, message, &message.body).await
}

/// The bytes that endpoints get who ask for the records themselves.
///
/// # Errors
/// When the blob store fails, has lost the body, or it was removed.
pub async fn full_body_bytes(blob: &Blob, message: &Message) -> Result<Bytes> {
    bytes_of(blob, message, message.full_body.as_ref().unwrap_or(&message.body)).await
}

async fn bytes_of(blob: &Blob, message: &Message, body: &Body) -> Result<Bytes> {
    let gone = || Error::internal(format!("the body of {} is gone", message.id));
    match body {
        Body::Inline(text) => Ok(Bytes::from(text.clone())),
        Body::Blob(path) => blob.get(path).await?.ok_or_else(gone),
        Body::Expunged => Err(gone()),
    }
}
