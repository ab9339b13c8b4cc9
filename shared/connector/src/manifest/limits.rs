//! How much at once.

use std::time::Duration;

use serde::Deserialize;

/// Limits of the engine's calls to one connection's system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Rows a page, when the caller asks for no number of its own.
    pub page_size: u32,
    /// Rows a page, at most.
    pub page_size_max: u32,
    /// Ids in one request, at most.
    pub ids_per_request: usize,
    /// Requests at the same time.
    pub concurrency: usize,
    /// The longest answer, in bytes after decompression.
    pub body_cap_bytes: usize,
    /// The longest wait for a complete answer.
    pub timeout_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page_size: 100,
            page_size_max: 500,
            ids_per_request: 100,
            concurrency: 2,
            body_cap_bytes: 16 << 20,
            timeout_seconds: 30,
        }
    }
}

impl Limits {
    /// The page size for a wish; 0 is no wish.
    #[must_use]
    pub fn page(&self, wish: u32) -> u32 {
        let wish = if wish == 0 { self.page_size } else { wish };
        wish.clamp(1, self.page_size_max)
    }

    /// The longest wait for a complete answer.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}
