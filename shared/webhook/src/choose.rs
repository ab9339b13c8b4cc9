//! Which endpoints get a message, and in which form.

use bytes::Bytes;
use millwright_core::{Result, WorkspaceId};
use millwright_event::{Message, Stopped, body_bytes, full_body_bytes};
use serde_json::Value;

use crate::{
    Webhooks,
    endpoint::{Endpoint, Payload},
};

impl Webhooks {
    /// The endpoints of the message's workspace that get it; none of one that somebody has aborted,
    /// whose content may be gone. One whose time is up has deliveries that say so. Read as they are
    /// now, so that an endpoint made before a message gets it.
    pub(crate) async fn endpoints_for(&self, message: &Message) -> Result<Vec<Endpoint>> {
        if message.stopped(self.clock().schedule()) == Some(Stopped::Aborted) {
            return Ok(Vec::new());
        }
        let endpoints = self.endpoints_of(&message.workspace).await?;
        let wanting = endpoints.iter().filter(|endpoint| endpoint.wants(message)).cloned();
        self.choose(message, wanting.collect()).await
    }

    /// Those of the endpoints that get a message. The content is read only if one of them asks for
    /// it.
    ///
    /// # Errors
    /// When the blob store does not give the content.
    pub async fn choose(
        &self,
        message: &Message,
        mut endpoints: Vec<Endpoint>,
    ) -> Result<Vec<Endpoint>> {
        endpoints.retain(|endpoint| endpoint.wants(message));
        for payload in [Payload::Keys, Payload::Records] {
            let asks = |one: &Endpoint| one.filter.is_some() && one.payload == payload;
            if endpoints.iter().any(asks) {
                let body = readable(message, &self.body_for(message, payload).await?);
                endpoints.retain(|one| !asks(one) || one.passes(message, &body));
            }
        }
        Ok(endpoints)
    }

    /// Whether an endpoint of the workspace gets events about records with the records in them: only
    /// then are these put in.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn asks_for_records(&self, workspace: &WorkspaceId) -> Result<bool> {
        let endpoints = self.endpoints_of(workspace).await?;
        Ok(endpoints.iter().any(|endpoint| endpoint.payload == Payload::Records))
    }

    /// The bytes of a message that endpoints with this payload get, the same on every attempt.
    ///
    /// # Errors
    /// When the blob store does not give them, or they were removed.
    pub async fn body_for(&self, message: &Message, payload: Payload) -> Result<Bytes> {
        match payload {
            Payload::Keys => body_bytes(&self.blob, message).await,
            Payload::Records => full_body_bytes(&self.blob, message).await,
        }
    }
}

/// A body as JSON. One that cannot be read (it was taken in by an older version, say) passes no filter;
/// that must not keep it from the endpoints without one.
fn readable(message: &Message, body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|error| {
        tracing::warn!(message = %message.id, %error, "a body that no filter can read");
        Value::Null
    })
}
