//! A written record as it is answered.

use millwright_connector::DeleteMode;
use millwright_core::WallTime;
use millwright_store::Row;
use serde_json::{Map, Value, json};

use super::{stuck::Warning, work::Work};
use crate::{RecordDoc, list::with_meta};

/// A record as it stands after a write, and what is to be said of it.
#[derive(Debug)]
pub(super) struct Outcome {
    record: Map<String, Value>,
    /// Its row; nothing where nothing keeps it.
    row: Option<RecordDoc>,
    warnings: Vec<Warning>,
    deleted_at: Option<WallTime>,
    /// Whether it was read back and is kept as it was read.
    pub(super) whole: bool,
}

impl Outcome {
    /// A record that was only played through.
    pub(super) fn played(record: Map<String, Value>) -> Self {
        Self { record, row: None, warnings: Vec::new(), deleted_at: None, whole: true }
    }

    /// A record that is kept.
    pub(super) fn kept(record: Map<String, Value>, row: RecordDoc, warnings: Vec<Warning>) -> Self {
        Self { row: Some(row), warnings, ..Self::played(record) }
    }

    /// A record of which something is missing yet.
    pub(super) fn incomplete(record: Map<String, Value>, message: &str) -> Self {
        Self::played(record).saying(message).unfinished()
    }

    /// A record that is gone and has no row.
    pub(super) fn deleted(record: Map<String, Value>, at: WallTime) -> Self {
        Self { deleted_at: Some(at), ..Self::played(record) }
    }

    /// A record that is gone, as its row has it.
    pub(super) fn gone(row: Row<RecordDoc>) -> Self {
        let record = row.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
        Self { row: Some(row.doc), ..Self::played(record.unwrap_or_default()) }
    }

    /// The same with something to be said of it.
    pub(super) fn saying(mut self, message: &str) -> Self {
        self.warnings.insert(0, Warning::of_record(message));
        self
    }

    /// The same with another warning, if there is one.
    pub(super) fn and(mut self, warning: Option<Warning>) -> Self {
        self.warnings.extend(warning);
        self
    }

    /// The same, of which something is missing yet.
    pub(super) fn unfinished(self) -> Self {
        Self { whole: false, ..self }
    }

    /// The record's key.
    pub(super) fn key(&self) -> Option<&str> {
        self.record.get("key")?.as_str()
    }

    /// The answer: the record with its `meta`.
    pub(super) fn into_json(self, work: &Work) -> Value {
        let mut record = match self.row {
            Some(row) => with_meta(self.record, &row),
            None => with_bare_meta(self.record, self.deleted_at),
        };
        let meta = &mut record["meta"];
        if !self.warnings.is_empty() {
            meta["warnings"] = json!(self.warnings);
        }
        if work.system.simulated() {
            meta["simulated"] = json!(true);
        }
        if let Some(mode) = work.delete_mode() {
            meta["delete_mode"] = mode_word(mode);
        }
        record
    }
}

/// How a dry run answers: the record as it would be.
pub(super) fn would_be(work: &Work, record: Map<String, Value>) -> Value {
    let mut record = with_bare_meta(record, None);
    record["meta"]["dry_run"] = json!(true);
    if let Some(mode) = work.delete_mode() {
        record["meta"]["delete_mode"] = mode_word(mode);
    }
    record
}

fn with_bare_meta(mut record: Map<String, Value>, deleted_at: Option<WallTime>) -> Value {
    if let Some(at) = deleted_at {
        record.insert("deletedAt".to_owned(), json!(at.iso()));
    }
    record.insert("meta".to_owned(), json!({}));
    Value::Object(record)
}

fn mode_word(mode: DeleteMode) -> Value {
    json!(match mode {
        DeleteMode::Hard => "hard",
        DeleteMode::Soft => "soft",
        DeleteMode::Status => "status",
    })
}
