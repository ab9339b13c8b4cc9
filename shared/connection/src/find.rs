//! Finding connections of a workspace.

use millwright_core::{ConnectionId, Error, Result, WorkspaceId};
use millwright_store::{Range, Row, Store, Table};

use crate::{Connection, Status, connection_key};

/// Rows examined before a page is answered with what was found.
const EXAMINED_MAX: usize = 2_000;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ConnectionFilter {
    /// Only those in this status.
    pub status: Option<Status>,
    /// Only those of this customer.
    pub customer_id: Option<String>,
    /// Only those of this kind of system.
    pub connector_id: Option<String>,
    /// Only those whose name starts so, whatever the case.
    pub name_prefix: Option<String>,
}

impl ConnectionFilter {
    fn admits(&self, connection: &Connection) -> bool {
        let customer = connection.customer.as_ref().map(|customer| customer.id.as_str());
        let prefix = self.name_prefix.as_deref().map(str::to_lowercase);
        self.status.is_none_or(|status| status == connection.status())
            && self.customer_id.as_deref().is_none_or(|id| customer == Some(id))
            && (self.connector_id.is_none() || self.connector_id == connection.connector_id)
            && prefix.is_none_or(|prefix| connection.name.to_lowercase().starts_with(&prefix))
    }
}

/// A connection of this workspace.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such connection, whoever else may have it.
pub async fn find_connection(
    store: &Store,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Row<Connection>> {
    let row = store.get::<Connection>(&connection_key(workspace, id)).await?;
    row.ok_or_else(|| Error::not_found("connection"))
}

/// Lists a workspace's connections, oldest first, from after `after`: the page and where to go on.
///
/// # Errors
/// When the table fails.
pub async fn list_connections(
    store: &Store,
    workspace: &WorkspaceId,
    filter: &ConnectionFilter,
    after: Option<&ConnectionId>,
    limit: usize,
) -> Result<(Vec<Connection>, Option<ConnectionId>)> {
    let range = Range::Prefix("connection#".to_owned());
    let mut after = after.map(|id| connection_key(workspace, id).sk);
    let mut found = Vec::new();
    let mut examined = 0;
    loop {
        let page = store
            .query::<Connection>(
                Table::State,
                workspace.as_str(),
                &range,
                after.as_deref(),
                limit - found.len(),
                true,
            )
            .await?;
        examined += page.rows.len();
        let last = page.rows.last().map(|row| row.doc.id.clone());
        found.extend(page.rows.into_iter().map(|row| row.doc).filter(|c| filter.admits(c)));
        let Some(next) = page.next else { return Ok((found, None)) };
        if found.len() >= limit || examined >= EXAMINED_MAX {
            return Ok((found, last));
        }
        after = Some(next);
    }
}
