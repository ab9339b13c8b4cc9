//! Giving a key another text.

use std::time::Duration;

use millwright_core::{
    ApiKeyId, Error, ErrorCode, ExposeSecret, Result, SecretString, WallTime, WorkspaceId,
    sha256_hex,
};
use millwright_store::{Expect, Row, Store, Write};

use crate::{
    ApiKey,
    api_key::{listing_key, lookup_key},
    key_text,
};

/// How often it is begun again when somebody else changes the key at the same time.
const TRIES: usize = 4;

/// Gives a key another text, which cannot be had again. The one before opens until `overlap` has passed;
/// one from before that, nothing any more.
///
/// # Errors
/// `NOT_FOUND` when the workspace has no such key; `STATE_CONFLICT` for a revoked one; when the table
/// fails.
pub async fn rotate_key(
    store: &Store,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    overlap: Duration,
) -> Result<(ApiKey, SecretString)> {
    let missing = || Error::not_found("API key");
    for _ in 0..TRIES {
        let listing =
            store.get::<ApiKey>(&listing_key(workspace, id)).await?.ok_or_else(missing)?;
        if listing.doc.revoked_at.is_some() {
            return Err(Error::new(ErrorCode::StateConflict, "the API key was revoked"));
        }
        let lookup = lookup_key(&listing.doc.hash);
        let lookup = store.get::<ApiKey>(&lookup).await?.ok_or_else(missing)?;
        let (key, text, writes) = rotation(listing, lookup, store.clock().wall(), overlap)?;
        match store.transact(writes).await {
            Ok(()) => return Ok((key, text)),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::new(ErrorCode::StateConflict, "somebody else is changing this API key"))
}

fn rotation(
    mut listing: Row<ApiKey>,
    mut lookup: Row<ApiKey>,
    now: WallTime,
    overlap: Duration,
) -> Result<(ApiKey, SecretString, Vec<Write>)> {
    let text = key_text::random(listing.doc.environment);
    let dead = listing.doc.previous.take();
    lookup.doc.dies_at = Some(now + overlap);
    listing.doc.previous = (!overlap.is_zero()).then(|| listing.doc.hash.clone());
    listing.doc.hash = sha256_hex(text.expose_secret().as_bytes());
    let key = listing.doc.clone();
    let mut writes = vec![
        Write::replace(&listing)?,
        Write::replace(&lookup)?,
        Write::put(&key.lookup(), &key, Expect::Absent)?,
    ];
    if let Some(hash) = dead {
        // Its text stays taken, as that of a revoked key.
        let gone = ApiKey { hash: hash.clone(), dies_at: Some(now), previous: None, ..key.clone() };
        writes.push(Write::put(&lookup_key(&hash), &gone, Expect::Anything)?);
    }
    Ok((key, text, writes))
}
