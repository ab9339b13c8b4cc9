//! Rows that are not as agreed. Which ones follows from their ids, so that it is always the same.

use millwright_core::shard_of;
use serde_json::{Value, json};

use super::{SandboxRow, play::Faults};

/// Puts faults into rows.
pub(super) fn spoil(rows: &mut Vec<(String, Value)>, which: Faults) {
    for (id, row) in rows {
        let Value::Object(row) = row else { continue };
        match (which, shard_of(id, 4)) {
            (_, 0) => change_type(row),
            (Faults::Drift, 1) => unknown_word(row),
            (Faults::Drift, 2) => leave_out(row),
            (Faults::Drift, _) => drop(row.insert("colour".to_owned(), json!("blue"))),
            (Faults::Some, _) => {}
        }
    }
}

/// A time that is none: the row cannot be mapped.
fn change_type(row: &mut SandboxRow) {
    row.insert("createdAt".to_owned(), json!({ "year": 2026 }));
}

fn unknown_word(row: &mut SandboxRow) {
    for field in ["status", "kind", "priority"] {
        if let Some(word) = row.get_mut(field) {
            *word = json!("on_the_moon");
            return;
        }
    }
}

fn leave_out(row: &mut SandboxRow) {
    for field in ["description", "notes"] {
        row.remove(field);
    }
}

/// Forgets what a caller may well expect to be kept.
pub(super) fn forget(row: &mut SandboxRow) {
    for field in ["description", "notes"] {
        row.remove(field);
    }
}
