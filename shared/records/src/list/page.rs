//! A page in the making.

use millwright_store::Row;
use serde_json::Value;

use crate::RecordDoc;

/// Bytes of records in one answer: an HTTP API's answer holds 6 MB (Lambda quotas).
const BYTES_MAX: usize = 3 * 1024 * 1024;

/// What has been found so far, and at what cost.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub records: Vec<Value>,
    examined: usize,
    bytes: usize,
}

impl Gathered {
    /// Counts a row that was looked at, and takes its record if it is wanted.
    pub fn take(&mut self, row: &Row<RecordDoc>, record: Option<Value>) {
        self.examined += 1;
        if let Some(record) = record {
            self.bytes += row.body.as_ref().map_or(0, String::len);
            self.records.push(record);
        }
    }

    /// Whether the page has what it may hold.
    pub fn is_full(&self, limit: usize) -> bool {
        self.records.len() >= limit || self.bytes >= BYTES_MAX
    }

    /// Whether as many rows were looked at as may be.
    pub fn is_spent(&self, effort: usize) -> bool {
        self.examined >= effort
    }
}
