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

/// How long messages and their deliveries are kept unless their workspace says otherwise.
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
    /// The one endpoint it is for, whatever that endpoint chooses; nothing for what all may get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<EndpointId>,
}

/// Where the rendered bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// In the row itself.
    Inline(String),
    /// In the blob store, under this path.
    Blob(String),
    /// Nowhere: the content was removed at somebody's wish.
    Expunged,
}

/// Why a message is not sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody aborted it, or its content was removed.
    Aborted,
    /// Its own time is up.
    Expired,
}

/// Who makes a first attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstAttempt {
    /// Chosen by chance by whoever makes it.
    pub holder: String,
    /// When it began, on the schedule clock.
    pub started_at: ScheduleTime,
    /// When whoever makes it has surely ended or died, on the wall clock.
    pub until: WallTime,
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
    /// The bytes that endpoints get who ask for the records themselves, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_body: Option<Body>,
    /// What endpoints choose by.
    pub scope: Scope,
    /// The endpoints it goes to; nothing until it has been fanned out.
    #[serde(default)]
    pub endpoints: Option<Vec<EndpointId>>,
    /// Who makes the first attempt, where there is one endpoint and the row of its delivery is made
    /// only when the attempt is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstAttempt>,
    /// When it is not worth sending any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_at: Option<ScheduleTime>,
    /// When somebody aborted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted_at: Option<ScheduleTime>,
    /// For how many days it is kept; [`MESSAGE_RETENTION`] when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_days: Option<u16>,
}

/// A message that has yet to be rendered. Its data is anything that has a form in JSON: of a
/// [`serde_json::value::RawValue`] every byte stays.
#[derive(Clone, Debug)]
pub struct NewMessage<'a, D: ?Sized = Value> {
    /// Whose it is.
    pub workspace: &'a WorkspaceId,
    /// Its id: derived where the message follows from something, so that it is made once.
    pub id: MessageId,
    /// Its type.
    pub event_type: &'a str,
    /// The body's `data`.
    pub data: &'a D,
    /// What endpoints choose by.
    pub scope: Scope,
}

