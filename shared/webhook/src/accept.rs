//! Taking in a workspace's own messages.
//!
//! A message is acknowledged when the queue holds it. One that has a name of the caller's own, an
//! `event_id` or an idempotency key, is taken in once: a row under that name, put on condition that there
//! is none, fixes the message's id and times before anything is sent. Whoever comes again with the same
//! name and content is told the same, and the message is sent again unless it has arrived where messages
//! are: so a caller whose first call broke off loses nothing, and tells nothing twice.

use std::time::Duration;

use millwright_core::{
    ConnectionId, Error, ErrorCode, MessageId, Result, ScheduleTime, WallTime, WorkspaceId,
    sha256_hex, shard_of,
};
use millwright_event::{Body, Message, NewMessage, Scope, accept, message_key};
use millwright_store::{Document, Expect, Key, Row, StoreError, Write};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Webhooks;

/// For how long an idempotency key is kept, as everywhere in the API.
const KEY_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Partitions of a workspace's names: each takes 1,000 writes a second.
pub(crate) const SHARDS: u32 = 8;

/// A message to take in.
#[derive(Clone, Debug)]
pub struct OwnMessage<'a> {
    /// Its type: not one of Millwright's own.
    pub event_type: &'a str,
    /// Its data, every byte of which stays as it is.
    pub data: &'a RawValue,
    /// The caller's own name for the event, if it has one.
    pub event_id: Option<&'a str>,
    /// The hash of the request's idempotency key, if it came with one.
    pub idempotency: Option<&'a str>,
    /// The connection it is about.
    pub connection: Option<ConnectionId>,
    /// The customer it is about.
    pub customer: Option<&'a str>,
    /// For how long it is worth sending.
    pub ttl: Option<Duration>,
}

/// What became of a message that was handed in.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The message, as it was when it was taken in.
    pub message: Message,
    /// Whether it had been taken in before, under the same name.
    pub again: bool,
}

/// What a name of the caller's own stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    message: MessageId,
    /// The hash of what was handed in.
    content: String,
    created_at: ScheduleTime,
    timestamp: WallTime,
    /// The connection it is about: the name goes when that is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionId>,
    expires_at: WallTime,
}

impl Document for Named {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.expires_at)
    }
}

/// What a message is taken in under.
struct Name {
    /// Its kind and hash.
    text: String,
    /// For how long it stands, at most.
    kept: Duration,
    /// What the caller calls it.
    field: &'static str,
}

impl Webhooks {
    /// Takes in a message: when this has succeeded, it is safe.
    ///
    /// # Errors
    /// `IDEMPOTENCY_CONFLICT` when the event id or idempotency key stands for another message; when the
    /// table, the blob store or the queue fails.
    pub async fn accept_message(
        &self,
        workspace: &WorkspaceId,
        new: OwnMessage<'_>,
    ) -> Result<Accepted> {
        let (named, again) = self.named(workspace, &new).await?;
        if again && let Some(message) = self.as_accepted(workspace, &named).await? {
            return Ok(Accepted { message, again });
        }
        let message = self.rendered(workspace, &new, &named).await?;
        accept(&self.queue, &message).await?;
        Ok(Accepted { message, again })
    }

    /// The id and times of a message, fixed under its names if it has any; and whether they were fixed
    /// before.
    async fn named(&self, workspace: &WorkspaceId, new: &OwnMessage<'_>) -> Result<(Named, bool)> {
        let (mut named, mut again) = (self.fresh(new), false);
        let names = new.names();
        if names.is_empty() {
            return Ok((named, again));
        }
        let kept = self.kept_for(workspace).await?;
        for name in names {
            let key = name_key(workspace, &name.text);
            named.expires_at = named.timestamp + kept.min(name.kept);
            if let Some(known) = self.claim_name(&key, &named).await? {
                if known.content != named.content {
                    return Err(other_content(name.field));
                }
                (named, again) = (known, true);
            }
        }
        Ok((named, again))
    }

    fn fresh(&self, new: &OwnMessage<'_>) -> Named {
        let created_at = self.clock().schedule();
        let timestamp = self.clock().wall();
        Named {
            message: MessageId::new_at(created_at.millis()),
            content: new.content(),
            created_at,
            timestamp,
            connection: new.connection.clone(),
            expires_at: timestamp,
        }
    }

