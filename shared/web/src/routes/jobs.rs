//! `/v1/jobs`.

use axum::{Json, extract::State};
use millwright_core::{ConnectionId, EndpointId, JobId, Result};
use millwright_job as job;
use millwright_sync::{EXPORT_LINK, export_files};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    App,
    error::Answer,
    extract::{IdPath, Reader, Writer},
};

/// What a job does.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobType {
    /// Erases a connection and everything that belongs to it.
    DeleteConnection,
    /// Seals the workspace's secrets anew, under young keys.
    RotateSecrets,
    /// Tries webhook deliveries again.
    RetryDeliveries,
    /// Tries everything again that failed at one webhook endpoint.
    RecoverEndpoint,
    /// Sends a webhook endpoint what it never got.
    ReplayEndpoint,
    /// Sends a webhook endpoint what was held while it was paused.
    ReleaseEndpoint,
    /// Gives up what a webhook endpoint that was deleted was still to get.
    AbortDeliveries,
    /// Writes a connection's records into files.
    ExportRecords,
}

/// A file that a job has written.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobFile {
    /// The entity of all of its records.
    #[schema(example = "purchase-orders")]
    entity: String,
    /// How many records it holds, one a line.
    records: u64,
    /// How many bytes.
    bytes: u64,
    /// Where it is fetched, without a key: whoever has the link has the file.
    url: String,
    /// Until when the link holds. A later look at the job gives another.
    #[schema(format = DateTime)]
    url_expires_at: String,
}

/// How far a job is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobStatus {
    /// It goes on.
    Running,
    /// It is done.
    Succeeded,
    /// It was ended before it was done.
    Cancelled,
}

/// Long work that a call started.
#[derive(Serialize, ToSchema)]
pub(crate) struct Job {
    /// Its id.
    #[schema(value_type = String, example = "job_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: JobId,
    /// What it does.
    #[serde(rename = "type")]
    job_type: JobType,
    /// How far it is.
    status: JobStatus,
    /// The connection it is about, if it is about one.
    #[schema(value_type = Option<String>, example = "conn_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    connection_id: Option<ConnectionId>,
    /// The webhook endpoint it is about, if it is about one.
    #[schema(value_type = Option<String>, example = "ep_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    endpoint_id: Option<EndpointId>,
    /// How many things it has done so far.
    progress: u64,
    /// The files of an export, those that are whole so far; null for other jobs. Empty again once they
    /// have been put away, seven days after it was started.
    #[schema(required)]
    files: Option<Vec<JobFile>>,
    /// When it was started.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last got on.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<job::Job> for Job {
    fn from(own: job::Job) -> Self {
        let endpoint_id = own.kind.endpoint().cloned();
        let (job_type, connection_id) = match own.kind {
            job::JobKind::DeleteConnection(id) => (JobType::DeleteConnection, Some(id)),
            job::JobKind::RotateSecrets(_) => (JobType::RotateSecrets, None),
            job::JobKind::RetryDeliveries(_) => (JobType::RetryDeliveries, None),
            job::JobKind::RecoverEndpoint(_) => (JobType::RecoverEndpoint, None),
            job::JobKind::ReplayEndpoint(_) => (JobType::ReplayEndpoint, None),
            job::JobKind::ReleaseEndpoint(_) => (JobType::ReleaseEndpoint, None),
            job::JobKind::AbortDeliveries(_) => (JobType::AbortDeliveries, None),
            job::JobKind::ExportRecords(scope) => (JobType::ExportRecords, Some(scope.connection)),
        };
        let status = match own.state {
            job::JobState::Running => JobStatus::Running,
            job::JobState::Succeeded => JobStatus::Succeeded,
            job::JobState::Cancelled => JobStatus::Cancelled,
        };
        Self {
            id: own.id,
            job_type,
            status,
            connection_id,
            endpoint_id,
            progress: own.done,
            files: None,
            created_at: own.created_at.iso(),
            updated_at: own.updated_at.iso(),
        }
    }
}

impl Job {
    /// A job, with links to its files where it has any.
    pub(crate) async fn of(app: &App, own: job::Job) -> Result<Self> {
        if !matches!(own.kind, job::JobKind::ExportRecords(_)) {
            return Ok(own.into());
        }
        let until = (app.store.clock().wall() + EXPORT_LINK).iso();
        let files = export_files(&app.connections(), &own).await?;
        let files = files.into_iter().map(|(file, url)| JobFile {
            entity: file.entity,
            records: file.records,
            bytes: file.bytes,
            url,
            url_expires_at: until.clone(),
        });
        let files = Some(files.collect());
        Ok(Self { files, ..own.into() })
    }
}

/// Get a job
///
/// An ended job can be read for 30 days.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    operation_id = "get_job",
    tag = "Jobs",
    params(("id" = String, Path, description = "The job's id.")),
    responses((status = 200, description = "The job.", body = Job))
)]
pub(crate) async fn get_job(
    caller: Reader,
    State(app): State<App>,
    IdPath(id): IdPath<JobId>,
) -> Answer<Json<Job>> {
    let row = job::find_job(&app.store, &caller.workspace, &id).await?;
    Ok(Json(Job::of(&app, row.doc).await?))
}

/// Cancel a job
///
/// What it has done stays done; a little more may be done while it stops. Only exports and jobs that try
/// or send webhook deliveries can be cancelled.
#[utoipa::path(
    post,
    path = "/v1/jobs/{id}/cancel",
    operation_id = "cancel_job",
    tag = "Jobs",
    params(("id" = String, Path, description = "The job's id.")),
    responses((status = 200, description = "The job.", body = Job))
)]
pub(crate) async fn cancel(
    caller: Writer,
    State(app): State<App>,
    IdPath(id): IdPath<JobId>,
) -> Answer<Json<Job>> {
    let job = job::cancel_job(&app.store, &caller.workspace, &id).await?;
    Ok(Json(Job::of(&app, job).await?))
}
