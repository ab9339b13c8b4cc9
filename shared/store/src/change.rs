//! Writing: one row, or several together.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{ConditionCheck, Delete, Put, TransactWriteItem},
};
use millwright_core::{Error, Result};

use crate::{
    Document, Expect, Key, Row, Store, StoreError, Version, Write,
    store::{TRIES, pause_before},
    write::Kind,
};

impl Store {
    /// Makes one write and answers with the row's new version. A meeting with a transaction is tried
    /// again.
    ///
    /// # Errors
    /// `Conflict` when the row is not as expected.
    pub async fn write(&self, write: Write) -> Result<Version, StoreError> {
        if matches!(write.kind, Kind::Check) {
            let version = write.version();
            return self.transact(vec![write]).await.map(|()| version);
        }
        let mut tries = 0;
        loop {
            pause_before(tries).await;
            match self.write_once(&write).await {
                Ok(()) => return Ok(write.version()),
                Err((Refusal::Condition(place), _)) => return Err(StoreError::Conflict(place)),
                Err((Refusal::Passing, _)) if tries < TRIES => tries += 1,
                Err((_, error)) => return Err(error),
            }
        }
    }

    async fn write_once(&self, write: &Write) -> Result<(), (Refusal, StoreError)> {
        let (expression, values) = write.condition(self.clock.wall()).unzip();
        let table = self.tables.name(write.key.table);
        if let Kind::Put(item, _) = &write.kind {
            let call = self.client.put_item().table_name(table).set_item(Some(item.clone()));
            let call = call.set_condition_expression(expression);
            let call = call.set_expression_attribute_values(values);
            call.send().await.map(drop).map_err(refused)
        } else {
            let call = self.client.delete_item().table_name(table);
            let call = call.set_key(Some(write.key.attributes()));
            let call = call.set_condition_expression(expression);
            let call = call.set_expression_attribute_values(values);
            call.send().await.map(drop).map_err(refused)
        }
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

    /// Reads a row, has `decide` make another document of it, which may take time, and writes that back;
    /// begins again when somebody else wrote in between. Nothing is written when it makes none. Answers
    /// whether there was something to write.
    ///
    /// # Errors
    /// What `decide` answers.
    pub async fn modify_slowly<T, F, D>(&self, key: &Key, decide: F) -> Result<bool>
    where
        T: Document,
        F: Fn(T) -> D + Send + Sync,
        D: Future<Output = Result<Option<T>>> + Send,
    {
        for tries in 0..TRIES {
            pause_before(tries).await;
            let Some(Row { key, doc, body, version }) = self.get::<T>(key).await? else {
                return Ok(false);
            };
            let Some(doc) = decide(doc).await? else { return Ok(false) };
            match self.write(Write::replace(&Row { key, doc, body, version })?).await {
                Ok(_) => return Ok(true),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::internal(StoreError::Conflict(0)))
    }

    /// Makes all of the writes or none of them; at most 100, no two on one row (TransactWriteItems).
    /// A meeting with another transaction is tried again, some times.
    ///
    /// # Errors
    /// `Conflict` with the place of the first write whose row is not as expected; `Busy` when it met others
    /// each time.
    pub async fn transact(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let actions =
            writes.into_iter().map(|write| self.action(write)).collect::<Result<Vec<_>, _>>()?;
        let mut tries = 0;
        loop {
            pause_before(tries).await;
            let call = self.client.transact_write_items().set_transact_items(Some(actions.clone()));
            let Err(error) = call.send().await else { return Ok(()) };
            match cancellation(&error) {
                Refusal::Condition(place) => return Err(StoreError::Conflict(place)),
                Refusal::Passing if tries < TRIES => tries += 1,
                Refusal::Passing => return Err(StoreError::Busy),
                Refusal::Other => return Err(StoreError::sdk(error)),
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
                action
                    .delete(delete.set_expression_attribute_values(values).build().map_err(built)?)
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
}

/// Why a write was not made.
pub(crate) enum Refusal {
    /// A row is not as expected; with the place of the write.
    Condition(usize),
    /// Somebody else was at it: it may be made in a moment.
    Passing,
    /// Something else.
    Other,
}

/// Reads why a single write was not made.
pub(crate) fn refused<E, R>(error: SdkError<E, R>) -> (Refusal, StoreError)
where
    E: ProvideErrorMetadata,
    SdkError<E, R>: Into<aws_sdk_dynamodb::Error>,
{
    let refusal = match error.code() {
        Some("ConditionalCheckFailedException") => Refusal::Condition(0),
        Some("TransactionConflictException") => Refusal::Passing,
        _ => Refusal::Other,
    };
    (refusal, StoreError::sdk(error))
}

/// Reads why a transaction was not made.
fn cancellation<R>(error: &SdkError<TransactWriteItemsError, R>) -> Refusal {
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
