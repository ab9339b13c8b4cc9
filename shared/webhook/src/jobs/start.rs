//! Starting jobs about deliveries.

use millwright_core::{EndpointId, Error, ErrorCode, Result, WorkspaceId};
use millwright_job::{DeliveryScope, Job, JobKind, ReplayScope, announce_job};

use crate::Webhooks;

impl Webhooks {
    /// Starts the job that tries again what the scope says.
    ///
    /// # Errors
    /// `NOT_FOUND` and `STATE_CONFLICT` when the scope names an endpoint that is not there or gets
    /// nothing.
    pub async fn retry_deliveries(
        &self,
        workspace: &WorkspaceId,
        scope: DeliveryScope,
    ) -> Result<Job> {
        if let Some(endpoint) = &scope.endpoint {
            self.must_be_enabled(workspace, endpoint).await?;
        }
        self.start(workspace, JobKind::RetryDeliveries(scope)).await
    }

    /// Starts the job that tries again everything of an endpoint that has failed or is held, as the
    /// scope says.
    ///
    /// # Errors
    /// `NOT_FOUND`; `STATE_CONFLICT` when it gets nothing.
    pub async fn recover(&self, workspace: &WorkspaceId, scope: DeliveryScope) -> Result<Job> {
        if let Some(endpoint) = &scope.endpoint {
            self.must_be_enabled(workspace, endpoint).await?;
        }
        self.start(workspace, JobKind::RecoverEndpoint(scope)).await
    }

    /// Starts the job that sends an endpoint what it never got.
    ///
    /// # Errors
    /// `NOT_FOUND`; `STATE_CONFLICT` when it gets nothing.
    pub async fn replay(&self, workspace: &WorkspaceId, scope: ReplayScope) -> Result<Job> {
        self.must_be_enabled(workspace, &scope.endpoint).await?;
        self.start(workspace, JobKind::ReplayEndpoint(scope)).await
    }

    /// Starts the job that sends what was held while an endpoint was paused. To be started once the
    /// endpoint goes on.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn release(&self, workspace: &WorkspaceId, endpoint: &EndpointId) -> Result<Job> {
        self.start(workspace, JobKind::ReleaseEndpoint(endpoint.clone())).await
    }

    async fn start(&self, workspace: &WorkspaceId, kind: JobKind) -> Result<Job> {
        let job = self.new_job(workspace, kind);
        self.store.write(job.as_write()?).await?;
        announce_job(&self.queue, &job, 0).await;
        Ok(job)
    }

    /// A job that begins now; its row has yet to be written.
    pub(crate) fn new_job(&self, workspace: &WorkspaceId, kind: JobKind) -> Job {
        let clock = self.clock();
        Job::new(workspace, kind, clock.wall(), clock.schedule())
    }

    async fn must_be_enabled(&self, workspace: &WorkspaceId, id: &EndpointId) -> Result<()> {
        if self.get_endpoint(workspace, id).await?.is_enabled() {
            return Ok(());
        }
        let message = "the webhook endpoint is paused or disabled: nothing would be sent to it";
        Err(Error::new(ErrorCode::StateConflict, message))
    }
}
