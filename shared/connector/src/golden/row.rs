//! Rows, and what becomes of them.

use serde_json::{Map, Value};

use super::{Run, diff::diff};
use crate::{
    manifest::{EntityDef, RowTest},
    mapping::{Mapper, Naming},
};

/// What becomes of a row.
enum Became {
    Record(Map<String, Value>),
    Deleted,
    Skipped { field: String, why: String },
}

impl Run<'_> {
    pub(super) fn row(
        &self,
        slug: &str,
        def: &EntityDef,
        test: &RowTest,
    ) -> (Option<String>, Vec<String>) {
        let faults = match self.became(slug, def, &test.row) {
            Ok(became) => compared(test, became),
            Err(why) => vec![why],
        };
        (test.name.clone(), faults)
    }

    fn became(&self, slug: &str, def: &EntityDef, row: &Value) -> Result<Became, String> {
        let exact = exact(row)?;
        let row = exact.as_ref().unwrap_or(row);
        let keys = self.manifest.protocol.nested_keys();
        let id = Mapper::remote_id(&def.read.id, row);
        let id = id.ok_or_else(|| format!("the row has no id at {:?}", def.read.id))?;
        if def.deletes.flag.as_ref().is_some_and(|flag| flag.holds(row, keys)) {
            return Ok(Became::Deleted);
        }
        let zone = self.manifest.zone(&self.tests.settings);
        let mapper = Mapper {
            naming: Naming::Plain,
            entity: slug,
            keys,
            zone: zone.as_ref(),
            nothing: self.manifest.protocol.nothing(),
        };
        Ok(match mapper.record(def, &id, row) {
            Ok(record) => Became::Record(record),
            Err(fault) => Became::Skipped { field: fault.field, why: fault.message },
        })
    }
}

/// A value that is given as JSON text.
pub(super) fn exact(value: &Value) -> Result<Option<Value>, String> {
    let read =
        |text| serde_json::from_str(text).map_err(|why| format!("the text is no JSON: {why}"));
    value.as_str().map(read).transpose()
}

fn compared(test: &RowTest, became: Became) -> Vec<String> {
    match (became, &test.record, test.deleted, &test.skipped) {
        (Became::Record(found), Some(expected), false, None) => {
            diff(&Value::Object(expected.clone()), &Value::Object(found))
        }
        (Became::Deleted, None, true, None) => Vec::new(),
        (Became::Skipped { field, .. }, None, false, Some(expected)) if field == *expected => {
            Vec::new()
        }
        (_, record, deleted, skipped)
            if usize::from(record.is_some())
                + usize::from(deleted)
                + usize::from(skipped.is_some())
                != 1 =>
        {
            vec!["says one of `record`, `deleted: true` and `skipped`".to_owned()]
        }
        (Became::Record(found), ..) => {
            vec![format!("it became a record: {}", Value::Object(found))]
        }
        (Became::Deleted, ..) => vec!["it counts as deleted".to_owned()],
        (Became::Skipped { field, why }, ..) => {
            vec![format!("it was left out, as `{field}` cannot be read: {why}")]
        }
    }
}
