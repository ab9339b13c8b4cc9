//! Jobs: long work that a call starts, with progress that can be read.
//!
//! A job's row is due while the job runs, so a job whose messages are lost or whose function is killed
//! is taken up again. What a job does must therefore be harmless to do twice.

mod kind;

use std::time::Duration;

pub use kind::{DeliveryScope, ExportScope, JobKind, ReplayScope, RestState};
use millwright_core::{
    Error, ErrorCode, JobId, QueueName, Result, ScheduleTime, WallTime, Work, WorkspaceId,
};
use millwright_queue::{MAX_HOPS, Queue};
use millwright_store::{Document, Due, Expect, Key, Row, Store, Write};
use serde::{Deserialize, Serialize};

/// How long an ended job can be read.
const JOB_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It goes on.
    Running,
    /// It is done.
    Succeeded,
    /// Somebody ended it before it was done. What it had done stays done.
    Cancelled,
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
    /// When what it has made is to be put away, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tidy_at: Option<ScheduleTime>,
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
            tidy_at: None,
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
        let work = self.work().ok()?;
        if self.state == JobState::Running {
            return Some(Due::at(QueueName::Sync, self.attempt_at, self.attempt_at, work));
        }
        let at = self.tidy_at?;
        Some(Due::at(QueueName::Sync, self.attempt_at, at, work))
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
    announce_job_after(queue, job, hop, Duration::ZERO).await;
}

/// Tells the queue of a job that goes on after a rest ([`rest_job`]).
pub async fn announce_job_after(queue: &Queue, job: &Job, hop: u8, rest: Duration) {
    if hop > MAX_HOPS {
        return;
    }
    let sent = match job.work() {
        Ok(work) => queue.send_after(QueueName::Sync, &work, rest, hop).await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        tracing::warn!(job = %job.id, %error, "job left to the sweep");
    }
}

/// Notes that a job got on by `more`, and where it goes on. Answers how it stands: it may have ended
/// meanwhile, and then stays ended.
///
/// # Errors
/// When the table fails.
pub async fn note_progress(store: &Store, job: &Job, more: u64, cursor: &str) -> Result<JobState> {
    let at = store.clock().schedule();
    change(store, job, more, |job| {
        job.cursor = Some(cursor.to_owned());
        job.attempt_at = at;
    })
    .await
}

/// Like [`note_progress`], if the job still stands where whoever did the work began; false when
/// somebody else has taken it further, or it has ended.
///
/// # Errors
/// When the table fails.
pub async fn note_progress_from(
    store: &Store,
    job: &Job,
    more: u64,
    cursor: &str,
    end: bool,
) -> Result<bool> {
    let (now, at) = (store.clock().wall(), store.clock().schedule());
    let decide = |own: &mut Job| {
        if own.state != JobState::Running || own.cursor != job.cursor {
            return Ok(false);
        }
        own.done += more;
        (own.cursor, own.updated_at, own.attempt_at) = (Some(cursor.to_owned()), now, at);
        if end {
            own.state = JobState::Succeeded;
        }
        Ok(true)
    };
    let noted = store.modify(&job.key(), decide).await?;
    noted.map(|(_, noted)| noted).ok_or_else(|| Error::not_found("job"))
}

/// Notes that what a job has made has been put away.
///
/// # Errors
/// When the table fails.
pub async fn note_tidied(store: &Store, job: &Job) -> Result<()> {
    let tidied = |own: &mut Job| {
        own.tidy_at = None;
        Ok(())
    };
    store.modify(&job.key(), tidied).await.map(drop)
}

/// Like [`note_progress`], for a job that rests until `at` before it goes on.
///
/// # Errors
/// When the table fails.
pub async fn rest_job(
    store: &Store,
    job: &Job,
    more: u64,
    cursor: Option<&str>,
    at: ScheduleTime,
) -> Result<JobState> {
    change(store, job, more, |job| {
        job.cursor = cursor.map(str::to_owned);
        job.attempt_at = at;
    })
    .await
}

/// Notes that a job got on by `more`, or ended. One that has ended stays as it is, so that of two who
/// run it the slower cannot wake it.
///
/// # Errors
/// When the table fails.
pub async fn advance_job(store: &Store, job: &Job, more: u64, state: JobState) -> Result<()> {
    let at = store.clock().schedule();
    change(store, job, more, |job| {
        job.state = state;
        job.attempt_at = at;
    })
    .await
    .map(drop)
}

