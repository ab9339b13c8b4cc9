//! Rotating the vault's keys: a job that seals every secret of a workspace anew, while it is used.

use millwright_connection::{ConnectionContext, reseal_connections};
use millwright_core::{Clock, ConnectionId, Result, WallTime, WorkspaceId};
use millwright_job::{Job, JobKind, JobState, advance_job, announce_job, note_progress};
use millwright_webhook::reseal_endpoints;
use serde::{Deserialize, Serialize};

/// Connections sealed anew between two notes of the progress.
const AT_ONCE: usize = 50;

/// What the sync queue carries when somebody asks for a rotation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RotationTask {
    /// The workspace whose secrets are sealed anew.
    pub workspace: WorkspaceId,
}

/// How far a rotation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationEnd {
    /// Every secret is sealed under a data key that is younger than the rotation.
    Done,
    /// There is more, for another invocation.
    More,
}

/// Starts the job that seals every secret of a workspace under data keys made from now on, which the
/// present master key wraps. It may be started as often as one likes.
///
/// # Errors
/// When the table fails.
pub async fn rotate_secrets(context: &ConnectionContext, workspace: &WorkspaceId) -> Result<Job> {
    let job = rotation(workspace, context.store.clock());
    context.store.write(job.as_write()?).await?;
    announce_job(&context.queue, &job, 0).await;
    Ok(job)
}

/// The job, not yet written: its row is due at once.
#[must_use]
pub fn rotation(workspace: &WorkspaceId, clock: &Clock) -> Job {
    let now = clock.wall();
    Job::new(workspace, JobKind::RotateSecrets(now), now, clock.schedule())
}

/// Seals as much anew as there is time for: first what belongs to webhook endpoints, then connection by
/// connection, going on where it was.
///
/// # Errors
/// When the table or the vault fails.
pub async fn run_rotation(
    context: &ConnectionContext,
    job: &Job,
    since: WallTime,
    deadline: WallTime,
) -> Result<RotationEnd> {
    let (store, workspace) = (&context.store, &job.workspace);
    let mut after: Option<ConnectionId> = match &job.cursor {
        Some(text) => Some(text.parse()?),
        None => None,
    };
    let mut done = 0;
    if after.is_none() {
        done += reseal_endpoints(store, &context.vault, workspace, since).await?;
    }
    loop {
        let page = reseal_connections(context, workspace, since, after.as_ref(), AT_ONCE).await?;
        done += page.done;
        let Some(next) = page.next else { break };
        note_progress(store, job, std::mem::take(&mut done), next.as_str()).await?;
        if store.clock().wall() >= deadline {
            return Ok(RotationEnd::More);
        }
        after = Some(next);
    }
    advance_job(store, job, done, JobState::Succeeded).await?;
    tracing::info!(job = %job.id, done, "secrets sealed anew");
    Ok(RotationEnd::Done)
}
