//! Lists: pages, limits.

use millwright_core::{Cursor, Error};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};

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

    /// A page of a list that is all at hand, in the order of its names.
    pub(crate) fn of_sorted(
        list: &str,
        all: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> &str,
        asked: &Paged,
    ) -> Result<Self, Error> {
        let after: Option<String> = position(list, asked.cursor.as_deref())?;
        let is_after = |one: &T| after.as_deref().is_none_or(|after| name(one) > after);
        let mut rest = all.into_iter().filter(is_after);
        let data: Vec<T> = rest.by_ref().take(asked.limit.get()).collect();
        let next = rest.next().and(data.last()).map(|last| name(last).to_owned());
        Self::at(list, data, next)
    }

    /// The same page, its entries shown otherwise.
    pub(crate) fn map<U>(self, shown: impl FnMut(T) -> U) -> Page<U> {
        let Self { data, next_cursor, has_more } = self;
        Page { data: data.into_iter().map(shown).collect(), next_cursor, has_more }
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

/// Which part of a list to show.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paged {
    /// Where to go on: `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// The most entries in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    pub(crate) limit: Limit<500>,
}

impl Paged {
    /// The part that begins at a cursor, with at most so many entries.
    pub(crate) fn of(cursor: Option<String>, limit: usize) -> Self {
        let limit = u16::try_from(limit).unwrap_or(500).clamp(1, 500);
        Self { cursor, limit: Limit(limit) }
    }
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
    fn a_list_at_hand_is_paged_by_name_to_its_end() {
        let page = |limit: u16, cursor| {
            let asked = Paged { cursor, limit: Limit(limit) };
            Page::of_sorted("words", ["a", "b", "c", "d"], |word| word, &asked).unwrap()
        };
        let first = page(2, None);
        assert_eq!((&first.data[..], first.has_more), (&["a", "b"][..], true));
        let last = page(2, first.next_cursor);
        assert_eq!((&last.data[..], last.has_more), (&["c", "d"][..], false));
        assert_eq!(page(4, None).map(str::len).data, [1; 4]);
        assert!(!page(4, None).has_more && page(3, None).has_more);
    }

    #[test]
    fn an_empty_cursor_is_the_beginning_and_a_foreign_one_is_refused() {
        assert_eq!(position::<String>("keys", Some("")).unwrap(), None);
        let refused = position::<String>("keys", Some("abc")).unwrap_err();
        assert_eq!(refused.code, ErrorCode::CursorInvalid);
    }
}
