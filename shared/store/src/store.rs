//! The calls: get, query, save, modify, transact, batches, and the due index.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        ConditionCheck, Delete, KeysAndAttributes, Put, TransactWriteItem,
        WriteRequest,
    },
};
use millwright_core::{Clock, Error, QueueName, Result, ScheduleTime};

use crate::{
    Document, Due, DueRow, Expect, Key, Row, StoreError, Table, Tables, Version, Write,
    row::{Item, attr, due_work, integer, is_expired, number, row_of, text},
    write::{Kind, text_value},
};

/// How often a read-decide-write is begun again when somebody else wrote first, and a transaction
/// when it met another.
const TRIES: u32 = 12;

/// Which rows of a partition.
#[derive(Clone, Debug)]
pub enum Range {
    /// All of them.
    All,
    /// Those whose sort key starts so.
    Prefix(String),
    /// Those from the first to the last sort key, both included.
    Between(String, String),
}

/// A page of a query.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows that are not past their end.
    pub rows: Vec<Row<T>>,
    /// The sort key to continue after, when there may be more.
    pub next: Option<String>,
}

/// The tables. Clones share one client.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    tables: Tables,
    clock: Clock,
}

impl Store {
    /// The tables behind a client.
    #[must_use]
    pub fn new(client: Client, tables: Tables, clock: Clock) -> Self {
        Self { client, tables, clock }
    }

    /// The clock that the tables' times are read by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Opens the connection ahead of the first request: its set-up is most of a cold start.
    pub async fn warm(&self) {
        let key = Key::state("warm", "warm");
        let _ = self.get_item(&key, None).await;
    }

    /// Reads a row, strongly.
    ///
    /// # Errors
    /// When the table fails or the row is damaged.
    pub async fn get<T: Document>(&self, key: &Key) -> Result<Option<Row<T>>, StoreError> {
        let item = self.get_item(key, None).await?;
        item.map(|item| row_of(key.table, &item)).transpose()
    }

    /// Reads a row without its large part, strongly.
    ///
    /// # Errors
    /// When the table fails or the row is damaged.
    pub async fn get_doc<T: Document>(&self, key: &Key) -> Result<Option<Row<T>>, StoreError> {
        let item = self.get_item(key, Some(DOC_ATTRIBUTES)).await?;
        item.map(|item| row_of(key.table, &item)).transpose()
    }

    /// Reads the documents of many rows without their large parts, strongly. Rows that do not exist
    /// are left out; the order is not kept.
    ///
    /// # Errors
    /// When the table fails or a row is damaged.
    pub async fn get_docs<T: Document>(&self, keys: &[Key]) -> Result<Vec<Row<T>>, StoreError> {
        self.batch_get(keys, Some(DOC_ATTRIBUTES)).await
    }

    /// Reads many rows whole, strongly. Rows that do not exist are left out; the order is not kept.
    ///
    /// # Errors
    /// When the table fails or a row is damaged.
    pub async fn get_all<T: Document>(&self, keys: &[Key]) -> Result<Vec<Row<T>>, StoreError> {
        self.batch_get(keys, None).await
    }

