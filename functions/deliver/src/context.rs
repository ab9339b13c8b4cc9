//! What the function works with, from its environment.

use std::time::Duration;

use aws_config::SdkConfig;
use millwright_blob::Blob;
use millwright_core::{
    Clock,
    config::{ConfigError, Source, parsed_in, required},
};
use millwright_outbound::Outbound;
use millwright_queue::{DEAD_LETTER_VARIABLE, Queue, QueueUrls, queue_client};
use millwright_store::{Store, Tables, table_client};
use millwright_vault::Vault;
use millwright_webhook::Webhooks;

/// The parts, shared by all invocations of a process.
#[derive(Clone)]
pub(crate) struct Context {
    pub store: Store,
    pub queue: Queue,
    pub blob: Blob,
    pub webhooks: Webhooks,
    /// The name of the dead-letter queue, as it ends its URL and its ARN.
    pub dead_queue: String,
}

impl Context {
    pub fn build(source: &impl Source, clock: Clock, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let tables = Tables::from_source(source)?;
        let store = Store::new(table_client(sdk), tables, clock);
        let queue = Queue::new(queue_client(sdk), QueueUrls::from_source(source)?);
        let blob = Blob::from_source(source)?;
        let webhooks = Webhooks::new(
            store.clone(),
            queue.clone(),
            blob.clone(),
            Vault::from_source(source, sdk)?,
            Outbound::from_source(source)?,
        )
        .disabling_after(disable_after(source)?);
        let dead_url = required(source, DEAD_LETTER_VARIABLE)?;
        let dead_queue = dead_url.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Self { store, queue, blob, webhooks, dead_queue })
    }
}

/// `MILLWRIGHT_WEBHOOK_DISABLE_DAYS`: after so many days of only failures an endpoint is disabled
/// (default 5).
fn disable_after(source: &impl Source) -> Result<Duration, ConfigError> {
    let days = parsed_in(source, "MILLWRIGHT_WEBHOOK_DISABLE_DAYS", 5_u32, &(1..=30))?;
    Ok(Duration::from_secs(u64::from(days) * 24 * 3600))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn endpoints_are_disabled_after_five_days_or_as_many_as_are_set() {
        let days = |text: &'static str| {
            let source = HashMap::from([("MILLWRIGHT_WEBHOOK_DISABLE_DAYS", text)]);
            disable_after(&source).ok().map(|after| after.as_secs() / 86_400)
        };
        assert_eq!(days(""), Some(5));
        assert_eq!((days("1"), days("30")), (Some(1), Some(30)));
        assert_eq!((days("0"), days("31"), days("x")), (None, None, None));
    }
}
