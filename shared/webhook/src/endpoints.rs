//! Reading and deleting endpoints.

use std::sync::Arc;

use millwright_core::{Cursor, EndpointId, Error, Result, WorkspaceId};
use millwright_job::{JobKind, announce_job};
use millwright_store::{Expect, Key, Range, Row, StoreError, Table, Write};

use crate::{
    Listed, Webhooks,
    endpoint::Endpoint,
    keys::{ENDPOINT_PREFIX, endpoint_key, secret_key},
};

const LIST: &str = "webhook-endpoints";

impl Webhooks {
    /// A page of the workspace's endpoints, newest first.
    ///
    /// # Errors
    /// `CURSOR_INVALID`, or when the table fails.
    pub async fn list_endpoints(
        &self,
        workspace: &WorkspaceId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Listed<Endpoint>> {
        let after: Option<EndpointId> =
            cursor.map(|text| Cursor::decode(LIST, text)).transpose()?;
        let after = after.map(|id| endpoint_key(workspace, &id).sk);
        let range = Range::Prefix(ENDPOINT_PREFIX.to_owned());
        let page = self
            .store
            .query(Table::State, workspace.as_str(), &range, after.as_deref(), limit, false)
            .await?;
        let data: Vec<Endpoint> = page.rows.into_iter().map(|row| row.doc).collect();
        let last = data.last().filter(|_| page.next.is_some());
        let next_cursor = last.map(|endpoint| Cursor::encode(LIST, &endpoint.id)).transpose()?;
        Ok(Listed { data, next_cursor })
    }

    /// One endpoint.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is none.
    pub async fn get_endpoint(&self, workspace: &WorkspaceId, id: &EndpointId) -> Result<Endpoint> {
        let found = self.find_endpoint(workspace, id).await?;
        found.ok_or_else(|| Error::not_found("webhook endpoint"))
    }

    /// Deletes an endpoint and its secret. Its deliveries stay to be read; those not yet made end as
    /// aborted: what is held or on offer by a job that is started in the same transaction, what waits when
    /// its time comes.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is none.
    pub async fn delete_endpoint(&self, workspace: &WorkspaceId, id: &EndpointId) -> Result<()> {
        let job = self.new_job(workspace, JobKind::AbortDeliveries(id.clone()));
        let writes = vec![
            Write::delete(&endpoint_key(workspace, id), Expect::Present),
            Write::delete(&secret_key(workspace, id), Expect::Anything),
            job.as_write()?,
        ];
        match self.store.transact(writes).await {
            Err(StoreError::Conflict(0)) => return Err(Error::not_found("webhook endpoint")),
            deleted => deleted?,
        }
        announce_job(&self.queue, &job, 0).await;
        Ok(())
    }

    pub(crate) async fn find_endpoint(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
    ) -> Result<Option<Endpoint>> {
        Ok(self.store.get(&endpoint_key(workspace, id)).await?.map(|row| row.doc))
    }

    /// All endpoints of a workspace; a limit keeps them few. Messages that are worked on at the same
    /// time share the read.
    pub(crate) async fn endpoints_of(&self, workspace: &WorkspaceId) -> Result<Arc<Vec<Endpoint>>> {
        let (store, of) = (self.store.clone(), workspace.clone());
        let read = move || {
            let (store, of) = (store.clone(), of.clone());
            async move {
                let range = Range::Prefix(ENDPOINT_PREFIX.to_owned());
                let rows = store.query_all(Table::State, of.as_str(), &range).await?;
                let endpoints = rows.into_iter().map(|row: Row<Endpoint>| row.doc);
                Ok(Arc::new(endpoints.collect()))
            }
        };
        Ok(self.chosen_from.read(workspace.clone(), read).await?)
    }

    /// Those of the endpoints that are still there.
    pub(crate) async fn endpoints_by_id(
        &self,
        workspace: &WorkspaceId,
        ids: &[EndpointId],
    ) -> Result<Vec<Endpoint>> {
        let keys: Vec<Key> = ids.iter().map(|id| endpoint_key(workspace, id)).collect();
        let rows = self.store.get_docs(&keys).await?;
        Ok(rows.into_iter().map(|row| row.doc).collect())
    }
}