    async fn get_item(
        &self,
        key: &Key,
        projection: Option<&str>,
    ) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(self.tables.name(key.table))
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .set_projection_expression(projection.map(str::to_owned))
            .send()
            .await
            .map_err(StoreError::sdk)?;
        let now = self.clock.wall();
        Ok(answer.item.filter(|item| !is_expired(item, now)))
    }

    async fn batch_get<T: Document>(
        &self,
        keys: &[Key],
        projection: Option<&str>,
    ) -> Result<Vec<Row<T>>, StoreError> {
        let mut rows = Vec::with_capacity(keys.len());
        // 100 keys a call (BatchGetItem).
        for chunk in keys.chunks(100) {
            let table = chunk[0].table;
            let mut wanted: Vec<Item> = chunk.iter().map(Key::attributes).collect();
            let mut tries = 0;
            while !wanted.is_empty() {
                pause_before(tries).await;
                let request = KeysAndAttributes::builder()
                    .set_keys(Some(wanted))
                    .consistent_read(true)
                    .set_projection_expression(projection.map(str::to_owned))
                    .build()
                    .map_err(|e| StoreError::Sdk(Box::new(e)))?;
                let answer = self
                    .client
                    .batch_get_item()
                    .request_items(self.tables.name(table), request)
                    .send()
                    .await
                    .map_err(StoreError::sdk)?;
                let now = self.clock.wall();
                for item in answer.responses.unwrap_or_default().into_values().flatten() {
                    if !is_expired(&item, now) {
                        rows.push(row_of(table, &item)?);
                    }
                }
                wanted = unprocessed_keys(answer.unprocessed_keys);
                tries += 1;
                give_up_after(tries, wanted.is_empty())?;
            }
        }
        Ok(rows)
    }

    /// Reads a page of a partition in the order of its sort keys (or backwards), strongly.
    ///
    /// # Errors
    /// When the table fails or a row is damaged.
    pub async fn query<T: Document>(
        &self,
        table: Table,
        pk: &str,
        range: &Range,
        after: Option<&str>,
        limit: usize,
        forward: bool,
    ) -> Result<Page<T>, StoreError> {
        self.query_with(table, pk, range, after, limit, forward, None).await
    }

    /// Reads a page of a partition forwards, without the rows' large parts, strongly.
    ///
    /// # Errors
    /// When the table fails or a row is damaged.
    pub async fn query_docs<T: Document>(
        &self,
        table: Table,
        pk: &str,
        range: &Range,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<T>, StoreError> {
        self.query_with(table, pk, range, after, limit, true, Some(DOC_ATTRIBUTES)).await
    }

    #[expect(clippy::too_many_arguments, reason = "a query has this many parts")]
    async fn query_with<T: Document>(
        &self,
        table: Table,
        pk: &str,
        range: &Range,
        after: Option<&str>,
        limit: usize,
        forward: bool,
        projection: Option<&str>,
    ) -> Result<Page<T>, StoreError> {
        let mut values = Item::from([(":pk".to_owned(), text_value(pk))]);
        let condition = match range {
            Range::All => "pk = :pk",
            Range::Prefix(prefix) => {
                values.insert(":prefix".to_owned(), text_value(prefix));
                "pk = :pk AND begins_with(sk, :prefix)"
            }
            Range::Between(first, last) => {
                values.insert(":first".to_owned(), text_value(first));
                values.insert(":last".to_owned(), text_value(last));
                "pk = :pk AND sk BETWEEN :first AND :last"
            }
        };
        let start = after.map(|sk| Key { table, pk: pk.to_owned(), sk: sk.to_owned() }.attributes());
        let answer = self
            .client
            .query()
            .table_name(self.tables.name(table))
            .key_condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
            .scan_index_forward(forward)
            .consistent_read(true)
            .set_projection_expression(projection.map(str::to_owned))
            .send()
            .await
            .map_err(StoreError::sdk)?;
        let next = answer.last_evaluated_key.as_ref().map(|key| text(key, attr::SK));
        let now = self.clock.wall();
        let items = answer.items.unwrap_or_default();
        let live = items.iter().filter(|item| !is_expired(item, now));
        let rows = live.map(|item| row_of(table, item)).collect::<Result<_, _>>()?;
        Ok(Page { rows, next })
    }

    /// Reads all rows of a range. Only for ranges that a limit elsewhere keeps small.
    ///
    /// # Errors
    /// When the table fails or a row is damaged.
    pub async fn query_all<T: Document>(
        &self,
        table: Table,
        pk: &str,
        range: &Range,
    ) -> Result<Vec<Row<T>>, StoreError> {
        let mut rows = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.query(table, pk, range, after.as_deref(), 1000, true).await?;
            rows.extend(page.rows);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(rows),
            }
        }
    }

    /// Makes one write and answers with the row's new version.
    ///
    /// # Errors
    /// `Conflict` when the row is not as expected.
    pub async fn write(&self, write: Write) -> Result<Version, StoreError> {
        let mut tries = 0;
        loop {
            pause_before(tries).await;
            match self.write_once(write.clone()).await {
                // The SDK does not try these again by itself.
                Err(error) if error.met_a_transaction() && tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }

    async fn write_once(&self, write: Write) -> Result<Version, StoreError> {
        let (expression, values) = write.condition(self.clock.wall()).unzip();
        let table = self.tables.name(write.key.table);
        let version = write.version();
        let conflict = |failed: bool, error: aws_sdk_dynamodb::Error| {
            if failed { StoreError::Conflict(0) } else { StoreError::Sdk(Box::new(error)) }
        };
        match write.kind {
            Kind::Put(item, _) => {
                let call = self.client.put_item().table_name(table).set_item(Some(item));
                call.set_condition_expression(expression)
                    .set_expression_attribute_values(values)
                    .send()
                    .await
                    .map_err(|e| {
                        let failed = e
                            .as_service_error()
                            .is_some_and(|e| e.is_conditional_check_failed_exception());
                        conflict(failed, e.into())
                    })?;
            }
            Kind::Delete => {
                let key = write.key.attributes();
                let call = self.client.delete_item().table_name(table).set_key(Some(key));
                call.set_condition_expression(expression)
                    .set_expression_attribute_values(values)
                    .send()
                    .await
                    .map_err(|e| {
                        let failed = e
                            .as_service_error()
                            .is_some_and(|e| e.is_conditional_check_failed_exception());
                        conflict(failed, e.into())
                    })?;
            }
            Kind::Check => return self.transact(vec![write]).await.map(|()| version),
        }
        Ok(version)
    }

    /// Puts a new row: false when there is one already.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn create<T: Document>(&self, key: &Key, doc: &T) -> Result<bool, StoreError> {
        match self.write(Write::put(key, doc, Expect::Absent)?).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads a row, lets `decide` change it, writes it back; begins again when somebody else wrote in
    /// between. `decide` must only decide: it may run several times. Nothing is written when it fails
    /// or leaves the document as it was.
    ///
    /// # Errors
    /// What `decide` answers; `None` when there is no such row.
    pub async fn modify<T, R, F>(&self, key: &Key, decide: F) -> Result<Option<(Row<T>, R)>>
    where
        T: Document + Clone + PartialEq,
        F: Fn(&mut T) -> Result<R> + Send + Sync,
    {
        for tries in 0..TRIES {
            pause_before(tries).await;
            let Some(mut row) = self.get::<T>(key).await? else { return Ok(None) };
            let before = row.doc.clone();
            let result = decide(&mut row.doc)?;
            if row.doc == before {
                return Ok(Some((row, result)));
            }
            match self.write(Write::replace(&row)?).await {
                Ok(version) => {
                    row.version = version;
                    return Ok(Some((row, result)));
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::internal(StoreError::Conflict(0)))
    }

    /// Makes all of the writes or none of them; at most 100, no two on one row (TransactWriteItems).
    /// A meeting with another transaction is tried again.
    ///
    /// # Errors
    /// `Conflict` with the place of the first write whose row is not as expected.
    pub async fn transact(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let actions =
            writes.into_iter().map(|write| self.action(write)).collect::<Result<Vec<_>, _>>()?;
        let mut tries = 0;
        loop {
            pause_before(tries).await;
            let call = self.client.transact_write_items().set_transact_items(Some(actions.clone()));
            let Err(error) = call.send().await else { return Ok(()) };
            match refusal(&error) {
                Refusal::Condition(place) => return Err(StoreError::Conflict(place)),
                Refusal::Passing if tries < TRIES => tries += 1,
                Refusal::Passing | Refusal::Other => return Err(StoreError::sdk(error)),
            }
        }
    }

    fn action(&self, write: Write) -> Result<TransactWriteItem, StoreError> {
        let (expression, values) = write.condition(self.clock.wall()).unzip();
        let table = self.tables.name(write.key.table);
        let built = |e| StoreError::Sdk(Box::new(e));
        let action = TransactWriteItem::builder();
        let action = match write.kind {
            Kind::Put(item, _) => {
                let put = Put::builder().table_name(table).set_item(Some(item));
                let put = put.set_condition_expression(expression);
                action.put(put.set_expression_attribute_values(values).build().map_err(built)?)
            }
            Kind::Delete => {
                let delete = Delete::builder().table_name(table);
                let delete = delete.set_key(Some(write.key.attributes()));
                let delete = delete.set_condition_expression(expression);
                action.delete(delete.set_expression_attribute_values(values).build().map_err(built)?)
            }
            Kind::Check => {
                let check = ConditionCheck::builder().table_name(table);
                let check = check.set_key(Some(write.key.attributes()));
                let check = check.set_condition_expression(expression);
                action.condition_check(
                    check.set_expression_attribute_values(values).build().map_err(built)?,
                )
            }
        };
        Ok(action.build())
    }

    /// Makes many writes that expect nothing, in no order and not together.
    ///
    /// # Errors
    /// When the table fails; some of the writes may have been made.
    pub async fn write_batch(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let mut waiting: HashMap<String, Vec<WriteRequest>> = HashMap::new();
        for write in writes {
            debug_assert_eq!(write.expect, Expect::Anything, "a batch cannot hold conditions");
            let table = self.tables.name(write.key.table).to_owned();
            waiting.entry(table).or_default().push(batch_request(write)?);
        }
        let mut tries = 0;
        while let Some(batch) = take_batch(&mut waiting) {
            pause_before(tries).await;
            let call = self.client.batch_write_item().set_request_items(Some(batch));
            let left = call.send().await.map_err(StoreError::sdk)?.unprocessed_items;
            let left = left.unwrap_or_default();
            tries = if left.is_empty() { 0 } else { tries + 1 };
            give_up_after(tries, left.is_empty())?;
            for (table, requests) in left {
                waiting.entry(table).or_default().extend(requests);
            }
        }
        Ok(())
    }

    /// The rows of a shard that the sweep must look at by `now`, oldest first. The index trails the
    /// table: a row that has just become due may be missing, one that has been dealt with may show.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn due(
        &self,
        queue: QueueName,
        shard: u32,
        now: ScheduleTime,
        limit: i32,
    ) -> Result<Vec<DueRow>, StoreError> {
        let values = Item::from([
            (":due".to_owned(), text_value(Due::shard(queue, shard))),
            (":now".to_owned(), number(now.millis())),
        ]);
        let answer = self
            .client
            .query()
            .table_name(&self.tables.state)
            .index_name("due")
            .key_condition_expression("due = :due AND due_at <= :now")
            .set_expression_attribute_values(Some(values))
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::sdk)?;
        Ok(answer.items.unwrap_or_default().iter().filter_map(due_row).collect())
    }

    /// Moves the time at which the sweep must look again: false when another sweep, or the work
    /// itself, was first.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn move_due(&self, row: &DueRow, due_at: ScheduleTime) -> Result<bool, StoreError> {
        let values = Item::from([
            (":old".to_owned(), number(row.due_at.millis())),
            (":new".to_owned(), number(due_at.millis())),
        ]);
        let moved = self
            .client
            .update_item()
            .table_name(self.tables.name(row.key.table))
            .set_key(Some(row.key.attributes()))
            .update_expression("SET due_at = :new")
            .condition_expression("due_at = :old")
            .set_expression_attribute_values(Some(values))
            .send()
            .await;
        match moved {
            Ok(_) => Ok(true),
            Err(e)
                if e.as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            // The work itself is writing the row; the next sweep looks again.
            Err(e)
                if e.as_service_error().is_some_and(|e| e.is_transaction_conflict_exception()) =>
            {
                Ok(false)
            }
            Err(e) => Err(StoreError::sdk(e)),
        }
    }

    /// The keys of failed rows of `of`, newest first, from `before` (excluded) back.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn failed(
        &self,
        of: &str,
        before: Option<ScheduleTime>,
        limit: i32,
    ) -> Result<Vec<(Key, ScheduleTime)>, StoreError> {
        let before = before.map_or(i64::MAX, ScheduleTime::millis);
        let values = Item::from([
            (":of".to_owned(), text_value(of)),
            (":before".to_owned(), number(before)),
        ]);
        let answer = self
            .client
            .query()
            .table_name(&self.tables.state)
            .index_name("failed")
            .key_condition_expression("failed = :of AND failed_at < :before")
            .set_expression_attribute_values(Some(values))
            .scan_index_forward(false)
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::sdk)?;
        let keyed = |item: &Item| {
            let key = Key::state(text(item, attr::PK), text(item, attr::SK));
            Some((key, ScheduleTime::from_millis(integer(item, attr::FAILED_AT)?)))
        };
        Ok(answer.items.unwrap_or_default().iter().filter_map(keyed).collect())
    }
}

