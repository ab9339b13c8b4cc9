//! The cursor of a page: the messages in it.

use millwright_core::{Cursor, EndpointId, Error, ErrorCode, MessageId, Result};

/// The start of every message's id, which a cursor leaves out, and the length of the rest.
const ID_START: &str = "msg_";
const ID_REST: usize = 26;

fn list_of(endpoint: &EndpointId) -> String {
    format!("webhook-poll/{endpoint}")
}

/// The cursor that stands for a page: its ids one after the other without their common start, as a URL
/// has little room.
pub(super) fn cursor_of(endpoint: &EndpointId, page: &[&MessageId]) -> Result<String> {
    let rest = |id: &&MessageId| id.as_str().strip_prefix(ID_START).map(str::to_owned);
    let ids: String = page.iter().filter_map(rest).collect();
    Cursor::encode(&list_of(endpoint), &ids)
}

/// The page that a cursor stands for.
pub(super) fn page_of(endpoint: &EndpointId, text: &str) -> Result<Vec<MessageId>> {
    let ids: String = Cursor::decode(&list_of(endpoint), text)?;
    let invalid = || Error::new(ErrorCode::CursorInvalid, "the cursor is not one of this endpoint");
    let id = |rest: &[u8]| {
        let rest = std::str::from_utf8(rest).map_err(|_| invalid())?;
        format!("{ID_START}{rest}").parse().map_err(|_| invalid())
    };
    ids.as_bytes().chunks(ID_REST).map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_stands_for_exactly_the_messages_of_its_page() {
        let endpoint = EndpointId::new_at(1);
        for length in [0, 1, 2, 100] {
            let ids: Vec<MessageId> = (0..length).map(MessageId::new_at).collect();
            let cursor = cursor_of(&endpoint, &ids.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!(page_of(&endpoint, &cursor).unwrap(), ids);
            // With the path it must fit into the 10 KB that API Gateway takes.
            assert!(cursor.len() < 4000);
        }
    }

    #[test]
    fn another_endpoints_cursor_and_garbage_are_refused() {
        let (one, other) = (EndpointId::new_at(1), EndpointId::new_at(2));
        let cursor = cursor_of(&one, &[&MessageId::new_at(1)]).unwrap();
        let garbage = Cursor::encode(&list_of(&other), &"x".repeat(27)).unwrap();
        for text in [cursor, garbage, "%".to_owned()] {
            assert_eq!(page_of(&other, &text).unwrap_err().code, ErrorCode::CursorInvalid);
        }
    }
}
