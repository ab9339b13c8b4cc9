//! What our endpoint promises beyond SQS's contract.

use std::time::{Duration, Instant};

use aws_sdk_sqs::{Client, types::MessageSystemAttributeName as System};
use futures::future::join_all;
use millwright_core::{Clock, WallTime};
use millwright_local::{
    Durability,
    sqs::{Sqs, arn},
};

use crate::support::{bodies, client, fresh, fresh_with, queue, receipt, receive, send, sleep};

/// Each promise holds whoever does the work: a thread that flushes, or whoever asks.
macro_rules! for_each_durability {
    ($($promise:ident)*) => {
        mod flushed {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise(millwright_local::Durability::Flush).await;
            })*
        }
        mod within_the_process {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise(millwright_local::Durability::Process).await;
            })*
        }
    };
}

for_each_durability! {
    after_a_start_every_message_is_free_and_its_receives_are_still_counted
    an_acknowledged_message_is_on_disk
    a_noisy_group_does_not_keep_a_quiet_one_waiting
    a_delay_runs_on_the_schedule_clock_and_a_timeout_on_the_wall_clock
    a_step_of_the_schedule_clock_wakes_who_waits_for_a_delay
    messages_past_their_retention_are_removed
    a_receiver_that_went_away_does_not_hide_a_message
    stopping_ends_long_polls_at_once
    many_at_once_receive_each_message_once
}

async fn send_in_group(client: &Client, url: &str, group: &str, body: &str) {
    let call = client.send_message().queue_url(url).message_body(body).message_group_id(group);
    call.send().await.unwrap();
}

async fn after_a_start_every_message_is_free_and_its_receives_are_still_counted(
    durability: Durability,
) {
    let first = fresh_with(Clock::system(), durability).await;
    let url = queue(&first.client, "kept", &[("VisibilityTimeout", "600")]).await;
    send_in_group(&first.client, &url, "acme", "x").await;
    let delayed = first.client.send_message().queue_url(&url).message_body("late");
    delayed.delay_seconds(600).send().await.unwrap();
    assert_eq!(receive(&first.client, &url, 0).await.len(), 1);
    first.sqs.stop().await.unwrap();

    let path = first.folder.path().join("queue.sqlite");
    let second = Sqs::start_with(&path, Clock::system(), durability).await.unwrap();
    let client = client(&second.url());
    let url = client.get_queue_url().queue_name("kept").send().await.unwrap().queue_url.unwrap();
    assert!(url.starts_with(&second.url()));
    let messages = receive(&client, &url, 0).await;
    assert_eq!(bodies(&messages), ["x"]);
    let attributes = messages[0].attributes().unwrap();
    assert_eq!(attributes[&System::ApproximateReceiveCount], "2");
    assert_eq!(attributes[&System::MessageGroupId], "acme");
    second.stop().await.unwrap();
}

/// What lies on disk at the moment of the acknowledgement is what a killed process leaves behind.
async fn an_acknowledged_message_is_on_disk(durability: Durability) {
    let fresh = fresh_with(Clock::system(), durability).await;
    let url = queue(&fresh.client, "kept", &[]).await;
    send(&fresh.client, &url, "x").await;
    let left_behind = tempfile::tempdir().unwrap();
    for name in ["queue.sqlite", "queue.sqlite-wal"] {
        std::fs::copy(fresh.folder.path().join(name), left_behind.path().join(name)).unwrap();
    }
    let again =
        Sqs::start_with(&left_behind.path().join("queue.sqlite"), Clock::system(), durability)
            .await
            .unwrap();
    let client = client(&again.url());
    let url = queue(&client, "kept", &[]).await;
    assert_eq!(bodies(&receive(&client, &url, 0).await), ["x"]);
}

async fn a_noisy_group_does_not_keep_a_quiet_one_waiting(durability: Durability) {
    let fresh = fresh_with(Clock::system(), durability).await;
    let url = queue(&fresh.client, "fair", &[]).await;
    for n in 0..30 {
        send_in_group(&fresh.client, &url, "noisy", &format!("noisy {n}")).await;
    }
    send_in_group(&fresh.client, &url, "quiet", "quiet").await;
    let first = receive(&fresh.client, &url, 0).await;
    assert!(bodies(&first)[..2].contains(&"quiet"), "{:?}", bodies(&first));
}

async fn a_delay_runs_on_the_schedule_clock_and_a_timeout_on_the_wall_clock(
    durability: Durability,
) {
    let clock = Clock::scaled(Clock::system().wall(), Duration::ZERO, 100.0);
    let fresh = fresh_with(clock, durability).await;
    let url = queue(&fresh.client, "quick", &[("VisibilityTimeout", "600")]).await;
    let call = fresh.client.send_message().queue_url(&url).message_body("x").delay_seconds(100);
    call.send().await.unwrap();
    let start = Instant::now();
    assert_eq!(receive(&fresh.client, &url, 0).await, []);
    assert_eq!(bodies(&receive(&fresh.client, &url, 20).await), ["x"]);
    let waited = start.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(3)).contains(&waited), "{waited:?}");
    // 600 seconds of the schedule clock pass, and the message stays hidden.
    assert_eq!(receive(&fresh.client, &url, 7).await, []);
}

