//! How every function talks to AWS.

use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, retry::RetryConfig, timeout::TimeoutConfig};

/// Attempts the SDK makes for one call before it gives up: throttles of a few seconds are waited out.
const ATTEMPTS: u32 = 6;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take to begin: longer than a long poll (20 s), and never for ever.
const READ_TIMEOUT: Duration = Duration::from_secs(25);

/// How often and for how long a call is tried.
#[must_use]
pub fn sdk_retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

/// How long a call may take.
#[must_use]
pub fn sdk_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build()
}

/// The SDK's settings, to which a region, endpoints and credentials come from the environment.
#[must_use]
pub fn sdk_loader() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(sdk_retries())
        .timeout_config(sdk_timeouts())
}
