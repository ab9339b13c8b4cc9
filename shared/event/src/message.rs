//! The message: its row, its rendered body, its place in the table.

use std::time::Duration;

use bytes::Bytes;
use millwright_blob::Blob;
use millwright_core::{
    Clock, ConnectionId, EndpointId, Error, MessageId, QueueName, Result, ScheduleTime, WallTime,
    WorkspaceId,
};
use millwright_queue::INLINE_BODY_MAX;
use millwright_store::{Document, Due, Expect, Key, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{FanoutTask, publish::fanout_work};

/// How long messages and their deliveries are kept.
pub const MESSAGE_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a message is about, as far as endpoints choose by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The connection it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<ConnectionId>,
    /// The customer that connection belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// Whether it tells of rows that a first load brought: only endpoints that asked for it get it.
    #[serde(default)]
    pub initial_load: bool,
}

/// Where the rendered bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// In the row itself.
    Inline(String),
    /// In the blob store, under this path.
    Blob(String),
}

/// An event to tell, rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id; also the `webhook-id` on the wire.
    pub id: MessageId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Its type, such as `purchase_orders.updated`.
    pub event_type: String,
    /// When it was accepted, on the schedule clock.
    pub created_at: ScheduleTime,
    /// When it happened: the `timestamp` inside the body.
    pub timestamp: WallTime,
    /// The bytes every receiver gets.
    pub body: Body,
    /// What endpoints choose by.
    pub scope: Scope,
    /// The endpoints it goes to; nothing until it has been fanned out.
    #[serde(default)]
    pub endpoints: Option<Vec<EndpointId>>,
}

/// A message that has yet to be rendered.
#[derive(Clone, Debug)]
pub struct NewMessage<'a> {
    /// Whose it is.
    pub workspace: &'a WorkspaceId,
    /// Its id: derived where the message follows from something, so that it is made once.
    pub id: MessageId,
    /// Its type.
    pub event_type: &'a str,
    /// The body's `data`.
    pub data: &'a Value,
    /// What endpoints choose by.
    pub scope: Scope,
}

impl Message {
    /// Renders a message. A body over 48 KB is put into the blob store first, so the message never
    /// points at bytes that are not there.
    ///
    /// # Errors
    /// When the blob store did not take the body.
    pub async fn render(blob: &Blob, clock: &Clock, new: NewMessage<'_>) -> Result<Self> {
        let timestamp = clock.wall();
        let text = render_body(new.event_type, timestamp, new.data)?;
        let body = if text.len() <= INLINE_BODY_MAX {
            Body::Inline(text)
        } else {
            let path = format!("{}/messages/{}", new.workspace, new.id);
            blob.put(&path, Bytes::from(text)).await?;
            Body::Blob(path)
        };
        Ok(Self {
            id: new.id,
            workspace: new.workspace.clone(),
            event_type: new.event_type.to_owned(),
            created_at: clock.schedule(),
            timestamp,
            body,
            scope: new.scope,
            endpoints: None,
        })
    }

    /// The row's key.
    #[must_use]
    pub fn key(&self) -> Key {
        message_key(&self.workspace, &self.id)
    }

    /// The write that records the message: part of the transaction of what it tells of.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn as_write(&self) -> Result<Write> {
        Ok(Write::put(&self.key(), self, Expect::Absent)?)
    }
}

impl Document for Message {
    fn due(&self) -> Option<Due> {
        if self.endpoints.is_some() {
            return None;
        }
        let task =
            FanoutTask::Message { workspace: self.workspace.clone(), message: self.id.clone() };
        let work = fanout_work(&self.workspace, &task).ok()?;
        Some(Due::at(QueueName::Fanout, self.created_at, self.created_at, work))
    }

    fn expires_at(&self) -> Option<WallTime> {
        Some(self.timestamp + MESSAGE_RETENTION)
    }
}

/// Where a message's row is: under its workspace and the day inside its id.
#[must_use]
pub fn message_key(workspace: &WorkspaceId, id: &MessageId) -> Key {
    Key::state(format!("{workspace}#message#{}", day_of(id)), id.as_str())
}

/// The `data` of an event about a connection, with what every such event says.
#[must_use]
pub fn event_data(connection: &ConnectionId, customer: Option<&Value>, more: Value) -> Value {
    let mut data = json!({ "connection_id": connection, "customer": customer });
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
        data.extend(more);
    }
    data
}

/// The day inside a message's id, `YYYY-MM-DD`.
fn day_of(id: &MessageId) -> String {
    ScheduleTime::from_millis(id.time_ms()).iso()[..10].to_owned()
}

fn render_body(event_type: &str, timestamp: WallTime, data: &Value) -> Result<String> {
    let body = json!({ "type": event_type, "timestamp": timestamp.iso(), "data": data });
    serde_json::to_string(&body).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(endpoints: Option<Vec<EndpointId>>) -> Message {
        Message {
            id: MessageId::new_at(1_700_000_000_000),
            workspace: WorkspaceId::new_at(1),
            event_type: "test.ping".to_owned(),
            created_at: ScheduleTime::from_millis(1_700_000_000_000),
            timestamp: WallTime::from_millis(1_700_000_000_000),
            body: Body::Inline("{}".to_owned()),
            scope: Scope::default(),
            endpoints,
        }
    }

    #[test]
    fn a_message_is_due_until_it_has_been_fanned_out() {
        assert!(message(None).due().is_some());
        assert!(message(Some(vec![])).due().is_none());
    }

    #[test]
    fn a_message_lies_under_its_workspace_and_day() {
        let message = message(None);
        assert_eq!(message.key().pk, format!("{}#message#2023-11-14", message.workspace));
    }

    #[tokio::test]
    async fn a_body_of_up_to_48_kb_stands_in_the_row_and_a_larger_one_in_the_blob_store() {
        let folder = tempfile::tempdir().unwrap();
        let (blob, clock) = (Blob::folder(folder.path()).unwrap(), Clock::system());
        let workspace = WorkspaceId::new_at(1);
        let render = async |length: usize| {
            let data = Value::from("x".repeat(length));
            let id = MessageId::new_at(1);
            let scope = Scope::default();
            let new =
                NewMessage { workspace: &workspace, id, event_type: "a.b", data: &data, scope };
            Message::render(&blob, &clock, new).await.unwrap()
        };
        let Body::Inline(empty) = render(0).await.body else { panic!("an empty body is inline") };
        let edge = INLINE_BODY_MAX - empty.len();
        assert!(matches!(render(edge).await.body, Body::Inline(text) if text.len() == 49_152));
        let larger = render(edge + 1).await;
        assert!(matches!(larger.body, Body::Blob(_)));
        assert_eq!(crate::body_bytes(&blob, &larger).await.unwrap().len(), 49_153);
    }

    #[test]
    fn a_message_survives_its_row() {
        let message = message(None);
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    }
}
