//! Jobs about deliveries: trying them again, sending what was never got, releasing what was held.
//!
//! Each goes through a list in steps, notes how far it got, and rests between two steps for as long as
//! the attempts of the first take to begin. So a hundred thousand deliveries are handed to the retry
//! queue one after another, and a job that is cancelled stops within a step. A job may run twice, or
//! again from where it was: a delivery that has been planned is no longer at rest, and the row of a
//! delivery follows from its endpoint and message, so nothing is made twice.

mod replay;
mod rest;
mod start;
mod wake;

use std::time::Duration;

use millwright_core::{Error, Result, ScheduleTime, WallTime};
use millwright_job::{Job, JobKind, JobState, advance_job, note_progress, rest_job};
use serde::{Serialize, de::DeserializeOwned};

use crate::Webhooks;

/// How many deliveries a job plans before it rests.
const STEP: u64 = 1_000;
/// How many of the attempts that a job plans begin in a second.
const PER_SECOND: u64 = 50;
/// How many are planned at a time.
const AT_A_TIME: usize = 8;
/// How many are looked at between two notes of the progress.
const PAGE: usize = 100;

/// How far one run of a job came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// It has ended.
    Done,
    /// There is more to do, after a rest on the schedule clock.
    More {
        /// How long it rests.
        rest: Duration,
    },
}

impl Webhooks {
    /// Does as much of a job as one step allows, until `deadline` at most.
    ///
    /// # Errors
    /// When Millwright failed: the job goes on where it noted last. Internal for a job of another kind.
    pub async fn run_job(&self, job: &Job, deadline: WallTime) -> Result<JobEnd> {
        let step = Step::new(self, job, deadline);
        match &job.kind {
            JobKind::RetryDeliveries(scope) | JobKind::RecoverEndpoint(scope) => {
                self.run_rest(step, scope).await
            }
            JobKind::ReleaseEndpoint(endpoint) => self.run_release(step, endpoint).await,
            JobKind::ReplayEndpoint(scope) => self.run_replay(step, scope).await,
            JobKind::DeleteConnection(_) | JobKind::RotateSecrets(_) => {
                Err(Error::internal("a job that is not about deliveries"))
            }
        }
    }
}

/// What one run of a job has done.
struct Step<'a> {
    webhooks: &'a Webhooks,
    job: &'a Job,
    deadline: WallTime,
    begun: ScheduleTime,
    planned: u64,
}

impl<'a> Step<'a> {
    fn new(webhooks: &'a Webhooks, job: &'a Job, deadline: WallTime) -> Self {
        Self { webhooks, job, deadline, begun: webhooks.clock().schedule(), planned: 0 }
    }

    /// When the delivery that is planned after `more` others is to be tried.
    fn turn(&self, more: usize) -> ScheduleTime {
        let before = self.planned.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        self.begun + Duration::from_millis(before.saturating_mul(1000) / PER_SECOND)
    }

    /// Where the job goes on, as it noted.
    fn place<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let read = |text: &String| serde_json::from_str(text).map_err(Error::internal);
        self.job.cursor.as_ref().map(read).transpose()
    }

    /// Notes that `woken` have been planned and where it goes on. Answers how the run ends, if it does.
    async fn got_on<T: Serialize + Sync>(
        &mut self,
        woken: u64,
        next: &T,
    ) -> Result<Option<JobEnd>> {
        self.planned += woken;
        let text = serde_json::to_string(next).map_err(Error::internal)?;
        let store = &self.webhooks.store;
        let full = self.planned >= STEP || self.webhooks.clock().wall() >= self.deadline;
        if !full {
            let state = note_progress(store, self.job, woken, &text).await?;
            return Ok((state != JobState::Running).then_some(JobEnd::Done));
        }
        self.rest(woken, Some(&text), self.turn(0)).await.map(Some)
    }

    /// Notes that the job rests until `at`.
    async fn rest(&self, woken: u64, cursor: Option<&str>, at: ScheduleTime) -> Result<JobEnd> {
        let now = self.webhooks.clock().schedule();
        let state = rest_job(&self.webhooks.store, self.job, woken, cursor, at.max(now)).await?;
        let rest = at.since(now);
        Ok(if state == JobState::Running { JobEnd::More { rest } } else { JobEnd::Done })
    }

    /// Notes that the job is done.
    async fn finish(&self, woken: u64) -> Result<JobEnd> {
        advance_job(&self.webhooks.store, self.job, woken, JobState::Succeeded).await?;
        tracing::info!(job = %self.job.id, planned = self.planned + woken, "a job is done");
        Ok(JobEnd::Done)
    }
}
