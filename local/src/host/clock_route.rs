//! `POST /local/clock`: moves the schedule clock forward, for tests and demonstrations.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    http::{Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use millwright_access::{Role, authenticate};
use millwright_core::{Error, QueueName, Result, ScheduleTime};
use millwright_store::{DUE_SHARDS, DueRow, Store};
use serde::Deserialize;
use serde_json::json;

use crate::{data::ClockKeeper, sqs::Delays};

/// Where it answers.
pub(super) const PATH: &str = "/local/clock";

/// What the route works with.
#[derive(Clone)]
pub struct StepClock {
    /// The clock and where it is kept.
    pub keeper: Arc<ClockKeeper>,
    /// The tables: what is due next, and whose key it is.
    pub store: Store,
    /// The queues' delays.
    pub delays: Delays,
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// So many seconds on.
    #[serde(default)]
    advance_seconds: Option<u32>,
    /// Or to a moment.
    #[serde(default)]
    to: Option<Target>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    /// The next time at which anything is due.
    NextDue,
}

impl StepClock {
    pub(super) async fn answer(&self, parts: &Parts, body: &[u8]) -> Response {
        if parts.method != Method::POST {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, "POST only");
        }
        match self.is_admin(parts).await {
            Ok(true) => {}
            Ok(false) => return refuse(StatusCode::FORBIDDEN, "this needs an admin key"),
            Err(error) => return refuse_error(&error),
        }
        let step = match serde_json::from_slice(body) {
            Ok(Step { advance_seconds: Some(seconds), to: None }) => {
                Ok(Duration::from_secs(seconds.into()))
            }
            Ok(Step { advance_seconds: None, to: Some(Target::NextDue) }) => self.to_next().await,
            _ => {
                let say = r#"say {"advance_seconds": N} or {"to": "next_due"}"#;
                return refuse(StatusCode::BAD_REQUEST, say);
            }
        };
        match step {
            Ok(step) => self.step(step),
            Err(error) => refuse_error(&error),
        }
    }

    async fn is_admin(&self, parts: &Parts) -> Result<bool> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        Ok(authenticate(&self.store, key).await?.role >= Role::Admin)
    }

    fn step(&self, step: Duration) -> Response {
        let clock = self.keeper.clock();
        clock.step(step);
        if let Err(error) = self.keeper.keep() {
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
        }
        let now = clock.schedule().iso();
        Json(json!({"now": now, "advanced_ms": step.as_millis() as u64})).into_response()
    }

    /// How far the next due time is: that of the due index or of a delayed message.
    async fn to_next(&self) -> Result<Duration> {
        let now = self.keeper.clock().schedule();
        let mut next = self.delays.next().await;
        for queue in QueueName::SWEPT {
            for shard in 0..DUE_SHARDS {
                let first = self.store.due(queue, shard, END_OF_TIME, FIRST_ROWS).await?;
                next = first.iter().map(|row| happens_at(row, now)).chain(next).min();
            }
        }
        Ok(next.map_or(Duration::ZERO, |next| next.since(now)))
    }
}

/// A row's work is carried by a message until its attempt's time, and looked at by the sweep then.
fn happens_at(row: &DueRow, now: ScheduleTime) -> ScheduleTime {
    if row.attempt_at > now { row.attempt_at.min(row.due_at) } else { row.due_at }
}

/// Rows are sorted by when the sweep looks, which is two minutes before or after their attempt.
const FIRST_ROWS: i32 = 100;
/// Later than anything is due.
const END_OF_TIME: ScheduleTime = ScheduleTime::from_millis(i64::MAX);

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message}))).into_response()
}

fn refuse_error(error: &Error) -> Response {
    let status = StatusCode::from_u16(error.code.status());
    refuse(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &error.message)
}
