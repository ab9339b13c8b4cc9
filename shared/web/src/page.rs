//! Lists: pages, limits.

use millwright_core::{Cursor, Error};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The page. It may be short, even empty, while `has_more` is true.
    pub(crate) data: Vec<T>,
    /// Where the next page begins, as `cursor`; null on the last page.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
    /// Whether there is more.
    pub(crate) has_more: bool,
}

impl<T> Page<T> {
    /// A page; `next` is where the following one begins, if there may be one.
    pub(crate) fn new(data: Vec<T>, next: Option<String>) -> Self {
        Self { data, has_more: next.is_some(), next_cursor: next }
    }

    /// A page whose cursor stands for a position in `list`.
    pub(crate) fn at<P: Serialize>(
        list: &str,
        data: Vec<T>,
        next: Option<P>,
    ) -> Result<Self, Error> {
        let next = next.map(|position| Cursor::encode(list, &position)).transpose()?;
        Ok(Self::new(data, next))
    }
}

/// The position in `list` that a cursor stands for; an empty one is the beginning, as is none.
pub(crate) fn position<P: de::DeserializeOwned>(
    list: &str,
    cursor: Option<&str>,
) -> Result<Option<P>, Error> {
    cursor_text(cursor).map(|text| Cursor::decode(list, text)).transpose()
}

/// A cursor that says something: an empty one is the beginning.
pub(crate) fn cursor_text(cursor: Option<&str>) -> Option<&str> {
    cursor.filter(|text| !text.is_empty())
}

/// How many rows a page may have: 1 to `MAX`, 50 unless told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit<const MAX: u16>(u16);

impl<const MAX: u16> Limit<MAX> {
    /// The number.
    pub(crate) fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl<const MAX: u16> Default for Limit<MAX> {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de, const MAX: u16> Deserialize<'de> for Limit<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.parse().ok().filter(|number| (1..=MAX).contains(number));
        let message = || de::Error::custom(format!("must be a whole number from 1 to {MAX}"));
        number.map(Self).ok_or_else(message)
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::ErrorCode;

    use super::*;

    #[test]
    fn there_is_more_exactly_when_there_is_a_cursor() {
        let page = Page::at("keys", vec![1], Some("key_1")).unwrap();
        assert!(page.has_more);
        let next: Option<String> = position("keys", page.next_cursor.as_deref()).unwrap();
        assert_eq!(next.as_deref(), Some("key_1"));
        assert!(!Page::new(vec![1], None).has_more);
    }

    #[test]
    fn an_empty_cursor_is_the_beginning_and_a_foreign_one_is_refused() {
        assert_eq!(position::<String>("keys", Some("")).unwrap(), None);
        let refused = position::<String>("keys", Some("abc")).unwrap_err();
        assert_eq!(refused.code, ErrorCode::CursorInvalid);
    }
}
