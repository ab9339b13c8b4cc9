//! Caring for receivers: trying again what failed, sending what was never got, and the figures of an
//! endpoint.

use std::time::Duration;

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_core::{EndpointId, Error, ErrorCode, FieldError, Result, ScheduleTime};
use millwright_job::{DeliveryScope, ReplayScope, RestState};
use millwright_webhook::{DeliveryStatus, EndpointStats, EventPattern};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::jobs::Job;
use crate::{
    App,
    error::Answer,
    extract::{IdPath, JsonBody, Moment, Params, Reader, Writer},
};

/// Since when to recover.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecoverRequest {
    /// Everything that has failed, or has been held, since then is tried again.
    #[schema(value_type = String, format = DateTime)]
    since: Moment,
}

/// What to replay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayRequest {
    /// Only messages made at this time or later.
    #[schema(value_type = String, format = DateTime)]
    since: Moment,
    /// Only messages made before this time. Up to now when not given.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// Only messages of these types: `purchase_orders.inserted`, `purchase_orders.*` or `*`. Of all
    /// types when not given.
    #[serde(default)]
    #[schema(max_items = 100)]
    event_types: Vec<String>,
}

/// Which deliveries to try again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryRequest {
    /// Only those to this endpoint. To all that are enabled when not given.
    #[serde(default)]
    #[schema(example = "ep_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    endpoint_id: Option<String>,
    /// In which status they are.
    #[serde(default)]
    status: RestingStatus,
    /// Only those of messages of this type.
    #[serde(default)]
    event_type: Option<String>,
    /// Only those that have failed, or have been held, since then.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
    /// Only those that have failed, or have been held, since before then.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
}

/// A status in which a delivery rests.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RestingStatus {
    /// All automatic attempts have failed.
    #[default]
    Failed,
    /// The endpoint was paused or disabled.
    Held,
}

impl From<RestingStatus> for RestState {
    fn from(own: RestingStatus) -> Self {
        match own {
            RestingStatus::Failed => Self::Failed,
            RestingStatus::Held => Self::Held,
        }
    }
}

/// Try again what failed
///
/// Starts a job that tries everything again that has failed at this endpoint since a time, or has been
/// held since then while it was disabled. What arrives meanwhile, or has been planned by another job, is
/// left alone; nothing is sent twice. A delivery that fails again stays failed.
#[utoipa::path(
    post,
    path = "/v1/webhook-endpoints/{id}/recover",
    operation_id = "recover_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    request_body = RecoverRequest,
    responses((status = 202, description = "The job that does it.", body = Job))
)]
pub(crate) async fn recover(
    caller: Writer,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
    JsonBody(request): JsonBody<RecoverRequest>,
) -> Answer<(StatusCode, Json<Job>)> {
    let scope = DeliveryScope {
        endpoint: Some(id),
        since: Some(request.since.schedule()),
        ..DeliveryScope::default()
    };
    let job = app.webhooks().recover(&caller.workspace, scope).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// Send what an endpoint never got
///
/// Starts a job that sends every message of a time that this endpoint wants now and never got: those
/// whose delivery failed or is held, and those that it was not meant to get when they were made.
#[utoipa::path(
    post,
    path = "/v1/webhook-endpoints/{id}/replay",
    operation_id = "replay_webhook_endpoint",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    request_body = ReplayRequest,
    responses((status = 202, description = "The job that does it.", body = Job))
)]
pub(crate) async fn replay(
    caller: Writer,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
    JsonBody(request): JsonBody<ReplayRequest>,
) -> Answer<(StatusCode, Json<Job>)> {
    let scope = request.scope(id, app.clock().schedule())?;
    let job = app.webhooks().replay(&caller.workspace, scope).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// Try deliveries again
///
/// Starts a job that tries all deliveries again that have failed, or are held, and fit. Those to
/// endpoints that are paused or disabled are left alone.
#[utoipa::path(
    post,
    path = "/v1/webhook-deliveries/retry",
    operation_id = "retry_webhook_deliveries",
    tag = "Webhooks",
    request_body = RetryRequest,
    responses((status = 202, description = "The job that does it.", body = Job))
)]
pub(crate) async fn retry(
    caller: Writer,
    State(app): State<App>,
    JsonBody(request): JsonBody<RetryRequest>,
) -> Answer<(StatusCode, Json<Job>)> {
    let job = app.webhooks().retry_deliveries(&caller.workspace, request.scope()?).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

impl ReplayRequest {
    fn scope(self, endpoint: EndpointId, now: ScheduleTime) -> Result<ReplayScope> {
        let (since, until) = (self.since.schedule(), self.until.map_or(now, Moment::schedule));
        if until <= since {
            return Err(faulty("until", "must be later than `since`"));
        }
        let wrong = self.event_types.iter().position(|text| EventPattern::parse(text).is_none());
        if let Some(n) = wrong {
            let why = "must be an event type, one that ends with `.*`, or `*`";
            return Err(faulty(&format!("event_types[{n}]"), why));
        }
        Ok(ReplayScope { endpoint, since, until, event_types: self.event_types })
    }
}

impl RetryRequest {
    fn scope(self) -> Result<DeliveryScope> {
        let endpoint = self.endpoint_id.map(|text| text.parse()).transpose();
        let endpoint = endpoint.map_err(|_| faulty("endpoint_id", "is not an endpoint's id"))?;
        Ok(DeliveryScope {
            endpoint,
            state: Some(self.status.into()),
            event_type: self.event_type,
            since: self.since.map(Moment::schedule),
            until: self.until.map(Moment::schedule),
        })
    }
}

fn faulty(path: &str, why: &str) -> Error {
    let mut error = Error::new(ErrorCode::ValidationFailed, format!("{path}: {why}"));
    error.fields = vec![FieldError::new(path, ErrorCode::ValidationFailed, why)];
    error
}

/// How far back the figures go.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
pub(crate) enum StatsWindow {
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// A day.
    #[default]
    #[serde(rename = "24h")]
    Day,
    /// A week.
    #[serde(rename = "7d")]
    Week,
}

impl StatsWindow {
    fn length(self) -> Duration {
        let hours = match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
        };
        Duration::from_secs(hours * 3600)
    }
}

