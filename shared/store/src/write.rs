//! Writes and what they expect.

use aws_sdk_dynamodb::types::AttributeValue;
use millwright_core::WallTime;

use crate::{
    Document, Key, Row, StoreError, Version,
    row::{Item, attr, item_of, number},
};

/// What must be true of a row for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no such row (or it is past its end).
    Absent,
    /// There is such a row, whatever it holds.
    Present,
    /// It has not been written since it was read.
    Version(Version),
    /// Nothing: the write is right whatever stands there.
    Anything,
}

/// One write, ready to be made alone or with others.
#[derive(Clone, Debug)]
pub struct Write {
    pub(crate) key: Key,
    pub(crate) expect: Expect,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Put(Item, Version),
    Delete,
    Check,
}

impl Write {
    /// Puts a document.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn put<T: Document>(key: &Key, doc: &T, expect: Expect) -> Result<Self, StoreError> {
        Self::put_with_body(key, doc, None, expect)
    }

    /// Puts a document and its large part.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn put_with_body<T: Document>(
        key: &Key,
        doc: &T,
        body: Option<&str>,
        expect: Expect,
    ) -> Result<Self, StoreError> {
        let version = next_version(expect);
        let item = item_of(key, doc, body, version)?;
        Ok(Self { key: key.clone(), expect, kind: Kind::Put(item, version) })
    }

    /// Puts back a row that was read, if nobody has written it since.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn replace<T: Document>(row: &Row<T>) -> Result<Self, StoreError> {
        Self::put_with_body(&row.key, &row.doc, row.body.as_deref(), Expect::Version(row.version))
    }

    /// Deletes a row.
    #[must_use]
    pub fn delete(key: &Key, expect: Expect) -> Self {
        Self { key: key.clone(), expect, kind: Kind::Delete }
    }

    /// Writes nothing; the other writes happen only if this row is as expected.
    #[must_use]
    pub fn check(key: &Key, expect: Expect) -> Self {
        Self { key: key.clone(), expect, kind: Kind::Check }
    }

    /// The condition as an expression and its values, or nothing when anything goes.
    pub(crate) fn condition(&self, now: WallTime) -> Option<(String, Item)> {
        match self.expect {
            Expect::Anything => None,
            Expect::Absent => {
                let expression =
                    format!("attribute_not_exists({}) OR {} <= :now", attr::PK, attr::EXPIRES_AT);
                Some((expression, Item::from([(":now".to_owned(), number(now.seconds()))])))
            }
            Expect::Present => {
                let expression =
                    format!("attribute_exists({}) AND {} > :zero", attr::PK, attr::VERSION);
                Some((expression, Item::from([(":zero".to_owned(), number(0))])))
            }
            Expect::Version(version) => {
                let values = Item::from([(":version".to_owned(), number(version.0))]);
                Some((format!("{} = :version", attr::VERSION), values))
            }
        }
    }

    /// The version the row has after the write.
    pub fn version(&self) -> Version {
        match &self.kind {
            Kind::Put(_, version) => *version,
            Kind::Delete | Kind::Check => Version(0),
        }
    }
}

/// Blind puts start anew at a version that no reader of an older row can hold.
fn next_version(expect: Expect) -> Version {
    match expect {
        Expect::Absent => Version::FIRST,
        Expect::Version(Version(n)) => Version(n + 1),
        Expect::Anything | Expect::Present => Version(random_version()),
    }
}

fn random_version() -> u64 {
    // Far above what counting reaches, and within the 38 digits of a DynamoDB number.
    (1 << 62) | (rand::random::<u64>() >> 2)
}

/// The value of a text attribute.
pub(crate) fn text_value(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}
