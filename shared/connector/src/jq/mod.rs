//! jq, where a field table does not reach: an expression over a row.
//!
//! Only what is harmless by its form is taken, and it is looked at when a manifest is read.

mod path;

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use self::path::JqPath;
use crate::json::Node;

/// An expression longer than this is refused.
const LENGTH_MAX: usize = 4096;

/// Why an expression gave nothing for a row, in words without the row's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JqError(pub(crate) String);

/// A jq expression that has been checked.
#[derive(Clone)]
pub struct Jq {
    text: String,
    path: JqPath,
}

impl Jq {
    /// Reads and checks an expression.
    ///
    /// # Errors
    /// Says what is wrong with it, or not allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("a jq expression has at most {LENGTH_MAX} bytes"));
        }
        let path = JqPath::parse(text)?;
        Ok(Self { text: text.to_owned(), path })
    }

    /// The expression's one value for a row.
    ///
    /// # Errors
    /// When it fails on this row.
    pub fn run<'r>(&self, row: impl Node<'r>) -> Result<Option<Value>, JqError> {
        self.path.get(row).map(|value| Some(value.to_value()))
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Jq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

impl<'de> Deserialize<'de> for Jq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
