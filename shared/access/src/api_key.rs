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
}

impl Document for ApiKey {}

impl ApiKey {
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
