//! `millwright_store::Store` on the local DynamoDB, through the real SDK.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    types::{self, AttributeValue},
};
use millwright_core::{Clock, QueueName, ScheduleTime, WallTime, Work, shard_of};
use millwright_local::{
    dynamo::{self, Dynamo},
    sdk,
};
use millwright_store::{
    DUE_SHARDS, Document, Due, DueRow, Expect, FailedMark, Key, Range, Store, StoreError, Table,
    Write,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

/// A document with everything a document can have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Doc {
    text: String,
    /// As it must be kept, digit by digit.
    exact: serde_json::Value,
    attempt_at: Option<ScheduleTime>,
    failed_at: Option<ScheduleTime>,
    expires_at: Option<WallTime>,
}

/// The moment that the schedule clock of these tests shows.
const NOW: ScheduleTime = ScheduleTime::from_millis(1_800_000_000_000);

impl Document for Doc {
    fn due(&self) -> Option<Due> {
        let work = Work { group: "acme".to_owned(), task: json!({"text": self.text}) };
        Some(Due::at(QueueName::Retry, NOW, self.attempt_at?, work))
    }

    fn failed(&self) -> Option<FailedMark> {
        Some(FailedMark { of: "ws#ep".to_owned(), at: self.failed_at? })
    }

    fn expires_at(&self) -> Option<WallTime> {
        self.expires_at
    }
}

fn doc(text: &str) -> Doc {
    Doc { text: text.to_owned(), ..Doc::default() }
}

fn key(sk: &str) -> Key {
    Key::state("ws", sk)
}

struct Fresh {
    folder: TempDir,
    dynamo: Dynamo,
    store: Store,
}

fn fresh() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let dynamo = Dynamo::start(&folder.path().join("dynamo.sqlite")).unwrap();
    let store = store(&dynamo);
    Fresh { folder, dynamo, store }
}

fn store(dynamo: &Dynamo) -> Store {
    let config = sdk::config(&dynamo.url(), "http://127.0.0.1:0");
    Store::new(Client::new(&config), dynamo::tables(), Clock::system())
}

async fn put(store: &Store, sk: &str, doc: &Doc) {
    store.write(Write::put(&key(sk), doc, Expect::Anything).unwrap()).await.unwrap();
}

fn assert_conflict<T: std::fmt::Debug>(result: Result<T, StoreError>, place: usize) {
    match result {
        Err(StoreError::Conflict(found)) => assert_eq!(found, place),
        other => panic!("expected a conflict: {other:?}"),
    }
}

