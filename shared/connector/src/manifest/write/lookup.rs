//! Records that are read before a write.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Request;
use crate::path::Path;

/// Records that are read before a write.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The field that refers to them: `vendorKey`, or `lineItems.materialKey`.
    pub from: Path,
    /// The request; may name `{ids}`.
    pub request: Request,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
    /// Where a row has its id.
    #[serde(default = "id")]
    pub id: Path,
}

/// A value that comes from a lookup.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupValue {
    /// The lookup.
    pub lookup: String,
    /// The field, beside this one, whose reference says which row.
    pub by: String,
    /// Where in the row the value is. It is used as the system has it.
    pub path: Path,
}

/// A further value of the system's record. It goes with the record when the record is made, and again
/// whenever the field that it follows (`by`) changes.
pub type Extra = LookupValue;

pub(super) fn id() -> Path {
    Path::parse("id").unwrap_or_default()
}
