//! The workspace's keys.

use millwright_core::{ApiKeyId, Error, Result, WorkspaceId};
use millwright_store::{Range, Store, Table};

use crate::{
    ApiKey,
    api_key::{LISTING_PREFIX, listing_key},
};

/// A page of keys.
#[derive(Clone, Debug)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<ApiKey>,
    /// The key to continue after, when there may be more.
    pub next: Option<ApiKeyId>,
}

/// At most `limit` of the workspace's keys after `after`, oldest first, revoked ones among them.
///
/// # Errors
/// When the table fails.
pub async fn list_keys(
    store: &Store,
    workspace: &WorkspaceId,
    after: Option<&ApiKeyId>,
    limit: usize,
) -> Result<KeyPage> {
    let range = Range::Prefix(LISTING_PREFIX.to_owned());
    let after = after.map(|id| listing_key(workspace, id).sk);
    let page = store
        .query::<ApiKey>(Table::State, workspace.as_str(), &range, after.as_deref(), limit, true)
        .await?;
    let keys: Vec<ApiKey> = page.rows.into_iter().map(|row| row.doc).collect();
    let next = page.next.and_then(|_| keys.last().map(|key| key.id.clone()));
    Ok(KeyPage { keys, next })
}

/// The workspace's key with this id.
///
/// # Errors
/// `NOT_FOUND` when it has none; when the table fails.
pub async fn get_key(store: &Store, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<ApiKey> {
    let row = store.get::<ApiKey>(&listing_key(workspace, id)).await?;
    row.map(|row| row.doc).ok_or_else(|| Error::not_found("API key"))
}
