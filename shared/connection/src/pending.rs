//! A pending connection: a link was made for it, and its user has not finished.

use millwright_core::{ApplicationId, ConnectionId, Result, ScheduleTime, WorkspaceId};
use millwright_store::{Expect, Write};
use serde_json::{Map, Value};

use crate::{
    Admin, Connection, ConnectionContext, Customer, Facts, Health, Load, Occasion, Trigger, Watch,
    first_event,
};

/// What is known of a connection before its user has finished.
#[derive(Clone, Debug)]
pub struct NewPending {
    /// The kind of system; nothing when the user is to choose.
    pub connector_id: Option<String>,
    /// Its name; the system's own once it is known, when nothing.
    pub name: Option<String>,
    /// The customer it belongs to.
    pub customer: Option<Customer>,
    /// The workspace's own notes.
    pub metadata: Map<String, Value>,
    /// The application it is connected through.
    pub application_id: Option<ApplicationId>,
    /// Until when its user may finish.
    pub until: ScheduleTime,
}

/// A new pending connection and the writes that make it, for the transaction of what it waits for. It
/// costs no credits and has no secret. `connection.created` is told once it is connected.
///
/// # Errors
/// When its row cannot be written as JSON.
pub fn pending(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    new: NewPending,
) -> Result<(Connection, Vec<Write>)> {
    let now = context.store.clock().wall();
    let mut connection = Connection {
        id: ConnectionId::new_at(now.millis()),
        workspace: workspace.clone(),
        connector_id: new.connector_id,
        application_id: new.application_id,
        name: new.name.unwrap_or_default(),
        customer: new.customer,
        metadata: new.metadata,
        settings: Map::new(),
        facts: Facts { admin: Admin::Pending, health: Health::Ok, load: Load::None },
        status_reason: None,
        status_since: now,
        instance: String::new(),
        last_checked_at: None,
        last_success_at: None,
        next_check_at: None,
        pending_until: Some(new.until),
        disconnected_at: None,
        reconnect: None,
        renewed: 0,
        erasing: false,
        loading: Vec::new(),
        credits: 0,
        created_at: now,
        watch: Watch::default(),
        scenario: None,
    };
    connection.plan(context.store.clock().schedule());
    let began = Occasion::new(Trigger::Workspace, "its user has yet to connect it");
    let writes = vec![
        Write::put(&connection.key(), &connection, Expect::Absent)?,
        first_event(&connection, &began)?,
    ];
    Ok((connection, writes))
}
