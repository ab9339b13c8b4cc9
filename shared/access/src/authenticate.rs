//! From a key's text to who is calling.

use millwright_core::{ApiKeyId, Error, ErrorCode, Result, WorkspaceId, sha256_hex};
use millwright_store::Store;

use crate::{ApiKey, Environment, Role, api_key::lookup_key, key_text};

/// Who is calling, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The only workspace they can reach.
    pub workspace: WorkspaceId,
    /// That workspace's environment.
    pub environment: Environment,
    /// The key they came with.
    pub key_id: ApiKeyId,
    /// What they may do.
    pub role: Role,
}

/// Finds out who calls with this key. Which of the possible reasons refused a key is not told.
///
/// # Errors
/// `AUTHENTICATION_FAILED` when the text is not a key, not one of ours, or revoked; when the table
/// fails.
pub async fn authenticate(store: &Store, text: &str) -> Result<Caller> {
    if !key_text::is_plausible(text) {
        return Err(refused());
    }
    // The hash is the look-up itself, so no comparison tells how much of a key was right.
    let row = store.get::<ApiKey>(&lookup_key(&sha256_hex(text.as_bytes()))).await?;
    row.and_then(|row| caller(row.doc)).ok_or_else(refused)
}

fn caller(key: ApiKey) -> Option<Caller> {
    let caller = Caller {
        workspace: key.workspace,
        environment: key.environment,
        key_id: key.id,
        role: key.role,
    };
    key.revoked_at.is_none().then_some(caller)
}

fn refused() -> Error {
    Error::new(ErrorCode::AuthenticationFailed, "the API key is not known or was revoked")
}

#[cfg(test)]
mod tests {
    use millwright_core::WallTime;

    use super::*;

    #[test]
    fn a_revoked_key_is_nobody() {
        let mut key = ApiKey {
            id: ApiKeyId::new_at(1),
            workspace: WorkspaceId::new_at(1),
            environment: Environment::Test,
            name: "ci".to_owned(),
            role: Role::Read,
            hash: String::new(),
            created_at: WallTime::from_millis(1),
            revoked_at: None,
        };
        assert_eq!(caller(key.clone()).unwrap().role, Role::Read);
        key.revoked_at = Some(WallTime::from_millis(2));
        assert_eq!(caller(key), None);
    }
}
