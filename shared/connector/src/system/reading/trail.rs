//! Whether pages come again, or never come to an end. Pure.

use millwright_core::sha256_hex;
use serde::{Deserialize, Serialize};

use crate::error::SystemError;

/// More pages than any listing has.
const PAGES_MAX: u32 = 1_000_000;
/// How often the same rows may come in a row where pages are told apart by their places: new rows before
/// the reader can push a whole page on, once.
pub(super) const PUSHED_ON: u32 = 2;
/// More pages without rows in a row than any listing has.
const EMPTY_MAX: u32 = 1_000;

/// The pages behind a place, as far as it takes to notice that they come again: the last one, and one
/// that moves on at every power of two (R. P. Brent's way to find a cycle with two memories).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Trail {
    pages: u32,
    last: String,
    mark: String,
    rows: String,
    alike: u32,
    empty: u32,
}

impl Trail {
    /// The trail with one more page: its rows, which may come up to `alike_max` times in a row, and what
    /// else tells it from others (`sign`, which is empty where nothing does).
    ///
    /// # Errors
    /// When it has come before, or too many have.
    pub fn with(&self, rows: &str, sign: &str, alike_max: u32) -> Result<Self, SystemError> {
        let next = self.counted(rows);
        if next.alike > alike_max {
            return Err(SystemError::malformed("the system gives the same page again"));
        }
        if next.pages > PAGES_MAX || next.empty > EMPTY_MAX {
            return Err(SystemError::malformed("the system's pages do not end"));
        }
        if sign.is_empty() {
            return Ok(next);
        }
        let page = short(sign);
        // Only a word on the next page can be the same while the rows are not.
        if page == self.last && sign != rows {
            return Err(SystemError::malformed("the system gives the same page again"));
        }
        if page == self.mark && page != self.last {
            return Err(SystemError::malformed("the system's pages go in a circle"));
        }
        let mark = if next.pages.is_power_of_two() { page.clone() } else { self.mark.clone() };
        Ok(Self { last: page, mark, ..next })
    }

    fn counted(&self, rows: &str) -> Self {
        let pages = self.pages + 1;
        if rows.is_empty() {
            return Self { pages, empty: self.empty + 1, ..self.clone() };
        }
        let rows = short(rows);
        let alike = if rows == self.rows { self.alike + 1 } else { 1 };
        Self { pages, rows, alike, empty: 0, ..self.clone() }
    }
}

fn short(text: &str) -> String {
    sha256_hex(text.as_bytes())[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow<'a>(pages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<u32, String> {
        let mut trail = Trail::default();
        for (rows, sign) in pages {
            trail = trail.with(rows, sign, PUSHED_ON).map_err(|error| error.message)?;
        }
        Ok(trail.pages)
    }

    #[test]
    fn rows_may_come_twice_and_not_three_times_in_a_row() {
        assert_eq!(follow([("a", "a"), ("a", "a"), ("b", "b"), ("b", "b")]), Ok(4));
        assert!(follow([("a", "1"), ("a", "2"), ("a", "3")]).unwrap_err().contains("same page"));
    }

    #[test]
    fn the_same_word_on_the_next_page_is_an_error_at_once() {
        assert!(follow([("a", "next"), ("b", "next")]).unwrap_err().contains("same page"));
    }

    #[test]
    fn pages_without_rows_are_followed_for_a_while() {
        let words: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
        let empty = |count| words.iter().take(count).map(|word| ("", word.as_str()));
        assert_eq!(follow(empty(1_000)), Ok(1_000));
        assert!(follow(empty(1_001)).unwrap_err().contains("do not end"));
    }

    #[test]
    fn a_trail_of_an_earlier_version_is_gone_on_with() {
        let kept = r#"{"pages": 3, "last": "a", "mark": "b"}"#;
        let trail: Trail = serde_json::from_str(kept).unwrap();
        assert_eq!(trail.with("row", "word", 1).unwrap().pages, 4);
    }
}
