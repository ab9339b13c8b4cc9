//! Opaque cursors: what a list continues from, as one text the caller hands back.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Error, ErrorCode};

/// Encodes and decodes cursors. A cursor carries the name of its list, so that one list's cursor is
/// refused by another instead of being misread.
#[derive(Debug)]
pub struct Cursor;

impl Cursor {
    /// The cursor of `list` that stands for `position`.
    ///
    /// # Errors
    /// When `position` cannot be written as JSON.
    pub fn encode<T: Serialize>(list: &str, position: &T) -> Result<String, Error> {
        let value = serde_json::to_vec(&(list, position)).map_err(Error::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(value))
    }

    /// The position that `text` stands for in `list`.
    ///
    /// # Errors
    /// `CURSOR_INVALID` when the text is not a cursor of this list.
    pub fn decode<T: DeserializeOwned>(list: &str, text: &str) -> Result<T, Error> {
        let invalid = || {
            Error::new(ErrorCode::CursorInvalid, "the cursor is not one this list has given out")
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let (name, position): (String, Value) =
            serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        if name != list {
            return Err(invalid());
        }
        serde_json::from_value(position).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let text = Cursor::encode("records", &("key", 42_u64)).unwrap();
        let position: (String, u64) = Cursor::decode("records", &text).unwrap();
        assert_eq!(position, ("key".to_owned(), 42));
    }

    #[test]
    fn another_lists_cursor_and_garbage_are_refused() {
        let text = Cursor::encode("records", &1).unwrap();
        for (list, text) in [("changes", text.as_str()), ("records", "%%%"), ("records", "e30")] {
            let refused = Cursor::decode::<u64>(list, text).unwrap_err();
            assert_eq!(refused.code, ErrorCode::CursorInvalid);
        }
    }
}
