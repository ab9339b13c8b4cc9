//! Reading a whole row by its key.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Deserialize;

use super::plan::{Place, Plain, Plans};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(rename = "TableName")]
    table: String,
    #[serde(rename = "Key")]
    key: HashMap<String, Plain>,
    /// Every read is consistent here.
    #[serde(rename = "ConsistentRead")]
    _consistent: Option<bool>,
}

pub(super) fn asked<'a>(plans: &'a Plans, body: &[u8]) -> Option<Place<'a>> {
    let asked: Asked = serde_json::from_slice(body).ok()?;
    Place::of_key(plans, &asked.table, asked.key)
}

/// The answer holds the row as it is kept: that is how values are written on the wire, too.
pub(super) fn get(connection: &Connection, place: &Place<'_>) -> Option<Vec<u8>> {
    let mut read = connection.prepare_cached(&place.plan.get).ok()?;
    let row = read.query_row(params![place.pk, place.sk], |row| row.get::<_, String>(0));
    match row.optional().ok()? {
        // Sets of numbers are answered in an order of their own.
        Some(row) if row.contains("\"NS\":") => None,
        Some(row) => Some(format!("{{\"Item\":{row}}}").into_bytes()),
        None => Some(b"{}".to_vec()),
    }
}
