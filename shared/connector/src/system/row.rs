//! Rows that are no records yet: what they are is known before they are mapped.

use millwright_core::sha256_hex;
use sha2::{Digest, Sha256};

use super::{Found, SourceRecord, System};
use crate::{error::SystemError, json::Row};

/// The code that makes records of rows, by its sources and its libraries (`build.rs`).
const REVISION: &str = env!("MILLWRIGHT_MAPPING_REVISION");

/// A row as the system has it, with details and children, that has not been made a record.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// The system's id.
    pub remote_id: String,
    /// What it is, in short.
    pub print: RowPrint,
    row: Row,
    unshown: Vec<String>,
}

/// What a row is, in 64 bits of a SHA-256 over its id and everything that mapping can see of it: that two
/// rows are taken for the same has a chance of one in 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPrint([u8; Self::SIZE]);

impl RowPrint {
    /// Its size in bytes.
    pub const SIZE: usize = 8;

    /// The one of these bytes.
    #[must_use]
    pub const fn of_bytes(bytes: [u8; Self::SIZE]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; Self::SIZE] {
        self.0
    }

    /// Of a row; `written` is room to write it in.
    fn of(remote_id: &str, row: &Row, written: &mut Vec<u8>) -> Self {
        written.clear();
        written.extend_from_slice(&(remote_id.len() as u64).to_be_bytes());
        written.extend_from_slice(remote_id.as_bytes());
        row.write(written);
        let digest: [u8; 32] = Sha256::digest(&written).into();
        let mut print = [0; Self::SIZE];
        print.copy_from_slice(&digest[..Self::SIZE]);
        Self(print)
    }
}

impl SourceRow {
    /// Rows with their ids, of a reading that does not show these unified fields.
    pub(super) fn of(rows: Vec<(String, Row)>, unshown: &[String]) -> Vec<Self> {
        let mut written = Vec::new();
        let of = |(remote_id, row): (String, Row)| {
            let print = RowPrint::of(&remote_id, &row, &mut written);
            Self { remote_id, print, row, unshown: unshown.to_vec() }
        };
        rows.into_iter().map(of).collect()
    }
}

impl System {
    /// The records of rows that came unmapped, with those rows where `raw` says so, and what cannot be
    /// made one; both in the rows' order.
    ///
    /// # Errors
    /// When the connector does not read the entity.
    pub fn records(
        &self,
        entity: &str,
        rows: Vec<SourceRow>,
        raw: bool,
    ) -> Result<Found, SystemError> {
        let (def, mapper) = (self.def(entity, "read")?, self.mapper(entity));
        let mut found = Found::default();
        for SourceRow { remote_id, print, row, unshown } in rows {
            match mapper.record(def, &remote_id, row.json()) {
                Ok(record) => {
                    let (raw, print) = (raw.then(|| row.to_value()), Some(print));
                    found.records.push(SourceRecord { remote_id, record, unshown, raw, print });
                }
                Err(fault) => found.faults.push(fault),
            }
        }
        Ok(found)
    }

    /// What tells the way in which rows of an entity become records from any other: the code, the manifest
    /// and the connection's own say. As long as it stays, a row that is the same is the same record.
    /// Nothing where that does not hold: the time zone database is the machine's.
    #[must_use]
    pub fn mapping(&self, entity: &str) -> Option<String> {
        let def = self.def(entity, "read").ok()?;
        let digest = &self.manifest().digest;
        if def.needs_zone() || digest.is_empty() {
            return None;
        }
        let overlay = serde_json::to_string(&self.inner.overlays.own.get(entity)).ok()?;
        let told = serde_json::to_vec(&[REVISION, digest, entity, &overlay]).ok()?;
        Some(sha256_hex(&told))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn print(id: &str, row: &serde_json::Value) -> RowPrint {
        RowPrint::of(id, &Row::from(row), &mut vec![1, 2, 3])
    }

    #[test]
    fn a_row_is_known_by_its_id_and_all_that_is_in_it() {
        let row = json!({ "name": "Bolt", "lines": [{ "n": 1 }] });
        let own = print("7", &row);
        assert_eq!(own, print("7", &row.clone()));
        assert_ne!(own, print("8", &row), "the same row under another id");
        for other in [
            json!({ "name": "Nut", "lines": [{ "n": 1 }] }),
            json!({ "name": "Bolt", "lines": [{ "n": "1" }] }),
            json!({ "name": "Bolt", "lines": [{ "n": 1.0 }] }),
            json!({ "name": "Bolt", "lines": [{ "n": 1 }, {}] }),
            json!({ "name": "Bolt", "lines": [{ "n": 1 }], "more": null }),
            json!({ "lines": [{ "n": 1 }], "name": "Bolt" }),
        ] {
            assert_ne!(own, print("7", &other), "{other}");
        }
        assert_eq!(RowPrint::of_bytes(own.bytes()), own);
    }
}
