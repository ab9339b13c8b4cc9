//! How long a text may be, and what it looks like.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// Rules of a text.
#[derive(Clone, Debug, Default)]
pub struct TextRules {
    /// So many characters or more.
    pub min_length: Option<usize>,
    /// So many characters or fewer.
    pub max_length: Option<usize>,
    /// What all of it looks like.
    pub pattern: Option<TextPattern>,
}

/// A regular expression that the whole of a text must fit. Of a kind that is matched in linear time:
/// no look-around, no back references; classes such as `\d` are those of ASCII, as in ECMAScript.
#[derive(Clone)]
pub struct TextPattern {
    source: String,
    regex: Regex,
}

impl TextPattern {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is not one, or too large.
    pub fn parse(source: &str) -> Result<Self, String> {
        let whole = format!("^(?:{})$", with_ascii_classes(source));
        let regex = RegexBuilder::new(&whole).size_limit(1 << 18).build();
        match regex {
            Ok(regex) => Ok(Self { source: source.to_owned(), regex }),
            Err(why) => Err(format!("`pattern`: {why}")),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the whole of a text fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// The expression with its classes spelt out: those of the `regex` crate hold the letters and digits of
/// all scripts.
fn with_ascii_classes(source: &str) -> String {
    let mut spelt = String::with_capacity(source.len());
    let mut characters = source.chars();
    while let Some(one) = characters.next() {
        if one != '\\' {
            spelt.push(one);
            continue;
        }
        match characters.next() {
            Some('d') => spelt.push_str("[0-9]"),
            Some('D') => spelt.push_str("[^0-9]"),
            Some('w') => spelt.push_str("[0-9A-Za-z_]"),
            Some('W') => spelt.push_str("[^0-9A-Za-z_]"),
            Some('s') => spelt.push_str("[\\t\\n\\v\\f\\r ]"),
            Some('S') => spelt.push_str("[^\\t\\n\\v\\f\\r ]"),
            Some('b') => spelt.push_str("(?-u:\\b)"),
            other => spelt.extend(std::iter::once('\\').chain(other)),
        }
    }
    spelt
}

impl fmt::Debug for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.source)
    }
}

impl<'de> Deserialize<'de> for TextPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A rule of a text that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFault {
    TooShort,
    TooLong,
    OtherForm,
}

impl TextRules {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.min_length.is_none() && self.max_length.is_none() && self.pattern.is_none()
    }

    /// The first rule that a text breaks.
    pub(crate) fn check(&self, text: &str) -> Option<TextFault> {
        let length = text.chars().count();
        if self.min_length.is_some_and(|min| length < min) {
            Some(TextFault::TooShort)
        } else if self.max_length.is_some_and(|max| length > max) {
            Some(TextFault::TooLong)
        } else if self.pattern.as_ref().is_some_and(|pattern| !pattern.fits(text)) {
            Some(TextFault::OtherForm)
        } else {
            None
        }
    }

    /// What a fault means, for a person.
    pub(crate) fn words(&self, fault: TextFault) -> String {
        match fault {
            TextFault::TooShort => {
                format!("must have {} characters or more", self.min_length.unwrap_or_default())
            }
            TextFault::TooLong => {
                format!("must have {} characters or fewer", self.max_length.unwrap_or_default())
            }
            TextFault::OtherForm => {
                format!("must look like {}", self.pattern.as_ref().map_or("", TextPattern::as_str))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters_and_hold_at_their_edges() {
        let rules = TextRules { min_length: Some(2), max_length: Some(3), pattern: None };
        assert_eq!(rules.check("ä"), Some(TextFault::TooShort));
        assert_eq!(rules.check("äö"), None);
        assert_eq!(rules.check("äöü"), None);
        assert_eq!(rules.check("äöüß"), Some(TextFault::TooLong));
    }

    #[test]
    fn a_pattern_must_fit_the_whole_text() {
        let pattern = Some(TextPattern::parse("[A-Z]{2}|x").unwrap());
        let rules = TextRules { pattern, ..TextRules::default() };
        assert_eq!((rules.check("AB"), rules.check("x")), (None, None));
        for wrong in ["ABC", "aAB", "AB\n", "", "xx"] {
            assert_eq!(rules.check(wrong), Some(TextFault::OtherForm), "{wrong:?}");
        }
    }

    #[test]
    fn classes_are_those_of_ascii_inside_brackets_too() {
        for (pattern, fits, not) in [
            (r"\d+", "0123", "٣"),
            (r"[\d.]+", "1.5", "٣"),
            (r"[^\d]", "٣", "3"),
            (r"\w+", "a_Z9", "ä"),
            (r"\W", "ä", "a"),
            (r"a\sb", "a b", "a\u{a0}b"),
            (r"\S", "\u{a0}", " "),
            (r"\bx\b", "x", "y"),
            (r"\\d", r"\d", "1"),
        ] {
            let read = TextPattern::parse(pattern).unwrap();
            assert!(read.fits(fits) && !read.fits(not), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_matched_in_linear_time_is_refused() {
        for wrong in ["(", "(a)\\1", "(?=a)", "a{100000}"] {
            assert!(TextPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
