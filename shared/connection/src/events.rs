//! The events about a connection.

use millwright_core::{MessageId, Result};
use millwright_event::{Message, NewMessage, Scope, event_data};
use serde_json::{Value, json};

use crate::{Connection, ConnectionContext, Status, reconnect_url, tell::is_failure};

/// Renders an event about a connection: at most one of a type tells of the same thing (`of`).
pub(crate) async fn event(
    context: &ConnectionContext,
    connection: &Connection,
    event_type: &str,
    of: &str,
    more: Value,
) -> Result<Message> {
    let at = context.store.clock().schedule().millis();
    let id = MessageId::derived_at(at, &[connection.id.as_str(), of, event_type]);
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
            only: None,
        },
    };
    Message::render(&context.blob, context.store.clock(), new).await
}

/// The events that tell of a change of status: `connection.status_changed` always, and the one that
/// names what happened. `failing` is whether a failure was told whose end has not been told yet.
pub(crate) async fn status_events(
    context: &ConnectionContext,
    connection: &Connection,
    before: Status,
    failing: bool,
) -> Result<Vec<Message>> {
    let after = connection.status();
    let mut more = json!({
        "connector_id": connection.connector_id,
        "status": after,
        "previous_status": before,
        "reason": connection.status_reason,
    });
    let of = connection.watch.changes.to_string();
    let changed = event(context, connection, "connection.status_changed", &of, more.clone());
    let mut events = vec![changed.await?];
    if let Some(named) = named_event(failing || is_failure(before), after) {
        if after == Status::ReauthorizationRequired {
            let url = reconnect_url(context, connection).await?;
            more["instructions"] = instructions(connection, url.as_deref()).into();
            more["reconnect_url"] = url.into();
        }
        events.push(event(context, connection, named, &of, more).await?);
    }
    Ok(events)
}

/// What somebody has to do about refused credentials, in plain words that can be shown as they are.
fn instructions(connection: &Connection, url: Option<&str>) -> String {
    let name = &connection.name;
    let what = format!(
        "{name} no longer accepts the stored login: the password may have been changed, or the \
         account locked or removed."
    );
    let how = match url {
        Some(url) => format!("Open {url} and log in again; nothing else has to be set up anew."),
        None => "Log in again; nothing else has to be set up anew.".to_owned(),
    };
    format!("{what} {how} What was synced stays, and syncs go on by themselves.")
}

fn named_event(failing: bool, after: Status) -> Option<&'static str> {
    match after {
        Status::ReauthorizationRequired => Some("connection.reauthorization_required"),
        Status::Unavailable => Some("connection.unavailable"),
        Status::Disconnected => Some("connection.disconnected"),
        Status::Active | Status::Synchronizing if failing => Some("connection.recovered"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_is_told_only_after_a_failure() {
        assert_eq!(named_event(true, Status::Active), Some("connection.recovered"));
        assert_eq!(named_event(false, Status::Active), None);
        assert_eq!(named_event(false, Status::Unavailable), Some("connection.unavailable"));
    }
}
