//! What can go wrong between a decision and its row.

use millwright_core::{Error, ErrorCode};

/// An error of the table.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row was not as expected; with the place of the first such write in a transaction.
    #[error("a row was changed at the same time (write {0})")]
    Conflict(usize),
    /// A transaction met others each time that it was tried; what it is made of may be old by now.
    #[error("others write the same rows all the time")]
    Busy,
    /// A row cannot be read as what it should hold.
    #[error("the row {key} is damaged: {why}")]
    Damaged {
        /// The row.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The table did not do it, after the SDK's own retries.
    #[error("the table failed: {0}")]
    Sdk(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whether a row was not as expected.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    pub(crate) fn sdk<E: Into<aws_sdk_dynamodb::Error>>(error: E) -> Self {
        Self::Sdk(Box::new(error.into()))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if error.is_conflict() {
            let message =
                "it was changed by another request at the same time; read it and try again";
            Self::new(ErrorCode::StateConflict, message)
        } else {
            Self::internal(error)
        }
    }
}