    /// Puts a name; what it stands for already, if it does.
    async fn claim_name(&self, key: &Key, named: &Named) -> Result<Option<Named>> {
        // The name that stands there may end between the two calls.
        for _ in 0..3 {
            match self.store.write(Write::put(key, named, Expect::Absent)?).await {
                Ok(_) => return Ok(None),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
            let row: Option<Row<Named>> = self.store.get(key).await?;
            if let Some(row) = row {
                // A write whose answer was lost is sent again by the SDK and meets itself.
                return Ok(Some(row.doc).filter(|known| known != named));
            }
        }
        Err(Error::internal(StoreError::Conflict(0)))
    }

    /// The message as it was when it was taken in, if it has arrived where messages are. It is not
    /// rendered again: its content may have been removed since.
    async fn as_accepted(&self, workspace: &WorkspaceId, named: &Named) -> Result<Option<Message>> {
        let key = message_key(workspace, &named.message);
        let row: Option<Row<Message>> = self.store.get(&key).await?;
        Ok(row.map(|row| Message {
            body: Body::Inline(String::new()),
            full_body: None,
            endpoints: None,
            first: None,
            aborted_at: None,
            ..row.doc
        }))
    }

    async fn rendered(
        &self,
        workspace: &WorkspaceId,
        new: &OwnMessage<'_>,
        named: &Named,
    ) -> Result<Message> {
        let scope = Scope {
            connection_id: new.connection.clone(),
            customer_id: new.customer.map(str::to_owned),
            ..Scope::default()
        };
        let rendering = NewMessage {
            workspace,
            id: named.message.clone(),
            event_type: new.event_type,
            data: new.data,
            scope,
        };
        let rendered =
            Message::render_at(&self.blob, named.created_at, named.timestamp, rendering).await?;
        let abort_at = new.ttl.map(|ttl| named.created_at + ttl);
        let kept_days = self.kept_days(workspace).await?;
        Ok(Message { abort_at, kept_days, ..rendered })
    }
}

impl OwnMessage<'_> {
    /// Event ids first: what they say stands longer.
    fn names(&self) -> Vec<Name> {
        let event = self.event_id.map(|id| Name {
            text: format!("event#{}", sha256_hex(id.as_bytes())),
            kept: Duration::MAX,
            field: "event_id",
        });
        let key = self.idempotency.map(|hash| Name {
            text: format!("key#{hash}"),
            kept: KEY_KEPT,
            field: "Idempotency-Key",
        });
        event.into_iter().chain(key).collect()
    }

    /// The hash of all that makes two messages the same.
    fn content(&self) -> String {
        let parts = (
            self.event_type,
            sha256_hex(self.data.get().as_bytes()),
            self.event_id,
            self.connection.as_ref(),
            self.customer,
            self.ttl.map(|ttl| ttl.as_secs()),
        );
        // A tuple of texts and numbers always has a form in JSON, and one form only.
        sha256_hex(&serde_json::to_vec(&parts).unwrap_or_default())
    }
}

fn name_key(workspace: &WorkspaceId, text: &str) -> Key {
    Key::state(named_partition(workspace, shard_of(text, SHARDS)), text)
}

/// Where the rows of names are.
pub(crate) fn named_partition(workspace: &WorkspaceId, shard: u32) -> String {
    format!("{workspace}#named#{shard}")
}

fn other_content(field: &str) -> Error {
    let message = format!("this {field} was used for another message");
    Error::new(ErrorCode::IdempotencyConflict, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(change: impl FnOnce(&mut OwnMessage<'static>)) -> String {
        let data = Box::leak(RawValue::from_string(r#"{"n": 1.0}"#.to_owned()).unwrap());
        let mut message = OwnMessage {
            event_type: "invoice.paid",
            data,
            event_id: None,
            idempotency: None,
            connection: None,
            customer: None,
            ttl: None,
        };
        change(&mut message);
        message.content()
    }

    #[test]
    fn another_type_spelling_customer_or_life_is_another_message_and_another_key_is_not() {
        let same = content(|_| {});
        assert_eq!(same, content(|new| new.idempotency = Some("hash")));
        let spelt: &'static RawValue =
            Box::leak(RawValue::from_string(r#"{"n": 1.00}"#.to_owned()).unwrap());
        for other in [
            content(|new| new.event_type = "invoice.sent"),
            content(|new| new.data = spelt),
            content(|new| new.customer = Some("acme")),
            content(|new| new.event_id = Some("acme")),
            content(|new| new.ttl = Some(Duration::from_secs(60))),
        ] {
            assert_ne!(same, other);
        }
    }
}
