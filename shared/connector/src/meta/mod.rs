//! What `GET /v1/meta/<entity>` says: what a connection's system can do with an entity, and by which
//! rules. All of it follows from the manifest; what the connected account may do is added by whoever
//! asks the system.

mod build;
mod field;
mod schema;
mod statuses;

use serde::Serialize;
use serde_json::Value;

use crate::{
    manifest::{DeleteMode, Rate, When},
    system::{Permission, Permissions},
};

/// What can be done with an entity's records, and by which rules.
#[derive(Clone, Debug, Serialize)]
pub struct EntityMeta {
    /// The entity's slug.
    pub entity: String,
    /// The connector's id.
    pub connector_id: String,
    /// What can be done.
    pub operations: Operations,
    /// Steps of the system's workflow and other things that can be done to a record.
    pub actions: Vec<ActionMeta>,
    /// What a deletion is in this system; nothing when records cannot be deleted.
    pub delete_mode: Option<DeleteMode>,
    /// Whether lines are sent with their record, so that there is all of it or nothing. False where they
    /// follow in requests of their own; nothing where there are no lines to give.
    pub create_with_lines: Option<bool>,
    /// How a create whose answer was lost is known when it comes again: `native` (the system knows it),
    /// `lookup` (it can be looked for), `none`.
    pub idempotency: &'static str,
    /// How often may be written, where the system says so.
    pub write_rate: Option<Rate>,
    /// How changes are found.
    pub incremental: IncrementalMeta,
    /// How deletions are found, each way: `flag`, `archived`, `tombstones`, `log`, `sweep`.
    pub delete_detection: Vec<&'static str>,
    /// Fields of the customer's own.
    pub custom_fields: CustomFieldsMeta,
    /// The fields that are read or can be given.
    pub fields: Vec<FieldMeta>,
    /// JSON Schema (2020-12) of the body of a create on this connection; nothing when records cannot be
    /// made. A body that it refuses is refused; what it accepts may still break a rule that no schema
    /// can say.
    pub json_schema: Option<Value>,
}

/// What can be done with an entity.
#[derive(Clone, Debug, Serialize)]
pub struct Operations {
    /// Listing records.
    pub list: OperationMeta,
    /// Reading one.
    pub get: OperationMeta,
    /// Making one.
    pub create: OperationMeta,
    /// Changing one.
    pub update: OperationMeta,
    /// Deleting one.
    pub delete: OperationMeta,
}

/// Whether and when an operation can be done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OperationMeta {
    /// Whether the connector can do it.
    pub supported: bool,
    /// Whether the connected account may.
    pub permission: Permission,
    /// What the account must be allowed, in the system's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// When it can be done to a record: fields and the values that each may have. `status` is the code
    /// of the record's status.
    #[serde(skip_serializing_if = "When::is_empty")]
    pub when: When,
    /// Where this is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_note: Option<String>,
}

/// An action.
#[derive(Clone, Debug, Serialize)]
pub struct ActionMeta {
    /// Its name in `/actions/{name}`.
    pub name: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether the connected account may.
    pub permission: Permission,
    /// What the account must be allowed, in the system's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// The normalised states in which it can be done; any, when it is empty.
    pub from_states: Vec<String>,
    /// The codes of the statuses in which it can be done; any, when it is empty.
    pub from_statuses: Vec<String>,
    /// The normalised state in which it leaves the record.
    pub to_state: Option<String>,
    /// The code of the status in which it leaves the record.
    pub to_status: Option<String>,
    /// What else must hold of the record.
    #[serde(skip_serializing_if = "When::is_empty")]
    pub when: When,
    /// The fields that must be given.
    pub required: Vec<String>,
    /// The fields that can be given.
    pub fields: Vec<FieldMeta>,
    /// JSON Schema of the body.
    pub json_schema: Value,
    /// Where this is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_note: Option<String>,
}

