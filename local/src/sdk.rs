//! The AWS SDK's configuration for this machine: what AWS's own environment gives a function.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_types::{
    sdk_config::Builder,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};
use millwright_store::{sdk_retries, sdk_timeouts};

use crate::near::Near;

/// An SDK configuration whose DynamoDB and SQS are at these URLs. Nothing else is configured, and
/// nothing is read from the user's own AWS set-up, so no call can leave this machine.
#[must_use]
pub fn config(dynamodb_url: &str, sqs_url: &str) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "millwright-local");
    let credentials = SharedCredentialsProvider::new(credentials);
    builder(dynamodb_url, sqs_url).credentials_provider(credentials).build()
}

/// The same, for clients in the process of tables and queues: they have nobody to sign for.
pub(crate) fn near(dynamodb_url: &str, sqs_url: &str, near: Near) -> SdkConfig {
    builder(dynamodb_url, sqs_url).http_client(near).build()
}

fn builder(dynamodb_url: &str, sqs_url: &str) -> Builder {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .retry_config(sdk_retries())
        .timeout_config(sdk_timeouts())
        .region(Region::from_static("local"))
        .service_config(Endpoints { dynamodb: dynamodb_url.to_owned(), sqs: sqs_url.to_owned() })
}

#[derive(Debug)]
struct Endpoints {
    dynamodb: String,
    sqs: String,
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        if key.env() != "AWS_ENDPOINT_URL" {
            return None;
        }
        Some(match key.service_id() {
            "DynamoDB" => self.dynamodb.clone(),
            "SQS" => self.sqs.clone(),
            // Port 0 takes no connection: a service that this machine does not have fails at once.
            _ => "http://127.0.0.1:0".to_owned(),
        })
    }
}
