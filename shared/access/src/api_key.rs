//! The API key's rows.

use millwright_core::{ApiKeyId, WallTime, WorkspaceId};
use millwright_store::{Document, Key};
use serde::{Deserialize, Serialize};

use crate::{Environment, Role};

/// An API key as it is kept: never its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The environment of its workspace, also in its text.
    pub environment: Environment,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of its text, in hexadecimal. It holds 40 random characters, so a plain hash is enough.
    pub hash: String,
    /// When it was made.
    pub created_at: WallTime,
    /// When it was revoked, if it was.
    pub revoked_at: Option<WallTime>,
    /// When this text ceases to open anything, because the key was given another.
    #[serde(default)]
    pub dies_at: Option<WallTime>,
    /// The hash of the text before, while that one may still open something.
    #[serde(default)]
    pub previous: Option<String>,
}

impl Document for ApiKey {}

impl ApiKey {
    /// Whether this text opens anything at a time.
    #[must_use]
    pub fn opens(&self, now: WallTime) -> bool {
        self.revoked_at.is_none() && self.dies_at.is_none_or(|dies| dies > now)
    }

    /// The row that a request finds the key by.
    pub(crate) fn lookup(&self) -> Key {
        lookup_key(&self.hash)
    }

    /// The row in the workspace's list.
    pub(crate) fn listing(&self) -> Key {
        listing_key(&self.workspace, &self.id)
    }
}

/// Sort keys of listed API keys start so.
pub(crate) const LISTING_PREFIX: &str = "apikey#";

pub(crate) fn lookup_key(hash: &str) -> Key {
    Key::state(format!("apikey#{hash}"), "key")
}

pub(crate) fn listing_key(workspace: &WorkspaceId, id: &ApiKeyId) -> Key {
    Key::state(workspace.as_str(), format!("{LISTING_PREFIX}{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoked_or_replaced_text_opens_nothing() {
        let at = WallTime::from_millis;
        let key = ApiKey {
            id: ApiKeyId::new_at(1),
            workspace: WorkspaceId::new_at(1),
            environment: Environment::Test,
            name: "ci".to_owned(),
            role: Role::Read,
            hash: String::new(),
            created_at: at(1),
            revoked_at: None,
            dies_at: None,
            previous: None,
        };
        assert!(key.opens(at(2)));
        assert!(!ApiKey { revoked_at: Some(at(2)), ..key.clone() }.opens(at(2)));
        let replaced = ApiKey { dies_at: Some(at(5)), ..key };
        assert!(replaced.opens(at(4)) && !replaced.opens(at(5)));
    }
}
