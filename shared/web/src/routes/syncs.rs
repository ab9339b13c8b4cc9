//! `/v1/sync` and `/v1/sync-status`.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use millwright_core::WallTime;
use millwright_sync::{self as sync, RequestedSync, SyncRun, SyncState, request_sync, sync_states};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sync_runs::Run;
use crate::{
    App,
    data_answer::{DataAnswer, oldest_success},
    error::Answer,
    extract::{DataScope, InformationScope, OptionalJsonBody, Writer},
    page::Page,
};

/// What a sync reads.
#[derive(Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SyncMode {
    /// What may have changed since the last one began.
    #[default]
    Incremental,
    /// Everything.
    Full,
}

/// The sync to start.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyncRequest {
    /// The entities to read; all of the connection's when not given.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100, example = json!(["purchase-orders"]))]
    entities: Option<Vec<String>>,
    /// What to read.
    #[serde(default)]
    #[schema(default = "incremental")]
    mode: SyncMode,
    /// Whether deletions that are held may be made now: as many as had vanished when they were held. For
    /// entities of which none are it means nothing.
    #[serde(default)]
    #[schema(default = false)]
    confirm_deletions: bool,
}

/// How the last sync of an entity ended, or that one runs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EntitySyncStatus {
    /// None has run.
    Never,
    /// One runs, or has been asked for and begins at once.
    InProgress,
    /// It ended well.
    Completed,
    /// It ended, and left records out.
    CompletedWithErrors,
    /// It ended, and so many records would have vanished that their deletions wait until they are
    /// confirmed: see `held`.
    Held,
    /// It stopped; it goes on at its next run.
    Failed,
    /// Somebody ended it. The next one begins at its time.
    Cancelled,
    /// None begins by itself, and none runs.
    Disabled,
}

/// What a sync did, counted.
#[derive(Serialize, ToSchema)]
pub(crate) struct SyncCounts {
    /// Records fetched.
    seen: u64,
    /// Records that were not there before.
    inserted: u64,
    /// Records that were different.
    updated: u64,
    /// Records that are gone.
    deleted: u64,
    /// Records that were as they are.
    unchanged: u64,
    /// Records left out: they cannot be mapped, the system does not show them, or they are too large to
    /// keep. See `skipped_records`.
    skipped: u64,
}

/// A record that was left out.
#[derive(Serialize, ToSchema)]
pub(crate) struct SkippedRecord {
    /// The system's id of it.
    remote_id: String,
    /// The field that is at fault; null where it is the record as a whole.
    #[schema(required)]
    field: Option<String>,
    /// What is wrong with it.
    message: String,
}

/// Records that the system lists no longer, and that are kept until somebody confirms that they are gone.
#[derive(Serialize, ToSchema)]
pub(crate) struct HeldDeletions {
    /// How many.
    missing: u64,
    /// Of how many.
    of: u64,
}

/// The syncs of one entity.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntitySync {
    /// The entity.
    #[schema(example = "purchase-orders")]
    entity: String,
    /// How the last one ended, or that one runs.
    status: EntitySyncStatus,
    /// When the last one began.
    #[schema(required, format = DateTime)]
    last_started_at: Option<String>,
    /// When the last one that ended well did so.
    #[schema(required, format = DateTime)]
    last_success_at: Option<String>,
    /// Why the last one stopped.
    #[schema(required)]
    last_error: Option<String>,
    /// When the next one begins, or this one goes on.
    #[schema(required, format = DateTime)]
    next_run_at: Option<String>,
    /// What the last one did, or the running one has done so far.
    counts: SyncCounts,
    /// The first of the records that the last one left out, or the running one has so far: 20 at most.
    skipped_records: Vec<SkippedRecord>,
    /// What would have vanished in the last one that looked for deletions, where that was too much.
    #[schema(required)]
    held: Option<HeldDeletions>,
    /// The one that runs, or has failed and goes on: how far it is just now. Null when none does; the
    /// last ones are at `/v1/sync-runs`.
    #[schema(required)]
    current_run: Option<Run>,
}

impl From<sync::Skipped> for SkippedRecord {
    fn from(own: sync::Skipped) -> Self {
        let sync::Skipped { remote_id, field, message } = own;
        Self { remote_id, field, message }
    }
}

impl From<sync::Vanished> for HeldDeletions {
    fn from(own: sync::Vanished) -> Self {
        let sync::Vanished { missing, of } = own;
        Self { missing, of }
    }
}

impl From<sync::Counts> for SyncCounts {
    fn from(own: sync::Counts) -> Self {
        let sync::Counts { seen, inserted, updated, deleted, unchanged, skipped } = own;
        Self { seen, inserted, updated, deleted, unchanged, skipped }
    }
}

impl From<sync::Mode> for SyncMode {
    fn from(own: sync::Mode) -> Self {
        match own {
            sync::Mode::Incremental => Self::Incremental,
            sync::Mode::Full => Self::Full,
        }
    }
}

