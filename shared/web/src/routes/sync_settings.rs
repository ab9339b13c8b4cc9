//! `/v1/connections/{id}/syncs/{entity}`: when an entity is read, and how much of it.

use axum::{Json, extract::State};
use millwright_connection::{Connection, find_connection};
use millwright_core::{Error, ErrorCode, FieldError, Result, WorkspaceId};
use millwright_sync::{Rhythm, SyncSettings, SyncState, change_settings, find_sync};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::records::must_have;
use crate::{
    App,
    error::Answer,
    extract::{Admin, ConnectionEntityPath, JsonBody, Reader},
};

/// What a connection wants of an entity's syncs. What is not given is as usual.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyncSettingsRequest {
    /// Whether runs begin by themselves. Where they do not, `POST /v1/sync` that names the entity still
    /// begins one.
    #[serde(default = "yes")]
    #[schema(default = true)]
    enabled: bool,
    /// Seconds from the end of a run to the next; up to a tenth less, so that runs that began together
    /// do not stay together. The deployment's interval, 15 minutes unless it says otherwise, when
    /// neither this nor `cron` is given.
    #[serde(default)]
    #[schema(minimum = 15, maximum = 2_592_000, example = 3600)]
    interval_seconds: Option<u64>,
    /// Runs begin when this comes true: minute, hour, day of the month, month, day of the week. Each
    /// connection has its own moment within five minutes after that, always the same.
    #[serde(default)]
    #[schema(max_length = 200, example = "30 2 * * MON-FRI")]
    cron: Option<String>,
    /// The time zone of `cron`; UTC when not given.
    #[serde(default)]
    #[schema(max_length = 100, example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// How many days back the first load reaches: records that were created or changed since then.
    /// Everything when not given, and where the system cannot be asked by time. A longer time reads what
    /// is missing; a shorter one takes nothing away.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650, example = 90)]
    first_load_days: Option<u32>,
    /// How many days a record can still be read (`include=deleted`) after it is gone; 90 when not given,
    /// as long as `/v1/changes` tells of it.
    #[serde(default)]
    #[schema(minimum = 90, maximum = 3650)]
    deleted_retention_days: Option<u32>,
    /// Whether the system's own rows are kept with the records, compressed, so that `include=raw` need not
    /// ask the system. When this is turned on, everything is read once more.
    #[serde(default)]
    keep_raw: bool,
}

const fn yes() -> bool {
    true
}

/// What a connection wants of an entity's syncs.
#[derive(Serialize, ToSchema)]
#[schema(as = SyncSettings)]
pub(crate) struct ShownSettings {
    /// The entity.
    #[schema(example = "purchase-orders")]
    entity: String,
    /// Whether runs begin by themselves.
    enabled: bool,
    /// Seconds from the end of a run to the next; null for the deployment's, or where `cron` says.
    #[schema(required)]
    interval_seconds: Option<u64>,
    /// Runs begin when this comes true.
    #[schema(required)]
    cron: Option<String>,
    /// The time zone of `cron`.
    #[schema(required)]
    time_zone: Option<String>,
    /// How many days back the first load reaches; null for everything.
    #[schema(required)]
    first_load_days: Option<u32>,
    /// How many days a record can still be read after it is gone.
    deleted_retention_days: u32,
    /// Whether the system's own rows are kept with the records.
    keep_raw: bool,
    /// When the next run begins, or this one goes on; null where none does by itself, or one is being
    /// worked on.
    #[schema(required, format = DateTime)]
    next_run_at: Option<String>,
}

