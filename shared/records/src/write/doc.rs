//! The row of a write: put before anything is sent, so that whoever comes after a crash knows what may
//! have happened.

use std::time::Duration;

use millwright_connection::connection_pk;
use millwright_core::{
    ConnectionId, Error, ErrorCode, FieldError, QueueName, Result, ScheduleTime, Upstream,
    WallTime, Work, WorkspaceId, WriteId,
};
use millwright_store::{Document, Due, Key, Lease};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Operation;

/// How long a write that was answered with its id can be read.
pub const WRITE_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long the outcome of a write with an idempotency key is kept: as long as the key.
const KEYED_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// One write through the API. While it is pending the row's body is what was asked for; once it has
/// succeeded, the record as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteDoc {
    /// Its id: what the caller may ask for, and the token by which a system can know the write again.
    pub id: WriteId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The connection.
    pub connection: ConnectionId,
    /// The entity's slug.
    pub entity: String,
    /// What it does.
    pub operation: Operation,
    /// The record's key; of a new record once it is known.
    pub key: Option<String>,
    /// The record before the write; none for a new one.
    pub before: Option<Before>,
    /// How far it is.
    pub state: WriteState,
    /// Who may ask for its outcome.
    pub askers: Askers,
    /// Who works on it.
    pub lease: Lease,
    /// When it must be taken up, should nobody work on it any more.
    pub attempt_at: ScheduleTime,
    /// When it began.
    pub created_at: WallTime,
    /// When it last got on.
    pub updated_at: WallTime,
}

/// The record before a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The system's id.
    pub remote_id: String,
    /// The hash of its content.
    pub hash: String,
    /// Its status, where it has one.
    pub status_key: Option<String>,
    /// The keys of its lines, as `{"lineItems": [{"key": ...}]}`.
    #[serde(default)]
    pub lines: Map<String, Value>,
}

/// Who may ask for a write's outcome. Where nobody may, the row goes when the write has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Askers {
    /// The caller was told the id.
    pub by_id: bool,
    /// The caller may send the request again with its idempotency key.
    pub by_key: bool,
}

/// How far a write is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteState {
    /// It may have been sent, and its outcome is not known yet.
    Pending(Sent),
    /// The system did it.
    Succeeded,
    /// The system did not do it.
    Failed(WriteFault),
    /// Nobody can find out.
    Unknown(WriteFault),
}

/// What is known of a pending write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// How often it was sent, or was about to be.
    pub attempts: u32,
    /// When it was last sent.
    pub at: WallTime,
    /// How long that call took until it ended without an answer; nothing while it runs, or when its
    /// process died.
    pub took_ms: Option<u64>,
    /// The record's remote id, once the system has said yes.
    pub accepted: Option<String>,
    /// How often the system could not be asked about it.
    pub unreached: u32,
}

/// An error as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteFault {
    /// The contract's code.
    pub code: ErrorCode,
    /// A sentence for a person.
    pub message: String,
    /// The faulty fields.
    #[serde(default)]
    pub fields: Vec<FieldError>,
    /// What the system said.
    #[serde(default)]
    pub upstream: Option<Upstream>,
}

impl WriteState {
    /// The word for it in answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending(_) => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Unknown(_) => "unknown",
        }
    }

    /// What went wrong, if anything did.
    #[must_use]
    pub const fn fault(&self) -> Option<&WriteFault> {
        match self {
            Self::Failed(fault) | Self::Unknown(fault) => Some(fault),
            Self::Pending(_) | Self::Succeeded => None,
        }
    }
}

impl From<&Error> for WriteFault {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code,
            message: error.message.clone(),
            fields: error.fields.clone(),
            upstream: error.upstream.clone(),
        }
    }
}

impl From<WriteFault> for Error {
    fn from(fault: WriteFault) -> Self {
        let mut error = Self::new(fault.code, fault.message);
        error.fields = fault.fields;
        error.upstream = fault.upstream;
        error
    }
}

impl WriteDoc {
    /// The row's key.
    #[must_use]
    pub fn row(&self) -> Key {
        write_key(&self.workspace, &self.connection, &self.id)
    }

    /// What is known of the sending, while the write is pending.
    #[must_use]
    pub fn sent(&self) -> Option<&Sent> {
        match &self.state {
            WriteState::Pending(sent) => Some(sent),
            _ => None,
        }
    }