/// How changes are found.
#[derive(Clone, Debug, Serialize)]
pub struct IncrementalMeta {
    /// `filter`, `feed`, `log`, or `full` when everything is read and compared.
    pub kind: &'static str,
    /// How exact the system's times of change are.
    pub precision_ms: Option<i64>,
    /// How much further back than the last run each run reads.
    pub overlap_seconds: Option<u32>,
}

/// Fields of the customer's own.
#[derive(Clone, Debug, Serialize)]
pub struct CustomFieldsMeta {
    /// Whether the connector reads them.
    pub readable: bool,
    /// When they can be given.
    pub writable: Writable,
    /// Which of them can be given; all that are chosen when it is empty. A trailing `*` stands for any
    /// ending.
    pub only: Vec<String>,
    /// How long a text may be, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Those that this connection has chosen.
    pub chosen: Vec<String>,
    /// Where this is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_note: Option<String>,
}

/// A field and its rules.
#[derive(Clone, Debug, Serialize)]
pub struct FieldMeta {
    /// Its name: `vendorKey`, or `lineItems.quantity` for one of each line.
    pub path: String,
    /// What it holds: `text`, `enum`, `decimal`, `integer`, `boolean`, `date`, `time`, `key`, `list`,
    /// `object`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether it is read.
    pub readable: bool,
    /// When it must be given.
    pub required: RequiredMeta,
    /// When it can be given.
    pub writable: Writable,
    /// The record's values while which it can be changed; `status` is the code of its status.
    #[serde(skip_serializing_if = "When::is_empty")]
    pub writable_when: When,
    /// The record's values while which it cannot be changed.
    #[serde(skip_serializing_if = "When::is_empty")]
    pub immutable_when: When,
    /// The code of the last status, in their usual course, in which it can be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub immutable_after: Option<String>,
    /// The values that it can have.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// So many characters or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    /// So many characters or fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// What all of the text looks like, as a regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// This or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// More than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<String>,
    /// This or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Less than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// So many entries or fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<usize>,
    /// What an update can do with the entries of a list that have keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_changes: Option<LineChangesMeta>,
    /// The entity that its key leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_to: Option<String>,
    /// What counts when a new record does not give it, in the system's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Its name in the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_path: Option<String>,
    /// Whether lists can be filtered by it.
    pub filterable: bool,
    /// Whether lists can be sorted by it.
    pub sortable: bool,
    /// What it means, where its name does not say all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where its rules come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_note: Option<String>,
}

/// When a field must be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequiredMeta {
    /// With a new record.
    pub create: bool,
    /// With every update.
    pub update: bool,
    /// Whether an update can empty it.
    pub nullable: bool,
}

/// When a field can be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Writable {
    /// Never.
    #[default]
    Never,
    /// With a new record only.
    Create,
    /// With an update only.
    Update,
    /// With both.
    Both,
}

/// What an update can do with lines.
#[derive(Clone, Debug, Serialize)]
pub struct LineChangesMeta {
    /// New ones can be added.
    pub add: bool,
    /// Those that are there can be changed.
    pub change: bool,
    /// Those that are there can be removed.
    pub remove: bool,
    /// The record's values while which lines can be added and removed, where that is less than while
    /// they can be changed; `status` is the code of its status.
    #[serde(skip_serializing_if = "When::is_empty")]
    pub add_remove_when: When,
}

impl EntityMeta {
    /// Marks the fields that lists can be filtered and sorted by.
    pub fn set_access(&mut self, filterable: &[&str], sortable: &[&str]) {
        for field in &mut self.fields {
            field.filterable = filterable.contains(&field.path.as_str());
            field.sortable = sortable.contains(&field.path.as_str());
        }
    }

    /// Says what the connected account may do.
    pub fn set_permissions(&mut self, permissions: &Permissions) {
        let operations = &mut self.operations;
        for (name, operation) in [
            ("read", &mut operations.list),
            ("read", &mut operations.get),
            ("create", &mut operations.create),
            ("update", &mut operations.update),
            ("delete", &mut operations.delete),
        ] {
            operation.permission = permissions.of(name);
        }
        for action in &mut self.actions {
            action.permission = permissions.of(&format!("actions.{}", action.name));
        }
    }
}
