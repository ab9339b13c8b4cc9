//! The store and the queue keep their promises while the table and the queues behave as AWS's may.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use millwright_core::{Clock, QueueName, ScheduleTime, Work};
use millwright_store::{DUE_SHARDS, Document, Due, Expect, Key, Range, Store, Table, Write};
use millwright_tests::{
    cloud::Cloud,
    faults::{Fault, QueueFaults, TableFaults},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

const SEED: u64 = 41;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Names(BTreeSet<String>);

impl Document for Names {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Waiting {
    number: u64,
    at: ScheduleTime,
}

impl Document for Waiting {
    fn due(&self) -> Option<Due> {
        let work = Work { group: "g".to_owned(), task: json!({ "number": self.number }) };
        Some(Due { queue: QueueName::Retry, attempt_at: self.at, due_at: self.at, work })
    }
}

struct Tried {
    cloud: Cloud,
    store: Store,
    _folder: tempfile::TempDir,
}

async fn with_table(faults: TableFaults) -> Tried {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(folder.path(), faults, QueueFaults::NONE, SEED, Clock::system()).await;
    Tried { store: cloud.store(), cloud, _folder: folder }
}

fn key(sk: impl std::fmt::Display) -> Key {
    Key::state("faults", sk.to_string())
}

#[tokio::test]
async fn what_was_acknowledged_is_there_though_writers_meet_and_answers_are_lost() {
    let tried = with_table(TableFaults::ROUGH).await;
    let store = &tried.store;
    store
        .write(Write::put(&key("set"), &Names::default(), Expect::Anything).unwrap())
        .await
        .unwrap();
    let add = async |n: usize| {
        let (key, name) = (key("set"), n.to_string());
        let added = store.modify(&key, |names: &mut Names| {
            names.0.insert(name.clone());
            Ok(())
        });
        added.await.map(|_| n.to_string())
    };
    let acknowledged: BTreeSet<String> =
        join_all((0..40).map(add)).await.into_iter().filter_map(Result::ok).collect();
    let names = store.get::<Names>(&key("set")).await.unwrap().unwrap().doc.0;
    assert!(acknowledged.len() >= 30, "{} of 40 were written", acknowledged.len());
    assert!(acknowledged.is_subset(&names));
    println!("{:?}", tried.cloud.table_faults().all());
}

#[tokio::test]
async fn a_single_write_that_meets_a_transaction_is_tried_again() {
    let faults = TableFaults { write_conflict: 0.3, ..TableFaults::NONE };
    let tried = with_table(faults).await;
    for n in 0..40 {
        let made = tried.store.create(&key(n), &Names::default()).await;
        assert!(made.unwrap(), "row {n}");
    }
    assert!(tried.cloud.table_faults().of(Fault::WriteConflict) > 0);
}

#[tokio::test]
async fn a_transaction_that_meets_others_is_made_once() {
    let faults = TableFaults { transaction_conflict: 0.4, ..TableFaults::NONE };
    let tried = with_table(faults).await;
    for n in 0..40 {
        let writes = ["a", "b", "c"].map(|part| {
            Write::put(&key(format!("{n}{part}")), &Names::default(), Expect::Absent).unwrap()
        });
        tried.store.transact(writes.to_vec()).await.unwrap();
    }
    let rows = tried.store.query_all::<Names>(Table::State, "faults", &Range::All).await.unwrap();
    assert_eq!(rows.len(), 120);
    assert!(tried.cloud.table_faults().of(Fault::TransactionConflict) > 5);
}

#[tokio::test]
async fn a_transaction_whose_answer_was_lost_is_not_reported_as_a_conflict() {
    let faults = TableFaults { lost_answer: 0.2, ..TableFaults::NONE };
    let tried = with_table(faults).await;
    for n in 0..60 {
        let write = Write::put(&key(n), &Names::default(), Expect::Absent).unwrap();
        tried.store.transact(vec![write]).await.unwrap();
    }
    assert!(tried.cloud.table_faults().of(Fault::LostAnswer) > 5);
}

#[tokio::test]
async fn a_batch_is_whole_though_parts_of_it_are_left_undone() {
    let faults = TableFaults { unprocessed: 0.7, throttle: 0.05, ..TableFaults::NONE };
    let tried = with_table(faults).await;
    let keys: Vec<Key> = (0..300).map(key).collect();
    let writes = keys.iter().map(|key| Write::put(key, &Names::default(), Expect::Anything));
    tried.store.write_batch(writes.map(Result::unwrap).collect()).await.unwrap();
    let read = tried.store.get_docs::<Names>(&keys).await.unwrap();
    let read: BTreeSet<String> = read.into_iter().map(|row| row.key.sk).collect();
    assert_eq!(read.len(), 300);
    assert!(tried.cloud.table_faults().of(Fault::Unprocessed) > 50);
}

#[tokio::test]
async fn new_rows_are_all_there_though_some_are_refused_and_answers_are_lost() {
    let faults = TableFaults { unprocessed: 0.7, lost_answer: 0.1, ..TableFaults::NONE };
    let tried = with_table(faults).await;
    let keys: Vec<Key> = (0..300).map(key).collect();
    let writes = keys.iter().map(|key| Write::put(key, &Names::default(), Expect::Absent));
    tried.store.insert_batch(writes.map(Result::unwrap).collect()).await.unwrap();
    let read = tried.store.get_docs::<Names>(&keys).await.unwrap();
    let read: BTreeSet<String> = read.into_iter().map(|row| row.key.sk).collect();
    assert_eq!(read.len(), 300);
    assert!(tried.cloud.table_faults().of(Fault::Unprocessed) > 50);
}

#[tokio::test]
async fn each_waiting_row_is_handed_on_once_though_the_index_is_late_and_stale() {
    let lag = Duration::from_millis(200);
    let faults =
        TableFaults { late_index: 0.5, stale_index: 0.5, index_lag: lag, ..TableFaults::NONE };
    let tried = with_table(faults).await;
    let now = tried.store.clock().schedule();
    for number in 0..60 {
        let row = Waiting { number, at: now };
        assert!(tried.store.create(&key(number), &row).await.unwrap());
    }
    let mut handed = BTreeMap::<String, u32>::new();
    for _ in 0..12 {
        for shard in 0..DUE_SHARDS {
            let due = tried.store.due(QueueName::Retry, shard, now, 100).await.unwrap();
            for row in due {
                let later = now + Duration::from_secs(3600);
                if tried.store.move_due(&row, later).await.unwrap() {
                    *handed.entry(row.key.sk).or_default() += 1;
                }
            }
        }
        tokio::time::sleep(lag / 4).await;
    }
    assert_eq!(handed.len(), 60);
    assert!(handed.values().all(|times| *times == 1), "{handed:?}");
    assert!(tried.cloud.table_faults().of(Fault::LateIndex) > 0);
    assert!(tried.cloud.table_faults().of(Fault::StaleIndex) > 0);
}

#[tokio::test]
async fn work_that_was_sent_arrives_though_answers_are_lost_and_messages_held_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let cloud =
        Cloud::start(folder.path(), TableFaults::NONE, QueueFaults::ROUGH, SEED, clock).await;
    let queues = cloud.queues();
    let mut sent = BTreeSet::new();
    for n in 0..60 {
        let work = Work::new("g", &json!({ "number": n })).unwrap();
        if queues.send(QueueName::Retry, &work).await.is_ok() {
            sent.insert(n.to_string());
        }
    }
    let client = aws_sdk_sqs::Client::new(&cloud.sdk());
    let url = &cloud.variables()["MILLWRIGHT_QUEUE_RETRY"];
    let mut arrived = BTreeMap::<String, u32>::new();
    let mut empty = 0;
    while empty < 4 {
        let call = client.receive_message().queue_url(url).max_number_of_messages(10);
        let received = call.wait_time_seconds(1).send().await.unwrap().messages.unwrap_or_default();
        empty = if received.is_empty() { empty + 1 } else { 0 };
        for message in received {
            let body: serde_json::Value = serde_json::from_str(message.body().unwrap()).unwrap();
            let number = body.pointer("/task/number").or(body.pointer("/work/task/number"));
            *arrived.entry(number.unwrap().to_string()).or_default() += 1;
            let receipt = message.receipt_handle().unwrap();
            client.delete_message().queue_url(url).receipt_handle(receipt).send().await.unwrap();
        }
    }
    assert!(sent.len() > 50);
    assert!(sent.iter().all(|n| arrived.contains_key(n)));
    for fault in [Fault::Duplicated, Fault::HeldBack, Fault::Reordered, Fault::LostAnswer] {
        assert!(cloud.queue_faults().of(fault) > 0, "{fault:?}");
    }
}