#[tokio::test]
async fn a_row_is_read_as_it_was_written() {
    let fresh = fresh();
    let store = &fresh.store;
    let exact = serde_json::from_str("[10.50, 1e+400, 12345678901234567890.123, 0.1]").unwrap();
    let written = Doc { exact, ..doc("größer \u{1F600}") };
    let write = Write::put_with_body(&key("a"), &written, Some("a large body"), Expect::Absent);
    let version = store.write(write.unwrap()).await.unwrap();
    let row = store.get::<Doc>(&key("a")).await.unwrap().unwrap();
    assert_eq!(
        serde_json::to_string(&row.doc.exact).unwrap(),
        "[10.50,1e+400,12345678901234567890.123,0.1]"
    );
    assert_eq!((row.doc, row.version), (written.clone(), version));
    assert_eq!(row.body.as_deref(), Some("a large body"));
    let row = store.get_doc::<Doc>(&key("a")).await.unwrap().unwrap();
    assert_eq!((row.doc, row.body), (written, None));
    assert!(store.get::<Doc>(&key("b")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_write_happens_only_when_the_row_is_as_expected() {
    let fresh = fresh();
    let store = &fresh.store;
    let create = || Write::put(&key("a"), &doc("one"), Expect::Absent).unwrap();
    store.write(create()).await.unwrap();
    assert_conflict(store.write(create()).await, 0);
    let mut row = store.get::<Doc>(&key("a")).await.unwrap().unwrap();
    row.doc.text = "two".to_owned();
    store.write(Write::replace(&row).unwrap()).await.unwrap();
    assert_conflict(store.write(Write::replace(&row).unwrap()).await, 0);
    assert_conflict(store.write(Write::delete(&key("a"), Expect::Version(row.version))).await, 0);
    let row = store.get::<Doc>(&key("a")).await.unwrap().unwrap();
    store.write(Write::delete(&key("a"), Expect::Version(row.version))).await.unwrap();
    assert!(store.get::<Doc>(&key("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_transaction_is_made_whole_or_not_at_all() {
    let fresh = fresh();
    let store = &fresh.store;
    put(store, "present", &doc("present")).await;
    let put = |sk: &str, expect| Write::put(&key(sk), &doc(sk), expect).unwrap();
    let conflicting = vec![put("a", Expect::Absent), put("present", Expect::Absent)];
    assert_conflict(store.transact(conflicting).await, 1);
    assert!(store.get::<Doc>(&key("a")).await.unwrap().is_none());
    let row = store.get::<Doc>(&key("present")).await.unwrap().unwrap();
    let check = Write::check(&row.key, Expect::Version(row.version));
    let records = Write::put(&Key::records("ws#conn", "r"), &doc("r"), Expect::Absent).unwrap();
    store.transact(vec![put("a", Expect::Absent), records, check]).await.unwrap();
    assert!(store.get::<Doc>(&Key::records("ws#conn", "r")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn read_decide_write_loses_no_update() {
    let fresh = fresh();
    let store = &fresh.store;
    put(store, "counter", &doc("")).await;
    let counting = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let add = |doc: &mut Doc| {
                doc.text.push('x');
                Ok(())
            };
            store.modify(&key("counter"), add).await.unwrap().unwrap();
        })
    });
    for counted in counting.collect::<Vec<_>>() {
        counted.await.unwrap();
    }
    let row = store.get::<Doc>(&key("counter")).await.unwrap().unwrap();
    assert_eq!(row.doc.text, "xxxxxxxx");
}

#[tokio::test]
async fn a_partition_is_read_in_order_and_in_pages() {
    let fresh = fresh();
    let store = &fresh.store;
    let mut writes: Vec<_> = (0..30)
        .map(|n| Write::put(&key(&format!("row#{n:02}")), &doc(&n.to_string()), Expect::Anything))
        .collect::<Result<_, _>>()
        .unwrap();
    writes.push(Write::put(&key("other"), &doc("other"), Expect::Anything).unwrap());
    store.write_batch(writes).await.unwrap();
    let rows = Range::Prefix("row#".to_owned());
    let page = store.query::<Doc>(Table::State, "ws", &rows, None, 20, true).await.unwrap();
    let texts = |page: &millwright_store::Page<Doc>| {
        page.rows.iter().map(|row| row.doc.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&page), (0..20).map(|n: i32| n.to_string()).collect::<Vec<_>>());
    let after = page.next.as_deref();
    let page = store.query::<Doc>(Table::State, "ws", &rows, after, 20, true).await.unwrap();
    assert_eq!((texts(&page).len(), page.next), (10, None));
    let between = Range::Between("row#05".to_owned(), "row#07".to_owned());
    let page = store.query::<Doc>(Table::State, "ws", &between, None, 20, false).await.unwrap();
    assert_eq!(texts(&page), ["7", "6", "5"]);
    assert_eq!(store.query_all::<Doc>(Table::State, "ws", &Range::All).await.unwrap().len(), 31);
}

#[tokio::test]
async fn batches_are_of_any_size() {
    let fresh = fresh();
    let store = &fresh.store;
    let keys: Vec<_> = (0..230).map(|n| key(&format!("b#{n}"))).collect();
    let put = |key: &Key| Write::put_with_body(key, &doc("b"), Some("body"), Expect::Anything);
    store.write_batch(keys.iter().map(|key| put(key).unwrap()).collect()).await.unwrap();
    let mut asked = keys.clone();
    asked.push(key("missing"));
    let rows = store.get_all::<Doc>(&asked).await.unwrap();
    assert_eq!(rows.len(), 230);
    assert!(rows.iter().all(|row| row.body.as_deref() == Some("body")));
    assert!(store.get_docs::<Doc>(&asked).await.unwrap().iter().all(|row| row.body.is_none()));
    let deletes = keys.iter().map(|key| Write::delete(key, Expect::Anything)).collect();
    store.write_batch(deletes).await.unwrap();
    assert!(store.get_all::<Doc>(&keys).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_many_new_rows_those_that_are_there_stand_and_are_told() {
    let fresh = fresh();
    let store = &fresh.store;
    let keys: Vec<_> = (0..60).map(|n| key(&format!("n#{n:02}"))).collect();
    let there = [&keys[3], &keys[40]];
    for key in there {
        assert!(store.create(key, &doc("first")).await.unwrap());
    }
    let text = "it's \"one\" 'of' {many}: ?, ü";
    let put = |key: &Key| Write::put_with_body(key, &doc(text), Some(text), Expect::Absent);
    let mut taken =
        store.insert_batch(keys.iter().map(|key| put(key).unwrap()).collect()).await.unwrap();
    taken.sort_by(|left, right| left.sk.cmp(&right.sk));
    assert_eq!(taken, there.map(Clone::clone));
    let rows = store.get_all::<Doc>(&keys).await.unwrap();
    assert_eq!(rows.len(), 60);
    let first = rows.iter().filter(|row| row.doc.text == "first").count();
    assert_eq!(first, 2);
    let new = rows.iter().filter(|row| row.body.as_deref() == Some(text));
    assert_eq!(new.filter(|row| row.doc.text == text).count(), 58);
}

/// Puts rows at the same time, each on its own behalf: what each was told, in order.
async fn create_all(store: &Store, rows: Vec<(Key, Doc)>) -> Vec<Result<bool, StoreError>> {
    let put = rows.into_iter().map(|(key, doc)| {
        let store = store.clone();
        tokio::spawn(async move { store.create_together(&key, &doc).await })
    });
    let told = futures::future::join_all(put.collect::<Vec<_>>()).await;
    told.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_put_at_the_same_time_are_each_put_once_and_told_so() {
    let fresh = fresh();
    let store = &fresh.store;
    let names: Vec<String> = (0..100).map(|n| format!("n#{n:02}")).collect();
    for name in [&names[7], &names[70]] {
        assert!(store.create(&key(name), &doc("there")).await.unwrap());
    }
    let past = store.clock().wall() - Duration::from_secs(5);
    put(store, &names[33], &Doc { expires_at: Some(past), ..doc("past its end") }).await;
    // Three ask for each row: one of them puts it, unless it is there.
    let asked = |who: &'static str| names.iter().map(move |name| (key(name), doc(who)));
    let all: Vec<_> = asked("a").chain(asked("b")).chain(asked("c")).collect();
    let told = create_all(store, all.clone()).await;
    let put: Vec<_> = all
        .iter()
        .zip(told)
        .filter(|(_, told)| *told.as_ref().unwrap())
        .map(|(row, _)| row)
        .collect();
    assert_eq!(put.len(), 98);
    for (key, doc) in put {
        assert_eq!(store.get::<Doc>(key).await.unwrap().unwrap().doc, *doc);
    }
    for name in [&names[7], &names[70]] {
        assert_eq!(store.get::<Doc>(&key(name)).await.unwrap().unwrap().doc.text, "there");
    }
    assert_ne!(
        store.get::<Doc>(&key(&names[33])).await.unwrap().unwrap().doc.expires_at,
        Some(past)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_put_fails_by_itself_among_those_that_are_put_together() {
    let fresh = fresh();
    let store = &fresh.store;
    let mut rows: Vec<_> = (0..40).map(|n| (key(&format!("n#{n:02}")), doc("fits"))).collect();
    rows[20].1.text = "x".repeat(500_000);
    let told = create_all(store, rows.clone()).await;
    assert!(matches!(told[20], Err(StoreError::Sdk(_))), "{:?}", told[20]);
    let put = told.iter().filter(|told| matches!(told, Ok(true))).count();
    let keys: Vec<_> = rows.into_iter().map(|(key, _)| key).collect();
    assert_eq!((put, store.get_all::<Doc>(&keys).await.unwrap().len()), (39, 39));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_asked_for_again_with_its_token_is_not_made_again() {
    let fresh = fresh();
    let client = Client::new(&sdk::config(&fresh.dynamo.url(), "http://127.0.0.1:0"));
    let ask = |token: &str, doc: &str| {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = types::Put::builder()
            .table_name(dynamo::tables().state)
            .item("pk", text("ws"))
            .item("sk", text("a"))
            .item("doc", text(doc))
            .condition_expression("attribute_not_exists(pk)");
        let item = types::TransactWriteItem::builder().put(put.build().unwrap()).build();
        client.transact_write_items().client_request_token(token).transact_items(item).send()
    };
    ask("one", "a").await.unwrap();
    ask("one", "a").await.unwrap();
    let other = ask("one", "b").await.unwrap_err().into_service_error();
    assert!(other.is_idempotent_parameter_mismatch_exception(), "{other:?}");
    let again = ask("two", "a").await.unwrap_err().into_service_error();
    assert!(again.is_transaction_canceled_exception(), "{again:?}");
}

async fn due(store: &Store, now: ScheduleTime) -> Vec<DueRow> {
    let mut rows = Vec::new();
    for shard in 0..DUE_SHARDS {
        rows.extend(store.due(QueueName::Retry, shard, now, 100).await.unwrap());
    }
    rows
}

#[tokio::test]
async fn what_must_happen_later_is_found_when_its_time_comes_and_moved_once() {
    let fresh = fresh();
    let store = &fresh.store;
    let hour = Duration::from_secs(3600);
    put(store, "waits", &Doc { attempt_at: Some(NOW + hour), ..doc("waits") }).await;
    put(store, "does not", &doc("does not")).await;
    assert!(due(store, NOW).await.is_empty());
    let found = due(store, NOW + hour).await;
    let [row] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&row.key, row.attempt_at), (&key("waits"), NOW + hour));
    assert_eq!(row.work.task, json!({"text": "waits"}));
    assert!(store.move_due(row, NOW + hour * 2).await.unwrap());
    assert!(!store.move_due(row, NOW + hour * 2).await.unwrap());
    assert!(due(store, NOW + hour).await.is_empty());
    assert_eq!(due(store, NOW + hour * 2).await.len(), 1);
    // A row that no longer waits leaves the index.
    put(store, "waits", &doc("done")).await;
    assert!(due(store, NOW + hour * 2).await.is_empty());
    assert!(!store.move_due(row, NOW).await.unwrap());
}

#[tokio::test]
async fn rows_are_spread_over_the_due_indexs_shards() {
    let fresh = fresh();
    let store = &fresh.store;
    let name = |n: u32| format!("spread#{n}");
    for n in 0..20 {
        put(store, &name(n), &Doc { attempt_at: Some(NOW), ..doc("x") }).await;
    }
    let later = NOW + Duration::from_secs(3600);
    for shard in 0..DUE_SHARDS {
        let expected =
            (0..20).filter(|n| shard_of(&format!("ws{}", name(*n)), DUE_SHARDS) == shard).count();
        let found = store.due(QueueName::Retry, shard, later, 100).await.unwrap();
        assert_eq!(found.len(), expected);
    }
}

#[tokio::test]
async fn failed_rows_are_listed_newest_first() {
    let fresh = fresh();
    let store = &fresh.store;
    let at = |n: i64| ScheduleTime::from_millis(NOW.millis() + n);
    for n in 0..3 {
        put(store, &format!("f{n}"), &Doc { failed_at: Some(at(n)), ..doc("f") }).await;
    }
    let listed = store.failed("ws#ep", None, 2).await.unwrap();
    assert_eq!(listed, [(key("f2"), at(2)), (key("f1"), at(1))]);
    assert_eq!(store.failed("ws#ep", Some(at(1)), 2).await.unwrap(), [(key("f0"), at(0))]);
    assert!(store.failed("ws#other", None, 2).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_expired_row_is_not_read_and_makes_way() {
    let fresh = fresh();
    let store = &fresh.store;
    let past = store.clock().wall() - Duration::from_secs(5);
    put(store, "old", &Doc { expires_at: Some(past), ..doc("old") }).await;
    assert!(store.get::<Doc>(&key("old")).await.unwrap().is_none());
    assert!(store.get_all::<Doc>(&[key("old")]).await.unwrap().is_empty());
    assert!(store.query_all::<Doc>(Table::State, "ws", &Range::All).await.unwrap().is_empty());
    store.write(Write::put(&key("old"), &doc("new"), Expect::Absent).unwrap()).await.unwrap();
}

#[tokio::test]
async fn rows_outlive_the_endpoint() {
    let first = fresh();
    put(&first.store, "kept", &doc("kept")).await;
    first.dynamo.stop().await.unwrap();
    let second = Dynamo::start(&first.folder.path().join("dynamo.sqlite")).unwrap();
    assert!(store(&second).get::<Doc>(&key("kept")).await.unwrap().is_some());
    second.stop().await.unwrap();
}

#[tokio::test]
async fn expired_rows_are_removed() {
    let first = fresh();
    let past = first.store.clock().wall() - Duration::from_secs(5);
    put(&first.store, "old", &Doc { expires_at: Some(past), ..doc("old") }).await;
    put(&first.store, "kept", &doc("kept")).await;
    first.dynamo.stop().await.unwrap();
    // The first sweep is made at the start.
    let second = Dynamo::start(&first.folder.path().join("dynamo.sqlite")).unwrap();
    let client = Client::new(&sdk::config(&second.url(), "http://127.0.0.1:0"));
    let mut left = 2;
    for _ in 0..50 {
        let scan = client.scan().table_name(dynamo::tables().state).send().await.unwrap();
        left = scan.count();
        if left == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{left} rows are left");
}
