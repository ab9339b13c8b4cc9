//! The system's own rows, kept with the records that they were made of where somebody wants that.

use std::io::{Read as _, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use millwright_connector::SourceRecord;
use millwright_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::commit::RECORD_MAX;

/// A row as its system has it: JSON, compressed (DEFLATE, RFC 1951), as text (Base64).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeptRaw(String);

impl KeptRaw {
    /// The row that came with a record, to be kept beside `body` bytes of its content: nothing where none
    /// came, and where both together would be too large for an item of the table.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(crate) fn of(record: &SourceRecord, body: usize) -> Result<Option<Self>> {
        let Some(row) = &record.raw else { return Ok(None) };
        let kept = Self::pack(row)?;
        Ok((body + kept.0.len() <= RECORD_MAX).then_some(kept))
    }

    fn pack(row: &Value) -> Result<Self> {
        let text = serde_json::to_vec(row).map_err(Error::internal)?;
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&text).map_err(Error::internal)?;
        Ok(Self(STANDARD_NO_PAD.encode(packed.finish().map_err(Error::internal)?)))
    }

    /// The row.
    ///
    /// # Errors
    /// When what is kept is damaged.
    pub fn row(&self) -> Result<Value> {
        let packed = STANDARD_NO_PAD.decode(&self.0).map_err(Error::internal)?;
        let mut text = Vec::new();
        DeflateDecoder::new(packed.as_slice()).read_to_end(&mut text).map_err(Error::internal)?;
        serde_json::from_slice(&text).map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(raw: Option<Value>) -> SourceRecord {
        let record = serde_json::Map::new();
        let (unshown, print) = (Vec::new(), None);
        SourceRecord { remote_id: "7".to_owned(), record, unshown, raw, print }
    }

    #[test]
    fn a_row_comes_back_to_the_digit_and_takes_less() {
        let lines = (0..50).map(|n| json!({"line": n, "unit": "piece"})).collect::<Vec<_>>();
        let price: Value = serde_json::from_str("12.3400").unwrap();
        let row = json!({"b": price, "a": "\u{1F600}", "lines": lines});
        let kept = KeptRaw::of(&with(Some(row.clone())), 0).unwrap().unwrap();
        assert_eq!(kept.row().unwrap().to_string(), row.to_string());
        assert!(kept.0.len() * 3 < row.to_string().len());
        assert_eq!(
            KeptRaw::of(&with(Some(row)), 0).unwrap().as_ref(),
            Some(&kept),
            "always the same"
        );
        assert_eq!(KeptRaw::of(&with(None), 0).unwrap(), None);
        assert!(KeptRaw("!".to_owned()).row().is_err());
    }

    #[test]
    fn a_row_that_is_too_large_beside_its_record_is_not_kept() {
        let record = with(Some(json!({"a": 1})));
        let size = KeptRaw::of(&record, 0).unwrap().unwrap().0.len();
        assert!(KeptRaw::of(&record, RECORD_MAX - size).unwrap().is_some());
        assert!(KeptRaw::of(&record, RECORD_MAX - size + 1).unwrap().is_none());
    }
}
