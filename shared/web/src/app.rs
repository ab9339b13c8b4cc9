//! What the routes work with.

use std::{ops::Deref, sync::Arc};

use millwright_blob::Blob;
use millwright_connection::{ConnectionContext, HealthTiming};
use millwright_connector::Engine;
use millwright_core::{
    Clock, PublicUrl,
    config::{ConfigError, Source, parsed_in},
};
use millwright_outbound::Outbound;
use millwright_queue::Queue;
use millwright_records::WriteTiming;
use millwright_store::Store;
use millwright_vault::Vault;
use millwright_webhook::Webhooks;

use crate::{RateLimits, SignIn};

const BODY_LIMIT: &str = "MILLWRIGHT_BODY_LIMIT";
const LIST_EFFORT: &str = "MILLWRIGHT_LIST_EFFORT";
const AUDIT_DAYS: &str = "MILLWRIGHT_AUDIT_DAYS";
const REFRESH_GRACE: &str = "MILLWRIGHT_REFRESH_GRACE_SECONDS";

/// The parts behind the routes. Clones share them.
#[derive(Clone)]
pub struct App(Arc<(Parts, Webhooks)>);

/// What the routes work with, each made once.
pub struct Parts {
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
    /// Where callers reach this service: links in answers start so.
    pub public_url: PublicUrl,
    /// The most bytes a request's body may have.
    pub body_limit: usize,
    /// The most records that one page of a list examines: a page of a list with conditions may be
    /// short, even empty, while there is more.
    pub list_effort: usize,
    /// For how many days entries of the audit log are kept.
    pub audit_days: u16,
    /// For how many seconds after its use a refresh token gets its answer again, should that have been
    /// lost on the way. Later use of it ends the whole grant.
    pub refresh_grace_seconds: u8,
    /// How people sign in, if they can.
    pub sign_in: Option<SignIn>,
    /// How many calls are taken in a minute.
    pub rate_limits: RateLimits,
    /// How long each part of a write may take.
    pub write_timing: WriteTiming,
    /// How health is watched and told.
    pub health: HealthTiming,
}

impl Settings {
    /// The most bytes a request's body may have unless told otherwise: 1 MiB.
    pub const BODY_LIMIT: usize = 1024 * 1024;

    /// The most records that one page of a list examines unless told otherwise: some 10 MB of rows,
    /// read within a second or two.
    pub const LIST_EFFORT: usize = 5_000;

    /// For how many days entries of the audit log are kept unless told otherwise.
    pub const AUDIT_DAYS: u16 = 365;

    /// For how many seconds the answer to a refresh can be had again unless told otherwise.
    pub const REFRESH_GRACE_SECONDS: u8 = 10;

    /// Settings with the usual limits.
    #[must_use]
    pub fn new(public_url: PublicUrl) -> Self {
        Self {
            public_url,
            body_limit: Self::BODY_LIMIT,
            list_effort: Self::LIST_EFFORT,
            audit_days: Self::AUDIT_DAYS,
            refresh_grace_seconds: Self::REFRESH_GRACE_SECONDS,
            sign_in: None,
            rate_limits: RateLimits::default(),
            write_timing: WriteTiming::default(),
            health: HealthTiming::default(),
        }
    }

    /// From `MILLWRIGHT_PUBLIC_URL` (must be set), `MILLWRIGHT_BODY_LIMIT` (bytes, 1 MiB unless
    /// set; API Gateway takes 6 MB), `MILLWRIGHT_LIST_EFFORT` (records, 5,000 unless set),
    /// `MILLWRIGHT_AUDIT_DAYS` (365 unless set) and `MILLWRIGHT_REFRESH_GRACE_SECONDS` (10 unless
    /// set), with the variables of [`SignIn`], [`RateLimits`] and [`WriteTiming`].
    ///
    /// # Errors
    /// When one of them is not set or cannot be what it stands for.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let public_url = PublicUrl::from_source(source)?;
        let limits = 1024..=6 * 1024 * 1024;
        let body_limit = parsed_in(source, BODY_LIMIT, Self::BODY_LIMIT, &limits)?;
        let list_effort = parsed_in(source, LIST_EFFORT, Self::LIST_EFFORT, &(500..=100_000))?;
        let audit_days = parsed_in(source, AUDIT_DAYS, Self::AUDIT_DAYS, &(1..=3_650))?;
        let grace = Self::REFRESH_GRACE_SECONDS;
        let refresh_grace_seconds = parsed_in(source, REFRESH_GRACE, grace, &(0..=60))?;
        let write_timing = WriteTiming::from_source(source)?;
        let health = HealthTiming::from_source(source)?;
        let usual = Self::new(public_url);
        Ok(Self {
            body_limit,
            list_effort,
            audit_days,
            refresh_grace_seconds,
            sign_in: SignIn::from_source(source)?,
            rate_limits: RateLimits::from_source(source)?,
            write_timing,
            health,
            ..usual
        })
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.0
    }
}

impl App {
    /// The routes' parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let webhooks = Webhooks::new(
            parts.store.clone(),
            parts.queue.clone(),
            parts.blob.clone(),
            parts.vault.clone(),
            parts.outbound.clone(),
        );
        Self(Arc::new((parts, webhooks)))
    }

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
            public_url: self.settings.public_url.clone(),
            timing: self.settings.health,
        }
    }

    /// The operations on webhooks.
    pub(crate) fn webhooks(&self) -> &Webhooks {
        &self.0.1
    }
}
