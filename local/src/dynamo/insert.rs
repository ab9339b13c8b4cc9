//! Many inserts in one commit.
//!
//! dynoxide commits each statement of a batch by itself, and reads, parses and checks it several times.
//! Where a batch is nothing but plain inserts, as `Store::insert_batch` sends them, its rows are written
//! here in one commit. What becomes of each row is what would become of it alone: the others are put
//! whether it is there or not. Whatever is not plain (other statements, values that are neither text nor
//! whole numbers, keys or items near their limits, the same row twice) is left to dynoxide, which says
//! what is wrong with it.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use dynoxide::{
    AttributeValue, Item,
    actions::{
        TableDescription,
        batch_execute_statement::{
            BatchExecuteStatementResponse, BatchStatementError, BatchStatementResponse,
        },
    },
    storage::compute_hash_prefix,
    types::{
        KeySchemaElement, KeyType, MAX_ITEM_SIZE, ProjectionType, ScalarAttributeType, item_size,
    },
};
use millwright_store::TableDef;
use rusqlite::{Connection, params};
use serde::Deserialize;

/// Statements of one call (BatchExecuteStatement).
const STATEMENTS_MAX: usize = 25;
/// The longest statement.
const STATEMENT_MAX: usize = 8_192;
/// Bytes up to which any key attribute may be long.
const KEY_MAX: usize = 1_024;
/// Digits of a number that is kept as it is written.
const DIGITS_MAX: usize = 38;

/// How rows are put into a table.
pub(super) struct Plan {
    insert: String,
    indexes: Vec<Index>,
}

struct Index {
    insert: String,
    /// Its keys, with what each must be.
    hash: (String, ScalarAttributeType),
    range: (String, ScalarAttributeType),
    /// What it holds; everything when it says nothing.
    holds: Option<HashSet<String>>,
}

impl Plan {
    /// Nothing for a table that is not as Millwright's are: with `pk` and `sk`, both text, and global
    /// indexes with two keys each.
    pub(super) fn of(table: &TableDescription) -> Option<Self> {
        let (pk, sk) = keys(&table.key_schema)?;
        let text = ScalarAttributeType::S;
        let plain = [pk, sk] == [TableDef::PK, TableDef::SK]
            && [pk, sk].iter().all(|key| kind(table, key) == Some(&text))
            && table.local_secondary_indexes.is_none()
            && table.vector_indexes.is_none()
            && table.stream_specification.is_none();
        let name = &table.table_name;
        let indexes = table.global_secondary_indexes.iter().flatten();
        let indexes = indexes.map(|index| {
            let (hash, range) = keys(&index.key_schema)?;
            let typed = |name: &str| Some((name.to_owned(), kind(table, name)?.clone()));
            let projected = index.projection.non_key_attributes.iter().flatten();
            let holds = projected.map(String::as_str).chain([pk, sk, hash, range]);
            let all = index.projection.projection_type.as_ref() == Some(&ProjectionType::ALL);
            Some(Index {
                insert: format!(
                    "INSERT OR REPLACE INTO \"{name}::gsi::{}\" \
                     (gsi_pk, gsi_sk, table_pk, table_sk, item_json) VALUES (?1, ?2, ?3, ?4, ?5)",
                    index.index_name
                ),
                hash: typed(hash)?,
                range: typed(range)?,
                holds: (!all).then(|| holds.map(str::to_owned).collect()),
            })
        });
        let insert = format!(
            "INSERT INTO \"{name}\" (pk, sk, item_json, item_size, hash_prefix) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (pk, sk) DO NOTHING"
        );
        let indexes = indexes.collect::<Option<_>>()?;
        plain.then_some(Self { insert, indexes })
    }
}

fn keys(schema: &[KeySchemaElement]) -> Option<(&str, &str)> {
    match schema {
        [hash, range] if hash.key_type == KeyType::HASH && range.key_type == KeyType::RANGE => {
            Some((&hash.attribute_name, &range.attribute_name))
        }
        _ => None,
    }
}

fn kind<'a>(table: &'a TableDescription, name: &str) -> Option<&'a ScalarAttributeType> {
    let found = table.attribute_definitions.iter().find(|one| one.attribute_name == name);
    found.map(|one| &one.attribute_type)
}

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

#[derive(Deserialize)]
enum Plain {
    S(String),
    N(String),
}

impl Plain {
    /// The value, unless a number would be kept in other digits than it is written in.
    fn value(self) -> Option<AttributeValue> {
        match self {
            Self::S(text) => Some(AttributeValue::S(text)),
            Self::N(digits) => whole(&digits).then_some(AttributeValue::N(digits)),
        }
    }
}

fn whole(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let kept = digits.len() <= DIGITS_MAX && digits.bytes().all(|digit| digit.is_ascii_digit());
    kept && (number == "0" || digits.starts_with(|first| matches!(first, '1'..='9')))
}

/// A row to be put.
struct New<'a> {
    table: &'a str,
    plan: &'a Plan,
    pk: String,
    sk: String,
    item: Item,
}

