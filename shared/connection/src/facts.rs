//! The three stored facts and the status that follows from them.

use std::fmt;

use millwright_core::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

/// What the workspace wants of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admin {
    /// A link was made, its user has not finished.
    Pending,
    /// It is wanted.
    Enabled,
    /// The workspace paused it.
    Paused,
    /// The workspace is short of credits.
    NoCredits,
    /// It was disconnected.
    Removed,
}

/// What the system last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It answers.
    Ok,
    /// It cannot be reached.
    Unreachable,
    /// It refuses the credentials.
    Refused,
}

/// How far the first load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// It has not begun.
    None,
    /// It runs.
    Running,
    /// It has ended; it never runs again.
    Done,
}

/// The three facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What the workspace wants.
    pub admin: Admin,
    /// What the system last said.
    pub health: Health,
    /// How far the first load is.
    pub load: Load,
}

/// What everybody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Removed: credentials destroyed, history kept.
    Disconnected,
    /// Its user has not finished connecting.
    Pending,
    /// Paused, or short of credits.
    Inactive,
    /// Somebody must log in again.
    ReauthorizationRequired,
    /// The system cannot be reached.
    Unavailable,
    /// The first load runs.
    Synchronizing,
    /// Healthy.
    Active,
}

impl Facts {
    /// The status: the first that applies.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self { admin: Admin::Removed, .. } => Status::Disconnected,
            Self { admin: Admin::Pending, .. } => Status::Pending,
            Self { admin: Admin::Paused | Admin::NoCredits, .. } => Status::Inactive,
            Self { health: Health::Refused, .. } => Status::ReauthorizationRequired,
            Self { health: Health::Unreachable, .. } => Status::Unavailable,
            Self { load: Load::None | Load::Running, .. } => Status::Synchronizing,
            Self { load: Load::Done, .. } => Status::Active,
        }
    }
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Disconnected,
        Self::Pending,
        Self::Inactive,
        Self::ReauthorizationRequired,
        Self::Unavailable,
        Self::Synchronizing,
        Self::Active,
    ];

    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Pending => "pending",
            Self::Inactive => "inactive",
            Self::ReauthorizationRequired => "reauthorization_required",
            Self::Unavailable => "unavailable",
            Self::Synchronizing => "synchronizing",
            Self::Active => "active",
        }
    }

    /// Whether records may be read and written.
    ///
    /// # Errors
    /// The error that data calls answer with in this status.
    pub fn allow_data(self) -> Result<(), Error> {
        let (code, message) = match self {
            Self::Synchronizing | Self::Active => return Ok(()),
            Self::ReauthorizationRequired => (
                ErrorCode::ReauthorizationRequired,
                "the system refuses the stored credentials: somebody must log in again",
            ),
            Self::Unavailable => {
                (ErrorCode::ConnectionUnavailable, "the system cannot be reached at the moment")
            }
            Self::Inactive => (ErrorCode::ConnectionInactive, "the connection is not active"),
            Self::Disconnected | Self::Pending => return self.allow_information(),
        };
        Err(Error::new(code, message))
    }

    /// Whether information about the connection (its sync status, its changes) may be read.
    ///
    /// # Errors
    /// The error that such calls answer with in this status.
    pub fn allow_information(self) -> Result<(), Error> {
        let (code, message) = match self {
            Self::Disconnected => {
                (ErrorCode::ConnectionDisconnected, "the connection was disconnected")
            }
            Self::Pending => {
                (ErrorCode::ConnectionPending, "the connection's user has not finished connecting")
            }
            _ => return Ok(()),
        };
        Err(Error::new(code, message))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVE: Facts = Facts { admin: Admin::Enabled, health: Health::Ok, load: Load::Done };

    #[test]
    fn the_first_status_that_applies_is_shown() {
        let cases = [
            (Facts { admin: Admin::Removed, health: Health::Refused, ..ACTIVE }, "disconnected"),
            (Facts { admin: Admin::Pending, ..ACTIVE }, "pending"),
            (Facts { admin: Admin::Paused, health: Health::Refused, ..ACTIVE }, "inactive"),
            (Facts { admin: Admin::NoCredits, ..ACTIVE }, "inactive"),
            (
                Facts { health: Health::Refused, load: Load::Running, ..ACTIVE },
                "reauthorization_required",
            ),
            (Facts { health: Health::Unreachable, load: Load::Running, ..ACTIVE }, "unavailable"),
            (Facts { load: Load::None, ..ACTIVE }, "synchronizing"),
            (Facts { load: Load::Running, ..ACTIVE }, "synchronizing"),
            (ACTIVE, "active"),
        ];
        for (facts, status) in cases {
            assert_eq!(facts.status().as_str(), status, "{facts:?}");
        }
    }

    #[test]
    fn data_calls_answer_by_status_as_promised() {
        let code = |status: Status| status.allow_data().err().map(|e| (e.code.status(), e.code));
        assert_eq!(code(Status::Active), None);
        assert_eq!(code(Status::Synchronizing), None);
        assert_eq!(code(Status::Disconnected), Some((410, ErrorCode::ConnectionDisconnected)));
        assert_eq!(code(Status::Pending), Some((409, ErrorCode::ConnectionPending)));
        assert_eq!(code(Status::Inactive), Some((409, ErrorCode::ConnectionInactive)));
        assert_eq!(
            code(Status::ReauthorizationRequired),
            Some((403, ErrorCode::ReauthorizationRequired))
        );
        assert_eq!(code(Status::Unavailable), Some((503, ErrorCode::ConnectionUnavailable)));
        assert!(Status::Unavailable.allow_information().is_ok());
        assert!(Status::Pending.allow_information().is_err());
    }
}