/// Ends a job before it is done; what it had done stays done.
///
/// # Errors
/// `NOT_FOUND`; `STATE_CONFLICT` for a job that is done, or of a kind that cannot stop half way.
pub async fn cancel_job(store: &Store, workspace: &WorkspaceId, id: &JobId) -> Result<Job> {
    let now = store.clock().wall();
    let cancel = |job: &mut Job| job.cancel(now);
    let cancelled = store.modify(&job_key(workspace, id), cancel).await?;
    cancelled.map(|(row, ())| row.doc).ok_or_else(|| Error::not_found("job"))
}

/// Changes a job that runs; answers how it stands then.
async fn change<F>(store: &Store, job: &Job, more: u64, change: F) -> Result<JobState>
where
    F: Fn(&mut Job) + Send + Sync,
{
    let now = store.clock().wall();
    let decide = |job: &mut Job| {
        if job.state == JobState::Running {
            job.done += more;
            job.updated_at = now;
            change(job);
        }
        Ok(job.state)
    };
    let changed = store.modify(&job.key(), decide).await?;
    changed.map(|(_, state)| state).ok_or_else(|| Error::not_found("job"))
}

impl Job {
    fn cancel(&mut self, now: WallTime) -> Result<()> {
        match self.state {
            JobState::Cancelled => Ok(()),
            JobState::Succeeded => Err(conflict("it is done")),
            JobState::Running if !self.kind.may_be_cancelled() => {
                Err(conflict("this kind of job does not stop half way"))
            }
            JobState::Running => {
                self.state = JobState::Cancelled;
                self.updated_at = now;
                Ok(())
            }
        }
    }
}

fn conflict(why: &str) -> Error {
    Error::new(ErrorCode::StateConflict, format!("the job cannot be cancelled: {why}"))
}

#[cfg(test)]
mod tests {
    use millwright_core::EndpointId;

    use super::*;

    fn job(kind: JobKind) -> Job {
        let now = WallTime::from_millis(1_700_000_000_000);
        Job::new(&WorkspaceId::new_at(1), kind, now, ScheduleTime::from_millis(1))
    }

    #[test]
    fn a_running_job_about_deliveries_can_be_cancelled_and_a_done_one_cannot() {
        let later = WallTime::from_millis(1_700_000_001_000);
        let mut running = job(JobKind::ReleaseEndpoint(EndpointId::new_at(1)));
        assert!(running.due().is_some());
        running.cancel(later).unwrap();
        assert_eq!((running.state, running.updated_at), (JobState::Cancelled, later));
        assert!(running.due().is_none() && running.expires_at().is_some());
        running.cancel(later).unwrap();
        running.state = JobState::Succeeded;
        assert_eq!(running.cancel(later).unwrap_err().code, ErrorCode::StateConflict);
    }

    #[test]
    fn what_a_job_has_made_is_put_away_once_it_has_ended() {
        let scope = ExportScope {
            connection: millwright_core::ConnectionId::new_at(1),
            entities: vec!["vendors".to_owned()],
            deleted: false,
        };
        let mut own = job(JobKind::ExportRecords(scope));
        let week = ScheduleTime::from_millis(7 * 24 * 3_600_000);
        own.tidy_at = Some(week);
        assert_eq!(own.due().unwrap().attempt_at, own.attempt_at);
        own.cancel(own.created_at).unwrap();
        assert_eq!(own.due().unwrap().attempt_at, week);
        own.tidy_at = None;
        assert!(own.due().is_none());
    }

    #[test]
    fn an_erasure_goes_on_to_its_end() {
        let id = millwright_core::ConnectionId::new_at(1);
        let mut running = job(JobKind::DeleteConnection(id));
        let refused = running.cancel(running.created_at).unwrap_err();
        assert_eq!(refused.code, ErrorCode::StateConflict);
        assert_eq!(running.state, JobState::Running);
    }

    #[test]
    fn a_job_survives_its_row() {
        let scope = DeliveryScope {
            endpoint: Some(EndpointId::new_at(1)),
            state: Some(RestState::Held),
            event_type: Some("a.b".to_owned()),
            since: Some(ScheduleTime::from_millis(5)),
            until: None,
        };
        let job = job(JobKind::RetryDeliveries(scope));
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
    }
}
