use aws_sdk_sqs::{Client, types::QueueAttributeName};

use crate::support::{code, queue, receive, send};

pub async fn a_queue_is_found_by_its_name(client: Client) {
    let url = queue(&client, "found-here", &[]).await;
    let found = client.get_queue_url().queue_name("found-here").send().await.unwrap();
    assert_eq!(found.queue_url(), Some(url.as_str()));
    let listed = client.list_queues().queue_name_prefix("found-").send().await.unwrap();
    assert_eq!(listed.queue_urls(), [url]);
}

pub async fn a_queue_is_created_once(client: Client) {
    let first = queue(&client, "once", &[("VisibilityTimeout", "7")]).await;
    assert_eq!(queue(&client, "once", &[("VisibilityTimeout", "7")]).await, first);
    let again = client.create_queue().queue_name("once");
    let again = again.attributes(QueueAttributeName::VisibilityTimeout, "8").send().await;
    assert!(again.unwrap_err().into_service_error().is_queue_name_exists());
}

pub async fn attributes_are_shown(client: Client) {
    let set = [("VisibilityTimeout", "7"), ("DelaySeconds", "3"), ("MessageRetentionPeriod", "60")];
    let url = queue(&client, "shown", &set).await;
    let all = client.get_queue_attributes().queue_url(&url);
    let all = all.attribute_names(QueueAttributeName::All).send().await.unwrap();
    let all = all.attributes().unwrap();
    for (name, value) in set {
        assert_eq!(all[&name.into()], value);
    }
    assert_eq!(all[&QueueAttributeName::ReceiveMessageWaitTimeSeconds], "0");
    assert_eq!(all[&QueueAttributeName::MaximumMessageSize], "1048576");
    assert_eq!(all[&QueueAttributeName::ApproximateNumberOfMessages], "0");
    assert!(all[&QueueAttributeName::QueueArn].ends_with(":shown"));
    let one = client.get_queue_attributes().queue_url(&url);
    let one = one.attribute_names(QueueAttributeName::DelaySeconds).send().await.unwrap();
    assert_eq!(one.attributes().unwrap().len(), 1);
}

pub async fn attributes_are_checked(client: Client) {
    let wrong = [
        ("VisibilityTimeout", "43201"),
        ("DelaySeconds", "901"),
        ("MessageRetentionPeriod", "59"),
        ("MaximumMessageSize", "1048577"),
    ];
    for (name, value) in wrong {
        let call = client.create_queue().queue_name("checked").attributes(name.into(), value);
        assert_eq!(code(call.send().await), "InvalidAttributeValue", "{name}");
    }
}

pub async fn attributes_have_known_names(client: Client) {
    let call = client.create_queue().queue_name("colourful").attributes("Colour".into(), "red");
    assert_eq!(code(call.send().await), "InvalidAttributeName");
    let url = queue(&client, "colourless", &[]).await;
    let call = client.get_queue_attributes().queue_url(&url).attribute_names("Colour".into());
    assert_eq!(code(call.send().await), "InvalidAttributeName");
}

pub async fn an_unknown_queue_is_told_by_every_operation(client: Client) {
    const NO_QUEUE: &str = "NonExistentQueue";
    let url = queue(&client, "short-lived", &[]).await;
    client.delete_queue().queue_url(&url).send().await.unwrap();
    let by_name = client.get_queue_url().queue_name("short-lived").send().await;
    assert!(by_name.unwrap_err().into_service_error().is_queue_does_not_exist());
    assert_eq!(
        code(client.send_message().queue_url(&url).message_body("x").send().await),
        NO_QUEUE
    );
    assert_eq!(code(client.receive_message().queue_url(&url).send().await), NO_QUEUE);
    assert_eq!(code(client.purge_queue().queue_url(&url).send().await), NO_QUEUE);
    assert_eq!(code(client.get_queue_attributes().queue_url(&url).send().await), NO_QUEUE);
}

pub async fn a_purged_queue_is_empty(client: Client) {
    let url = queue(&client, "purged", &[]).await;
    send(&client, &url, "one").await;
    client.purge_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(receive(&client, &url, 0).await, []);
}

pub async fn a_dead_letter_target_must_exist(client: Client) {
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:local:000000000000:nowhere","maxReceiveCount":3}"#;
    let call = client.create_queue().queue_name("with-no-target");
    let call = call.attributes(QueueAttributeName::RedrivePolicy, policy);
    assert!(call.send().await.is_err());
}
