//! Single writes and transactions with the conditions that Millwright knows (`Write` of the store), and
//! batches of writes without any.

use std::collections::HashMap;

use rusqlite::Connection;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    plan::{Filled, Place, Plain, Plans, Standing, items},
    transaction,
};

/// Writes of one transaction (TransactWriteItems), and their bytes.
const WRITES_MAX: usize = 100;
const BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(rename = "TableName")]
    table: String,
    #[serde(rename = "Item")]
    item: Option<HashMap<String, Plain>>,
    #[serde(rename = "Key")]
    key: Option<HashMap<String, Plain>>,
    #[serde(rename = "ConditionExpression")]
    condition: Option<String>,
    #[serde(rename = "ExpressionAttributeValues")]
    values: Option<HashMap<String, Plain>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transaction {
    #[serde(rename = "TransactItems")]
    writes: Vec<Action>,
    /// Looked at before.
    #[serde(rename = "ClientRequestToken")]
    _token: Option<IgnoredAny>,
}

#[derive(Deserialize)]
enum Action {
    Put(Asked),
    Delete(Asked),
    ConditionCheck(Asked),
}

/// Requests of one batch (BatchWriteItem).
const BATCH_MAX: usize = 25;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    #[serde(rename = "RequestItems")]
    tables: HashMap<String, Vec<Request>>,
}

#[derive(Deserialize)]
enum Request {
    PutRequest {
        #[serde(rename = "Item")]
        item: HashMap<String, Plain>,
    },
    DeleteRequest {
        #[serde(rename = "Key")]
        key: HashMap<String, Plain>,
    },
}

impl Batch {
    fn actions(self) -> Vec<Action> {
        let of = |table: String, request| {
            let asked = |item, key| Asked { table, item, key, condition: None, values: None };
            match request {
                Request::PutRequest { item } => Action::Put(asked(Some(item), None)),
                Request::DeleteRequest { key } => Action::Delete(asked(None, Some(key))),
            }
        };
        let tables = self.tables.into_iter();
        tables
            .flat_map(|(table, all)| all.into_iter().map(move |one| of(table.clone(), one)))
            .collect()
    }
}

/// A write as it is to be made.
pub(in crate::dynamo) struct Write<'a> {
    place: Place<'a>,
    condition: Condition,
    kind: Kind,
}

enum Kind {
    Put(Filled),
    Delete,
    Check,
}

/// The writes of a request, if all of them are for here.
pub(super) fn asked<'a>(plans: &'a Plans, operation: &str, body: &[u8]) -> Option<Vec<Write<'a>>> {
    let writes = match operation {
        "PutItem" => vec![Action::Put(serde_json::from_slice(body).ok()?)],
        "DeleteItem" => vec![Action::Delete(serde_json::from_slice(body).ok()?)],
        "TransactWriteItems" => serde_json::from_slice::<Transaction>(body).ok()?.writes,
        "BatchWriteItem" => serde_json::from_slice::<Batch>(body).ok()?.actions(),
        _ => return None,
    };
    let most = if operation == "BatchWriteItem" { BATCH_MAX } else { WRITES_MAX };
    if writes.is_empty() || writes.len() > most {
        return None;
    }
    let writes: Vec<Write<'_>> =
        writes.into_iter().map(|action| Write::of(plans, action)).collect::<Option<_>>()?;
    let bytes: usize = writes.iter().map(Write::bytes).sum();
    let differ = Place::differ(&writes.iter().map(|write| &write.place).collect::<Vec<_>>());
    (differ && bytes <= BYTES_MAX).then_some(writes)
}

/// What such a request is answered with once its writes are made.
pub(super) fn answer(operation: &str) -> &'static str {
    match operation {
        "BatchWriteItem" => r#"{"UnprocessedItems":{}}"#,
        _ => "{}",
    }
}

/// Makes the writes of a request: nothing has happened where the row of one is not as expected.
pub(super) fn make(connection: &Connection, writes: &[Write<'_>]) -> Option<()> {
    transaction(connection, || {
        for write in writes {
            if !write.make(connection)? {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
}

impl<'a> Write<'a> {
    fn of(plans: &'a Plans, action: Action) -> Option<Self> {
        let (asked, place, kind) = match action {
            Action::Put(mut asked) if asked.key.is_none() => {
                let item = items(asked.item.take()?)?;
                let place = Place::of_item(plans, &asked.table, &item)?;
                let row = place.fill(&item)?;
                (asked, place, Kind::Put(row))
            }
            Action::Put(_) => return None,
            Action::Delete(asked) => Self::of_row(plans, asked, Kind::Delete)?,
            Action::ConditionCheck(asked) => Self::of_row(plans, asked, Kind::Check)?,
        };
        let condition = Condition::of(asked.condition.as_deref(), asked.values)?;
        let pointless = matches!((&kind, &condition), (Kind::Check, Condition::Anything));
        (!pointless).then_some(Self { place, condition, kind })
    }

    /// What is done to a row that is named by its key.
    fn of_row(plans: &'a Plans, mut asked: Asked, kind: Kind) -> Option<(Asked, Place<'a>, Kind)> {
        let key = asked.key.take().filter(|_| asked.item.is_none())?;
        let place = Place::of_key(plans, &asked.table, key)?;
        Some((asked, place, kind))
    }

    /// No fewer than dynoxide counts.
    fn bytes(&self) -> usize {
        match &self.kind {
            Kind::Put(row) => row.size,
            Kind::Delete | Kind::Check => self.place.pk.len() + self.place.sk.len() + 16,
        }
    }

    /// Whether it could be made.
    fn make(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let row = self.place.standing(connection)?;
        if !self.condition.holds(row.as_ref()) {
            return Ok(false);
        }
        match &self.kind {
            Kind::Put(filled) => self.place.replace(connection, filled, row.as_ref())?,
            Kind::Delete => {
                row.map_or(Ok(()), |there| self.place.delete(connection, &there))?;
            }
            Kind::Check => {}
        }
        Ok(true)
    }
}

/// What a write expects of its row.
enum Condition {
    Anything,
    /// No row, or one that has ended by then.
    Absent(i128),
    /// A row with a version above this.
    Present(i128),
    Version(i128),
}

impl Condition {
    fn of(expression: Option<&str>, values: Option<HashMap<String, Plain>>) -> Option<Self> {
        let mut values = values.unwrap_or_default();
        let Some(expression) = expression else {
            return values.is_empty().then_some(Self::Anything);
        };
        let mut number = |name: &str| match values.remove(name) {
            Some(Plain::N(digits)) if values.is_empty() => digits.parse().ok(),
            _ => None,
        };
        match expression {
            "attribute_not_exists(pk) OR expires_at <= :now" => number(":now").map(Self::Absent),
            "attribute_exists(pk) AND version > :zero" => number(":zero").map(Self::Present),
            "version = :version" => number(":version").map(Self::Version),
            _ => None,
        }
    }

    /// Whether it is seen to hold. A number that cannot be compared here is left to dynoxide.
    fn holds(&self, row: Option<&Standing>) -> bool {
        let number = |text: &Option<String>| text.as_ref()?.parse::<i128>().ok();
        let version = row.and_then(|row| number(&row.version));
        match self {
            Self::Anything => true,
            Self::Absent(now) => {
                row.is_none_or(|row| number(&row.ends).is_some_and(|at| at <= *now))
            }
            Self::Present(zero) => version.is_some_and(|version| version > *zero),
            Self::Version(expected) => version == Some(*expected),
        }
    }
}