impl EntitySync {
    /// The syncs of an entity as they are at a time.
    pub(crate) fn at(own: SyncState, now: WallTime) -> Self {
        Self {
            current_run: SyncRun::live(&own).map(|run| Run::at(run, now)),
            status: status_of(&own),
            last_started_at: own.last_started_at.map(WallTime::iso),
            last_success_at: own.last_success_at.map(WallTime::iso),
            next_run_at: own.run.as_ref().map(|run| run.at.iso()),
            last_error: own.last_error,
            counts: own.counts.into(),
            skipped_records: own.skips.into_iter().map(SkippedRecord::from).collect(),
            held: own.held.map(HeldDeletions::from),
            entity: own.entity,
        }
    }
}

/// A sync that somebody asked for runs, even before it has begun: who asks and then looks must not
/// take the end of the one before for its end.
fn status_of(state: &SyncState) -> EntitySyncStatus {
    if state.requested.is_some() {
        return EntitySyncStatus::InProgress;
    }
    match state.status {
        _ if state.settings.off && state.is_at_rest() => EntitySyncStatus::Disabled,
        sync::SyncStatus::Never => EntitySyncStatus::Never,
        sync::SyncStatus::InProgress => EntitySyncStatus::InProgress,
        sync::SyncStatus::Completed => EntitySyncStatus::Completed,
        sync::SyncStatus::CompletedWithErrors => EntitySyncStatus::CompletedWithErrors,
        sync::SyncStatus::Held => EntitySyncStatus::Held,
        sync::SyncStatus::Failed => EntitySyncStatus::Failed,
        sync::SyncStatus::Cancelled => EntitySyncStatus::Cancelled,
    }
}

/// One for each entity, by name: all of them in one page.
fn page_of(states: Vec<SyncState>, now: WallTime) -> Page<EntitySync> {
    Page::new(states.into_iter().map(|own| EntitySync::at(own, now)).collect(), None)
}

/// Start a sync
///
/// Starts it and does not wait for its end: see `GET /v1/sync-status`.
#[utoipa::path(
    post,
    path = "/v1/sync",
    operation_id = "start_sync",
    tag = crate::openapi::DATA,
    request_body = Option<SyncRequest>,
    responses((status = 202, description = "The entities whose syncs start.", body = Page<EntitySync>))
)]
pub(crate) async fn start_sync(
    _: Writer,
    DataScope(connection): DataScope,
    State(app): State<App>,
    OptionalJsonBody(request): OptionalJsonBody<SyncRequest>,
) -> Answer<Response> {
    let mode = match request.mode {
        SyncMode::Incremental => sync::Mode::Incremental,
        SyncMode::Full => sync::Mode::Full,
    };
    let requested = RequestedSync {
        entities: request.entities,
        mode,
        confirm_deletions: request.confirm_deletions,
    };
    let states = request_sync(&app.connections(), &connection, &requested).await?;
    let synced_at = oldest_success(&states);
    let answer = DataAnswer::new(&connection, synced_at, page_of(states, app.store.clock().wall()));
    Ok((StatusCode::ACCEPTED, answer).into_response())
}

/// Get the state of the syncs
///
/// Answers in every status but `pending` and `disconnected`.
#[utoipa::path(
    get,
    path = "/v1/sync-status",
    operation_id = "get_sync_status",
    tag = crate::openapi::DATA,
    responses((status = 200, description = "One state for each entity.", body = Page<EntitySync>))
)]
pub(crate) async fn get_sync_status(
    InformationScope(connection): InformationScope,
    State(app): State<App>,
) -> Answer<DataAnswer<Page<EntitySync>>> {
    let states = sync_states(&app.store, &connection.workspace, &connection.id).await?;
    let synced_at = oldest_success(&states);
    let page = page_of(states, app.store.clock().wall());
    Ok(DataAnswer::new(&connection, synced_at, page))
}

#[cfg(test)]
mod tests {
    use millwright_core::{ConnectionId, ScheduleTime, WorkspaceId};

    use super::*;

    #[test]
    fn a_sync_that_was_asked_for_is_not_told_as_ended() {
        let now = ScheduleTime::from_millis(1);
        let mut state =
            SyncState::new(&WorkspaceId::new_at(1), &ConnectionId::new_at(1), "vendors", now);
        state.status = sync::SyncStatus::Completed;
        assert!(matches!(status_of(&state), EntitySyncStatus::Completed));
        state.requested = Some(sync::Mode::Full);
        assert!(matches!(status_of(&state), EntitySyncStatus::InProgress));
    }

    #[test]
    fn one_that_is_off_is_told_so_unless_somebody_has_asked_for_it() {
        let now = ScheduleTime::from_millis(1);
        let mut state =
            SyncState::new(&WorkspaceId::new_at(1), &ConnectionId::new_at(1), "vendors", now);
        state.settings.off = true;
        assert!(matches!(status_of(&state), EntitySyncStatus::Disabled));
        state.requested = Some(sync::Mode::Incremental);
        assert!(matches!(status_of(&state), EntitySyncStatus::InProgress));
    }
}
