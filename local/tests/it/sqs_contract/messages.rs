use aws_sdk_sqs::{
    Client,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
        MessageAttributeValue, MessageSystemAttributeName as System, QueueAttributeName,
        SendMessageBatchRequestEntry,
    },
};

use crate::support::{bodies, code, queue, receipt, receive, send, sleep};

async fn delete(client: &Client, url: &str, receipt: &str) {
    let call = client.delete_message().queue_url(url).receipt_handle(receipt);
    call.send().await.unwrap();
}

fn received_times(message: &Message) -> &str {
    &message.attributes().unwrap()[&System::ApproximateReceiveCount]
}

pub async fn a_message_comes_back_as_it_was_sent(client: Client) {
    let url = queue(&client, "round-trip", &[]).await;
    let body = "{\"text\": \"größer\",\t\"lines\": \"a\\nb\"}\n";
    let sent = client.send_message().queue_url(&url).message_body(body).message_group_id("acme");
    let sent = sent.send().await.unwrap();
    let received = receive(&client, &url, 2).await;
    let [message] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(message.body(), Some(body));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    let attributes = message.attributes().unwrap();
    assert_eq!(received_times(message), "1");
    assert!(attributes[&System::SentTimestamp].parse::<i64>().unwrap() > 1_700_000_000_000);
    assert!(attributes.contains_key(&System::ApproximateFirstReceiveTimestamp));
    assert_eq!(attributes[&System::MessageGroupId], "acme");
}

pub async fn every_allowed_character_is_carried(client: Client) {
    let url = queue(&client, "characters", &[]).await;
    let body = "\t\n\r \u{7f}\u{85}\u{d7ff}\u{e000}\u{fffd}\u{1f600}\u{10ffff}";
    send(&client, &url, body).await;
    assert_eq!(bodies(&receive(&client, &url, 2).await), [body]);
}

pub async fn message_attributes_come_back_when_asked_for(client: Client) {
    let url = queue(&client, "attributes", &[]).await;
    let text = |text: &str| {
        MessageAttributeValue::builder().data_type("String").string_value(text).build().unwrap()
    };
    let bytes = MessageAttributeValue::builder().data_type("Binary");
    let bytes = bytes.binary_value(b"\x00\xff".to_vec().into()).build().unwrap();
    let call = client.send_message().queue_url(&url).message_body("x");
    let call = call.message_attributes("order.id", text("1")).message_attributes("bytes", bytes);
    let sent = call.message_attributes("kind", text("a")).send().await.unwrap();
    // Worked out apart from the developer guide's definition.
    assert_eq!(sent.md5_of_message_attributes(), Some("03a95f10efe2aba194587b4171a99e98"));
    let call = client.receive_message().queue_url(&url).visibility_timeout(0);
    let some = call.clone().message_attribute_names("order.*").send().await.unwrap();
    let some = some.messages()[0].message_attributes().unwrap();
    assert_eq!(some.keys().collect::<Vec<_>>(), ["order.id"]);
    let all = call.clone().message_attribute_names("All").send().await.unwrap();
    let all = &all.messages()[0];
    assert_eq!(
        all.message_attributes().unwrap()["bytes"].binary_value().unwrap().as_ref(),
        b"\x00\xff"
    );
    assert_eq!(all.md5_of_message_attributes(), sent.md5_of_message_attributes());
    assert!(call.send().await.unwrap().messages()[0].message_attributes().is_none());
}

pub async fn a_received_message_is_hidden_and_comes_back(client: Client) {
    let url = queue(&client, "hidden", &[("VisibilityTimeout", "1")]).await;
    send(&client, &url, "x").await;
    assert_eq!(receive(&client, &url, 0).await.len(), 1);
    assert_eq!(receive(&client, &url, 0).await, []);
    let back = receive(&client, &url, 3).await;
    assert_eq!(received_times(&back[0]), "2");
}

pub async fn a_deleted_message_is_gone(client: Client) {
    let url = queue(&client, "deleted", &[("VisibilityTimeout", "1")]).await;
    send(&client, &url, "x").await;
    let message = receive(&client, &url, 1).await;
    delete(&client, &url, receipt(&message[0])).await;
    delete(&client, &url, receipt(&message[0])).await;
    assert_eq!(receive(&client, &url, 2).await, []);
}

pub async fn a_superseded_receipt_deletes_nothing(client: Client) {
    let url = queue(&client, "superseded", &[("VisibilityTimeout", "1")]).await;
    send(&client, &url, "x").await;
    let first = receive(&client, &url, 1).await;
    let second = receive(&client, &url, 3).await;
    assert_ne!(receipt(&first[0]), receipt(&second[0]));
    delete(&client, &url, receipt(&first[0])).await;
    assert_eq!(bodies(&receive(&client, &url, 3).await), ["x"]);
}