/// What a row needs to be read without its body.
const DOC_ATTRIBUTES: &str = "pk, sk, version, doc, expires_at";

fn due_row(item: &Item) -> Option<DueRow> {
    Some(DueRow {
        key: Key::state(text(item, attr::PK), text(item, attr::SK)),
        attempt_at: ScheduleTime::from_millis(integer(item, attr::ATTEMPT_AT)?),
        due_at: ScheduleTime::from_millis(integer(item, attr::DUE_AT)?),
        work: due_work(item)?,
    })
}

fn unprocessed_keys(left: Option<HashMap<String, KeysAndAttributes>>) -> Vec<Item> {
    left.unwrap_or_default().into_values().flat_map(|keys| keys.keys).collect()
}

fn batch_request(write: Write) -> Result<WriteRequest, StoreError> {
    use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest};
    let built = |e| StoreError::Sdk(Box::new(e));
    let request = WriteRequest::builder();
    Ok(match write.kind {
        Kind::Put(item, _) => {
            request.put_request(PutRequest::builder().set_item(Some(item)).build().map_err(built)?)
        }
        Kind::Delete | Kind::Check => {
            let key = Some(write.key.attributes());
            request.delete_request(DeleteRequest::builder().set_key(key).build().map_err(built)?)
        }
    }
    .build())
}

