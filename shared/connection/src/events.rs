//! The events about a connection.

use millwright_core::{MessageId, Result};
use millwright_event::{Message, NewMessage, Scope, event_data};
use serde_json::{Value, json};

use crate::{Connection, ConnectionContext, Status};

/// Renders an event about a connection.
pub(crate) async fn event(
    context: &ConnectionContext,
    connection: &Connection,
    event_type: &str,
    more: Value,
) -> Result<Message> {
    let at = context.store.clock().schedule().millis();
    // At most one of a kind tells of each change.
    let number = connection.watch.changes.to_string();
    let id = MessageId::derived_at(at, &[connection.id.as_str(), &number, event_type]);
    let customer = connection.customer_json();
    let new = NewMessage {
        workspace: &connection.workspace,
        id,
        event_type,
        data: &event_data(&connection.id, customer.as_ref(), more),
        scope: Scope {
            connection_id: Some(connection.id.clone()),
            customer_id: connection.customer.as_ref().map(|customer| customer.id.clone()),
            initial_load: false,
        },
    };
    Message::render(&context.blob, context.store.clock(), new).await
}

/// The events that tell of a change of status: `connection.status_changed` always, and the one that
/// names what happened.
pub(crate) async fn status_events(
    context: &ConnectionContext,
    connection: &Connection,
    before: Status,
) -> Result<Vec<Message>> {
    let after = connection.status();
    let more = json!({
        "connector_id": connection.connector_id,
        "status": after,
        "previous_status": before,
        "reason": connection.status_reason,
    });
    let mut events =
        vec![event(context, connection, "connection.status_changed", more.clone()).await?];
    if let Some(named) = named_event(before, after) {
        events.push(event(context, connection, named, more).await?);
    }
    Ok(events)
}

fn named_event(before: Status, after: Status) -> Option<&'static str> {
    let failing = |status| matches!(status, Status::Unavailable | Status::ReauthorizationRequired);
    match after {
        Status::ReauthorizationRequired => Some("connection.reauthorization_required"),
        Status::Unavailable => Some("connection.unavailable"),
        Status::Disconnected => Some("connection.disconnected"),
        Status::Active | Status::Synchronizing if failing(before) => Some("connection.recovered"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_is_told_only_after_a_failure() {
        assert_eq!(named_event(Status::Unavailable, Status::Active), Some("connection.recovered"));
        assert_eq!(named_event(Status::Synchronizing, Status::Active), None);
        assert_eq!(
            named_event(Status::Active, Status::Unavailable),
            Some("connection.unavailable")
        );
    }
}
