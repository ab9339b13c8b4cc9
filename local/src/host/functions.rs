//! The functions as the host calls them.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use axum::Router;
use futures::{FutureExt, future::BoxFuture};
use millwright_core::{
    Clock, WallTime,
    config::{ConfigError, Source},
};
use serde_json::Value;

use super::invocation::on_thread;

/// A function behind queues: a batch and the deadline, to the messages that failed.
pub type SqsFunction =
    Arc<dyn Fn(SqsEvent, WallTime) -> BoxFuture<'static, SqsBatchResponse> + Send + Sync>;

/// A function behind a schedule: the schedule's input, to nothing or what went wrong.
pub type TickFunction =
    Arc<dyn Fn(Value) -> BoxFuture<'static, Result<(), millwright_core::Error>> + Send + Sync>;

/// The four functions, each built once.
#[derive(Clone)]
pub struct Functions {
    /// `functions/api`: what it gives to `lambda_http`.
    pub api: Router,
    /// `functions/tick`.
    pub tick: TickFunction,
    /// `functions/sync`.
    pub sync: SqsFunction,
    /// `functions/deliver`.
    pub deliver: SqsFunction,
}

impl Functions {
    /// Builds the functions as their own `main`s do; `intake` is how the API reaches AWS.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub async fn build(
        source: &impl Source,
        clock: &Clock,
        sdk: &SdkConfig,
        intake: &SdkConfig,
    ) -> Result<Self, ConfigError> {
        let api = millwright_fn_api::router(source, clock.clone(), intake).await?;
        let tick = millwright_fn_tick::Handler::build(source, clock.clone(), sdk).await?;
        let sync = millwright_fn_sync::Handler::build(source, clock.clone(), sdk).await?;
        let deliver = millwright_fn_deliver::Handler::build(source, clock.clone(), sdk).await?;
        Ok(Self {
            api,
            tick: Arc::new(move |input| {
                let tick = tick.clone();
                async move { tick.handle(input).await }.boxed()
            }),
            sync: Arc::new(move |event, deadline| {
                let sync = sync.clone();
                on_thread(move || async move { sync.handle(event, deadline).await }).boxed()
            }),
            deliver: Arc::new(move |event, deadline| {
                let deliver = deliver.clone();
                async move { deliver.handle(event, deadline).await }.boxed()
            }),
        })
    }
}