/// 25 requests a call (BatchWriteItem), of one table.
fn take_batch(
    waiting: &mut HashMap<String, Vec<WriteRequest>>,
) -> Option<HashMap<String, Vec<WriteRequest>>> {
    let (table, requests) = waiting.iter_mut().find(|(_, requests)| !requests.is_empty())?;
    let batch = requests.split_off(requests.len().saturating_sub(25));
    Some(HashMap::from([(table.clone(), batch)]))
}

enum Refusal {
    Condition(usize),
    Passing,
    Other,
}

fn refusal<R>(error: &SdkError<TransactWriteItemsError, R>) -> Refusal {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) =
        error.as_service_error()
    else {
        return Refusal::Other;
    };
    let codes: Vec<&str> =
        canceled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
    if let Some(place) = codes.iter().position(|code| *code == "ConditionalCheckFailed") {
        return Refusal::Condition(place);
    }
    let passing = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    if codes.iter().any(|code| passing.contains(code)) { Refusal::Passing } else { Refusal::Other }
}

/// Waits before the second and later tries: doubling from 10 ms to 640 ms, the half of it by chance.
async fn pause_before(tries: u32) {
    if tries > 0 {
        let ceiling = 10_u64 << tries.min(6);
        let wait = ceiling / 2 + rand::random_range(0..=ceiling / 2);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

fn give_up_after(tries: u32, done: bool) -> Result<(), StoreError> {
    if !done && tries >= TRIES {
        return Err(StoreError::Sdk("the table leaves items unprocessed".into()));
    }
    Ok(())
}

