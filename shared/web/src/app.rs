//! What the routes work with.

use millwright_blob::Blob;
use millwright_core::Clock;
use millwright_store::Store;
use millwright_vault::Vault;

/// The parts behind the routes, each made once. Clones share them.
#[derive(Clone, Debug)]
pub struct App {
    /// The tables.
    pub store: Store,
    /// Large bodies.
    pub blob: Blob,
    /// Secrets.
    pub vault: Vault,
    /// What differs between deployments.
    pub settings: Settings,
}

/// What differs between deployments.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where callers reach this service, without a slash at the end: links in answers start so.
    pub public_url: String,
    /// The most bytes a request's body may have.
    pub body_limit: usize,
}

impl Settings {
    /// The most bytes a request's body may have unless told otherwise: 1 MiB.
    pub const BODY_LIMIT: usize = 1024 * 1024;

    /// Whether callers come by HTTPS.
    pub(crate) fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

impl App {
    pub(crate) fn clock(&self) -> &Clock {
        self.store.clock()
    }
}
