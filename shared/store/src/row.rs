//! Rows: a key, a JSON document, an optional large body, a version.

use std::{collections::HashMap, fmt};

use aws_sdk_dynamodb::types::AttributeValue;
use millwright_core::{ScheduleTime, WallTime, Work};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Due, Order, OrderPlaces, StoreError, Table};

/// Attribute names. `expires_at` is the table's TTL attribute, in seconds since the epoch.
pub(crate) mod attr {
    pub const PK: &str = "pk";
    pub const SK: &str = "sk";
    pub const VERSION: &str = "version";
    pub const DOC: &str = "doc";
    pub const BODY: &str = "body";
    pub const EXPIRES_AT: &str = "expires_at";
    pub const DUE: &str = "due";
    pub const DUE_AT: &str = "due_at";
    pub const ATTEMPT_AT: &str = "attempt_at";
    pub const DUE_WORK: &str = "due_work";
    pub const FAILED: &str = "failed";
    pub const FAILED_AT: &str = "failed_at";
    pub const CREATED_AT: &str = "created_at";
    pub const UPDATED_AT: &str = "updated_at";
}

pub(crate) type Item = HashMap<String, AttributeValue>;

/// Where a row is. Every partition key of a tenant's data starts with its workspace.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The table.
    pub table: Table,
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

impl Key {
    /// A key of the table `state`.
    pub fn state(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { table: Table::State, pk: pk.into(), sk: sk.into() }
    }

    /// A key of the table `records`.
    pub fn records(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { table: Table::Records, pk: pk.into(), sk: sk.into() }
    }

    pub(crate) fn attributes(&self) -> Item {
        HashMap::from([
            (attr::PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (attr::SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.table.name(), self.pk, self.sk)
    }
}

/// How often a row has been written. Only the row's next write may go on from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub(crate) u64);

impl Version {
    /// The version of a row that was put where none was.
    pub const FIRST: Self = Self(1);

    /// The version a row has after one write on condition of this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A place in the index of failed deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedMark {
    /// Workspace and endpoint.
    pub of: String,
    /// When it failed.
    pub at: ScheduleTime,
}

/// What a row can hold. Index entries follow from the document, so they cannot disagree with it.
pub trait Document: Serialize + DeserializeOwned + Send + Sync {
    /// What must happen later because of this row, if anything.
    fn due(&self) -> Option<Due> {
        None
    }

    /// The row's place among failed deliveries, if it has one.
    fn failed(&self) -> Option<FailedMark> {
        None
    }

    /// The row's places in the orders of its partition, if it has any.
    fn places(&self) -> Option<OrderPlaces> {
        None
    }

    /// When the row ceases to be. From then on it is not read, and the table removes it some time
    /// (within two days, as the DynamoDB guide on TTL says).
    fn expires_at(&self) -> Option<WallTime> {
        None
    }
}

/// A row as it was read.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// Where it is.
    pub key: Key,
    /// What it holds.
    pub doc: T,
    /// The large part, kept apart so that it need not be read.
    pub body: Option<String>,
    /// Its version at the time of reading.
    pub version: Version,
}

pub(crate) fn item_of<T: Document>(
    key: &Key,
    doc: &T,
    body: Option<&str>,
    version: Version,
) -> Result<Item, StoreError> {
    let damaged =
        |e: serde_json::Error| StoreError::Damaged { key: format!("{key:?}"), why: e.to_string() };
    let mut item = key.attributes();
    let mut set = |name: &str, value: AttributeValue| {
        item.insert(name.to_owned(), value);
    };
    set(attr::VERSION, number(version.0));
    set(attr::DOC, AttributeValue::S(serde_json::to_string(doc).map_err(damaged)?));
    if let Some(body) = body {
        set(attr::BODY, AttributeValue::S(body.to_owned()));
    }
    if let Some(at) = doc.expires_at() {
        set(attr::EXPIRES_AT, number(at.seconds()));
    }
    if let Some(due) = doc.due() {
        set(attr::DUE, AttributeValue::S(due.partition(key)));
        set(attr::DUE_AT, number(due.due_at.millis()));
        set(attr::ATTEMPT_AT, number(due.attempt_at.millis()));
        let work = serde_json::to_string(&due.work).map_err(damaged)?;
        set(attr::DUE_WORK, AttributeValue::S(work));
    }
    if let Some(mark) = doc.failed() {
        set(attr::FAILED, AttributeValue::S(mark.of));
        set(attr::FAILED_AT, number(mark.at.millis()));
    }
    if let Some(places) = doc.places() {
        for (order, place) in [(Order::Created, places.created), (Order::Updated, places.updated)] {
            set(order.attribute(), AttributeValue::S(place.at(key)));
        }
    }
    Ok(item)
}

pub(crate) fn row_of<T: Document>(table: Table, item: &Item) -> Result<Row<T>, StoreError> {
    let key = Key { table, pk: text(item, attr::PK), sk: text(item, attr::SK) };
    let damaged = |why: String| StoreError::Damaged { key: format!("{key:?}"), why };
    let doc = serde_json::from_str(&text(item, attr::DOC)).map_err(|e| damaged(e.to_string()))?;
    let version = integer(item, attr::VERSION)
        .and_then(|n| u64::try_from(n).ok())
        .ok_or_else(|| damaged("no version".to_owned()))?;
    let body = item.get(attr::BODY).and_then(|v| v.as_s().ok()).cloned();
    Ok(Row { doc, body, version: Version(version), key })
}

/// Whether the row is past its end: TTL removes rows late, so readers must look.
pub(crate) fn is_expired(item: &Item, now: WallTime) -> bool {
    integer(item, attr::EXPIRES_AT).is_some_and(|at| at <= now.seconds())
}

pub(crate) fn number(n: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(n.into().to_string())
}

pub(crate) fn integer(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(crate) fn text(item: &Item, name: &str) -> String {
    item.get(name).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default()
}

pub(crate) fn due_work(item: &Item) -> Option<Work> {
    serde_json::from_str(&text(item, attr::DUE_WORK)).ok()
}