/// Puts the rows of a batch; nothing has happened when it is not for here.
pub(super) fn together(
    connection: &Connection,
    plans: &HashMap<String, Plan>,
    body: &[u8],
) -> Option<BatchExecuteStatementResponse> {
    let batch: Batch<'_> = serde_json::from_slice(body).ok()?;
    if batch.statements.is_empty() || batch.statements.len() > STATEMENTS_MAX {
        return None;
    }
    let rows: Vec<New<'_>> =
        batch.statements.into_iter().map(|one| new_row(plans, one)).collect::<Option<_>>()?;
    let mut places = HashSet::new();
    if !rows.iter().all(|row| places.insert((row.table, &row.pk, &row.sk))) {
        return None;
    }
    let put = match commit(connection, &rows) {
        Ok(put) => put,
        Err(error) => {
            // The failure may have ended the transaction already.
            let _ = connection.execute_batch("ROLLBACK");
            tracing::warn!(%error, "a batch of rows is put one by one");
            return None;
        }
    };
    let responses = rows.iter().zip(put).map(|(row, put)| told(row.table, put)).collect();
    Some(BatchExecuteStatementResponse { responses, consumed_capacity: None })
}

/// Reads `INSERT INTO "table" VALUE {'name': ?, ...}` with its values.
fn new_row<'a>(plans: &'a HashMap<String, Plan>, statement: Statement<'_>) -> Option<New<'a>> {
    let text = &*statement.statement;
    let rest = text.strip_prefix("INSERT INTO \"").filter(|_| text.len() <= STATEMENT_MAX)?;
    let (table, rest) = rest.split_once("\" VALUE {")?;
    let (table, plan) = plans.get_key_value(table)?;
    let names: Vec<&str> = rest
        .strip_suffix('}')?
        .split(", ")
        .map(|named| named.strip_prefix('\'')?.strip_suffix("': ?"))
        .collect::<Option<_>>()?;
    let plain = |name: &&str| name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let count = statement.parameters.len();
    if names.len() != count || !names.iter().all(|name| !name.is_empty() && plain(name)) {
        return None;
    }
    let values = statement.parameters.into_iter().map(Plain::value);
    let named = names.into_iter().map(str::to_owned).zip(values);
    let item: Item =
        named.map(|(name, value)| Some((name, value?))).collect::<Option<HashMap<_, _>>>()?;
    let keys_fit = plan.keys().all(|(name, kind, needed)| fits(item.get(name), kind, needed));
    if item.len() != count || !keys_fit || item_size(&item) > MAX_ITEM_SIZE {
        return None;
    }
    let (pk, sk) = (key(&item, TableDef::PK)?, key(&item, TableDef::SK)?);
    Some(New { table, plan, pk, sk, item })
}

impl Plan {
    /// All key attributes, what each must be, and whether each row has it.
    fn keys(&self) -> impl Iterator<Item = (&str, &ScalarAttributeType, bool)> {
        let own = [TableDef::PK, TableDef::SK].map(|name| (name, &ScalarAttributeType::S, true));
        let indexes = self.indexes.iter().flat_map(|index| [&index.hash, &index.range]);
        own.into_iter().chain(indexes.map(|(name, kind)| (name.as_str(), kind, false)))
    }
}

fn fits(value: Option<&AttributeValue>, kind: &ScalarAttributeType, needed: bool) -> bool {
    match (value, kind) {
        (None, _) => !needed,
        (Some(AttributeValue::S(text)), ScalarAttributeType::S) => {
            !text.is_empty() && text.len() <= KEY_MAX
        }
        (Some(AttributeValue::N(_)), ScalarAttributeType::N) => true,
        _ => false,
    }
}

/// A key as dynoxide keeps it.
fn key(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.to_key_string()
}

/// Which of the rows were put: all those that were not there.
fn commit(connection: &Connection, rows: &[New<'_>]) -> rusqlite::Result<Vec<bool>> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let put = rows.iter().map(|row| put(connection, row)).collect::<rusqlite::Result<_>>()?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(put)
}

fn put(connection: &Connection, row: &New<'_>) -> rusqlite::Result<bool> {
    let New { plan, pk, sk, item, .. } = row;
    let text = written(item)?;
    let size = i64::try_from(item_size(item)).unwrap_or(i64::MAX);
    let prefix = item.get(TableDef::PK).map(compute_hash_prefix).unwrap_or_default();
    let mut insert = connection.prepare_cached(&plan.insert)?;
    if insert.execute(params![pk, sk, text, size, prefix])? == 0 {
        return Ok(false);
    }
    for index in &plan.indexes {
        let (Some(hash), Some(range)) = (key(item, &index.hash.0), key(item, &index.range.0))
        else {
            continue;
        };
        let entry = match &index.holds {
            None => Cow::Borrowed(&text),
            Some(names) => Cow::Owned(written(
                &item.iter().filter(|(name, _)| names.contains(*name)).collect::<HashMap<_, _>>(),
            )?),
        };
        let mut insert = connection.prepare_cached(&index.insert)?;
        insert.execute(params![hash, range, pk, sk, *entry])?;
    }
    Ok(true)
}

fn written(item: &impl serde::Serialize) -> rusqlite::Result<String> {
    let failed = |e: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(Box::new(e));
    serde_json::to_string(item).map_err(failed)
}

fn told(table: &str, put: bool) -> BatchStatementResponse {
    let mut response = BatchStatementResponse::default();
    response.table_name = Some(table.to_owned());
    response.error = (!put).then(|| BatchStatementError {
        code: "DuplicateItem".to_owned(),
        message: "Duplicate primary key exists in table".to_owned(),
        item: None,
    });
    response
}

#[cfg(test)]
mod tests;
