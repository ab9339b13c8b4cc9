//! Jobs about deliveries: trying them again, sending what was never got, releasing what was held, giving
//! up what was for an endpoint that is gone.
//!
//! Each goes through a list in steps, notes how far it got, and rests between two steps for as long as
//! the attempts of the first take to begin. So a hundred thousand deliveries are handed to the retry
//! queue one after another, and a job that is cancelled stops within a step. A job may run twice, or
//! again from where it was: a delivery that has been planned is no longer at rest, and the row of a
//! delivery follows from its endpoint and message, so nothing is made twice.

mod give_up;
mod replay;
mod rest;
mod start;
mod wake;

use std::{future::Future, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use millwright_core::{Error, Result, ScheduleTime, WallTime};
use millwright_job::{Job, JobKind, JobState, advance_job, note_progress, rest_job};
use serde::{Serialize, de::DeserializeOwned};

use crate::Webhooks;

/// How a job that plans attempts goes on: 1,000 at a time, 50 of which begin in a second.
const PLANNING: Tempo = Tempo { step: 1_000, apart: Duration::from_millis(20) };
/// How a job goes on that only writes: as far as one invocation comes, and on at once.
const ENDING: Tempo = Tempo { step: u32::MAX, apart: Duration::ZERO };
/// How soon a job looks again that waits for late ones, at first. Then it waits for as long as it has.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How many are written at a time.
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
        let step = |tempo| Step::new(self, job, deadline, tempo);
        match &job.kind {
            JobKind::RetryDeliveries(scope) | JobKind::RecoverEndpoint(scope) => {
                self.run_rest(step(PLANNING), scope).await
            }
            JobKind::ReleaseEndpoint(endpoint) => self.run_release(step(PLANNING), endpoint).await,
            JobKind::ReplayEndpoint(scope) => self.run_replay(step(PLANNING), scope).await,
            JobKind::AbortDeliveries(endpoint) => self.run_give_up(step(ENDING), endpoint).await,
            JobKind::DeleteConnection(_)
            | JobKind::RotateSecrets(_)
            | JobKind::ExportRecords(_) => {
                Err(Error::internal("a job that is not about deliveries"))
            }
        }
    }
}

/// How fast a job goes on.
#[derive(Clone, Copy, Debug)]
struct Tempo {
    /// How many deliveries it sees to in one run.
    step: u32,
    /// The time between the attempts of two that it plans.
    apart: Duration,
}

/// What one run of a job has done.
struct Step<'a> {
    webhooks: &'a Webhooks,
    job: &'a Job,
    deadline: WallTime,
    begun: ScheduleTime,
    tempo: Tempo,
    /// How many deliveries this run has seen to.
    done: u32,
}

impl<'a> Step<'a> {
    fn new(webhooks: &'a Webhooks, job: &'a Job, deadline: WallTime, tempo: Tempo) -> Self {
        Self { webhooks, job, deadline, begun: webhooks.clock().schedule(), tempo, done: 0 }
    }

    /// When the delivery that is planned after `more` others is to be tried.
    fn turn(&self, more: usize) -> ScheduleTime {
        let before = self.done.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.begun + self.tempo.apart.saturating_mul(before)
    }

    /// Where the job goes on, as it noted.
    fn place<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let read = |text: &String| serde_json::from_str(text).map_err(Error::internal);
        self.job.cursor.as_ref().map(read).transpose()
    }

    /// Notes that `more` have been seen to and where it goes on. Answers how the run ends, if it does.
    async fn got_on<T: Serialize + Sync>(&mut self, more: u32, next: &T) -> Result<Option<JobEnd>> {
        self.done = self.done.saturating_add(more);
        let text = serde_json::to_string(next).map_err(Error::internal)?;
        let store = &self.webhooks.store;
        let full = self.done >= self.tempo.step || self.webhooks.clock().wall() >= self.deadline;
        if !full {
            let state = note_progress(store, self.job, more.into(), &text).await?;
            return Ok((state != JobState::Running).then_some(JobEnd::Done));
        }
        self.rest(more, Some(&text), self.turn(0)).await.map(Some)
    }

    /// Notes that the job rests until `at`.
    async fn rest(&self, more: u32, cursor: Option<&str>, at: ScheduleTime) -> Result<JobEnd> {
        let now = self.webhooks.clock().schedule();
        let state =
            rest_job(&self.webhooks.store, self.job, more.into(), cursor, at.max(now)).await?;
        let rest = at.since(now);
        Ok(if state == JobState::Running { JobEnd::More { rest } } else { JobEnd::Done })
    }

    /// Begins its list anew after a while, for what comes late to it, until the job is as old as this.
    async fn linger(&self, more: u32, until: Duration) -> Result<JobEnd> {
        let clock = self.webhooks.clock();
        let age = clock.wall().since(self.job.created_at);
        if age >= until {
            return self.finish(more).await;
        }
        let wait = age.max(LOOK_AGAIN).mul_f64(clock.speed());
        self.rest(more, None, clock.schedule() + wait).await
    }

    /// Notes that the job is done.
    async fn finish(&self, more: u32) -> Result<JobEnd> {
        advance_job(&self.webhooks.store, self.job, more.into(), JobState::Succeeded).await?;
        tracing::info!(job = %self.job.id, done = self.done.saturating_add(more), "a job is done");
        Ok(JobEnd::Done)
    }

    /// Does something with each of these, some at a time; answers with how many it did something.
    async fn each<T, F: Future<Output = Result<bool>>>(
        &self,
        all: &[T],
        act: impl Fn(usize, &T) -> F,
    ) -> Result<u32> {
        let begun: Vec<_> = all.iter().enumerate().map(|(n, one)| act(n, one)).collect();
        let ended = stream::iter(begun).buffer_unordered(AT_A_TIME);
        ended.try_fold(0, async |sum, done| Ok(sum + u32::from(done))).await
    }
}
