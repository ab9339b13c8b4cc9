//! How every function talks to AWS.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, ConfigLoader, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_dynamodb::{Client, config::Builder};

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

/// The tables' client. Where there are no credentials to sign with, nothing is signed: one process that
/// has tables of its own has nobody to prove itself to.
#[must_use]
pub fn table_client(sdk: &SdkConfig) -> Client {
    let mut config = Builder::from(sdk);
    if sdk.credentials_provider().is_none() {
        config.set_allow_no_auth();
    }
    Client::from_conf(config.build())
}

/// The SDK's settings, to which a region, endpoints and credentials come from the environment.
#[must_use]
pub fn sdk_loader() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(sdk_retries())
        .timeout_config(sdk_timeouts())
}
