//! What a system's errors mean.

use millwright_core::ErrorCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Expression, schema};
use crate::{error::SystemErrorClass, path::Path};

/// One rule over answers, also over those with HTTP status 200.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// When it fits.
    pub when: Condition,
    /// What it means then.
    pub class: Meaning,
    /// With `validation`: the contract's code for it, where `BUSINESS_RULE_VIOLATED` says too little.
    #[schemars(with = "Option<schema::Code>")]
    pub contract: Option<ErrorCode>,
    /// Where the system's code is.
    pub code: Option<Path>,
    /// Where the system's message is. Of a list of texts, all count.
    pub message: Option<Path>,
    /// Where the system names the field that is at fault, by its own name.
    pub field: Option<Path>,
    /// How the system names that field inside its message, where it says it nowhere else.
    pub field_label: Option<FieldLabel>,
    /// Where the system says how many seconds to wait, beside `Retry-After`.
    pub wait_seconds: Option<Path>,
    /// What we say, in place of the general sentence of the class.
    pub say: Option<String>,
}

/// A field's label inside a message.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldLabel {
    /// A regular expression whose first group is the label. In small letters, with `_` for spaces, it
    /// is the system's name of the field.
    pub matches: Expression,
    /// The system's name of the list whose lines it is about.
    pub under: Option<String>,
}

impl FieldLabel {
    /// The system's name of the field that a message names.
    pub(crate) fn name(&self, message: &str) -> Option<String> {
        let name = self.matches.first_group(message)?.trim().to_lowercase().replace(' ', "_");
        Some(match &self.under {
            Some(list) => format!("{list}.{name}"),
            None => name,
        })
    }
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Nothing was done, for a reason that passes in a moment, such as a lock: the request is made
    /// again twice, and then the system counts as unreachable.
    Retry,
    /// The system is not working.
    Unreachable,
    /// It is asked too often. Nothing was done.
    RateLimited,
    /// It refuses the credentials, or the session has ended.
    Reauthorize,
    /// The account may not do this.
    Permission,
    /// There is no such record.
    NotFound,
    /// It refuses what is written.
    Validation,
    /// The record is in a state, or was changed, so that this cannot be done.
    Conflict,
    /// It does not know this operation.
    Unsupported,
    /// It is no error: the answer is empty.
    Ignore,
    /// It is an error that trying again does not help against.
    Fail,
}

impl Meaning {
    /// The class of the error; none when it is no error.
    #[must_use]
    pub fn class(self) -> Option<SystemErrorClass> {
        use SystemErrorClass as Class;
        Some(match self {
            Self::Ignore => return None,
            Self::Retry | Self::Unreachable => Class::Unreachable,
            Self::RateLimited => Class::RateLimited,
            Self::Reauthorize => Class::Reauthorize,
            Self::Permission => Class::Permission,
            Self::NotFound => Class::NotFound,
            Self::Validation => Class::Validation,
            Self::Conflict => Class::Conflict,
            Self::Unsupported => Class::Unsupported,
            Self::Fail => Class::Malformed,
        })
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Logging in.
    Login,
    /// Reading.
    Read,
    /// Finding out whether the system answers, which one it is, and whether the account may use it.
    Probe,
    /// Writing.
    Write,
}
