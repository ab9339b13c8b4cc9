//! What several tests need.

use std::time::Duration;

use aws_config::Region;
use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{Message, MessageSystemAttributeName},
};
use millwright_core::Clock;
use millwright_local::{Durability, sdk, sqs::Sqs};
use tempfile::TempDir;

/// A client for an endpoint. The region is one that emulators know.
pub fn client(url: &str) -> Client {
    let config = sdk::config("http://127.0.0.1:0", url).into_builder();
    Client::new(&config.region(Region::from_static("us-east-1")).build())
}

/// A running endpoint on a folder of its own.
pub struct Fresh {
    pub folder: TempDir,
    pub sqs: Sqs,
    pub client: Client,
}

/// Starts an endpoint.
pub async fn fresh(clock: Clock) -> Fresh {
    fresh_with(clock, Durability::Flush).await
}

pub async fn fresh_with(clock: Clock, durability: Durability) -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let sqs =
        Sqs::start_with(&folder.path().join("queue.sqlite"), clock, durability).await.unwrap();
    let client = client(&sqs.url());
    Fresh { folder, sqs, client }
}

/// Creates a queue with these attributes.
pub async fn queue(client: &Client, name: &str, attributes: &[(&str, &str)]) -> String {
    let mut call = client.create_queue().queue_name(name);
    for (attribute, value) in attributes {
        call = call.attributes((*attribute).into(), *value);
    }
    call.send().await.unwrap().queue_url.unwrap()
}

/// Sends a message and answers with its id.
pub async fn send(client: &Client, url: &str, body: &str) -> String {
    client
        .send_message()
        .queue_url(url)
        .message_body(body)
        .send()
        .await
        .unwrap()
        .message_id
        .unwrap()
}

/// Receives up to 10 messages, waiting up to `wait` seconds for the first.
pub async fn receive(client: &Client, url: &str, wait: i32) -> Vec<Message> {
    let call = client.receive_message().queue_url(url).max_number_of_messages(10);
    let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
    call.wait_time_seconds(wait).send().await.unwrap().messages.unwrap_or_default()
}

/// The bodies of messages.
pub fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

/// A message's receipt.
pub fn receipt(message: &Message) -> &str {
    message.receipt_handle().unwrap()
}

/// The code a call was refused with, without the prefix that some of SQS's codes have.
pub fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E>>,
) -> String {
    let error = result.expect_err("it should have been refused");
    let code = error.code().unwrap_or_else(|| panic!("no code: {error:?}"));
    code.trim_start_matches("AWS.SimpleQueueService.").to_owned()
}

/// Waits.
pub async fn sleep(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
