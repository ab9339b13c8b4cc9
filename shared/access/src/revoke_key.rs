//! Revoking a key.

use millwright_core::{ApiKeyId, Error, Result, WorkspaceId};
use millwright_store::{Row, Store, Write};

use crate::{
    ApiKey,
    api_key::{listing_key, lookup_key},
};

/// Revokes a key: no request that begins after this has answered gets through with it. Its rows stay,
/// so that its text can never be made a key again. A key that was revoked before stays as it was.
///
/// # Errors
/// `NOT_FOUND` when the workspace has no such key; when the table fails.
pub async fn revoke_key(store: &Store, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<ApiKey> {
    let mut listing = row(store, &listing_key(workspace, id)).await?;
    if listing.doc.revoked_at.is_some() {
        return Ok(listing.doc);
    }
    let mut lookup = row(store, &lookup_key(&listing.doc.hash)).await?;
    let now = store.clock().wall();
    listing.doc.revoked_at = Some(now);
    lookup.doc.revoked_at = Some(now);
    let writes = vec![Write::replace(&listing)?, Write::replace(&lookup)?];
    match store.transact(writes).await {
        // Nothing but a revocation changes these rows: somebody else was first.
        Err(error) if error.is_conflict() => Ok(row(store, &listing_key(workspace, id)).await?.doc),
        other => Ok(other.map(|()| listing.doc)?),
    }
}

async fn row(store: &Store, key: &millwright_store::Key) -> Result<Row<ApiKey>> {
    store.get::<ApiKey>(key).await?.ok_or_else(|| Error::not_found("API key"))
}
