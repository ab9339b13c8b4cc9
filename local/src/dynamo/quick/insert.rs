//! Batches of inserts, as `Store::insert_batch` sends them: all in one commit. What becomes of each row is
//! what would become of it alone; the others are put whether it is there or not.

use std::borrow::Cow;

use dynoxide::actions::batch_execute_statement::{
    BatchExecuteStatementResponse, BatchStatementError, BatchStatementResponse,
};
use rusqlite::Connection;
use serde::Deserialize;

use super::{
    plan::{Filled, Place, Plain, Plans, items},
    transaction,
};

/// Statements of one call (BatchExecuteStatement).
pub(super) const STATEMENTS_MAX: usize = 25;
/// The longest statement.
const STATEMENT_MAX: usize = 8_192;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(rename = "Statements", borrow)]
    statements: Vec<Statement<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement<'a> {
    #[serde(rename = "Statement", borrow)]
    statement: Cow<'a, str>,
    #[serde(rename = "Parameters")]
    parameters: Vec<Plain>,
}

/// A row to be put where there is none.
pub(in crate::dynamo) struct New<'a> {
    place: Place<'a>,
    row: Filled,
}

pub(super) fn asked<'a>(plans: &'a Plans, body: &[u8]) -> Option<Vec<New<'a>>> {
    let batch: Batch<'_> = serde_json::from_slice(body).ok()?;
    if batch.statements.is_empty() || batch.statements.len() > STATEMENTS_MAX {
        return None;
    }
    let rows = batch.statements.into_iter().map(|statement| new_row(plans, statement));
    let rows: Vec<New<'_>> = rows.collect::<Option<_>>()?;
    Place::differ(&rows.iter().map(|new| &new.place).collect::<Vec<_>>()).then_some(rows)
}

pub(super) fn together(
    connection: &Connection,
    rows: &[New<'_>],
) -> Option<BatchExecuteStatementResponse> {
    let responses = transaction(connection, || {
        let put =
            rows.iter().map(|new| Ok(told(&new.place, new.place.insert(connection, &new.row)?)));
        put.collect::<rusqlite::Result<_>>().map(Some)
    });
    Some(BatchExecuteStatementResponse { responses: responses?, consumed_capacity: None })
}

/// Reads `INSERT INTO "table" VALUE {'name': ?, ...}` with its values.
fn new_row<'a>(plans: &'a Plans, statement: Statement<'_>) -> Option<New<'a>> {
    let text = &*statement.statement;
    let rest = text.strip_prefix("INSERT INTO \"").filter(|_| text.len() <= STATEMENT_MAX)?;
    let (table, rest) = rest.split_once("\" VALUE {")?;
    let names: Vec<&str> = rest
        .strip_suffix('}')?
        .split(", ")
        .map(|named| named.strip_prefix('\'')?.strip_suffix("': ?"))
        .collect::<Option<_>>()?;
    let count = names.len();
    if statement.parameters.len() != count {
        return None;
    }
    let item = items(names.into_iter().map(str::to_owned).zip(statement.parameters))?;
    // None is named twice.
    let place = Place::of_item(plans, table, &item).filter(|_| item.len() == count)?;
    let row = place.fill(&item)?;
    Some(New { place, row })
}

fn told(place: &Place<'_>, put: bool) -> BatchStatementResponse {
    let mut response = BatchStatementResponse::default();
    response.table_name = Some(place.table.to_owned());
    response.error = (!put).then(|| BatchStatementError {
        code: "DuplicateItem".to_owned(),
        message: "Duplicate primary key exists in table".to_owned(),
        item: None,
    });
    response
}
