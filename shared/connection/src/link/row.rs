//! A link's rows: one in the workspace's list, one found by the hash of its token.

use millwright_core::{
    ApplicationId, ConnectionId, LinkId, ScheduleTime, WallTime, WorkspaceId, sha256_hex,
};
use millwright_store::{Document, Key};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Customer;

/// How the sort keys of links begin.
pub(super) const PREFIX: &str = "link#";

/// A connect link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectLink {
    /// Its id.
    pub id: LinkId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// SHA-256 of its token, in hexadecimal.
    pub(super) hash: String,
    /// The connection that it makes: pending until it has.
    pub connection: ConnectionId,
    /// The connection's name; the system's own when nothing.
    pub name: Option<String>,
    /// The customer it is for.
    pub customer: Option<Customer>,
    /// The workspace's own notes on the connection.
    pub metadata: Map<String, Value>,
    /// The kinds of systems that may be connected; all of them when empty.
    pub connector_ids: Vec<String>,
    /// The application whose name and logo are shown.
    pub application_id: Option<ApplicationId>,
    /// Where its user goes afterwards.
    pub return_url: Option<String>,
    /// When it was made.
    pub created_at: WallTime,
    /// Until when it can be used.
    pub expires_at: ScheduleTime,
    /// When the workspace took it back, if it did.
    pub revoked_at: Option<WallTime>,
}

impl ConnectLink {
    /// Whether systems of this kind may be connected.
    #[must_use]
    pub fn admits(&self, connector: &str) -> bool {
        self.connector_ids.is_empty() || self.connector_ids.iter().any(|own| own == connector)
    }

    /// The row's key.
    pub(super) fn key(&self) -> Key {
        link_key(&self.workspace, &self.id)
    }
}

impl Document for ConnectLink {}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LinkOwner {
    pub workspace: WorkspaceId,
    pub link: LinkId,
}

impl Document for LinkOwner {}

/// The id of the link that a connection was made with: a connection has at most one.
pub(super) fn id_for(connection: &ConnectionId) -> LinkId {
    LinkId::derived_at(connection.time_ms(), &[connection.as_str()])
}

/// Where a link is: in the workspace's list.
pub(super) fn link_key(workspace: &WorkspaceId, id: &LinkId) -> Key {
    Key::state(workspace.as_str(), format!("{PREFIX}{id}"))
}

/// Where it is said whose a token is.
pub(super) fn owner_key(hash: &str) -> Key {
    Key::state(format!("link#{hash}"), "link")
}

/// The hash by which a token is found.
pub(super) fn hash_of(token: &str) -> String {
    sha256_hex(token.as_bytes())
}