impl Message {
    /// Renders a message. A body over 48 KB is put into the blob store first, so the message never
    /// points at bytes that are not there.
    ///
    /// # Errors
    /// When the blob store did not take the body.
    pub async fn render<D>(blob: &Blob, clock: &Clock, new: NewMessage<'_, D>) -> Result<Self>
    where
        D: Serialize + Sync + ?Sized,
    {
        Self::render_at(blob, clock.schedule(), clock.wall(), new).await
    }

    /// Renders a message of certain times: with the same times and data it has the same bytes.
    ///
    /// # Errors
    /// When the blob store did not take the body.
    pub async fn render_at<D>(
        blob: &Blob,
        created_at: ScheduleTime,
        timestamp: WallTime,
        new: NewMessage<'_, D>,
    ) -> Result<Self>
    where
        D: Serialize + Sync + ?Sized,
    {
        let text = render_body(new.event_type, timestamp, new.data)?;
        let body = stored(blob, text, || body_path(new.workspace, &new.id)).await?;
        Ok(Self {
            id: new.id,
            workspace: new.workspace.clone(),
            event_type: new.event_type.to_owned(),
            created_at,
            timestamp,
            body,
            full_body: None,
            scope: new.scope,
            endpoints: None,
            first: None,
            abort_at: None,
            aborted_at: None,
            kept_days: None,
        })
    }

    /// Adds what endpoints get who ask for the records themselves: the same event with other data.
    ///
    /// # Errors
    /// When the blob store did not take the body.
    pub async fn add_full<D>(&mut self, blob: &Blob, data: &D) -> Result<()>
    where
        D: Serialize + Sync + ?Sized,
    {
        let text = render_body(&self.event_type, self.timestamp, data)?;
        let path = || format!("{}.records", body_path(&self.workspace, &self.id));
        self.full_body = Some(stored(blob, text, path).await?);
        Ok(())
    }

    /// Why it is not sent any more, if it is not.
    #[must_use]
    pub fn stopped(&self, now: ScheduleTime) -> Option<Stopped> {
        if self.aborted_at.is_some() || self.is_expunged() {
            return Some(Stopped::Aborted);
        }
        self.abort_at.filter(|at| *at <= now).map(|_| Stopped::Expired)
    }

    /// Whether its content was removed.
    #[must_use]
    pub fn is_expunged(&self) -> bool {
        self.body == Body::Expunged
    }

    /// Until when it is kept.
    #[must_use]
    pub fn kept_until(&self) -> WallTime {
        let days = self.kept_days.map(|days| Duration::from_secs(u64::from(days) * 24 * 3600));
        self.timestamp + days.unwrap_or(MESSAGE_RETENTION)
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
        Some(self.kept_until())
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

/// Where a message's bytes are in the blob store, if they are there: under its day, so that a day's
/// bodies can go together.
fn body_path(workspace: &WorkspaceId, id: &MessageId) -> String {
    format!("{workspace}/messages/{}/{id}", day_of(id))
}

/// The form of every body.
#[derive(Serialize)]
struct Rendered<'a, D: ?Sized> {
    r#type: &'a str,
    timestamp: String,
    data: &'a D,
}

fn render_body<D>(event_type: &str, timestamp: WallTime, data: &D) -> Result<String>
where
    D: Serialize + ?Sized,
{
    let body = Rendered { r#type: event_type, timestamp: timestamp.iso(), data };
    serde_json::to_string(&body).map_err(Error::internal)
}

/// The text itself, or where it has been put.
async fn stored(blob: &Blob, text: String, path: impl FnOnce() -> String) -> Result<Body> {
    if text.len() <= INLINE_BODY_MAX {
        return Ok(Body::Inline(text));
    }
    let path = path();
    blob.put(&path, Bytes::from(text)).await?;
    Ok(Body::Blob(path))
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
            full_body: None,
            scope: Scope::default(),
            endpoints,
            first: None,
            abort_at: None,
            aborted_at: None,
            kept_days: None,
        }
    }

    #[tokio::test]
    async fn data_as_it_was_given_keeps_every_byte() {
        let folder = tempfile::tempdir().unwrap();
        let (blob, clock) = (Blob::folder(folder.path()).unwrap(), Clock::system());
        let given = r#"{ "n" : 1.50e+2,  "s":"\u00fc ü",  "n2": 100000000000000000000000.10 }"#;
        let data: &serde_json::value::RawValue = serde_json::from_str(given).unwrap();
        let (workspace, id) = (WorkspaceId::new_at(1), MessageId::new_at(1));
        let scope = Scope::default();
        let new = NewMessage { workspace: &workspace, id, event_type: "a.b", data, scope };
        let Body::Inline(text) = Message::render(&blob, &clock, new).await.unwrap().body else {
            panic!("a short body is inline");
        };
        assert!(text.starts_with(r#"{"type":"a.b","timestamp":""#), "{text}");
        assert!(text.ends_with(&format!(r#"","data":{given}}}"#)), "{text}");
    }

    #[test]
    fn a_message_is_stopped_by_hand_or_when_its_time_is_up() {
        let now = ScheduleTime::from_millis(1_700_000_060_000);
        let soon = now + Duration::from_millis(1);
        assert_eq!(message(None).stopped(now), None);
        let until = |at| Message { abort_at: Some(at), ..message(None) };
        assert_eq!(until(now).stopped(now), Some(Stopped::Expired));
        assert_eq!(until(soon).stopped(now), None);
        let aborted = Message { aborted_at: Some(now), ..until(now) };
        assert_eq!(aborted.stopped(now), Some(Stopped::Aborted));
        let expunged = Message { body: Body::Expunged, ..message(None) };
        assert_eq!(expunged.stopped(now), Some(Stopped::Aborted));
    }

    #[test]
    fn a_message_is_kept_for_30_days_or_as_its_workspace_says() {
        let at = message(None).timestamp;
        assert_eq!(message(None).kept_until(), at + MESSAGE_RETENTION);
        let short = Message { kept_days: Some(1), ..message(None) };
        assert_eq!(short.expires_at(), Some(at + Duration::from_secs(86_400)));
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