impl SyncSettingsRequest {
    /// As the engine takes them.
    ///
    /// # Errors
    /// The fields that do not go together.
    pub(crate) fn settings(self) -> Result<SyncSettings> {
        let fault = |path: &str, message: &str| {
            let fault = FieldError::new(path, ErrorCode::ValidationFailed, message);
            Error::from_fields(vec![fault]).map_or(Ok(()), Err)
        };
        if self.cron.is_some() && self.interval_seconds.is_some() {
            fault("cron", "cannot be given together with interval_seconds")?;
        }
        if self.cron.is_none() && self.time_zone.is_some() {
            fault("time_zone", "is the time zone of cron, which is not given")?;
        }
        let time_zone = self.time_zone.unwrap_or_else(|| "UTC".to_owned());
        let rhythm = match (self.interval_seconds, self.cron) {
            (_, Some(expression)) => Rhythm::Cron { expression, time_zone },
            (Some(seconds), None) => Rhythm::Every(seconds),
            (None, None) => Rhythm::Usual,
        };
        Ok(SyncSettings {
            off: !self.enabled,
            rhythm,
            first_load_days: self.first_load_days,
            deleted_days: self.deleted_retention_days,
            keep_raw: self.keep_raw,
        })
    }
}

impl From<SyncState> for ShownSettings {
    fn from(state: SyncState) -> Self {
        let SyncSettings { off, rhythm, first_load_days, deleted_days, keep_raw } = state.settings;
        let (interval_seconds, cron, time_zone) = match rhythm {
            Rhythm::Usual => (None, None, None),
            Rhythm::Every(seconds) => (Some(seconds), None, None),
            Rhythm::Cron { expression, time_zone } => (None, Some(expression), Some(time_zone)),
        };
        Self {
            entity: state.entity,
            enabled: !off,
            interval_seconds,
            cron,
            time_zone,
            first_load_days,
            deleted_retention_days: deleted_days.unwrap_or(*SyncSettings::DELETED_DAYS.start()),
            keep_raw,
            next_run_at: state.run.map(|run| run.at.iso()),
        }
    }
}

/// Get the settings of an entity's syncs
#[utoipa::path(
    get,
    path = "/v1/connections/{id}/syncs/{entity}",
    operation_id = "get_sync_settings",
    tag = "Connections",
    params(
        ("id" = String, Path, description = "The connection's id."),
        ("entity" = String, Path, description = "The entity.", example = "purchase-orders"),
    ),
    responses((status = 200, description = "The settings.", body = ShownSettings))
)]
pub(crate) async fn get(
    caller: Reader,
    State(app): State<App>,
    path: ConnectionEntityPath,
) -> Answer<Json<ShownSettings>> {
    let connection = connection(&app, &caller.workspace, &path).await?;
    let state = find_sync(&app.connections(), &connection, path.entity.slug).await?;
    Ok(Json(state.into()))
}

/// Change the settings of an entity's syncs
///
/// All of them: what is not given is as usual again. They hold at once; a run that is being worked on
/// comes to its end first.
#[utoipa::path(
    put,
    path = "/v1/connections/{id}/syncs/{entity}",
    operation_id = "set_sync_settings",
    tag = "Connections",
    params(
        ("id" = String, Path, description = "The connection's id."),
        ("entity" = String, Path, description = "The entity.", example = "purchase-orders"),
    ),
    request_body = SyncSettingsRequest,
    responses((status = 200, description = "The settings.", body = ShownSettings))
)]
pub(crate) async fn put(
    caller: Admin,
    State(app): State<App>,
    path: ConnectionEntityPath,
    JsonBody(request): JsonBody<SyncSettingsRequest>,
) -> Answer<Json<ShownSettings>> {
    let connection = connection(&app, &caller.workspace, &path).await?;
    let settings = request.settings()?;
    let context = app.connections();
    let state = change_settings(&context, &connection, path.entity.slug, &settings).await?;
    Ok(Json(state.into()))
}

/// The path's connection, if it reads the path's entity.
async fn connection(
    app: &App,
    workspace: &WorkspaceId,
    path: &ConnectionEntityPath,
) -> Result<Connection> {
    let connection = find_connection(&app.store, workspace, &path.connection).await?.doc;
    connection.status().allow_information()?;
    must_have(app, &connection, path.entity)?;
    Ok(connection)
}
