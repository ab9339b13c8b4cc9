//! Jobs: long work that a call starts, with progress that can be read.
//!
//! A job's row is due while the job runs, so a job whose messages are lost or whose function is killed
//! is taken up again. What a job does must therefore be harmless to do twice.

use std::time::Duration;

use millwright_core::{
    ConnectionId, Error, JobId, QueueName, Result, ScheduleTime, WallTime, Work, WorkspaceId,
};
use millwright_queue::{MAX_HOPS, Queue};
use millwright_store::{Document, Due, Expect, Key, Row, Store, Write};
use serde::{Deserialize, Serialize};

/// How long an ended job can be read.
const JOB_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Erases a connection and everything that belongs to it.
    DeleteConnection(ConnectionId),
    /// Seals every secret of the workspace anew whose data key was made before this time.
    RotateSecrets(WallTime),
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It goes on.
    Running,
    /// It is done.
    Succeeded,
}

/// A job's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// What it does.
    pub kind: JobKind,
    /// How far it is.
    pub state: JobState,
    /// How many things it has done.
    pub done: u64,
    /// Where it goes on, for a job that goes through a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// When it was started.
    pub created_at: WallTime,
    /// When it last got on.
    pub updated_at: WallTime,
    /// When it must be taken up, should its message be lost.
    pub attempt_at: ScheduleTime,
}

/// What the sync queue carries for a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobTask {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Which.
    pub job: JobId,
}

impl Job {
    /// A new job.
    #[must_use]
    pub fn new(workspace: &WorkspaceId, kind: JobKind, now: WallTime, at: ScheduleTime) -> Self {
        Self {
            id: JobId::new_at(now.millis()),
            workspace: workspace.clone(),
            kind,
            state: JobState::Running,
            done: 0,
            cursor: None,
            created_at: now,
            updated_at: now,
            attempt_at: at,
        }
    }

    /// The row's key.
    #[must_use]
    pub fn key(&self) -> Key {
        job_key(&self.workspace, &self.id)
    }

    /// The write that starts the job.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn as_write(&self) -> Result<Write> {
        Ok(Write::put(&self.key(), self, Expect::Absent)?)
    }

    /// The work that takes the job up.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn work(&self) -> Result<Work> {
        let task = JobTask { workspace: self.workspace.clone(), job: self.id.clone() };
        Work::new(self.workspace.as_str(), &Tagged::Job(task))
    }
}

/// The task's tag on the queue, beside the other work of that queue.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Tagged {
    Job(JobTask),
}

impl Document for Job {
    fn due(&self) -> Option<Due> {
        let running = self.state == JobState::Running;
        let work = self.work().ok().filter(|_| running)?;
        Some(Due::at(QueueName::Sync, self.attempt_at, self.attempt_at, work))
    }

    fn expires_at(&self) -> Option<WallTime> {
        (self.state != JobState::Running).then(|| self.updated_at + JOB_RETENTION)
    }
}

/// Where a job's row is: under its workspace.
#[must_use]
pub fn job_key(workspace: &WorkspaceId, id: &JobId) -> Key {
    Key::state(workspace.as_str(), format!("job#{id}"))
}

/// A job of this workspace.
///
/// # Errors
/// `NOT_FOUND` when there is none.
pub async fn find_job(store: &Store, workspace: &WorkspaceId, id: &JobId) -> Result<Row<Job>> {
    let row = store.get::<Job>(&job_key(workspace, id)).await?;
    row.ok_or_else(|| Error::not_found("job"))
}

/// Tells the queue of a job whose row has been written. A failure is only logged: the row is due, and
/// so is one whose `hop` has come to its end.
pub async fn announce_job(queue: &Queue, job: &Job, hop: u8) {
    if hop > MAX_HOPS {
        return;
    }
    let sent = match job.work() {
        Ok(work) => queue.send_after(QueueName::Sync, &work, Duration::ZERO, hop).await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        tracing::warn!(job = %job.id, %error, "job left to the sweep");
    }
}

/// Notes that a job got on by `more`, and where it goes on.
///
/// # Errors
/// When the table fails.
pub async fn note_progress(store: &Store, job: &Job, more: u64, cursor: &str) -> Result<()> {
    let (now, at) = (store.clock().wall(), store.clock().schedule());
    let key = job.key();
    let noted = store.modify(&key, |job: &mut Job| {
        job.done += more;
        job.cursor = Some(cursor.to_owned());
        job.updated_at = now;
        job.attempt_at = at;
        Ok(())
    });
    noted.await?.map(|_| ()).ok_or_else(|| Error::not_found("job"))
}

/// Notes that a job got on by `more`, or ended.
///
/// # Errors
/// When the table fails.
pub async fn advance_job(store: &Store, job: &Job, more: u64, state: JobState) -> Result<()> {
    let (now, at) = (store.clock().wall(), store.clock().schedule());
    let changed = store
        .modify(&job.key(), |job: &mut Job| {
            job.done += more;
            job.state = state;
            job.updated_at = now;
            job.attempt_at = at;
            Ok(())
        })
        .await?;
    changed.map(|_| ()).ok_or_else(|| Error::not_found("job"))
}
