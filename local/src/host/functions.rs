//! The functions as the host calls them.

use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use axum::Router;
use futures::future::BoxFuture;
use millwright_core::WallTime;
use serde_json::Value;

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
