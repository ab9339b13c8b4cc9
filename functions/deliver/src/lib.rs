//! The function `deliver`: fan-out, delivery attempts, sweeps of the due index, dead letters.

mod context;
mod dead;
mod sweep;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use context::Context;
use millwright_core::{
    Clock, Error, QueueName, Result, WallTime,
    config::{ConfigError, Source},
};
use millwright_event::FanoutTask;
use millwright_fn_tick::SweepTask;
use millwright_queue::{Envelope, Outcome, each_message, source_queue};
use millwright_records::{Scope, Telling, publish_pages};
use millwright_webhook::{AttemptTask, Handled};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How long before an invocation's end no new work is begun.
const MARGIN: Duration = Duration::from_secs(5);

/// How long an attempt and the record of it may take: the longest timeout of an endpoint, and some.
const ATTEMPT_MAX: Duration = Duration::from_secs(40);
/// What becomes of an attempt that might not end before the invocation does.
const TOO_LATE: Handled = Handled::Later { after: Duration::from_secs(1) };

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
        tokio::join!(context.store.warm(), context.queue.warm());
        Ok(Self { context })
    }

    /// Works on a batch until `deadline`; a message that fails is reported by itself.
    pub async fn handle(&self, event: SqsEvent, deadline: WallTime) -> SqsBatchResponse {
        each_message(&self.context.queue, event, |message| self.one(message, deadline)).await
    }

    async fn one(&self, message: SqsMessage, deadline: WallTime) -> Result<Outcome> {
        let body = message.body.as_deref().unwrap_or_default();
        if source_queue(&message) == self.context.dead_queue {
            dead::park(&self.context.store, body).await?;
            return Ok(Outcome::Done);
        }
        let envelope: Envelope = serde_json::from_str(body).map_err(Error::internal)?;
        let task = envelope.work.task;
        let handled = match envelope.queue {
            QueueName::Fanout => self.fan_out(read(task)?, envelope.hop, deadline).await?,
            QueueName::Delivery | QueueName::Retry if self.is_late(deadline) => TOO_LATE,
            QueueName::Delivery | QueueName::Retry => {
                let task: AttemptTask = read(task)?;
                self.context.webhooks.attempt(&task, envelope.hop).await?
            }
            QueueName::Sweep => self.sweep(&read(task)?, deadline).await?,
            QueueName::Sync => return Err(Error::internal("work of another function")),
        };
        Ok(match handled {
            Handled::Done | Handled::Dropped => Outcome::Done,
            Handled::Later { after } => Outcome::Later(after),
        })
    }

    /// Whether an attempt that begins now might be cut off by the invocation's end.
    fn is_late(&self, deadline: WallTime) -> bool {
        self.context.store.clock().wall() + ATTEMPT_MAX > deadline
    }

    async fn fan_out(&self, task: FanoutTask, hop: u8, deadline: WallTime) -> Result<Handled> {
        match task {
            FanoutTask::Inline(message) => self.context.webhooks.fan_out(*message, hop).await,
            FanoutTask::Message { workspace, message } => {
                self.context.webhooks.fan_out_recorded(&workspace, &message, hop).await
            }
            FanoutTask::Bodies { workspace } => {
                self.context.webhooks.sweep_bodies(&workspace).await?;
                Ok(Handled::Done)
            }
            FanoutTask::Feed { workspace, connection } => {
                // The customer comes from the feed's head, as it was when the pages were written.
                let scope = Scope { workspace, connection, customer: None };
                let context = &self.context;
                let (store, queue) = (&context.store, &context.queue);
                let enough = deadline - MARGIN * 2;
                let blob = &context.blob;
                let with_records = context.webhooks.asks_for_records(&scope.workspace).await?;
                let telling = Telling { store, queue, blob, with_records };
                publish_pages(telling, &scope, hop, enough).await?;
                Ok(Handled::Done)
            }
        }
    }

    async fn sweep(&self, task: &SweepTask, deadline: WallTime) -> Result<Handled> {
        let (store, queue) = (&self.context.store, &self.context.queue);
        let sent = sweep::sweep(store, queue, task.queue, task.shard, deadline - MARGIN).await?;
        if sent > 0 {
            tracing::debug!(queue = %task.queue, shard = task.shard, sent, "swept");
        }
        Ok(Handled::Done)
    }
}

fn read<T: DeserializeOwned>(task: Value) -> Result<T> {
    serde_json::from_value(task).map_err(Error::internal)
}
