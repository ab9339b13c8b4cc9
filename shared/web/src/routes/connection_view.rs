//! A connection as answers show it.

use millwright_connection as connection;
use millwright_core::{ConnectionId, ScheduleTime, WallTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{App, error::Answer};

/// How a connection is.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConnectionStatus {
    /// Removed: credentials destroyed, history kept.
    Disconnected,
    /// Its user has not finished connecting.
    Pending,
    /// Paused, or short of credits.
    Inactive,
    /// The system refuses the credentials: somebody must log in again.
    ReauthorizationRequired,
    /// The system cannot be reached.
    Unavailable,
    /// The first load runs.
    Synchronizing,
    /// Healthy.
    Active,
}

impl From<connection::Status> for ConnectionStatus {
    fn from(status: connection::Status) -> Self {
        match status {
            connection::Status::Disconnected => Self::Disconnected,
            connection::Status::Pending => Self::Pending,
            connection::Status::Inactive => Self::Inactive,
            connection::Status::ReauthorizationRequired => Self::ReauthorizationRequired,
            connection::Status::Unavailable => Self::Unavailable,
            connection::Status::Synchronizing => Self::Synchronizing,
            connection::Status::Active => Self::Active,
        }
    }
}

impl From<ConnectionStatus> for connection::Status {
    fn from(status: ConnectionStatus) -> Self {
        match status {
            ConnectionStatus::Disconnected => Self::Disconnected,
            ConnectionStatus::Pending => Self::Pending,
            ConnectionStatus::Inactive => Self::Inactive,
            ConnectionStatus::ReauthorizationRequired => Self::ReauthorizationRequired,
            ConnectionStatus::Unavailable => Self::Unavailable,
            ConnectionStatus::Synchronizing => Self::Synchronizing,
            ConnectionStatus::Active => Self::Active,
        }
    }
}

/// The workspace's own customer whom a connection belongs to.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectionCustomer)]
pub(crate) struct Customer {
    /// The workspace's own id of the customer.
    #[schema(min_length = 1, max_length = 256)]
    id: String,
    /// The customer's name.
    #[serde(default)]
    #[schema(max_length = 256)]
    name: Option<String>,
}

impl From<connection::Customer> for Customer {
    fn from(connection::Customer { id, name }: connection::Customer) -> Self {
        Self { id, name }
    }
}

impl From<Customer> for connection::Customer {
    fn from(Customer { id, name }: Customer) -> Self {
        Self { id, name }
    }
}

/// One customer's instance of a system.
#[derive(Serialize, ToSchema)]
pub(crate) struct Connection {
    /// Its id: name it as `Connection-Id` to read and write its data.
    #[schema(value_type = String, example = "conn_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: ConnectionId,
    /// The kind of system. Nothing while a pending connection's user has yet to choose.
    #[schema(required, example = "tryton")]
    connector_id: Option<String>,
    /// Its name.
    name: String,
    /// The customer it belongs to.
    #[schema(required)]
    customer: Option<Customer>,
    /// The workspace's own notes on it.
    metadata: Map<String, Value>,
    /// The connector's settings: no secrets.
    settings: Map<String, Value>,
    /// How it is.
    status: ConnectionStatus,
    /// Why it is so, in words.
    #[schema(required)]
    status_reason: Option<String>,
    /// Since when it is so.
    #[schema(format = DateTime)]
    status_since: String,
    /// Whether somebody must log in again.
    reauthorization_required: bool,
    /// Where somebody can log in again, while that is what is needed.
    #[schema(required)]
    reconnect_url: Option<String>,
    /// When the system was last asked.
    #[schema(required, format = DateTime)]
    last_checked_at: Option<String>,
    /// When it last answered well.
    #[schema(required, format = DateTime)]
    last_success_at: Option<String>,
    /// When it will be asked next, if nothing else asks before.
    #[schema(required, format = DateTime)]
    next_check_at: Option<String>,
    /// What it costs while it is connected.
    credits: u32,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

impl Connection {
    /// A connection as answers show it.
    ///
    /// # Errors
    /// When the vault fails.
    pub(crate) async fn of(app: &App, own: connection::Connection) -> Answer<Self> {
        let reconnect_url = connection::reconnect_url(&app.connections(), &own).await?;
        Ok(Self::with(own, reconnect_url))
    }

    fn with(own: connection::Connection, reconnect_url: Option<String>) -> Self {
        let status = own.status();
        Self {
            id: own.id,
            connector_id: own.connector_id,
            name: own.name,
            customer: own.customer.map(Customer::from),
            metadata: own.metadata,
            settings: own.settings,
            status: status.into(),
            status_reason: own.status_reason,
            status_since: own.status_since.iso(),
            reauthorization_required: status == connection::Status::ReauthorizationRequired,
            reconnect_url,
            last_checked_at: own.last_checked_at.map(WallTime::iso),
            last_success_at: own.last_success_at.map(WallTime::iso),
            next_check_at: own.next_check_at.map(ScheduleTime::iso),
            credits: own.credits,
            created_at: own.created_at.iso(),
        }
    }
}
