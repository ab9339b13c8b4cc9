//! What the routes work with.

use millwright_blob::Blob;
use millwright_connection::ConnectionContext;
use millwright_connector::Engine;
use millwright_core::{
    Clock,
    config::{ConfigError, Source, parsed_in, required},
};
use millwright_outbound::Outbound;
use millwright_queue::Queue;
use millwright_records::WriteTiming;
use millwright_store::Store;
use millwright_vault::Vault;
use millwright_webhook::Webhooks;
use url::Url;

const PUBLIC_URL: &str = "MILLWRIGHT_PUBLIC_URL";
const BODY_LIMIT: &str = "MILLWRIGHT_BODY_LIMIT";
const LIST_EFFORT: &str = "MILLWRIGHT_LIST_EFFORT";
const AUDIT_DAYS: &str = "MILLWRIGHT_AUDIT_DAYS";

/// The parts behind the routes, each made once. Clones share them.
#[derive(Clone)]
pub struct App {
    /// The tables.
    pub store: Store,
    /// The queues.
    pub queue: Queue,
    /// Large bodies.
    pub blob: Blob,
    /// Secrets.
    pub vault: Vault,
    /// The guarded HTTP client.
    pub outbound: Outbound,
    /// The connectors.
    pub engine: Engine,
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
    /// The most records that one page of a list examines: a page of a list with conditions may be
    /// short, even empty, while there is more.
    pub list_effort: usize,
    /// For how many days entries of the audit log are kept.
    pub audit_days: u16,
    /// How long each part of a write may take.
    pub write_timing: WriteTiming,
}

impl Settings {
    /// The most bytes a request's body may have unless told otherwise: 1 MiB.
    pub const BODY_LIMIT: usize = 1024 * 1024;

    /// The most records that one page of a list examines unless told otherwise: some 10 MB of rows,
    /// read within a second or two.
    pub const LIST_EFFORT: usize = 5_000;

    /// For how many days entries of the audit log are kept unless told otherwise.
    pub const AUDIT_DAYS: u16 = 365;

    /// Settings with the usual limits.
    #[must_use]
    pub fn new(public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self {
            public_url,
            body_limit: Self::BODY_LIMIT,
            list_effort: Self::LIST_EFFORT,
            audit_days: Self::AUDIT_DAYS,
            write_timing: WriteTiming::default(),
        }
    }

    /// From `MILLWRIGHT_PUBLIC_URL` (must be set), `MILLWRIGHT_BODY_LIMIT` (bytes, 1 MiB unless
    /// set; API Gateway takes 6 MB), `MILLWRIGHT_LIST_EFFORT` (records, 5,000 unless set) and
    /// `MILLWRIGHT_AUDIT_DAYS` (365 unless set), with the variables of [`WriteTiming`].
    ///
    /// # Errors
    /// When one of them is not set or cannot be what it stands for.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let text = required(source, PUBLIC_URL)?;
        let invalid = |why: &str| ConfigError::Invalid {
            name: PUBLIC_URL,
            value: text.clone(),
            why: why.to_owned(),
        };
        let url = Url::parse(&text).map_err(|error| invalid(&error.to_string()))?;
        let complete = matches!(url.scheme(), "http" | "https") && url.has_host();
        if !complete || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it must be http:// or https:// and a host"));
        }
        let limits = 1024..=6 * 1024 * 1024;
        let body_limit = parsed_in(source, BODY_LIMIT, Self::BODY_LIMIT, &limits)?;
        let list_effort = parsed_in(source, LIST_EFFORT, Self::LIST_EFFORT, &(500..=100_000))?;
        let audit_days = parsed_in(source, AUDIT_DAYS, Self::AUDIT_DAYS, &(1..=3_650))?;
        let write_timing = WriteTiming::from_source(source)?;
        Ok(Self { body_limit, list_effort, audit_days, write_timing, ..Self::new(&text) })
    }

    /// Whether callers come by HTTPS.
    pub(crate) fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

impl App {
    pub(crate) fn clock(&self) -> &Clock {
        self.store.clock()
    }

    /// The operations on connections.
    pub(crate) fn connections(&self) -> ConnectionContext {
        ConnectionContext {
            store: self.store.clone(),
            queue: self.queue.clone(),
            blob: self.blob.clone(),
            vault: self.vault.clone(),
            engine: self.engine.clone(),
        }
    }

    /// The operations on webhooks.
    pub(crate) fn webhooks(&self) -> Webhooks {
        Webhooks::new(
            self.store.clone(),
            self.queue.clone(),
            self.blob.clone(),
            self.vault.clone(),
            self.outbound.clone(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn settings(url: &str) -> Result<Settings, ConfigError> {
        Settings::from_source(&HashMap::from([(PUBLIC_URL, url)]))
    }

    #[test]
    fn links_begin_with_the_public_url_without_its_last_slash() {
        let settings = settings("https://api.example.com/millwright/").unwrap();
        assert_eq!(settings.public_url, "https://api.example.com/millwright");
        assert!(settings.is_https());
        assert_eq!(settings.body_limit, 1_048_576);
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for url in ["", "api.example.com", "ftp://x", "https://", "https://x/?a=1"] {
            let refused = settings(url).unwrap_err().to_string();
            assert!(refused.contains(PUBLIC_URL), "{refused}");
        }
    }
}