pub async fn a_message_can_be_given_back_and_kept_longer(client: Client) {
    let url = queue(&client, "given-back", &[("VisibilityTimeout", "60")]).await;
    send(&client, &url, "x").await;
    let change = |receipt: &str, seconds: i32| {
        let call = client.change_message_visibility().queue_url(&url);
        call.receipt_handle(receipt).visibility_timeout(seconds).send()
    };
    let message = receive(&client, &url, 1).await;
    change(receipt(&message[0]), 0).await.unwrap();
    let message = receive(&client, &url, 1).await;
    assert_eq!(received_times(&message[0]), "2");
    change(receipt(&message[0]), 1).await.unwrap();
    change(receipt(&message[0]), 3).await.unwrap();
    sleep(1500).await;
    assert_eq!(receive(&client, &url, 0).await, []);
    assert_eq!(receive(&client, &url, 4).await.len(), 1);
}

pub async fn visibility_can_only_be_changed_in_flight(client: Client) {
    let url = queue(&client, "not-in-flight", &[("VisibilityTimeout", "1")]).await;
    send(&client, &url, "x").await;
    let message = receive(&client, &url, 1).await;
    let call = client.change_message_visibility().queue_url(&url).visibility_timeout(5);
    let call = call.receipt_handle(receipt(&message[0]));
    sleep(1200).await;
    assert_eq!(code(call.send().await), "MessageNotInflight");
}

pub async fn a_deleted_messages_visibility_cannot_be_changed(client: Client) {
    let url = queue(&client, "deleted-in-flight", &[]).await;
    send(&client, &url, "x").await;
    let message = receive(&client, &url, 1).await;
    delete(&client, &url, receipt(&message[0])).await;
    let call = client.change_message_visibility().queue_url(&url).visibility_timeout(5);
    assert!(call.receipt_handle(receipt(&message[0])).send().await.is_err());
}

pub async fn batches_are_sent_and_deleted(client: Client) {
    let url = queue(&client, "batches", &[]).await;
    let entry = |n: usize| {
        let entry = SendMessageBatchRequestEntry::builder().id(format!("e{n}"));
        entry.message_body(format!("body {n}")).build().unwrap()
    };
    let entries: Vec<_> = (0..10).map(entry).collect();
    let sent = client.send_message_batch().queue_url(&url).set_entries(Some(entries));
    assert_eq!(sent.send().await.unwrap().successful().len(), 10);
    let mut messages = Vec::new();
    while messages.len() < 10 {
        messages.extend(receive(&client, &url, 2).await);
    }
    let mut received = bodies(&messages);
    received.sort_unstable();
    assert_eq!(received, (0..10).map(|n| format!("body {n}")).collect::<Vec<_>>());
    let entry = |(n, message): (usize, &Message)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
        entry.receipt_handle(receipt(message)).build().unwrap()
    };
    let entries: Vec<_> = messages.iter().enumerate().map(entry).collect();
    let deleted = client.delete_message_batch().queue_url(&url).set_entries(Some(entries));
    assert_eq!(deleted.send().await.unwrap().successful().len(), 10);
    assert_eq!(count(&client, &url).await, ["0", "0", "0"]);
}

pub async fn visibility_is_changed_in_batches(client: Client) {
    let url = queue(&client, "visibility-batch", &[("VisibilityTimeout", "60")]).await;
    send(&client, &url, "x").await;
    let message = receive(&client, &url, 1).await;
    let entry = |id: &str, receipt: &str| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id);
        entry.receipt_handle(receipt).visibility_timeout(0).build().unwrap()
    };
    let call = client.change_message_visibility_batch().queue_url(&url);
    let call = call.entries(entry("good", receipt(&message[0]))).entries(entry("bad", "nonsense"));
    let answer = call.send().await.unwrap();
    assert_eq!(answer.successful()[0].id(), "good");
    assert_eq!((answer.failed()[0].id(), answer.failed()[0].sender_fault()), ("bad", true));
    assert_eq!(answer.failed()[0].code(), "ReceiptHandleIsInvalid");
    assert_eq!(receive(&client, &url, 1).await.len(), 1);
}

pub async fn messages_are_counted(client: Client) {
    let url = queue(&client, "counted", &[]).await;
    for _ in 0..3 {
        send(&client, &url, "x").await;
    }
    let later = client.send_message().queue_url(&url).message_body("later").delay_seconds(60);
    later.send().await.unwrap();
    client.receive_message().queue_url(&url).send().await.unwrap();
    assert_eq!(count(&client, &url).await, ["2", "1", "1"]);
}

/// Ready, in flight, delayed.
async fn count(client: &Client, url: &str) -> [String; 3] {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let call = client.get_queue_attributes().queue_url(url);
    let call = call.set_attribute_names(Some(names.to_vec()));
    let shown = call.send().await.unwrap().attributes.unwrap();
    names.map(|name| shown[&name].clone())
}
