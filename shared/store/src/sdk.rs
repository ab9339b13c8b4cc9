//! How every function talks to AWS.

use aws_config::{BehaviorVersion, ConfigLoader, retry::RetryConfig};

/// Attempts the SDK makes for one call before it gives up: throttles of a few seconds are waited out.
const ATTEMPTS: u32 = 6;

/// The SDK's settings, to which a region, endpoints and credentials come from the environment.
#[must_use]
pub fn sdk_loader() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
}
