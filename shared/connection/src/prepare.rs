//! Making a connection: the credentials are tried at once, and nothing is kept before they work.

use millwright_connector::{Credentials, SystemError, SystemErrorClass, Target};
use millwright_core::{ConnectionId, Error, ErrorCode, FieldError, Result, WorkspaceId};
use millwright_event::Message;
use millwright_store::{Expect, Write};
use serde_json::{Map, Value, json};

use crate::{
    Admin, Connection, ConnectionContext, Customer, Facts, Health, Load, Occasion, Trigger, Watch,
    credentials::seal, events::event, first_event,
};

/// What a caller gives.
#[derive(Debug)]
pub struct NewConnection {
    /// The kind of system.
    pub connector_id: String,
    /// Its name; the instance's own, or the connector's, when nothing.
    pub name: Option<String>,
    /// The customer it belongs to.
    pub customer: Option<Customer>,
    /// The workspace's own notes.
    pub metadata: Map<String, Value>,
    /// The connector's settings.
    pub settings: Map<String, Value>,
    /// The connector's credentials.
    pub credentials: Credentials,
}

/// A connection whose credentials work, and the writes that make it.
#[derive(Debug)]
pub struct Prepared {
    /// The connection.
    pub connection: Connection,
    /// Its row, its secret, its event.
    pub writes: Vec<Write>,
    /// What to announce once they are written.
    pub events: Vec<Message>,
}

/// Tries the credentials and prepares the connection's rows.
///
/// # Errors
/// `VALIDATION_FAILED` and its kin for an unknown connector and for the forms,
/// `CREDENTIALS_REFUSED` and `SYSTEM_UNREACHABLE` for what the system says.
pub async fn prepare(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    new: NewConnection,
) -> Result<Prepared> {
    let manifest = context.engine.catalog().get(&new.connector_id).ok_or_else(unknown_connector)?;
    let loading: Vec<String> = manifest.entities.names().map(str::to_owned).collect();
    let (now, schedule) = (context.store.clock().wall(), context.store.clock().schedule());
    let id = ConnectionId::new_at(now.millis());
    let system = context.engine.open(Target {
        workspace: workspace.clone(),
        connection: id.clone(),
        connector_id: new.connector_id.clone(),
        settings: new.settings.clone(),
        credentials: new.credentials.clone(),
        overlays: std::collections::BTreeMap::new(),
        scenario: None,
    })?;
    let instance = system.probe().await.map_err(while_connecting)?;
    let mut connection = Connection {
        id: id.clone(),
        workspace: workspace.clone(),
        name: new.name.or(instance.name).unwrap_or_else(|| manifest.name.clone()),
        connector_id: Some(new.connector_id),
        application_id: None,
        customer: new.customer,
        metadata: new.metadata,
        settings: new.settings,
        facts: Facts { admin: Admin::Enabled, health: Health::Ok, load: Load::Running },
        status_reason: None,
        status_since: now,
        instance: instance.id,
        last_checked_at: Some(now),
        last_success_at: Some(now),
        next_check_at: Some(schedule + context.timing.check_interval),
        pending_until: None,
        reconnect: None,
        loading,
        credits: credits_of(manifest.tier),
        created_at: now,
        watch: Watch::default(),
        scenario: None,
    };
    connection.plan(schedule);
    let more = json!({
        "connector_id": connection.connector_id,
        "name": connection.name,
        "status": connection.status(),
    });
    let created = event(context, &connection, "connection.created", more).await?;
    let writes = vec![
        Write::put(&connection.key(), &connection, Expect::Absent)?,
        seal(&context.vault, workspace, &id, &new.credentials).await?,
        created.as_write()?,
        first_event(&connection, &Occasion::new(Trigger::Workspace, "connected"))?,
    ];
    Ok(Prepared { connection, writes, events: vec![created] })
}

fn unknown_connector() -> Error {
    let fault = FieldError::new(
        "connector_id",
        ErrorCode::ValidationFailed,
        "there is no such connector; /v1/connectors lists them",
    );
    let mut error = Error::new(fault.code, format!("{}: {}", fault.path, fault.message));
    error.fields = vec![fault];
    error
}

/// What a connection costs by its connector's tier.
fn credits_of(tier: u8) -> u32 {
    match tier {
        0 | 1 => 1,
        2 => 2,
        _ => 4,
    }
}

/// What a failed probe means to somebody who is connecting just now.
fn while_connecting(error: SystemError) -> Error {
    let code = match error.class {
        SystemErrorClass::Reauthorize | SystemErrorClass::Permission => {
            ErrorCode::CredentialsRefused
        }
        SystemErrorClass::RateLimited => ErrorCode::UpstreamRateLimited,
        SystemErrorClass::Unreachable
        | SystemErrorClass::Malformed
        | SystemErrorClass::NotFound => ErrorCode::SystemUnreachable,
        SystemErrorClass::Validation
        | SystemErrorClass::Conflict
        | SystemErrorClass::Unsupported => ErrorCode::UpstreamError,
    };
    let mut answer = Error::new(code, error.message.clone()).with_upstream(error.upstream.clone());
    answer.retry_after = error.retry_after;
    answer.caused_by(error)
}
