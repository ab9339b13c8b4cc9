//! Finding links, each with the state that it is in.

use millwright_core::{Error, LinkId, Result, WorkspaceId};
use millwright_store::{Key, Range, Row, Table};

use super::{
    ConnectLink, LinkState,
    row::{LinkOwner, PREFIX, hash_of, link_key, owner_key},
};
use crate::{Connection, ConnectionContext, connection_key};

/// A link, its connection while there is one, and its state now.
#[derive(Clone, Debug)]
pub struct FoundLink {
    /// The link.
    pub link: ConnectLink,
    /// Its connection; nothing when it was erased.
    pub connection: Option<Connection>,
    /// Its state.
    pub state: LinkState,
}

impl FoundLink {
    pub(super) fn new(
        context: &ConnectionContext,
        link: ConnectLink,
        connection: Option<Connection>,
    ) -> Self {
        let now = context.store.clock().schedule();
        Self { state: LinkState::of(&link, connection.as_ref(), now), link, connection }
    }
}

/// A link of this workspace.
///
/// # Errors
/// `NOT_FOUND` when it has no such link.
pub async fn find_link(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &LinkId,
) -> Result<FoundLink> {
    let row = context.store.get::<ConnectLink>(&link_key(workspace, id)).await?;
    let link = row.ok_or_else(|| Error::not_found("connect link"))?.doc;
    with_connection(context, link).await
}

/// The link with this token. The hash is the look-up itself, so no comparison tells how much of a token
/// was right.
///
/// # Errors
/// When the table fails.
pub async fn find_link_by_token(
    context: &ConnectionContext,
    token: &str,
) -> Result<Option<FoundLink>> {
    let key = owner_key(&hash_of(token));
    let Some(owner) = context.store.get::<LinkOwner>(&key).await? else { return Ok(None) };
    let LinkOwner { workspace, link } = owner.doc;
    let row = context.store.get::<ConnectLink>(&link_key(&workspace, &link)).await?;
    match row {
        Some(row) => with_connection(context, row.doc).await.map(Some),
        None => Ok(None),
    }
}

async fn with_connection(context: &ConnectionContext, link: ConnectLink) -> Result<FoundLink> {
    let key = connection_key(&link.workspace, &link.connection);
    let connection = context.store.get::<Connection>(&key).await?.map(|row| row.doc);
    Ok(FoundLink::new(context, link, connection))
}

/// At most `limit` of the workspace's links after `after`, oldest first, and where to go on.
///
/// # Errors
/// When the table fails.
pub async fn list_links(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    after: Option<&LinkId>,
    limit: usize,
) -> Result<(Vec<FoundLink>, Option<LinkId>)> {
    let range = Range::Prefix(PREFIX.to_owned());
    let after = after.map(|id| link_key(workspace, id).sk);
    let page = context
        .store
        .query::<ConnectLink>(
            Table::State,
            workspace.as_str(),
            &range,
            after.as_deref(),
            limit,
            true,
        )
        .await?;
    let links: Vec<ConnectLink> = page.rows.into_iter().map(|row| row.doc).collect();
    let next = page.next.and_then(|_| links.last().map(|link| link.id.clone()));
    let keys: Vec<Key> =
        links.iter().map(|link| connection_key(workspace, &link.connection)).collect();
    let mut connections: Vec<Row<Connection>> = context.store.get_docs(&keys).await?;
    let mut take = |link: &ConnectLink| {
        let at = connections.iter().position(|row| row.doc.id == link.connection)?;
        Some(connections.swap_remove(at).doc)
    };
    let found = links.into_iter().map(|link| {
        let connection = take(&link);
        FoundLink::new(context, link, connection)
    });
    Ok((found.collect(), next))
}
