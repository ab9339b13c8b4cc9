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
