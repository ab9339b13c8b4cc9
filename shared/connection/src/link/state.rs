//! The state of a link, out of its row and its connection's.

use millwright_core::ScheduleTime;

use super::ConnectLink;
use crate::{Connection, Status};

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It can be used.
    Open,
    /// A system was connected with it.
    Spent,
    /// Its time is up.
    Expired,
    /// The workspace took it back, or disconnected its pending connection.
    Revoked,
}

impl LinkState {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Spent => "spent",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// The state at a time; `connection` is nothing when it was erased.
    #[must_use]
    pub fn of(link: &ConnectLink, connection: Option<&Connection>, now: ScheduleTime) -> Self {
        let Some(connection) = connection else { return Self::Revoked };
        if connection.last_success_at.is_some() {
            return Self::Spent;
        }
        let open = connection.status() == Status::Pending && link.revoked_at.is_none();
        match (link.revoked_at, link.expires_at <= now) {
            (Some(_), _) => Self::Revoked,
            (None, true) => Self::Expired,
            (None, false) if open => Self::Open,
            (None, false) => Self::Revoked,
        }
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::{ConnectionId, WallTime, WorkspaceId};
    use serde_json::json;

    use super::*;
    use crate::Admin;

    fn link(revoked: bool) -> ConnectLink {
        let (workspace, connection) = (WorkspaceId::new_at(1), ConnectionId::new_at(1));
        let doc = json!({
            "id": super::super::row::id_for(&connection), "workspace": workspace, "hash": "h",
            "connection": connection, "name": null, "customer": null, "metadata": {},
            "connector_ids": [], "application_id": null, "return_url": null,
            "created_at": WallTime::from_millis(1), "expires_at": ScheduleTime::from_millis(100),
            "revoked_at": revoked.then(|| WallTime::from_millis(2)),
        });
        serde_json::from_value(doc).unwrap()
    }

    fn connection(admin: Admin, connected: bool) -> Connection {
        let doc = json!({
            "id": ConnectionId::new_at(1), "workspace": WorkspaceId::new_at(1),
            "connector_id": null, "name": "", "customer": null, "metadata": {}, "settings": {},
            "facts": { "admin": admin, "health": "ok", "load": "none" }, "status_reason": null,
            "status_since": WallTime::from_millis(1), "instance": "", "last_checked_at": null,
            "last_success_at": connected.then(|| WallTime::from_millis(5)), "next_check_at": null,
            "loading": [], "credits": 0, "created_at": WallTime::from_millis(1),
        });
        serde_json::from_value(doc).unwrap()
    }

    #[test]
    fn the_state_of_a_link_follows_from_what_became_of_its_connection() {
        let state = |revoked, admin, connected, now| {
            let connection = connection(admin, connected);
            LinkState::of(&link(revoked), Some(&connection), ScheduleTime::from_millis(now))
        };
        assert_eq!(state(false, Admin::Pending, false, 99), LinkState::Open);
        assert_eq!(state(false, Admin::Pending, false, 100), LinkState::Expired);
        assert_eq!(state(false, Admin::Removed, false, 100), LinkState::Expired);
        assert_eq!(state(false, Admin::Removed, false, 99), LinkState::Revoked);
        assert_eq!(state(true, Admin::Pending, false, 99), LinkState::Revoked);
        for admin in [Admin::Enabled, Admin::Paused, Admin::NoCredits, Admin::Removed] {
            assert_eq!(state(false, admin, true, 100), LinkState::Spent, "{admin:?}");
        }
        let now = ScheduleTime::from_millis(1);
        assert_eq!(LinkState::of(&link(false), None, now), LinkState::Revoked);
    }
}
