//! Revoking a key.

use millwright_core::{ApiKeyId, Error, Result, WorkspaceId};
use millwright_store::{Row, Store, Write};

use crate::{
    ApiKey,
    api_key::{listing_key, lookup_key},
};

/// How often it is begun again when somebody else changes the key at the same time.
const TRIES: usize = 4;

/// Revokes a key: no request that begins after this has answered gets through with it, nor with a text
/// that it had before. Its rows stay, so that its texts can never be made a key again. A key that was
/// revoked before stays as it was.
///
/// # Errors
/// `NOT_FOUND` when the workspace has no such key; when the table fails.
pub async fn revoke_key(store: &Store, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<ApiKey> {
    for _ in 0..TRIES {
        let listing = row(store, &listing_key(workspace, id)).await?;
        if listing.doc.revoked_at.is_some() {
            return Ok(listing.doc);
        }
        let mut rows = vec![row(store, &lookup_key(&listing.doc.hash)).await?];
        if let Some(previous) = &listing.doc.previous {
            rows.push(row(store, &lookup_key(previous)).await?);
        }
        rows.push(listing);
        let now = store.clock().wall();
        let revoked = rows.iter_mut().map(|row| {
            row.doc.revoked_at = Some(now);
            Write::replace(row)
        });
        match store.transact(revoked.collect::<Result<_, _>>()?).await {
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(row(store, &listing_key(workspace, id)).await?.doc),
        }
    }
    Err(Error::internal("an API key is changed all the time"))
}

async fn row(store: &Store, key: &millwright_store::Key) -> Result<Row<ApiKey>> {
    store.get::<ApiKey>(key).await?.ok_or_else(|| Error::not_found("API key"))
}
