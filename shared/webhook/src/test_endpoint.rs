//! Testing an endpoint.

use millwright_core::{EndpointId, Error, ErrorCode, FieldError, MessageId, Result, WorkspaceId};
use millwright_event::{Message, NewMessage, Scope, accept};
use millwright_outbound::Url;
use serde_json::{Value, json};

use crate::{Webhooks, endpoint::Endpoint, event_types::TEST_PING};

impl Webhooks {
    /// Sends `test.ping`, or the example of another event type, to one endpoint alone, whatever it
    /// chooses. Its URL is checked first, as it is when it is saved and on every delivery.
    ///
    /// # Errors
    /// `NOT_FOUND`; `STATE_CONFLICT` when it is paused or disabled; `VALIDATION_FAILED` when its URL
    /// must not be sent to; `REFERENCE_NOT_FOUND` for an event type that has no example.
    pub async fn test_endpoint(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
        event_type: Option<&str>,
    ) -> Result<Message> {
        let endpoint = self.get_endpoint(workspace, id).await?;
        if !endpoint.is_enabled() {
            let message = "this webhook endpoint is paused or disabled: enable it, then test it";
            return Err(Error::new(ErrorCode::StateConflict, message));
        }
        let event_type = event_type.unwrap_or(TEST_PING);
        let data = self.test_data(&endpoint, event_type).await?;
        let url = endpoint.url.as_deref().and_then(|url| Url::parse(url).ok());
        self.check_target(url.as_ref()).await?;
        let scope = Scope { only: Some(id.clone()), ..Scope::default() };
        let new = NewMessage {
            workspace,
            id: MessageId::new_at(self.clock().schedule().millis()),
            event_type,
            data: &data,
            scope,
        };
        let message = Message::render(&self.blob, self.clock(), new).await?;
        accept(&self.queue, &message).await?;
        Ok(message)
    }

    async fn test_data(&self, endpoint: &Endpoint, event_type: &str) -> Result<Value> {
        if event_type == TEST_PING {
            return Ok(json!({ "endpoint_id": endpoint.id, "message": "It works." }));
        }
        let known = self.find_event_type(&endpoint.workspace, event_type).await?;
        let example = known.and_then(|known| known.example);
        example.ok_or_else(|| {
            let message = "is not an event type with an example";
            let field = FieldError::new("type", ErrorCode::ReferenceNotFound, message);
            let mut error = Error::new(ErrorCode::ReferenceNotFound, format!("type: {message}"));
            error.fields = vec![field];
            error
        })
    }
}
