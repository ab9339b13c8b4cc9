//! Putting many new rows with few calls, each on condition that there is none.
//!
//! A batch of puts (BatchWriteItem) can hold no conditions, and a transaction costs twice as much. A
//! batch of statements has both: an `INSERT` is refused where there is a row, the others are made all
//! the same, and each costs what a put costs ("PartiQL insert statements for DynamoDB").

use std::collections::VecDeque;

use aws_sdk_dynamodb::types::{
    BatchStatementErrorCodeEnum as Code, BatchStatementRequest, BatchStatementResponse,
};

use crate::{
    Expect, Key, Store, StoreError, Write,
    row::Item,
    store::{give_up_after, pause_before},
    write::Kind,
};

/// Statements of one call (BatchExecuteStatement).
pub(crate) const STATEMENTS_MAX: usize = 25;
/// Bytes of text that one call holds, unless one row alone is larger.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// A row to be put.
struct New {
    key: Key,
    item: Item,
}

impl Store {
    /// Puts new rows, each for itself; no two may be on one row, and each must expect that there is none.
    /// Answers with the keys of those that were not put, because there is a row. That row may be past its
    /// end; and after an answer that was lost it may be just what was put.
    ///
    /// # Errors
    /// When the table fails; some of the rows may have been put.
    pub async fn insert_batch(&self, writes: Vec<Write>) -> Result<Vec<Key>, StoreError> {
        let mut waiting: VecDeque<New> = writes.into_iter().filter_map(new_row).collect();
        let (mut taken, mut tries) = (Vec::new(), 0);
        while !waiting.is_empty() {
            pause_before(tries).await;
            let call = next_call(&mut waiting);
            let answers = self.insert_once(&call).await?;
            let mut left = 0;
            for (new, answer) in call.into_iter().zip(answers) {
                match told(answer)? {
                    Told::Put => {}
                    Told::Taken => taken.push(new.key),
                    Told::Passing => {
                        left += 1;
                        waiting.push_front(new);
                    }
                }
            }
            tries = if left == 0 { 0 } else { tries + 1 };
            give_up_after(tries, left == 0)?;
        }
        Ok(taken)
    }

    async fn insert_once(&self, rows: &[New]) -> Result<Vec<BatchStatementResponse>, StoreError> {
        let statements =
            rows.iter().map(|new| self.statement(new)).collect::<Result<Vec<_>, _>>()?;
        let call = self.client.batch_execute_statement().set_statements(Some(statements));
        let answers = call.send().await.map_err(StoreError::sdk)?.responses.unwrap_or_default();
        if answers.len() != rows.len() {
            return Err(StoreError::Sdk("a batch was not answered whole".into()));
        }
        Ok(answers)
    }

    fn statement(&self, new: &New) -> Result<BatchStatementRequest, StoreError> {
        let table = self.tables.name(new.key.table);
        let named: Vec<String> = new.item.keys().map(|name| format!("'{name}': ?")).collect();
        let statement = format!("INSERT INTO \"{table}\" VALUE {{{}}}", named.join(", "));
        BatchStatementRequest::builder()
            .statement(statement)
            .set_parameters(Some(new.item.values().cloned().collect()))
            .build()
            .map_err(|error| StoreError::Sdk(Box::new(error)))
    }
}

fn new_row(write: Write) -> Option<New> {
    debug_assert_eq!(write.expect, Expect::Absent, "only new rows are inserted");
    match write.kind {
        Kind::Put(item, _) => Some(New { key: write.key, item }),
        Kind::Delete | Kind::Check => None,
    }
}

/// Takes out as many as one call holds.
fn next_call(waiting: &mut VecDeque<New>) -> Vec<New> {
    let (mut call, mut bytes) = (Vec::new(), 0);
    while let Some(new) = waiting.front() {
        bytes += size(&new.item);
        if call.len() == STATEMENTS_MAX || (bytes > BYTES_MAX && !call.is_empty()) {
            break;
        }
        call.extend(waiting.pop_front());
    }
    call
}

fn size(item: &Item) -> usize {
    item.values().filter_map(|value| value.as_s().ok()).map(String::len).sum()
}

/// What became of a statement.
enum Told {
    Put,
    /// There is a row.
    Taken,
    /// It may be made in a moment.
    Passing,
}

fn told(answer: BatchStatementResponse) -> Result<Told, StoreError> {
    let Some(error) = answer.error else { return Ok(Told::Put) };
    match error.code {
        Some(Code::DuplicateItem) => Ok(Told::Taken),
        Some(
            Code::ThrottlingError
            | Code::ProvisionedThroughputExceeded
            | Code::RequestLimitExceeded
            | Code::TransactionConflict
            | Code::InternalServerError,
        ) => Ok(Told::Passing),
        code => {
            let message = error.message.unwrap_or_default();
            Err(StoreError::Sdk(format!("a row was not put: {code:?}: {message}").into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{AttributeValue, BatchStatementError};

    use super::*;

    fn rows(sizes: &[usize]) -> VecDeque<New> {
        let new = |(at, size): (usize, &usize)| New {
            key: Key::records("p", at.to_string()),
            item: Item::from([("body".to_owned(), AttributeValue::S("x".repeat(*size)))]),
        };
        sizes.iter().enumerate().map(new).collect()
    }

    #[test]
    fn a_call_holds_25_rows_and_2_mib_or_one_row_alone() {
        let calls = |sizes: &[usize]| {
            let mut waiting = rows(sizes);
            let mut calls = Vec::new();
            while !waiting.is_empty() {
                calls.push(next_call(&mut waiting).len());
            }
            calls
        };
        assert_eq!(calls(&[100; 60]), [25, 25, 10]);
        assert_eq!(calls(&[BYTES_MAX, 1, 1]), [1, 2]);
        assert_eq!(calls(&[BYTES_MAX + 1, BYTES_MAX + 1]), [1, 1]);
        assert_eq!(calls(&[]), [0; 0]);
    }

    #[test]
    fn a_row_that_is_there_a_passing_refusal_and_a_lasting_one_are_told_apart() {
        let answer = |code| {
            let error = BatchStatementError::builder().code(code).build();
            told(BatchStatementResponse::builder().error(error).build())
        };
        assert!(matches!(told(BatchStatementResponse::builder().build()), Ok(Told::Put)));
        assert!(matches!(answer(Code::DuplicateItem), Ok(Told::Taken)));
        assert!(matches!(answer(Code::TransactionConflict), Ok(Told::Passing)));
        assert!(matches!(answer(Code::ThrottlingError), Ok(Told::Passing)));
        assert!(answer(Code::ValidationError).is_err());
    }
}
