//! Making a connection: the credentials are tried at once, and nothing is kept before they work.

use std::time::Duration;

use millwright_connector::{Credentials, Instance, System, SystemError, SystemErrorClass, Target};
use millwright_core::{
    ApplicationId, ConnectionId, Error, ErrorCode, FieldError, Result, ScheduleTime, WorkspaceId,
};
use millwright_event::Message;
use millwright_outbound::FailureClass;
use millwright_store::Write;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    Admin, Connection, ConnectionContext, Customer, Facts, Health, Load, Status, Watch,
    credentials::seal, credits::credits_of, events::event, find_connection, oauth::ready,
    open_system, overlays::overlays_of,
};

/// How long each of the two may take, getting a token and asking the system: the request that waits for
/// them has 29 s.
const TRY_WITHIN: Duration = Duration::from_secs(12);

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
    /// The application whose user connects it through Link.
    pub application_id: Option<ApplicationId>,
    /// The pending connection that becomes real, when there is one. What was said of it when it was
    /// made holds where nothing is said here.
    pub pending: Option<ConnectionId>,
}

impl NewConnection {
    /// A system of a kind, with its forms filled in and nothing said of the connection.
    #[must_use]
    pub fn to(connector_id: &str, settings: Map<String, Value>, credentials: Credentials) -> Self {
        Self {
            connector_id: connector_id.to_owned(),
            name: None,
            customer: None,
            metadata: Map::new(),
            settings,
            credentials,
            application_id: None,
            pending: None,
        }
    }

    /// Whether a person connects it through Link, whose work is kept also when the workspace is short
    /// of credits.
    #[must_use]
    pub fn is_through_link(&self) -> bool {
        self.application_id.is_some() || self.pending.is_some()
    }
}

/// A connection whose credentials work, and what keeps them.
#[derive(Debug)]
pub struct Prepared {
    /// The connection, as it is to be.
    pub connection: Connection,
    /// Its sealed credentials.
    pub secret: Write,
}

/// Tries the credentials and prepares the connection, with a fresh id unless one is given.
///
/// # Errors
/// `VALIDATION_FAILED` and its kin for an unknown connector and for the forms,
/// `CREDENTIALS_REFUSED` and `SYSTEM_UNREACHABLE` for what the system says; `NOT_FOUND` and
/// `STATE_CONFLICT` for a pending connection that is none.
pub async fn prepare(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: Option<ConnectionId>,
    new: NewConnection,
) -> Result<Prepared> {
    let manifest = context.engine.catalog().get(&new.connector_id).ok_or_else(unknown_connector)?;
    let pending = match &new.pending {
        Some(id) => Some(waiting(context, workspace, id, &new.connector_id).await?),
        None => None,
    };
    let now = context.store.clock().wall();
    let id = pending.as_ref().map(|own| own.id.clone()).or(id);
    let id = id.unwrap_or_else(|| ConnectionId::new_at(now.millis()));
    let credentials = ready(context, &new.connector_id, &new.settings, new.credentials);
    let credentials = in_time(credentials).await?;
    let system = context.engine.open(Target {
        workspace: workspace.clone(),
        connection: id.clone(),
        connector_id: new.connector_id.clone(),
        settings: new.settings.clone(),
        credentials: credentials.clone(),
        tokens: None,
        overlays: std::collections::BTreeMap::new(),
        scenario: None,
    })?;
    let instance = in_time(probed(&system)).await?;
    let secret = seal(&context.vault, workspace, &id, &credentials).await?;
    let (now, schedule) = (context.store.clock().wall(), context.store.clock().schedule());
    let loading = manifest.entities.names().map(str::to_owned).collect();
    let mut connection = Connection {
        id,
        workspace: workspace.clone(),
        name: new.name.or(instance.name).unwrap_or_else(|| manifest.name.clone()),
        connector_id: Some(new.connector_id),
        application_id: new.application_id,
        customer: new.customer,
        metadata: new.metadata,
        credits: credits_of(manifest, &new.settings),
        settings: new.settings,
        facts: Facts { admin: Admin::Enabled, health: Health::Ok, load: Load::Running },
        status_reason: None,
        status_since: now,
        instance: instance.id,
        last_checked_at: Some(now),
        last_success_at: Some(now),
        next_check_at: Some(schedule + context.timing.check_interval),
        pending_until: None,
        disconnected_at: None,
        reconnect: None,
        renewed: 0,
        erasing: false,
        loading,
        created_at: now,
        watch: Watch::default(),
        scenario: None,
    };
    connection.plan(schedule);
    if let Some(pending) = &pending {
        connection.take_over(pending);
    }
    Ok(Prepared { connection, secret })
}

/// The pending connection, if it waits for such a system.
async fn waiting(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    connector: &str,
) -> Result<Connection> {
    let pending = find_connection(&context.store, workspace, id).await?.doc;
    pending.require_pending(context.store.clock().schedule())?;
    match &pending.connector_id {
        Some(own) if own != connector => {
            let message = format!("the connection waits for a system of the kind {own}");
            Err(Error::new(ErrorCode::StateConflict, message))
        }
        _ => Ok(pending),
    }
}

