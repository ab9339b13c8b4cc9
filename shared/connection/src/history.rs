//! A connection's history: an entry for each change of its status, never told twice and never lost,
//! because it is written together with the change.

use millwright_core::{ConnectionEventId, ConnectionId, Result, WallTime, WorkspaceId};
use millwright_store::{Document, Expect, Key, Range, Store, Table, Write};
use serde::{Deserialize, Serialize};

use crate::{Connection, Status, connection_pk};

const PREFIX: &str = "event#";

/// What brought a change about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A call about the connection's data.
    Call,
    /// A sync.
    Sync,
    /// A look at the system's health that nobody asked for.
    Check,
    /// Somebody of the workspace.
    Workspace,
    /// The customer's user, on the hosted pages.
    User,
    /// A time that ran out.
    Expiry,
    /// The workspace's credits.
    Credits,
}

impl Trigger {
    /// Whether it is the system that brings a change about, by how it answers.
    pub(crate) const fn is_of_health(self) -> bool {
        matches!(self, Self::Call | Self::Sync | Self::Check)
    }
}

/// Why something changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// What brings it about.
    pub trigger: Trigger,
    /// Why, in words for people.
    pub reason: String,
    /// How often the present work has been sent on (`queue::MAX_HOPS`).
    pub hop: u8,
}

impl Occasion {
    /// An occasion with its reason, in words for people.
    pub fn new(trigger: Trigger, reason: impl Into<String>) -> Self {
        Self { trigger, reason: reason.into(), hop: 0 }
    }

    /// The same within work that has been sent on so often.
    #[must_use]
    pub fn at_hop(self, hop: u8) -> Self {
        Self { hop, ..self }
    }
}

/// One change of a connection's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionEvent {
    /// Its id: entries sort by it as they happened.
    pub id: ConnectionEventId,
    /// When.
    pub at: WallTime,
    /// The status before; nothing when the connection was made.
    pub from: Option<Status>,
    /// The status after.
    pub to: Status,
    /// Why, in words for people.
    pub reason: String,
    /// What brought it about.
    pub trigger: Trigger,
}

impl Document for ConnectionEvent {}

/// The write that records the change which led to the connection's present status: part of the
/// transaction of that change. Times of a connection's changes differ, so that ids sort as they do.
pub(crate) fn entry(
    connection: &Connection,
    from: Option<Status>,
    occasion: &Occasion,
) -> Result<Write> {
    let at = connection.status_since;
    let number = connection.watch.changes.to_string();
    let id = ConnectionEventId::derived_at(at.millis(), &[connection.id.as_str(), &number]);
    let reason = occasion.reason.clone();
    let entry = ConnectionEvent {
        id,
        at,
        from,
        to: connection.status(),
        reason,
        trigger: occasion.trigger,
    };
    let key = event_key(&connection.workspace, &connection.id, &entry.id);
    Ok(Write::put(&key, &entry, Expect::Absent)?)
}

/// The write that records how a new connection began: part of the transaction that makes it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn first_event(connection: &Connection, occasion: &Occasion) -> Result<Write> {
    entry(connection, None, occasion)
}

fn event_key(workspace: &WorkspaceId, connection: &ConnectionId, id: &ConnectionEventId) -> Key {
    Key::state(connection_pk(workspace, connection), format!("{PREFIX}{id}"))
}

/// A connection's history, newest first, from before `before`: the page and where to go on.
///
/// # Errors
/// When the table fails.
pub async fn list_events(
    store: &Store,
    connection: &Connection,
    before: Option<&ConnectionEventId>,
    limit: usize,
) -> Result<(Vec<ConnectionEvent>, Option<ConnectionEventId>)> {
    let Connection { workspace, id, .. } = connection;
    let (pk, range) = (connection_pk(workspace, id), Range::Prefix(PREFIX.to_owned()));
    let before = before.map(|event| event_key(workspace, id, event).sk);
    let page = store.query(Table::State, &pk, &range, before.as_deref(), limit, false).await?;
    let events: Vec<ConnectionEvent> = page.rows.into_iter().map(|row| row.doc).collect();
    let next = page.next.and_then(|_| events.last().map(|event| event.id.clone()));
    Ok((events, next))
}
