//! What an issue is, and where its rows are.

use std::time::Duration;

use millwright_core::{ConnectionId, ErrorCode, IssueId, WallTime, WorkspaceId};
use millwright_store::{Document, Key};
use serde::{Deserialize, Serialize};

use crate::connection_pk;

/// How long a closed issue can be read.
const CLOSED_RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);
/// Where a connection's rows of its open issues begin.
pub(super) const OPEN_PREFIX: &str = "issue#";

/// Something that is wrong with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Its system refuses the credentials.
    ReauthorizationRequired,
    /// Its system cannot be reached.
    Unavailable,
    /// The syncs of an entity (a slug) fail, though the system answers.
    SyncFailed(String),
    /// The last sync of an entity left records out.
    RecordsSkipped(String),
    /// The first load of an entity failed, and the connection's first load ended without it.
    FirstLoadIncomplete(String),
    /// So many records of an entity have vanished from the system that their deletions wait until somebody
    /// confirms them.
    DeletionsHeld(String),
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The system refuses the credentials.
    ReauthorizationRequired,
    /// The system cannot be reached.
    Unavailable,
    /// The syncs of an entity fail.
    SyncFailed,
    /// The last sync of an entity left records out.
    RecordsSkipped,
    /// The first load of an entity has not come to its end.
    FirstLoadIncomplete,
    /// Deletions of an entity's records wait until they are confirmed.
    DeletionsHeld,
}

impl Problem {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        match self {
            Self::ReauthorizationRequired => ProblemKind::ReauthorizationRequired,
            Self::Unavailable => ProblemKind::Unavailable,
            Self::SyncFailed(_) => ProblemKind::SyncFailed,
            Self::RecordsSkipped(_) => ProblemKind::RecordsSkipped,
            Self::FirstLoadIncomplete(_) => ProblemKind::FirstLoadIncomplete,
            Self::DeletionsHeld(_) => ProblemKind::DeletionsHeld,
        }
    }

    /// The entity that it is about, where it is about one.
    #[must_use]
    pub fn entity(&self) -> Option<&str> {
        match self {
            Self::ReauthorizationRequired | Self::Unavailable => None,
            Self::SyncFailed(entity)
            | Self::RecordsSkipped(entity)
            | Self::FirstLoadIncomplete(entity)
            | Self::DeletionsHeld(entity) => Some(entity),
        }
    }

    /// A name that no other problem of the connection has.
    pub(super) fn name(&self) -> String {
        format!("{}#{}", self.kind().as_str(), self.entity().unwrap_or_default())
    }
}

impl ProblemKind {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReauthorizationRequired => "reauthorization_required",
            Self::Unavailable => "unavailable",
            Self::SyncFailed => "sync_failed",
            Self::RecordsSkipped => "records_skipped",
            Self::FirstLoadIncomplete => "first_load_incomplete",
            Self::DeletionsHeld => "deletions_held",
        }
    }
}

/// Whether an issue is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueState {
    /// The problem lasts.
    Open,
    /// It is over.
    Closed,
}

/// A problem of a connection, from when it was first met to when it was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Its id.
    pub id: IssueId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The connection.
    pub connection: ConnectionId,
    /// What kind of problem it is.
    pub kind: ProblemKind,
    /// The entity that it is about, where it is about one.
    pub entity: Option<String>,
    /// The contract's code for it.
    pub code: ErrorCode,
    /// What it was when it was last met, in words.
    pub message: String,
    /// When it was first met.
    pub opened_at: WallTime,
    /// When it was last met, to the minute.
    pub last_seen_at: WallTime,
    /// When it was over.
    pub closed_at: Option<WallTime>,
    /// In how many minutes it was met.
    pub count: u64,
    /// Whether its events are kept back.
    pub muted: bool,
}

impl Document for Issue {
    fn expires_at(&self) -> Option<WallTime> {
        self.closed_at.map(|at| at + CLOSED_RETENTION)
    }
}

/// Which issue is open for a problem, and when that was last written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenIssue {
    pub id: IssueId,
    pub seen_at: WallTime,
}

impl Document for OpenIssue {}

/// Where the sort keys of a workspace's issues in a state begin.
pub(super) const fn prefix(state: IssueState) -> &'static str {
    match state {
        IssueState::Open => "issue#open#",
        IssueState::Closed => "issue#closed#",
    }
}

/// Where an issue is while it is in this state.
pub(super) fn issue_key(workspace: &WorkspaceId, id: &IssueId, state: IssueState) -> Key {
    Key::state(workspace.as_str(), format!("{}{id}", prefix(state)))
}

/// Where it is told which issue is open for a problem.
pub(super) fn open_key(
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    problem: &Problem,
) -> Key {
    Key::state(connection_pk(workspace, connection), format!("{OPEN_PREFIX}{}", problem.name()))
}
