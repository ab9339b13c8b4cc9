//! Reading: a row, many rows, a page of a partition. All reads are strong.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::types::KeysAndAttributes;

use crate::{
    Document, Key, Row, Store, StoreError, Table,
    row::{Item, attr, is_expired, row_of, text},
    store::{give_up_after, pause_before},
    write::text_value,
};

/// What a row needs to be read without its body.
const DOC_ATTRIBUTES: &str = "pk, sk, version, doc, expires_at";

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

impl Store {
    /// Reads a row, strongly.
    ///
    /// # Errors
    /// When the table fails or the row is damaged.
    pub async fn get<T: Document>(&self, key: &Key) -> Result<Option<Row<T>>, StoreError> {
        let item = self.get_item(key, None).await?;
        item.map(|item| row_of(key.table, &item)).transpose()
    }

    /// Reads a row that many ask for at the same time, strongly: they share reads.
    ///
    /// # Errors
    /// When the table fails or the row is damaged.
    pub async fn get_shared<T: Document>(&self, key: &Key) -> Result<Option<Row<T>>, StoreError> {
        let (store, wanted) = (self.clone(), key.clone());
        let read = move || {
            let (store, key) = (store.clone(), wanted.clone());
            async move { store.get_item(&key, None).await.map(Arc::new) }
        };
        let item = self.shared.read(key.clone(), read).await?;
        item.as_ref().as_ref().map(|item| row_of(key.table, item)).transpose()
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

    pub(crate) async fn get_item(
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
        let start =
            after.map(|sk| Key { table, pk: pk.to_owned(), sk: sk.to_owned() }.attributes());
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
}

fn unprocessed_keys(left: Option<HashMap<String, KeysAndAttributes>>) -> Vec<Item> {
    left.unwrap_or_default().into_values().flat_map(|keys| keys.keys).collect()
}
