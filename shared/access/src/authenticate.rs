//! From the text of a key or token to who is calling.

use millwright_core::{Error, ErrorCode, Result, sha256_hex};
use millwright_store::Store;

use crate::{
    Actor, ApiKey, Caller, api_key::lookup_key, key_text, oauth, token_text::CONNECTION,
    token_text::WORKSPACE,
};

/// Finds out who calls with this key or token. Which of the possible reasons refused it is not told.
/// Whether a connection still honours the grant of a connection token is for the caller of this to see.
///
/// # Errors
/// `AUTHENTICATION_FAILED` when the text is no key or token, not one of ours, too old, or revoked; when
/// the table fails.
pub async fn authenticate(store: &Store, text: &str) -> Result<Caller> {
    let found = if text.starts_with(CONNECTION) {
        oauth::caller_of_connection_token(store, text).await?
    } else if text.starts_with(WORKSPACE) {
        oauth::caller_of_workspace_token(store, text).await?
    } else {
        caller_of_key(store, text).await?
    };
    found.ok_or_else(refused)
}

async fn caller_of_key(store: &Store, text: &str) -> Result<Option<Caller>> {
    if !key_text::is_plausible(text) {
        return Ok(None);
    }
    // The hash is the look-up itself, so no comparison tells how much of a key was right.
    let row = store.get_shared::<ApiKey>(&lookup_key(&sha256_hex(text.as_bytes()))).await?;
    let now = store.clock().wall();
    Ok(row.map(|row| row.doc).filter(|key| key.opens(now)).map(caller))
}

fn caller(key: ApiKey) -> Caller {
    Caller {
        workspace: key.workspace,
        environment: key.environment,
        actor: Actor::ApiKey(key.id),
        role: key.role,
        scopes: Vec::new(),
    }
}

/// The answer to a key or token that opens nothing.
#[must_use]
pub fn refused() -> Error {
    let message = "the API key or token is not known, has expired or was revoked";
    Error::new(ErrorCode::AuthenticationFailed, message)
}
