//! How each operation goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{super::Request, Docs, IdInLocation, When, WriteField};
use crate::{path::Path, table::Table};

/// How a record is made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Create {
    /// The request, where one is enough; may name `{record}` and `{token}`.
    pub request: Option<Request>,
    /// The requests in their order, where several are needed. The first that is not a reading one
    /// makes the record.
    pub steps: Vec<Step>,
    /// Where the answer of the request that makes the record has the new id.
    pub id: Path,
    /// The new id in the answer's `Location`, in place of `id`.
    pub id_in_location: Option<IdInLocation>,
    /// What takes the record back when a later step is refused; may name `{id}`.
    pub undo: Option<Request>,
    /// What the connected account must be allowed, in the system's words.
    pub permission: Option<String>,
    /// Where this is said.
    pub docs: Docs,
}

/// How a record is changed. Only what changes is sent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Update {
    /// The request, where one is enough; may name `{record}`, `{id}` and `{current}`.
    pub request: Option<Request>,
    /// The requests in their order, where several are needed. One whose fields do not change is left
    /// out.
    pub steps: Vec<Step>,
    /// When a record can be changed at all.
    pub when: When,
    /// What the connected account must be allowed, in the system's words.
    pub permission: Option<String>,
    /// Where this is said.
    pub docs: Docs,
}

/// How a record is deleted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The request, where one is enough; may name `{id}` and `{current}`.
    pub request: Option<Request>,
    /// The requests in their order, where several are needed.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What a deletion is in this system.
    pub mode: DeleteMode,
    /// When a record can be deleted.
    #[serde(default)]
    pub when: When,
    /// What the connected account must be allowed, in the system's words.
    pub permission: Option<String>,
    /// Where this is said.
    #[serde(default)]
    pub docs: Docs,
}

/// What a deletion is in a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteMode {
    /// The record is gone.
    Hard,
    /// It is marked as deleted and can still be read by some.
    Soft,
    /// It stays, in a status that ends it.
    Status,
}

/// Something that can be done to a record.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Action {
    /// What people call it.
    pub title: Option<String>,
    /// The request, where one is enough; may name `{record}` (the system's form of the fields), `{id}`
    /// and `{current}`.
    pub request: Option<Request>,
    /// The requests in their order, where several are needed.
    pub steps: Vec<Step>,
    /// The codes of the statuses in which it can be done; all when it is not given.
    pub from: Vec<String>,
    /// What else must hold of the record.
    pub when: When,
    /// The code of the status in which it leaves the record.
    pub to: Option<String>,
    /// What can be given with it, with its rules.
    pub fields: Table<WriteField>,
    /// What the connected account must be allowed, in the system's words.
    pub permission: Option<String>,
    /// Where this is said.
    pub docs: Docs,
}

/// One request of an operation that needs several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name: later steps may name `{steps.<name>...}`, its answer.
    pub name: String,
    /// The request.
    pub request: Request,
    /// Whether it only reads.
    #[serde(default)]
    pub reads: bool,
    /// The unified fields that it sends as `{record}`. When it is not given it sends those that no
    /// other step names.
    pub fields: Option<Vec<String>>,
    /// Whether it is made once for every line that is new, changed or removed; may then name `{line}`
    /// and, for a line that is there, `{line_id}`.
    pub each: Option<Each>,
    /// The list that `each` is about.
    #[serde(default = "line_items")]
    pub lines: String,
    /// Whether an update makes it although none of its fields changes.
    #[serde(default)]
    pub always: bool,
}

/// The lines that a step is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// Each new line.
    CreatedLine,
    /// Each line that changes.
    ChangedLine,
    /// Each line that is removed.
    RemovedLine,
}

fn line_items() -> String {
    "lineItems".to_owned()
}
