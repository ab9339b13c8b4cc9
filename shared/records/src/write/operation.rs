//! What a write does.

use millwright_connector::WriteOp;
use serde::{Deserialize, Serialize};

/// What a write does to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Makes it.
    Create,
    /// Changes it by a merge patch (RFC 7396).
    Update,
    /// Takes it a step further in the system's workflow: the action's name.
    Action(String),
    /// Deletes it.
    Delete,
}

impl Operation {
    /// The same as the connector calls it.
    pub(super) fn op(&self) -> WriteOp {
        match self {
            Self::Create => WriteOp::Create,
            Self::Update => WriteOp::Update,
            Self::Action(name) => WriteOp::Action(name.clone()),
            Self::Delete => WriteOp::Delete,
        }
    }

    /// The kind of operation in answers and logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Action(_) => "action",
            Self::Delete => "delete",
        }
    }

    /// The action's name, where it is one.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        match self {
            Self::Action(name) => Some(name),
            _ => None,
        }
    }
}
