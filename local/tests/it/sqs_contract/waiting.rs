use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;

use crate::support::{bodies, queue, receive, send, sleep};

pub async fn a_delayed_message_waits(client: Client) {
    let url = queue(&client, "delayed", &[]).await;
    let start = Instant::now();
    let call = client.send_message().queue_url(&url).message_body("x").delay_seconds(2);
    call.send().await.unwrap();
    assert_eq!(receive(&client, &url, 0).await, []);
    assert_eq!(bodies(&receive(&client, &url, 5).await), ["x"]);
    assert!(start.elapsed() >= Duration::from_millis(1900), "{:?}", start.elapsed());
}

pub async fn a_queues_own_delay_holds_for_its_messages(client: Client) {
    let url = queue(&client, "own-delay", &[("DelaySeconds", "2")]).await;
    let now = client.send_message().queue_url(&url).message_body("now").delay_seconds(0);
    now.send().await.unwrap();
    send(&client, &url, "later").await;
    assert_eq!(bodies(&receive(&client, &url, 1).await), ["now"]);
    assert_eq!(bodies(&receive(&client, &url, 5).await), ["later"]);
}

pub async fn a_long_poll_is_woken_by_a_send(client: Client) {
    let url = queue(&client, "woken", &[]).await;
    let polling = {
        let (client, url) = (client.clone(), url.clone());
        tokio::spawn(async move { receive(&client, &url, 20).await })
    };
    sleep(500).await;
    let start = Instant::now();
    send(&client, &url, "x").await;
    assert_eq!(bodies(&polling.await.unwrap()), ["x"]);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

pub async fn a_long_poll_is_woken_by_the_end_of_a_delay(client: Client) {
    let url = queue(&client, "woken-late", &[]).await;
    let call = client.send_message().queue_url(&url).message_body("x").delay_seconds(1);
    call.send().await.unwrap();
    let start = Instant::now();
    assert_eq!(bodies(&receive(&client, &url, 20).await), ["x"]);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

pub async fn a_long_poll_ends_empty(client: Client) {
    let url = queue(&client, "empty", &[]).await;
    let start = Instant::now();
    assert_eq!(receive(&client, &url, 1).await, []);
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}
