//! Fields that one reading of a record does not show, though another does: they stay as they are kept.

use std::borrow::Cow;

use millwright_connector::SourceRecord;
use millwright_core::{Error, Result};
use millwright_store::{Key, Store};
use serde_json::{Map, Value};

use crate::RecordDoc;

/// The record with what is kept of the fields that its reading could not show.
///
/// # Errors
/// When the table fails, or what is kept is damaged.
pub(crate) async fn filled<'r>(
    store: &Store,
    row: &Key,
    record: &'r SourceRecord,
) -> Result<Cow<'r, SourceRecord>> {
    if record.unshown.is_empty() {
        return Ok(Cow::Borrowed(record));
    }
    let kept = store.get::<RecordDoc>(row).await?.and_then(|row| row.body);
    let mut record = record.clone();
    fill(&mut record, kept.as_deref())?;
    Ok(Cow::Owned(record))
}

/// Puts the fields that a reading did not show into its record, out of the body that is kept.
///
/// # Errors
/// When the body is damaged.
pub(crate) fn fill(record: &mut SourceRecord, kept: Option<&str>) -> Result<()> {
    let Some(kept) = kept.filter(|_| !record.unshown.is_empty()) else { return Ok(()) };
    let mut kept: Map<String, Value> = serde_json::from_str(kept).map_err(Error::internal)?;
    for name in &record.unshown {
        if let (false, Some(value)) = (record.record.contains_key(name), kept.remove(name)) {
            record.record.insert(name.clone(), value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(record: Value, kept: Option<&str>) -> Value {
        let record = record.as_object().cloned().unwrap();
        let unshown = vec!["bumpedAt".to_owned()];
        let mut record =
            SourceRecord { remote_id: "7".to_owned(), record, unshown, raw: None, print: None };
        fill(&mut record, kept).unwrap();
        Value::Object(record.record)
    }

    #[test]
    fn what_a_reading_does_not_show_stays_and_nothing_else_does() {
        let kept = r#"{"title": "Old", "slug": "old", "bumpedAt": "2026-11-21T10:00:00.000Z"}"#;
        let read = json!({"title": "New"});
        let expected = json!({"title": "New", "bumpedAt": "2026-11-21T10:00:00.000Z"});
        assert_eq!(filled(read.clone(), Some(kept)), expected);
        assert_eq!(filled(read.clone(), None), read, "nothing is kept");
        assert_eq!(filled(read.clone(), Some("{}")), read);
        let shown = json!({"bumpedAt": null});
        assert_eq!(filled(shown.clone(), Some(kept)), shown, "what is shown counts");
    }
}
