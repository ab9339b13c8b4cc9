//! What a system's errors mean.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    error::SystemErrorClass,
    path::{NestedKeys, Path},
};

/// One rule over answers, also over those with HTTP status 200.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// When it fits.
    pub when: Condition,
    /// What it means then.
    pub class: SystemErrorClass,
    /// Where the system's code is.
    pub code: Option<Path>,
    /// Where the system's message is.
    pub message: Option<Path>,
    /// What we say, in place of the general sentence of the class.
    pub say: Option<String>,
}

/// Everything that is given must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// One of these HTTP statuses.
    #[serde(default)]
    pub status: Vec<u16>,
    /// While doing this.
    pub during: Option<Operation>,
    /// The body has something other than null here.
    pub path: Option<Path>,
    /// It is this.
    pub equals: Option<Value>,
    /// Its text has this in it; without a path, the body's text.
    pub contains: Option<String>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Logging in.
    Login,
    /// Reading.
    Read,
    /// Writing.
    Write,
}

impl Condition {
    /// Whether it holds for an answer. `body` is null when it is not JSON.
    #[must_use]
    pub fn holds(&self, operation: Operation, status: u16, body: &Value, text: &str) -> bool {
        let here = match &self.path {
            None => None,
            Some(path) => match path.get(body, NestedKeys::Plain) {
                None | Some(Value::Null) => return false,
                found => found,
            },
        };
        (self.status.is_empty() || self.status.contains(&status))
            && self.during.is_none_or(|during| during == operation)
            && self.equals.as_ref().is_none_or(|value| here == Some(value))
            && self.contains.as_ref().is_none_or(|part| match here {
                Some(value) => value.as_str().is_some_and(|text| text.contains(part)),
                None => text.contains(part),
            })
    }
}
