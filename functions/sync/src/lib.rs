//! The function `sync`: slices of syncs, jobs, what webhooks hint at, and writes that nobody works on
//! any more; and connections that nobody asks about.

mod context;

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use context::Context;
use millwright_connection::ConnectionTask;
use millwright_core::{
    Clock, Error, Result, WallTime,
    config::{ConfigError, Source},
};
use millwright_job::{
    ExportScope, Job, JobKind, JobState, JobTask, announce_job, announce_job_after, find_job,
};
use millwright_queue::{Outcome, each_message, parse_body};
use millwright_records::{Settled, WriteTask, settle_write};
use millwright_sync::{
    CheckEnd, EraseEnd, ExportEnd, HintTask, HintsEnd, RotationEnd, RotationTask, SliceEnd,
    SliceTask, check_connection, rotate_secrets, run_erase, run_export, run_hints, run_rotation,
    run_slice, tidy_export,
};
use millwright_webhook::JobEnd;
use serde::Deserialize;

/// What the sync queue carries.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Task {
    Slice(SliceTask),
    Job(JobTask),
    Write(WriteTask),
    Hints(HintTask),
    Connection(ConnectionTask),
    Rotation(RotationTask),
}

/// The function, built once per process.
#[derive(Clone)]
pub struct Handler {
    context: Context,
}

impl Handler {
    /// Reads the configuration and builds the clients.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub async fn build(
        source: &impl Source,
        clock: Clock,
        sdk: &SdkConfig,
    ) -> Result<Self, ConfigError> {
        let context = Context::build(source, clock, sdk)?;
        tokio::join!(context.connection.store.warm(), context.connection.queue.warm());
        Ok(Self { context })
    }

    /// Works on a batch until `deadline`; a message that fails is reported by itself.
    pub async fn handle(&self, event: SqsEvent, deadline: WallTime) -> SqsBatchResponse {
        let queue = &self.context.connection.queue;
        each_message(queue, event, |message| self.one(message, deadline)).await
    }

    async fn one(&self, message: SqsMessage, deadline: WallTime) -> Result<Outcome> {
        let body = message.body.as_deref().unwrap_or_default();
        let received = parse_body::<Task>(body).map_err(Error::internal)?;
        match received.task {
            Task::Slice(task) => self.slice(&task, received.hop, deadline).await,
            Task::Job(task) => self.job(&task, received.hop, deadline).await,
            Task::Write(task) => self.write(&task).await,
            Task::Hints(task) => self.hints(&task, received.hop, deadline).await,
            Task::Connection(task) => self.check(&task, received.hop).await,
            Task::Rotation(task) => {
                rotate_secrets(&self.context.connection, &task.workspace).await?;
                Ok(Outcome::Done)
            }
        }
    }

    async fn slice(&self, task: &SliceTask, hop: u8, deadline: WallTime) -> Result<Outcome> {
        let context = &self.context.connection;
        Ok(match run_slice(context, self.context.limits, task, hop, deadline).await? {
            SliceEnd::Done => Outcome::Done,
            SliceEnd::Busy(until) => Outcome::Later(until.since(context.store.clock().wall())),
        })
    }

    async fn check(&self, task: &ConnectionTask, hop: u8) -> Result<Outcome> {
        let context = &self.context.connection;
        Ok(match check_connection(context, self.context.limits, task, hop).await? {
            CheckEnd::Done => Outcome::Done,
            CheckEnd::Busy(until) => Outcome::Later(until.since(context.store.clock().wall())),
        })
    }

    async fn hints(&self, task: &HintTask, hop: u8, deadline: WallTime) -> Result<Outcome> {
        let context = &self.context.connection;
        Ok(match run_hints(context, task, hop, deadline).await? {
            HintsEnd::Done => Outcome::Done,
            HintsEnd::Later(until) => Outcome::Later(until.since(context.store.clock().wall())),
        })
    }

    async fn write(&self, task: &WriteTask) -> Result<Outcome> {
        let context = &self.context.connection;
        Ok(match settle_write(context, self.context.write_timing, task).await? {
            Settled::Done => Outcome::Done,
            Settled::Busy(until) => Outcome::Later(until.since(context.store.clock().wall())),
        })
    }

    async fn job(&self, task: &JobTask, hop: u8, deadline: WallTime) -> Result<Outcome> {
        let context = &self.context.connection;
        let job = find_job(&context.store, &task.workspace, &task.job).await?.doc;
        if job.state != JobState::Running {
            tidy_export(context, &job).await?;
            return Ok(Outcome::Done);
        }
        let enough = deadline - self.context.limits.margin;
        let id = match &job.kind {
            JobKind::DeleteConnection(id) => id,
            JobKind::ExportRecords(scope) => return self.export(&job, scope, hop, enough).await,
            JobKind::RotateSecrets(since) => return self.rotation(&job, *since, hop, enough).await,
            JobKind::RetryDeliveries(_)
            | JobKind::RecoverEndpoint(_)
            | JobKind::ReplayEndpoint(_)
            | JobKind::ReleaseEndpoint(_)
            | JobKind::AbortDeliveries(_) => return self.deliveries(&job, hop, enough).await,
        };
        if !self.context.webhooks.forget_connection(&job, id, enough).await? {
            announce_job(&context.queue, &job, hop + 1).await;
            return Ok(Outcome::Done);
        }
        Ok(match run_erase(context, &job, id, enough).await? {
            EraseEnd::Done => Outcome::Done,
            EraseEnd::More => {
                announce_job(&context.queue, &job, hop + 1).await;
                Outcome::Done
            }
            EraseEnd::Busy(until) => Outcome::Later(until.since(context.store.clock().wall())),
        })
    }

    async fn deliveries(&self, job: &Job, hop: u8, enough: WallTime) -> Result<Outcome> {
        if let JobEnd::More { rest } = self.context.webhooks.run_job(job, enough).await? {
            announce_job_after(&self.context.connection.queue, job, hop + 1, rest).await;
        }
        Ok(Outcome::Done)
    }

    async fn export(
        &self,
        job: &Job,
        scope: &ExportScope,
        hop: u8,
        enough: WallTime,
    ) -> Result<Outcome> {
        let context = &self.context.connection;
        if run_export(context, job, scope, enough).await? == ExportEnd::More {
            announce_job(&context.queue, job, hop + 1).await;
        }
        Ok(Outcome::Done)
    }

    async fn rotation(
        &self,
        job: &Job,
        since: WallTime,
        hop: u8,
        enough: WallTime,
    ) -> Result<Outcome> {
        let context = &self.context.connection;
        if run_rotation(context, job, since, enough).await? == RotationEnd::More {
            announce_job(&context.queue, job, hop + 1).await;
        }
        Ok(Outcome::Done)
    }
}
