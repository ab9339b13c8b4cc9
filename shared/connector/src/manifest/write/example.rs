//! Bodies that are accepted and bodies that are refused.

use millwright_core::ErrorCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Docs;
use crate::table::Table;

/// A body and what becomes of it. Keys in it may be any text: they lead to a record unless they are
/// among `unknown`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Example {
    /// Its name, for other examples that are `like` it, and for people.
    pub name: Option<String>,
    /// `create` (also when it is not given), `update`, `delete`, or an action.
    pub on: Option<String>,
    /// The example that this one differs from.
    pub like: Option<String>,
    /// The record as it is before, for all but a create; `status` is its status' code.
    pub current: Option<Map<String, Value>>,
    /// The body.
    pub body: Option<Map<String, Value>>,
    /// Values that differ from the example that it is like: `lineItems.0.quantity: "0"`.
    pub with: Table<Value>,
    /// Fields that the example that it is like has and this one has not.
    pub without: Vec<String>,
    /// Keys that lead nowhere.
    pub unknown: Vec<String>,
    /// Every fault that is found; an accepted one has none.
    pub refused: Vec<Expected>,
    /// Where this is said.
    pub docs: Docs,
}

/// A fault that is found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The faulty field; none when the record's state forbids it all.
    pub field: Option<String>,
    /// The contract's code.
    #[schemars(with = "crate::manifest::schema::Code")]
    pub code: ErrorCode,
}
