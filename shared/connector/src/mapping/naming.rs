//! How records are named in other records.

use millwright_core::ConnectionId;
use millwright_entities::{line_key, record_key, status_key, status_remote_id};

/// How records are named.
#[derive(Clone, Copy, Debug)]
pub enum Naming<'a> {
    /// By the keys that they have in a connection.
    Of(&'a ConnectionId),
    /// By entity and remote id, for people: `vendors/7`. Records and lines have no key of their own
    /// then, their remote id says it.
    Plain,
}

impl Naming<'_> {
    /// The key of a record, where another names it.
    #[must_use]
    pub fn record(self, entity: &str, remote_id: &str) -> String {
        match self {
            Self::Of(connection) => record_key(connection, entity, remote_id),
            Self::Plain => format!("{entity}/{remote_id}"),
        }
    }

    /// The key of a status of an entity's records.
    #[must_use]
    pub fn status(self, entity: &str, code: &str) -> String {
        match self {
            Self::Of(connection) => status_key(connection, entity, code),
            Self::Plain => format!("statuses/{}", status_remote_id(entity, code)),
        }
    }

    /// The key that a record has itself.
    #[must_use]
    pub fn own(self, entity: &str, remote_id: &str) -> Option<String> {
        matches!(self, Self::Of(_)).then(|| self.record(entity, remote_id))
    }

    /// The key that a line of a record has itself.
    #[must_use]
    pub fn line(self, entity: &str, list: &str, remote_id: &str) -> Option<String> {
        match self {
            Self::Of(connection) => Some(line_key(connection, entity, list, remote_id)),
            Self::Plain => None,
        }
    }
}