async fn a_step_of_the_schedule_clock_wakes_who_waits_for_a_delay(durability: Durability) {
    let clock = Clock::scaled(WallTime::from_millis(0), Duration::ZERO, 1.0);
    let fresh = fresh_with(clock.clone(), durability).await;
    let url = queue(&fresh.client, "stepped", &[]).await;
    let call = fresh.client.send_message().queue_url(&url).message_body("x").delay_seconds(900);
    call.send().await.unwrap();
    let stepping = async {
        sleep(300).await;
        clock.step(Duration::from_secs(900));
        Instant::now()
    };
    let (received, stepped) = tokio::join!(receive(&fresh.client, &url, 20), stepping);
    assert_eq!(bodies(&received), ["x"]);
    assert!(stepped.elapsed() < Duration::from_millis(500), "{:?}", stepped.elapsed());
}

async fn messages_past_their_retention_are_removed(durability: Durability) {
    let fresh = fresh_with(Clock::system(), durability).await;
    let url = queue(&fresh.client, "old", &[("MessageRetentionPeriod", "60")]).await;
    send(&fresh.client, &url, "old").await;
    send(&fresh.client, &url, "new").await;
    fresh.sqs.stop().await.unwrap();
    let path = fresh.folder.path().join("queue.sqlite");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("UPDATE message SET sent_at = sent_at - 61000 WHERE body = 'old'", []).unwrap();
    drop(db);
    let sqs = Sqs::start_with(&path, Clock::system(), durability).await.unwrap();
    let client = client(&sqs.url());
    let url = queue(&client, "old", &[]).await;
    assert_eq!(bodies(&receive(&client, &url, 1).await), ["new"]);
}

async fn a_receiver_that_went_away_does_not_hide_a_message(durability: Durability) {
    let fresh = fresh_with(Clock::system(), durability).await;
    let url = queue(&fresh.client, "abandoned", &[("VisibilityTimeout", "600")]).await;
    let polling = {
        let (client, url) = (fresh.client.clone(), url.clone());
        tokio::spawn(async move { receive(&client, &url, 20).await })
    };
    sleep(300).await;
    polling.abort();
    sleep(100).await;
    send(&fresh.client, &url, "x").await;
    assert_eq!(bodies(&receive(&fresh.client, &url, 1).await), ["x"]);
}

async fn stopping_ends_long_polls_at_once(durability: Durability) {
    let fresh = fresh_with(Clock::system(), durability).await;
    let url = queue(&fresh.client, "stopping", &[]).await;
    let polling = tokio::spawn(async move { receive(&fresh.client, &url, 20).await });
    sleep(300).await;
    let start = Instant::now();
    fresh.sqs.stop().await.unwrap();
    assert_eq!(polling.await.unwrap(), []);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_dead_letter_queues_arn_is_made_from_its_name() {
    let fresh = fresh(Clock::system()).await;
    queue(&fresh.client, "dead", &[]).await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":"1"}}"#, arn("dead"));
    queue(&fresh.client, "alive", &[("RedrivePolicy", &policy)]).await;
}

/// Nothing is lost, doubled or stuck when many send, receive and delete at once.
async fn many_at_once_receive_each_message_once(durability: Durability) {
    const MESSAGES: usize = 400;
    let fresh = fresh_with(Clock::system(), durability).await;
    let url = queue(&fresh.client, "busy", &[]).await;
    let (client, url) = (&fresh.client, url.as_str());
    let start = Instant::now();
    let sends = (0..MESSAGES).map(|n| async move {
        send_in_group(client, url, &format!("g{}", n % 7), &n.to_string()).await;
    });
    let receives = (0..8).map(|_| async move {
        let mut seen = Vec::new();
        loop {
            let messages = receive(client, url, 1).await;
            if messages.is_empty() {
                return seen;
            }
            for message in &messages {
                let call = client.delete_message().queue_url(url);
                call.receipt_handle(receipt(message)).send().await.unwrap();
                seen.push(message.body().unwrap().parse::<usize>().unwrap());
            }
        }
    });
    let (_, seen) = tokio::join!(join_all(sends), join_all(receives));
    let mut seen = seen.concat();
    seen.sort_unstable();
    assert_eq!(seen, (0..MESSAGES).collect::<Vec<_>>());
    eprintln!("{MESSAGES} messages in {:?}", start.elapsed());
}
