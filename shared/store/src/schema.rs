//! The tables as they must be: `template.yaml` is compared with this, and the local stack is made from
//! it.

use millwright_core::config::{ConfigError, Source, required};

use crate::{order::Order, row::attr};

/// The two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Workspaces, access, connections, sync state, endpoints, messages, deliveries, jobs.
    State,
    /// Record rows and the change feed.
    Records,
}

impl Table {
    /// The logical name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Records => "records",
        }
    }

    /// The variable that holds the deployed name.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Self::State => "MILLWRIGHT_TABLE_STATE",
            Self::Records => "MILLWRIGHT_TABLE_RECORDS",
        }
    }
}

/// The names under which the tables are deployed.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The table `state`.
    pub state: String,
    /// The table `records`.
    pub records: String,
}

impl Tables {
    /// From `MILLWRIGHT_TABLE_STATE` and `MILLWRIGHT_TABLE_RECORDS`.
    ///
    /// # Errors
    /// When one of them is not set.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        Ok(Self {
            state: required(source, Table::State.variable())?,
            records: required(source, Table::Records.variable())?,
        })
    }

    /// The deployed name of a table.
    #[must_use]
    pub fn name(&self, table: Table) -> &str {
        match table {
            Table::State => &self.state,
            Table::Records => &self.records,
        }
    }
}

/// What an index holds beside its own keys and the table's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Nothing.
    KeysOnly,
    /// These attributes.
    Include(&'static [&'static str]),
}

/// What a sort key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// Numbers.
    Number,
    /// Text, in the order of its bytes.
    Text,
}

impl SortKey {
    /// DynamoDB's letter for the type.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Number => "N",
            Self::Text => "S",
        }
    }
}

/// A global secondary index; its hash key is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDef {
    /// Its name.
    pub name: &'static str,
    /// The attribute that partitions it. Rows without it are not in the index.
    pub hash: &'static str,
    /// The attribute that sorts it.
    pub range: &'static str,
    /// What that attribute holds.
    pub sorted_by: SortKey,
    /// What it holds.
    pub projection: Projection,
}

/// A table's definition. Keys are `pk` and `sk`, both text; TTL is on `expires_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDef {
    /// Which table.
    pub table: Table,
    /// Its indexes.
    pub indexes: &'static [IndexDef],
}

impl TableDef {
    /// The partition key attribute.
    pub const PK: &'static str = attr::PK;
    /// The sort key attribute.
    pub const SK: &'static str = attr::SK;
    /// The TTL attribute.
    pub const TTL: &'static str = attr::EXPIRES_AT;

    /// Both tables.
    pub const ALL: &'static [Self] = &[
        Self {
            table: Table::State,
            indexes: &[
                IndexDef {
                    name: "due",
                    hash: attr::DUE,
                    range: attr::DUE_AT,
                    sorted_by: SortKey::Number,
                    projection: Projection::Include(&[attr::ATTEMPT_AT, attr::DUE_WORK]),
                },
                IndexDef {
                    name: "failed",
                    hash: attr::FAILED,
                    range: attr::FAILED_AT,
                    sorted_by: SortKey::Number,
                    projection: Projection::KeysOnly,
                },
            ],
        },
        Self {
            table: Table::Records,
            indexes: &[
                IndexDef {
                    name: Order::Created.index(),
                    hash: attr::PK,
                    range: Order::Created.attribute(),
                    sorted_by: SortKey::Text,
                    projection: Projection::KeysOnly,
                },
                IndexDef {
                    name: Order::Updated.index(),
                    hash: attr::PK,
                    range: Order::Updated.attribute(),
                    sorted_by: SortKey::Text,
                    projection: Projection::KeysOnly,
                },
            ],
        },
    ];
}
