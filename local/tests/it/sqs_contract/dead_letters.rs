use aws_sdk_sqs::{
    Client,
    types::{MessageSystemAttributeName as System, QueueAttributeName},
};

use crate::support::{bodies, queue, receive, send};

/// A queue that gives its messages out twice, and where they go then.
async fn pair(client: &Client, name: &str) -> (String, String) {
    let dead = queue(client, &format!("{name}-dead"), &[]).await;
    let shown = client.get_queue_attributes().queue_url(&dead);
    let shown = shown.attribute_names(QueueAttributeName::QueueArn).send().await.unwrap();
    let arn = &shown.attributes().unwrap()[&QueueAttributeName::QueueArn];
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":2}}"#);
    let attributes = [("VisibilityTimeout", "1"), ("RedrivePolicy", policy.as_str())];
    (queue(client, name, &attributes).await, dead)
}

pub async fn a_message_received_too_often_is_moved(client: Client) {
    let (url, dead) = pair(&client, "often").await;
    send(&client, &url, "poison").await;
    for _ in 0..2 {
        assert_eq!(bodies(&receive(&client, &url, 4).await), ["poison"]);
    }
    assert_eq!(receive(&client, &dead, 0).await, []);
    assert_eq!(receive(&client, &url, 2).await, []);
    assert_eq!(bodies(&receive(&client, &dead, 2).await), ["poison"]);
}

pub async fn a_dead_message_keeps_its_identity(client: Client) {
    let (url, dead) = pair(&client, "identity").await;
    let id = send(&client, &url, "poison").await;
    let mut sent_at = None;
    for _ in 0..2 {
        let message = receive(&client, &url, 4).await.remove(0);
        sent_at = message.attributes().unwrap().get(&System::SentTimestamp).cloned();
    }
    receive(&client, &url, 2).await;
    let message = receive(&client, &dead, 2).await.remove(0);
    assert_eq!(message.message_id(), Some(id.as_str()));
    assert_eq!(message.attributes().unwrap().get(&System::SentTimestamp), sent_at.as_ref());
}