impl Connection {
    /// # Errors
    /// What is said of a connection that no user is to finish any more.
    pub fn require_pending(&self, now: ScheduleTime) -> Result<()> {
        let expired = self.pending_until.is_some_and(|until| until <= now);
        match self.facts.admin {
            // It is disconnected at the next look at it.
            Admin::Pending if expired => Status::Disconnected.allow_information(),
            Admin::Pending => Ok(()),
            Admin::Removed => self.status().allow_information(),
            Admin::Enabled | Admin::Paused | Admin::NoCredits => {
                let message = "the connection is not pending: it has been connected already";
                Err(Error::new(ErrorCode::StateConflict, message))
            }
        }
    }

    /// # Errors
    /// What is said of a connection that has never led to any system: there is nothing to log in to again.
    pub fn require_connected(&self) -> Result<()> {
        let never = self.facts.admin == Admin::Removed && self.instance.is_empty();
        match self.facts.admin {
            Admin::Pending => self.status().allow_information(),
            Admin::Removed if never || self.erasing => self.status().allow_information(),
            _ => Ok(()),
        }
    }

    /// Takes over what was said of a connection while it was pending, and what is remembered of it.
    pub fn take_over(&mut self, pending: &Self) {
        if !pending.name.is_empty() {
            self.name.clone_from(&pending.name);
        }
        if pending.customer.is_some() {
            self.customer.clone_from(&pending.customer);
        }
        if !pending.metadata.is_empty() {
            self.metadata.clone_from(&pending.metadata);
        }
        if pending.application_id.is_some() {
            self.application_id.clone_from(&pending.application_id);
        }
        self.created_at = pending.created_at;
        self.watch = pending.watch.clone();
    }

    /// Makes it one that the workspace has no credits for, before it is written for the first time.
    pub fn without_credits(&mut self, reason: &str) {
        self.facts.admin = Admin::NoCredits;
        self.next_check_at = None;
        self.status_reason = Some(reason.to_owned());
        self.watch.admin_reason = Some(reason.to_owned());
        self.watch.next = None;
    }
}

/// The event that tells of a new connection.
///
/// # Errors
/// When a large body cannot be kept.
pub async fn created_event(
    context: &ConnectionContext,
    connection: &Connection,
) -> Result<Message> {
    let more = json!({
        "connector_id": connection.connector_id,
        "name": connection.name,
        "status": connection.status(),
    });
    event(context, connection, "connection.created", "0", more).await
}

/// Tries other settings and credentials for a connection: the write that keeps the credentials.
///
/// # Errors
/// The faulty fields of the forms; `CREDENTIALS_REFUSED` and `SYSTEM_UNREACHABLE` for what the system
/// says; `DIFFERENT_SYSTEM` when they lead to another instance than the connection's.
pub async fn try_again(
    context: &ConnectionContext,
    connection: &Connection,
    settings: &Map<String, Value>,
    credentials: Credentials,
) -> Result<Write> {
    let Connection { workspace, id, .. } = connection;
    let connector = connection.connector()?;
    let credentials = in_time(ready(context, connector, settings, credentials)).await?;
    let secret = seal(&context.vault, workspace, id, &credentials).await?;
    let system = context.engine.open(Target {
        workspace: workspace.clone(),
        connection: id.clone(),
        connector_id: connector.to_owned(),
        settings: settings.clone(),
        credentials,
        tokens: None,
        overlays: overlays_of(context, connection).await?,
        scenario: None,
    })?;
    same_instance(connection, &system).await?;
    Ok(secret)
}

/// Tries the settings that a connection is to have with the credentials that it has.
///
/// # Errors
/// As [`try_again`].
pub async fn try_settings(context: &ConnectionContext, connection: &Connection) -> Result<()> {
    let system = open_system(context, connection).await?;
    same_instance(connection, &system).await
}

async fn probed(system: &System) -> Result<Instance> {
    system.probe().await.map_err(while_connecting)
}

/// What somebody who connects waits for, if it comes in time.
async fn in_time<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(TRY_WITHIN, call).await.unwrap_or_else(|_| {
        let message = format!("the system did not answer within {} seconds", TRY_WITHIN.as_secs());
        let mut late = SystemError::new(SystemErrorClass::Unreachable, message);
        late.failure = Some(FailureClass::Timeout);
        Err(while_connecting(late))
    })
}

async fn same_instance(connection: &Connection, system: &System) -> Result<()> {
    let instance = in_time(probed(system)).await?;
    if instance.id == connection.instance {
        return Ok(());
    }
    let message = "this leads to another system, or to another company in it, than the connection's: \
                   make a connection of its own for it";
    Err(Error::new(ErrorCode::DifferentSystem, message))
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

/// What a failed probe means to somebody who is connecting just now.
pub(crate) fn while_connecting(error: SystemError) -> Error {
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
