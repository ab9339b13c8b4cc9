//! The audit log: who did what of consequence, when, and what came of it. An entry is written before
//! the thing is done, so that nothing happens which is not in the log, and completed once, after it.
//! It holds no body and no secret.

mod list;

use std::{fmt::Display, time::Duration};

use millwright_core::{
    ApiKeyId, AuditId, ConnectionId, Error, ErrorCode, Result, WallTime, WorkspaceId,
};
use millwright_store::{Document, Expect, Key, Row, Store, Write};
use serde::{Deserialize, Serialize};

use crate::{Actor, Caller};

pub use list::{AuditFilter, AuditPage, AuditPlace, list_audit};

/// The longest path that is kept, in characters: what is longer is cut.
const PATH_MAX: usize = 1_000;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// A call of a connected system's own.
    Passthrough,
    /// The address of a connection's webhooks was shown.
    HookShown,
    /// The address of a connection's webhooks was made anew.
    HookRotated,
    /// The signing secret of a webhook endpoint was shown.
    EndpointSecretShown,
    /// A webhook endpoint was given another signing secret.
    EndpointSecretRotated,
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
    /// A connection was made.
    ConnectionCreated,
    /// A connection's name, customer, notes or settings were changed.
    ConnectionUpdated,
    /// A connection was paused.
    ConnectionPaused,
    /// A connection was resumed.
    ConnectionResumed,
    /// A connection was given new credentials, or an address to give them at.
    ConnectionReconnected,
    /// A connection was disconnected.
    ConnectionDisconnected,
    /// The erasing of a connection was begun.
    ConnectionDeleted,
    /// The workspace's credits were set.
    CreditsSet,
    /// An API key was given another text.
    ApiKeyRotated,
    /// An application was made.
    ApplicationCreated,
    /// An application was changed.
    ApplicationChanged,
    /// An application was given another secret.
    ApplicationSecretRotated,
    /// An application was revoked.
    ApplicationRevoked,
    /// A connection token was given to somebody of the workspace.
    ConnectionTokenIssued,
    /// A connect link was made, and its address shown.
    ConnectLinkCreated,
    /// A connect link was taken back.
    ConnectLinkRevoked,
    /// A code or refresh token was used again, and everything that came of it was ended.
    TokenReplayed,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// Nobody knows: it was begun, and its end was not recorded.
    Unknown,
    /// It was done. For a call, with the status of its answer.
    Done(Option<u16>),
    /// It was refused or failed, with this code.
    Failed(ErrorCode),
}

/// A call of a connected system's own, without its query, headers and body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedCall {
    /// Its method.
    pub method: String,
    /// Its path, as it was given, without what may be a secret in it.
    pub path: String,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its id; entries sort by it as by their times.
    pub id: AuditId,
    /// Whose log it is.
    pub workspace: WorkspaceId,
    /// When it was begun.
    pub at: WallTime,
    /// The API key of who did it, in entries from before there were others who could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_id: Option<ApiKeyId>,
    /// Who did it.
    #[serde(default)]
    actor: Option<Actor>,
    /// What was done.
    pub action: AuditAction,
    /// The connection it was done to.
    pub connection: Option<ConnectionId>,
    /// The id of the endpoint, API key, application, connect link or grant it was done to.
    pub target: Option<String>,
    /// The call, where it was one.
    pub call: Option<AuditedCall>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Until when it is kept.
    keep_until: WallTime,
}

impl AuditEntry {
    /// Who did it.
    #[must_use]
    pub fn actor(&self) -> Option<Actor> {
        self.actor.clone().or_else(|| self.key_id.clone().map(Actor::ApiKey))
    }
}

impl Document for AuditEntry {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.keep_until)
    }
}

/// What is about to be done.
#[derive(Clone, Debug)]
pub struct Audited {
    /// What.
    pub action: AuditAction,
    /// To which connection.
    pub connection: Option<ConnectionId>,
    /// The id of the endpoint, API key, application or grant it is done to; nothing for one that is yet to be made.
    pub target: Option<String>,
    /// The call, where it is one.
    pub call: Option<AuditedCall>,
}

impl Audited {
    /// Something that is done to this, or makes what has no id yet.
    #[must_use]
    pub fn about(action: AuditAction, target: Option<&dyn Display>) -> Self {
        Self { action, connection: None, target: target.map(ToString::to_string), call: None }
    }
}

/// Writes down that something is about to be done; it is kept for `retention`.
///
/// # Errors
/// When the table fails: then it must not be done.
pub async fn audit_begin(
    store: &Store,
    caller: &Caller,
    retention: Duration,
    audited: Audited,
) -> Result<Row<AuditEntry>> {
    let at = store.clock().wall();
    let call = audited
        .call
        .map(|call| AuditedCall { path: call.path.chars().take(PATH_MAX).collect(), ..call });
    let entry = AuditEntry {
        id: AuditId::new_at(at.millis()),
        workspace: caller.workspace.clone(),
        at,
        key_id: None,
        actor: Some(caller.actor.clone()),
        action: audited.action,
        connection: audited.connection,
        target: audited.target,
        call,
        outcome: AuditOutcome::Unknown,
        keep_until: at + retention,
    };
    let key = entry_key(&entry.workspace, &entry.id);
    let version = store.write(Write::put(&key, &entry, Expect::Absent)?).await?;
    Ok(Row { key, version, doc: entry, body: None })
}

/// Writes down what came of it, once.
///
/// # Errors
/// When the table fails, or it was written down before.
pub async fn audit_end(
    store: &Store,
    mut row: Row<AuditEntry>,
    outcome: AuditOutcome,
) -> Result<()> {
    if row.doc.outcome != AuditOutcome::Unknown {
        return Err(Error::internal("an audit entry is completed once"));
    }
    row.doc.outcome = outcome;
    store.write(Write::replace(&row)?).await?;
    Ok(())
}

fn entry_key(workspace: &WorkspaceId, id: &AuditId) -> Key {
    Key::state(partition(workspace, Month::of(id.time_ms())), id.as_str())
}

fn partition(workspace: &WorkspaceId, month: Month) -> String {
    format!("{workspace}#audit#{}", month.text())
}

/// A month, in UTC: months since the year 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
struct Month(i32);

impl Month {
    fn of(ms: i64) -> Self {
        let text = WallTime::from_millis(ms).iso();
        let part = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse().ok());
        let (year, month): (i32, i32) = (part(0, 4).unwrap_or(0), part(5, 7).unwrap_or(1));
        Self(year * 12 + month - 1)
    }

    const fn before(self) -> Self {
        Self(self.0 - 1)
    }

    /// `YYYY-MM`.
    fn text(self) -> String {
        format!("{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_over_the_turn_of_a_year() {
        let january = Month::of(1_735_689_600_000);
        assert_eq!(january.text(), "2025-01");
        assert_eq!(january.before().text(), "2024-12");
        assert_eq!(Month::of(1_735_689_599_999), january.before());
    }

    #[test]
    fn an_outcome_survives_its_row() {
        for outcome in [
            AuditOutcome::Unknown,
            AuditOutcome::Done(Some(204)),
            AuditOutcome::Done(None),
            AuditOutcome::Failed(ErrorCode::PermissionDenied),
        ] {
            let text = serde_json::to_string(&outcome).unwrap();
            assert_eq!(serde_json::from_str::<AuditOutcome>(&text).unwrap(), outcome);
        }
    }
}