/// The time of the figures.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatsQuery {
    /// How far back they go.
    #[serde(default)]
    #[param(inline, required = false)]
    window: StatsWindow,
}

/// How many deliveries are in which status.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatusCounts {
    /// The first attempt has not ended yet.
    pending: u64,
    /// An attempt has failed; the next one is planned or running.
    waiting: u64,
    /// The endpoint is, or was, paused or disabled.
    held: u64,
    /// Arrived.
    delivered: u64,
    /// All automatic attempts have failed.
    failed: u64,
    /// Given up.
    aborted: u64,
}

/// The figures of an endpoint: of the deliveries of messages that were made in the time.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEndpointStats {
    /// Where the time begins that was looked at.
    #[schema(format = DateTime)]
    since: String,
    /// Where it ends.
    #[schema(format = DateTime)]
    until: String,
    /// How many deliveries were looked at.
    examined: usize,
    /// Whether there are more: then the figures are those of the newest 2,000, and `since` is when the
    /// oldest of them was made.
    sampled: bool,
    /// How many messages came in a minute.
    per_minute: f64,
    /// How many deliveries are in which status.
    deliveries: StatusCounts,
    /// How many attempts have ended.
    attempts: u64,
    /// The share of the attempts that arrived, from 0 to 1.
    #[schema(required)]
    success_share: Option<f64>,
    /// The latency that half of the attempts did not exceed, in milliseconds.
    #[schema(required)]
    latency_p50_ms: Option<u64>,
    /// The latency that 95 of 100 attempts did not exceed, in milliseconds.
    #[schema(required)]
    latency_p95_ms: Option<u64>,
    /// When the oldest of the deliveries was made that is still pending or waiting.
    #[schema(required, format = DateTime)]
    oldest_waiting_at: Option<String>,
}

impl From<EndpointStats> for WebhookEndpointStats {
    fn from(own: EndpointStats) -> Self {
        let count = |status| own.deliveries.get(&status).copied().unwrap_or_default();
        Self {
            since: own.since.iso(),
            until: own.until.iso(),
            examined: own.examined,
            sampled: own.sampled,
            per_minute: own.per_minute(),
            deliveries: StatusCounts {
                pending: count(DeliveryStatus::Pending),
                waiting: count(DeliveryStatus::Waiting),
                held: count(DeliveryStatus::Held),
                delivered: count(DeliveryStatus::Delivered),
                failed: count(DeliveryStatus::Failed),
                aborted: count(DeliveryStatus::Aborted),
            },
            attempts: own.attempts,
            success_share: own.success_share(),
            latency_p50_ms: own.latency_p50_ms,
            latency_p95_ms: own.latency_p95_ms,
            oldest_waiting_at: own.oldest_waiting_at.map(ScheduleTime::iso),
        }
    }
}

/// Get an endpoint's figures
#[utoipa::path(
    get,
    path = "/v1/webhook-endpoints/{id}/stats",
    operation_id = "get_webhook_endpoint_stats",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id."), StatsQuery),
    responses((status = 200, description = "The figures.", body = WebhookEndpointStats))
)]
pub(crate) async fn stats(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
    Params(query): Params<StatsQuery>,
) -> Answer<Json<WebhookEndpointStats>> {
    let window = query.window.length();
    let stats = app.webhooks().endpoint_stats(&caller.workspace, &id, window).await?;
    Ok(Json(stats.into()))
}
