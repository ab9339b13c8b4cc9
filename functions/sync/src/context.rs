//! What the function works with, from its environment.

use std::time::Duration;

use aws_config::SdkConfig;
use millwright_connection::ConnectionContext;
use millwright_core::{
    Clock,
    config::{ConfigError, Source, parsed_in},
};
use millwright_outbound::Outbound;
use millwright_records::WriteTiming;
use millwright_sync::{SPREAD, SliceLimits};
use millwright_webhook::Webhooks;

/// The parts, shared by all invocations of a process.
#[derive(Clone)]
pub(crate) struct Context {
    pub connection: ConnectionContext,
    pub limits: SliceLimits,
    pub write_timing: WriteTiming,
    pub webhooks: Webhooks,
}

impl Context {
    pub fn build(source: &impl Source, clock: Clock, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let connection = ConnectionContext::from_source(source, clock, sdk)?;
        let webhooks = Webhooks::new(
            connection.store.clone(),
            connection.queue.clone(),
            connection.blob.clone(),
            connection.vault.clone(),
            Outbound::from_source(source)?,
        );
        Ok(Self {
            connection,
            limits: limits(source)?,
            write_timing: WriteTiming::from_source(source)?,
            webhooks,
        })
    }
}

/// `MILLWRIGHT_SYNC_LEASE_SECONDS`: a puller's claim, renewed with each page (default 180).
/// `MILLWRIGHT_SYNC_MARGIN_SECONDS`: how long before its end an invocation hands on (default 20).
/// `MILLWRIGHT_SYNC_INTERVAL_SECONDS`: the time between passes (default 900, at least 15).
/// `MILLWRIGHT_SYNC_VANISH_PERCENT`: the share of an entity's records that may vanish in one pass without
/// being asked about (default 20; 100 for all).
/// `MILLWRIGHT_SYNC_SPREAD_SECONDS`: over how long runs are spread that would begin together (default
/// 300).
fn limits(source: &impl Source) -> Result<SliceLimits, ConfigError> {
    let seconds = |name, default, range| parsed_in(source, name, default, range);
    Ok(SliceLimits {
        lease: Duration::from_secs(seconds("MILLWRIGHT_SYNC_LEASE_SECONDS", 180, &(1..=900))?),
        margin: Duration::from_secs(seconds("MILLWRIGHT_SYNC_MARGIN_SECONDS", 20, &(1..=300))?),
        interval: Duration::from_secs(seconds(
            "MILLWRIGHT_SYNC_INTERVAL_SECONDS",
            900,
            &(15..=86_400),
        )?),
        vanish_percent: parsed_in(source, "MILLWRIGHT_SYNC_VANISH_PERCENT", 20, &(0..=100))?,
        spread: Duration::from_secs(seconds(
            "MILLWRIGHT_SYNC_SPREAD_SECONDS",
            SPREAD.as_secs(),
            &(0..=3_600),
        )?),
    })
}
