use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, SendMessageBatchRequestEntry},
};

use crate::support::{code, queue, receipt, receive, send};

const INVALID: &str = "InvalidParameterValue";
const MIB: usize = 1024 * 1024;

pub async fn delays_are_limited(client: Client) {
    let url = queue(&client, "delay-limits", &[]).await;
    let call = |seconds| {
        client.send_message().queue_url(&url).message_body("x").delay_seconds(seconds).send()
    };
    assert_eq!(code(call(901).await), INVALID);
    call(900).await.unwrap();
}

pub async fn no_delay_is_negative(client: Client) {
    let url = queue(&client, "negative-delay", &[]).await;
    let call = client.send_message().queue_url(&url).message_body("x").delay_seconds(-1);
    assert_eq!(code(call.send().await), INVALID);
}

pub async fn bodies_are_limited(client: Client) {
    let url = queue(&client, "body-limits", &[]).await;
    let call = |body: String| client.send_message().queue_url(&url).message_body(body).send();
    assert_eq!(code(call("a".repeat(MIB + 1)).await), INVALID);
    assert_eq!(code(call(String::new()).await), "MissingParameter");
    call("a".repeat(MIB)).await.unwrap();
}

pub async fn sizes_are_in_bytes_and_attributes_count(client: Client) {
    let url = queue(&client, "size-limits", &[]).await;
    let call = || client.send_message().queue_url(&url);
    // A character of two bytes counts as two.
    let wide = call().message_body("ä".repeat(MIB / 2 + 1));
    assert_eq!(code(wide.send().await), INVALID);
    let large = MessageAttributeValue::builder().data_type("String").string_value("x".repeat(MIB));
    let large = call().message_body("x").message_attributes("large", large.build().unwrap());
    assert_eq!(code(large.send().await), INVALID);
}

pub async fn characters_are_limited(client: Client) {
    let url = queue(&client, "character-limits", &[]).await;
    for body in ["a\u{0}b", "a\u{1b}b", "a\u{ffff}b"] {
        let call = client.send_message().queue_url(&url).message_body(body);
        assert_eq!(code(call.send().await), "InvalidMessageContents", "{body:?}");
    }
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
}

pub async fn batches_are_limited(client: Client) {
    let url = queue(&client, "batch-limits", &[]).await;
    let call = |entries: Vec<_>| {
        client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send()
    };
    let eleven = (0..11).map(|n| entry(&n.to_string(), "x")).collect();
    let big = "x".repeat(MIB / 2 + 1);
    assert!(call(vec![]).await.unwrap_err().into_service_error().is_empty_batch_request());
    let error = call(eleven).await.unwrap_err().into_service_error();
    assert!(error.is_too_many_entries_in_batch_request());
    let error = call(vec![entry("a", "x"), entry("a", "y")]).await.unwrap_err();
    assert!(error.into_service_error().is_batch_entry_ids_not_distinct());
    let error = call(vec![entry("a.b", "x")]).await.unwrap_err().into_service_error();
    assert!(error.is_invalid_batch_entry_id());
    let error = call(vec![entry("a", &big), entry("b", &big)]).await.unwrap_err();
    assert!(error.into_service_error().is_batch_request_too_long());
    assert_eq!(receive(&client, &url, 0).await, []);
}

pub async fn batch_entries_fail_alone(client: Client) {
    let url = queue(&client, "batch-entries", &[]).await;
    let late = SendMessageBatchRequestEntry::builder().id("late").message_body("x");
    let late = late.delay_seconds(901).build().unwrap();
    let call = client.send_message_batch().queue_url(&url).entries(late);
    let answer = call.entries(entry("fine", "y")).send().await.unwrap();
    assert_eq!(answer.successful()[0].id(), "fine");
    assert_eq!((answer.failed()[0].id(), answer.failed()[0].code()), ("late", INVALID));
    assert!(answer.failed()[0].sender_fault());
}

pub async fn receives_are_limited(client: Client) {
    let url = queue(&client, "receive-limits", &[]).await;
    let call = || client.receive_message().queue_url(&url);
    for count in [0, 11] {
        assert_eq!(code(call().max_number_of_messages(count).send().await), INVALID, "{count}");
    }
    assert_eq!(code(call().wait_time_seconds(21).send().await), INVALID);
    assert_eq!(code(call().visibility_timeout(43_201).send().await), INVALID);
    for n in 0..12 {
        send(&client, &url, &n.to_string()).await;
    }
    assert!(receive(&client, &url, 1).await.len() <= 10);
    assert_eq!(call().send().await.unwrap().messages().len(), 1);
}

pub async fn receipts_are_checked(client: Client) {
    let url = queue(&client, "receipts", &[]).await;
    let call = client.delete_message().queue_url(&url).receipt_handle("nonsense");
    assert_eq!(code(call.send().await), "ReceiptHandleIsInvalid");
    let call = client.change_message_visibility().queue_url(&url).visibility_timeout(1);
    assert_eq!(code(call.receipt_handle("nonsense").send().await), "ReceiptHandleIsInvalid");
}

pub async fn visibility_timeouts_are_limited(client: Client) {
    let url = queue(&client, "visibility-limits", &[]).await;
    send(&client, &url, "x").await;
    let message = receive(&client, &url, 1).await;
    let call = |seconds| {
        let call = client.change_message_visibility().queue_url(&url).visibility_timeout(seconds);
        call.receipt_handle(receipt(&message[0])).send()
    };
    assert_eq!(code(call(43_201).await), INVALID);
    call(100).await.unwrap();
}

pub async fn group_ids_are_limited(client: Client) {
    let url = queue(&client, "group-limits", &[]).await;
    let call = |group: String| {
        let call = client.send_message().queue_url(&url).message_body("x");
        call.message_group_id(group).send()
    };
    assert_eq!(code(call("g".repeat(129)).await), INVALID);
    assert_eq!(code(call("two words".to_owned()).await), INVALID);
    call("g".repeat(128)).await.unwrap();
}

pub async fn message_attributes_are_limited(client: Client) {
    let url = queue(&client, "attribute-limits", &[]).await;
    let call = |names: usize, data_type: &str, text: &str| {
        let value = MessageAttributeValue::builder().data_type(data_type).string_value(text);
        let value = value.build().unwrap();
        let mut call = client.send_message().queue_url(&url).message_body("x");
        for n in 0..names {
            call = call.message_attributes(format!("a{n}"), value.clone());
        }
        call.send()
    };
    assert_eq!(code(call(11, "String", "x").await), INVALID);
    assert_eq!(code(call(1, "Colour", "x").await), INVALID);
    call(10, "String.label", "x").await.unwrap();
}