    /// Whether the row stays once the write has ended in this state. For a key only what another try
    /// must not do again: a refusal may be tried anew.
    pub(super) fn stays(&self, ended: &WriteState) -> bool {
        self.askers.by_id || self.askers.by_key && !matches!(ended, WriteState::Failed(_))
    }

    fn work(&self) -> Result<Work> {
        let task = WriteTask {
            workspace: self.workspace.clone(),
            connection: self.connection.clone(),
            write: self.id.clone(),
        };
        Work::new(self.connection.as_str(), &Tagged::Write(task))
    }
}

impl Document for WriteDoc {
    fn due(&self) -> Option<Due> {
        let WriteState::Pending(_) = self.state else { return None };
        let work = self.work().ok()?;
        // No message waits for this: nearly every write has ended long before its time comes.
        let at = self.attempt_at;
        Some(Due { queue: QueueName::Sync, attempt_at: at, due_at: at, work })
    }

    fn expires_at(&self) -> Option<WallTime> {
        let ended = !matches!(self.state, WriteState::Pending(_));
        let short = ended && !self.askers.by_id;
        Some(self.created_at + if short { KEYED_RETENTION } else { WRITE_RETENTION })
    }
}

/// What the sync queue carries for a write that nobody works on any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WriteTask {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The connection.
    pub connection: ConnectionId,
    /// Which.
    pub write: WriteId,
}

/// The task's tag on the queue, beside the other work of that queue.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Tagged {
    Write(WriteTask),
}

/// Where a write's row is: among its connection's.
#[must_use]
pub fn write_key(workspace: &WorkspaceId, connection: &ConnectionId, id: &WriteId) -> Key {
    Key::state(connection_pk(workspace, connection), format!("write#{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(by_id: bool, by_key: bool) -> WriteDoc {
        let sent = Sent {
            attempts: 1,
            at: WallTime::from_millis(5),
            took_ms: None,
            accepted: None,
            unreached: 0,
        };
        WriteDoc {
            id: WriteId::new_at(5),
            workspace: WorkspaceId::new_at(1),
            connection: ConnectionId::new_at(2),
            entity: "vendors".to_owned(),
            operation: Operation::Action("quote".to_owned()),
            key: None,
            before: None,
            state: WriteState::Pending(sent),
            askers: Askers { by_id, by_key },
            lease: Lease::default(),
            attempt_at: ScheduleTime::from_millis(60_000),
            created_at: WallTime::from_millis(5),
            updated_at: WallTime::from_millis(5),
        }
    }

    fn fault() -> WriteFault {
        WriteFault::from(&Error::new(ErrorCode::BusinessRuleViolated, "no"))
    }

    #[test]
    fn a_pending_write_is_due_and_one_that_has_ended_is_not() {
        let pending = doc(false, false);
        let due = pending.due().unwrap();
        assert_eq!((due.queue, due.due_at), (QueueName::Sync, pending.attempt_at));
        assert!(due.work.task["write"]["write"].as_str().unwrap().starts_with("write_"));
        let ended = WriteDoc { state: WriteState::Succeeded, ..pending };
        assert_eq!(ended.due(), None);
    }

    #[test]
    fn a_row_stays_for_whoever_may_ask_and_for_nobody_else() {
        let ends =
            [WriteState::Succeeded, WriteState::Failed(fault()), WriteState::Unknown(fault())];
        let stays = |by_id, by_key| ends.each_ref().map(|end| doc(by_id, by_key).stays(end));
        assert_eq!(stays(true, false), [true; 3]);
        assert_eq!(stays(false, true), [true, false, true]);
        assert_eq!(stays(false, false), [false; 3]);
    }

    #[test]
    fn an_outcome_is_kept_30_days_by_id_and_a_day_by_key() {
        let kept = |by_id, by_key| {
            let ended = WriteDoc { state: WriteState::Succeeded, ..doc(by_id, by_key) };
            ended.expires_at().unwrap().since(ended.created_at)
        };
        assert_eq!(kept(true, true), WRITE_RETENTION);
        assert_eq!(kept(false, true), KEYED_RETENTION);
    }

    #[test]
    fn a_fault_comes_back_as_the_error_it_was() {
        let mut error = Error::new(ErrorCode::BusinessRuleViolated, "no");
        error.upstream = Some(Upstream { status: Some(200), ..Upstream::default() });
        let kept = serde_json::to_string(&WriteFault::from(&error)).unwrap();
        let back: Error = serde_json::from_str::<WriteFault>(&kept).unwrap().into();
        assert_eq!(
            (back.code, back.message, back.upstream),
            (error.code, error.message, error.upstream)
        );
    }
}
