//! `/v1/sync-runs`: the history of syncs.

use axum::extract::State;
use millwright_core::{RunId, WallTime};
use millwright_sync::{self as sync, RunFilter, SyncRun, cancel_run, find_run, list_runs};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::syncs::{SkippedRecord, SyncCounts, SyncMode};
use crate::{
    App,
    data_answer::{DataAnswer, all_synced_at, synced_at},
    error::Answer,
    extract::{IdPath, InformationScope, Params, Reader, Writer},
    page::{Limit, Page, position},
};

/// How a run ended, or that it runs.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunStatus {
    /// It runs, or waits for its next invocation.
    InProgress,
    /// It ended well.
    Completed,
    /// It ended, and left records out.
    CompletedWithErrors,
    /// It ended, and so many records would have vanished that their deletions wait until they are
    /// confirmed.
    Held,
    /// It stopped. It goes on at the entity's next run, under the same id, and may then end otherwise.
    Failed,
    /// Somebody ended it, or another one that reads more took its place.
    Cancelled,
}

/// Why a run began.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunTrigger {
    /// Its time came.
    Schedule,
    /// Somebody asked.
    Request,
}

/// What a running sync is at.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunStage {
    /// It reads records.
    Reading,
    /// It lists what there is, to find what is gone.
    Listing,
    /// It compares that list with what is kept.
    Comparing,
}

/// A run of one entity's sync.
#[derive(Serialize, ToSchema)]
#[schema(as = SyncRun)]
pub(crate) struct Run {
    /// Its id.
    #[schema(value_type = String, example = "run_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: RunId,
    /// The entity.
    #[schema(example = "purchase-orders")]
    entity: String,
    /// What it reads.
    mode: SyncMode,
    /// Why it began.
    trigger: RunTrigger,
    /// How it ended, or that it runs.
    status: RunStatus,
    /// What it is at just now; null once it has ended.
    #[schema(required)]
    stage: Option<RunStage>,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended, or failed last; null while it runs.
    #[schema(required, format = DateTime)]
    ended_at: Option<String>,
    /// How long it took, or has taken so far, its waits included: seconds.
    duration_seconds: f64,
    /// What it did, or has done so far.
    counts: SyncCounts,
    /// Records that it left out: the first 20 of those that `counts.skipped` counts.
    skipped: Vec<SkippedRecord>,
    /// Calls that it made to the system.
    calls: u64,
    /// Invocations that have worked on it.
    invocations: u64,
    /// Why it failed.
    #[schema(required)]
    error: Option<String>,
}

impl Run {
    /// A run as it is at a time.
    pub(crate) fn at(own: SyncRun, now: WallTime) -> Self {
        let duration_seconds = own.duration(now).as_secs_f64();
        Self {
            id: own.id,
            entity: own.entity,
            mode: own.mode.into(),
            trigger: match own.trigger {
                sync::Trigger::Schedule => RunTrigger::Schedule,
                sync::Trigger::Request => RunTrigger::Request,
            },
            status: own.status.into(),
            stage: own.stage.map(|stage| match stage {
                sync::Stage::Reading => RunStage::Reading,
                sync::Stage::Listing => RunStage::Listing,
                sync::Stage::Comparing => RunStage::Comparing,
            }),
            started_at: own.started_at.iso(),
            ended_at: own.ended_at.map(WallTime::iso),
            duration_seconds,
            counts: own.counts.into(),
            skipped: own.skipped.into_iter().map(SkippedRecord::from).collect(),
            calls: own.calls,
            invocations: own.slices,
            error: own.error,
        }
    }
}

impl From<sync::SyncStatus> for RunStatus {
    fn from(own: sync::SyncStatus) -> Self {
        match own {
            sync::SyncStatus::Never | sync::SyncStatus::InProgress => Self::InProgress,
            sync::SyncStatus::Completed => Self::Completed,
            sync::SyncStatus::CompletedWithErrors => Self::CompletedWithErrors,
            sync::SyncStatus::Held => Self::Held,
            sync::SyncStatus::Failed => Self::Failed,
            sync::SyncStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<RunStatus> for sync::SyncStatus {
    fn from(own: RunStatus) -> Self {
        match own {
            RunStatus::InProgress => Self::InProgress,
            RunStatus::Completed => Self::Completed,
            RunStatus::CompletedWithErrors => Self::CompletedWithErrors,
            RunStatus::Held => Self::Held,
            RunStatus::Failed => Self::Failed,
            RunStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// Which runs to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunList {
    /// Only those of this entity.
    #[param(example = "purchase-orders")]
    entity: Option<String>,
    /// Only those in this status.
    #[param(inline)]
    status: Option<RunStatus>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most runs in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
}

/// List the runs of syncs
///
/// Newest first, those that run among them as they are just now. They are kept for 90 days. Answers in
/// every status but `pending` and `disconnected`.
#[utoipa::path(
    get,
    path = "/v1/sync-runs",
    operation_id = "list_sync_runs",
    tag = crate::openapi::DATA,
    params(RunList),
    responses((status = 200, description = "A page of runs.", body = Page<Run>))
)]
pub(crate) async fn list(
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    Params(asked): Params<RunList>,
) -> Answer<DataAnswer<Page<Run>>> {
    let name = format!("sync-runs/{}", connection.id);
    let before: Option<RunId> = position(&name, asked.cursor.as_deref())?;
    let filter = RunFilter { entity: asked.entity, status: asked.status.map(Into::into) };
    let whose = (&connection.workspace, &connection.id);
    let limit = asked.limit.get();
    let (runs, next) = list_runs(&app.store, whose, &filter, before.as_ref(), limit).await?;
    let now = app.store.clock().wall();
    let runs = runs.into_iter().map(|run| Run::at(run, now)).collect();
    let synced_at = all_synced_at(&app.store, &connection).await?;
    Ok(DataAnswer::new(&connection, synced_at, Page::at(&name, runs, next)?))
}

/// Get a run of a sync
///
/// While it runs, as it is just now.
#[utoipa::path(
    get,
    path = "/v1/sync-runs/{id}",
    operation_id = "get_sync_run",
    tag = crate::openapi::DATA,
    params(("id" = String, Path, description = "The run's id.")),
    responses((status = 200, description = "The run.", body = Run))
)]
pub(crate) async fn get(
    _: Reader,
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    IdPath(id): IdPath<RunId>,
) -> Answer<DataAnswer<Run>> {
    let run = find_run(&app.store, &connection.workspace, &connection.id, &id).await?;
    let synced_at = synced_at(&app.store, &connection, &run.entity).await?;
    Ok(DataAnswer::new(&connection, synced_at, Run::at(run, app.store.clock().wall())))
}

/// Cancel a run of a sync
///
/// What it has read stays. The entity's next run begins at its time, where the last complete one began,
/// so that nothing is left out. A first load that is cancelled counts as ended for the connection's
/// status. Cancelling a cancelled run is fine; one that has ended is a conflict.
#[utoipa::path(
    post,
    path = "/v1/sync-runs/{id}/cancel",
    operation_id = "cancel_sync_run",
    tag = crate::openapi::DATA,
    params(("id" = String, Path, description = "The run's id.")),
    responses((status = 200, description = "The run.", body = Run))
)]
pub(crate) async fn cancel(
    _: Writer,
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    IdPath(id): IdPath<RunId>,
) -> Answer<DataAnswer<Run>> {
    let run = cancel_run(&app.connections(), &connection, &id).await?;
    let synced_at = synced_at(&app.store, &connection, &run.entity).await?;
    Ok(DataAnswer::new(&connection, synced_at, Run::at(run, app.store.clock().wall())))
}
