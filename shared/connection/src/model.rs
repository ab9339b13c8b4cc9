//! The connection's row.

use millwright_connector::Scenario;
use millwright_core::{
    ApplicationId, ConnectionId, Error, ErrorCode, Result, ScheduleTime, WallTime, WorkspaceId,
};
use millwright_store::{Document, Due, Key};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Admin, Facts, ReconnectSecret, Status, Watch};

/// The workspace's own customer whom a connection belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The workspace's own id of the customer.
    pub id: String,
    /// The customer's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The kind of system. Nothing only while a pending connection's user has yet to choose.
    pub connector_id: Option<String>,
    /// The application through which it was connected.
    #[serde(default)]
    pub application_id: Option<ApplicationId>,
    /// Its name.
    pub name: String,
    /// The customer it belongs to.
    pub customer: Option<Customer>,
    /// The workspace's own notes on it.
    pub metadata: Map<String, Value>,
    /// The connector's settings: no secrets.
    pub settings: Map<String, Value>,
    /// The three facts.
    pub facts: Facts,
    /// Why the status is as it is, in words.
    pub status_reason: Option<String>,
    /// Since when it is so.
    pub status_since: WallTime,
    /// The instance of the system: reconnecting must lead to the same one.
    pub instance: String,
    /// When the system was last asked.
    pub last_checked_at: Option<WallTime>,
    /// When it last answered well.
    pub last_success_at: Option<WallTime>,
    /// When it will be asked next.
    pub next_check_at: Option<ScheduleTime>,
    /// Until when its user may finish, while it is pending.
    #[serde(default)]
    pub pending_until: Option<ScheduleTime>,
    /// When it was last disconnected: tokens that were granted until then are dead for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_at: Option<WallTime>,
    /// Where somebody logs in again, while that is what is needed.
    #[serde(default)]
    pub reconnect: Option<ReconnectSecret>,
    /// How often it was given new settings or credentials: what was found out with those before says
    /// nothing of it.
    #[serde(default)]
    pub renewed: u32,
    /// Whether it is being erased: then nothing brings it back.
    #[serde(default)]
    pub erasing: bool,
    /// The entities whose first load has not ended.
    pub loading: Vec<String>,
    /// What it costs while it is connected.
    pub credits: u32,
    /// When it was made.
    pub created_at: WallTime,
    /// What is remembered to tell, to check and to wake.
    #[serde(default)]
    pub watch: Watch,
    /// The scenario that the present request asked a sandbox for. It is never kept.
    #[serde(skip)]
    pub scenario: Option<Scenario>,
}

impl Connection {
    /// The status everybody sees.
    #[must_use]
    pub fn status(&self) -> Status {
        self.facts.status()
    }

    /// The kind of system.
    ///
    /// # Errors
    /// `CONNECTION_PENDING` when nobody has chosen it yet.
    pub fn connector(&self) -> Result<&str> {
        self.connector_id.as_deref().ok_or_else(|| {
            let message = "the connection's user has not finished connecting";
            Error::new(ErrorCode::ConnectionPending, message)
        })
    }

    /// Whether tokens that were granted at a time still open it: not once it was disconnected, also
    /// when it was connected again later.
    #[must_use]
    pub fn honours(&self, granted_at: WallTime) -> bool {
        let since = self.disconnected_at.is_none_or(|end| granted_at > end);
        since && self.facts.admin != Admin::Removed
    }

    /// The row's key.
    #[must_use]
    pub fn key(&self) -> Key {
        connection_key(&self.workspace, &self.id)
    }

    /// The customer as events show it.
    #[must_use]
    pub fn customer_json(&self) -> Option<Value> {
        serde_json::to_value(self.customer.as_ref()?).ok()
    }
}

impl Document for Connection {
    fn due(&self) -> Option<Due> {
        self.due_task()
    }
}

/// Where a connection's row is: under its workspace.
#[must_use]
pub fn connection_key(workspace: &WorkspaceId, id: &ConnectionId) -> Key {
    Key::state(workspace.as_str(), format!("connection#{id}"))
}

/// The partition of what belongs to a connection: its secret, sync states, feed head.
#[must_use]
pub fn connection_pk(workspace: &WorkspaceId, id: &ConnectionId) -> String {
    format!("{workspace}#{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_from_before_a_disconnection_are_dead_for_good() {
        let at = WallTime::from_millis;
        let mut connection = crate::testing::connection();
        assert!(connection.honours(at(1)));
        connection.disconnected_at = Some(at(5));
        connection.facts.admin = Admin::Removed;
        assert!(!connection.honours(at(4)) && !connection.honours(at(9)));
        connection.facts.admin = Admin::Enabled;
        assert!(!connection.honours(at(5)) && connection.honours(at(6)));
    }
}
