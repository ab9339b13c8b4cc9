//! Erasing what was told about a connection: the part of its erasing that webhooks have.

use millwright_core::{ConnectionId, DeliveryId, Error, MessageId, Result, WallTime, WorkspaceId};
use millwright_event::{Body, Message};
use millwright_job::{Job, JobState, note_progress};
use millwright_store::{Document, Expect, Range, Row, Table, Write};
use serde::{Deserialize, Serialize};

use crate::{
    Webhooks,
    accept::{SHARDS, named_partition},
    keys::{Day, delivery_key},
    window::Window,
};

/// Messages looked at in one go.
const AT_ONCE: usize = 100;

/// How far the erasing has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// It goes on with this day, below that message.
    Day(i64, Option<MessageId>),
    /// Nothing is left.
    Done,
}

/// A name that a caller gave a message, as far as it matters what it is about.
#[derive(Serialize, Deserialize)]
struct About {
    #[serde(default)]
    connection: Option<ConnectionId>,
}

impl Document for About {}

impl Webhooks {
    /// Erases the messages about a connection that were rendered before its erasing began, with their
    /// deliveries and their bodies; what tells of the erasing itself goes out. False when the time is
    /// up before all is done: the job has then noted where it goes on. Harmless to do twice.
    ///
    /// # Errors
    /// When the table or the blob store fails.
    pub async fn forget_connection(
        &self,
        job: &Job,
        id: &ConnectionId,
        deadline: WallTime,
    ) -> Result<bool> {
        let window = Window::of_all(self.clock());
        let read = |text: &String| serde_json::from_str(text).map_err(Error::internal);
        let noted: Option<Place> = job.cursor.as_ref().map(read).transpose()?;
        let mut place = noted.unwrap_or(Place::Day(window.last.0, None));
        while let Place::Day(day, before) = &place {
            if *day < window.first.0 {
                self.forget_names(&job.workspace, id).await?;
                place = Place::Done;
            } else {
                place = self.forget_some(job, id, *day, before).await?;
            }
            let text = serde_json::to_string(&place).map_err(Error::internal)?;
            let state = note_progress(&self.store, job, 0, &text).await?;
            if state != JobState::Running || self.clock().wall() >= deadline {
                return Ok(place == Place::Done);
            }
        }
        Ok(true)
    }

    async fn forget_some(
        &self,
        job: &Job,
        id: &ConnectionId,
        day: i64,
        before: &Option<MessageId>,
    ) -> Result<Place> {
        // The message that was looked at last is looked at again, and a day ends with nothing else.
        let mut messages =
            self.newest_messages(&job.workspace, Day(day), before, AT_ONCE + 1).await?;
        messages.retain(|message| Some(&message.id) != before.as_ref());
        let next = messages.last().map(|last| last.id.clone());
        for message in messages {
            let about = message.scope.connection_id.as_ref() == Some(id);
            if about && message.timestamp < job.created_at {
                self.forget_message(&message).await?;
            }
        }
        Ok(match next {
            Some(last) => Place::Day(day, Some(last)),
            None => Place::Day(Day(day).before().0, None),
        })
    }

    /// The row goes last: while it stands, it leads to all else.
    async fn forget_message(&self, message: &Message) -> Result<()> {
        for body in [Some(&message.body), message.full_body.as_ref()].into_iter().flatten() {
            if let Body::Blob(path) = body {
                self.blob.delete(path).await?;
            }
        }
        for endpoint in message.endpoints.iter().flatten() {
            let id = DeliveryId { endpoint: endpoint.clone(), message: message.id.clone() };
            let key = delivery_key(&message.workspace, &id);
            self.store.write(Write::delete(&key, Expect::Anything)).await?;
        }
        self.store.write(Write::delete(&message.key(), Expect::Anything)).await?;
        Ok(())
    }

    async fn forget_names(&self, workspace: &WorkspaceId, id: &ConnectionId) -> Result<()> {
        for shard in 0..SHARDS {
            let pk = named_partition(workspace, shard);
            let mut after: Option<String> = None;
            loop {
                let page = self
                    .store
                    .query_docs(Table::State, &pk, &Range::All, after.as_deref(), 1000)
                    .await?;
                let own = |row: &Row<About>| row.doc.connection.as_ref() == Some(id);
                for row in page.rows.iter().filter(|row| own(row)) {
                    self.store.write(Write::delete(&row.key, Expect::Anything)).await?;
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}
