//! Paths into a JSON value: `vendor.id`, `lines.0.quantity`, `"odata.count"`.

use std::{borrow::Cow, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

use crate::json::{Node, Seen};

/// How a system names the object behind a reference in its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NestedKeys {
    /// By the field's own name: `{"vendor": {"id": 1}}`.
    #[default]
    Plain,
    /// By the name and a dot, beside the reference itself, as Tryton does:
    /// `{"vendor": 1, "vendor.": {"name": "Acme"}}`.
    TrailingDot,
}

/// A path: names of members, or positions in a list, parted by dots. A name that has a dot in it
/// stands in double quotes. The empty path is the value itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Clone, PartialEq, Eq)]
struct Segment {
    key: String,
    dotted: String,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (key, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .ok_or_else(|| format!("`{text}`: a quote is not closed"))?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            };
            if key.is_empty() {
                return Err(format!("`{text}`: a name is missing beside a dot"));
            }
            segments.push(Segment { key: key.to_owned(), dotted: format!("{key}.") });
            rest = match after.strip_prefix('.') {
                Some("") => return Err(format!("`{text}`: a name is missing beside a dot")),
                Some(next) => next,
                None if after.is_empty() => after,
                None => return Err(format!("`{text}`: a dot is missing after a quote")),
            };
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// The value at the path, if there is one. What lies behind a null, or beyond the end of a list, is
    /// null.
    #[must_use]
    pub fn get<'a, N: Node<'a>>(&self, value: N, keys: NestedKeys) -> Option<N> {
        let last = self.segments.len().saturating_sub(1);
        self.walk(value, |position| keys == NestedKeys::TrailingDot && position < last)
    }

    /// Like [`Self::get`], where the value at the path is itself an object or a list that is entered.
    #[must_use]
    pub fn enter<'a, N: Node<'a>>(&self, value: N, keys: NestedKeys) -> Option<N> {
        self.walk(value, |_| keys == NestedKeys::TrailingDot)
    }

    fn walk<'a, N: Node<'a>>(&self, value: N, dotted: impl Fn(usize) -> bool) -> Option<N> {
        let mut at = value;
        for (position, segment) in self.segments.iter().enumerate() {
            at = match at.see() {
                Seen::Object => {
                    let nested = dotted(position).then(|| at.member(&segment.dotted)).flatten();
                    nested.or_else(|| at.member(&segment.key))?
                }
                Seen::List => {
                    let place = segment.key.parse().ok()?;
                    at.items().nth(place).unwrap_or_else(|| at.null())
                }
                Seen::Null => return Some(at),
                _ => return None,
            };
        }
        Some(at)
    }

    /// The text of a value at the path; numbers count as text.
    #[must_use]
    pub fn text<'a, N: Node<'a>>(&self, value: N) -> Option<Cow<'a, str>> {
        match self.get(value, NestedKeys::Plain)?.see() {
            Seen::Text(text) | Seen::Number(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path's names and positions.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map(|segment| segment.key.as_str())
    }
}

impl Default for Path {
    /// The path to the value itself.
    fn default() -> Self {
        Self { text: String::new(), segments: Vec::new() }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn get<'a>(path: &str, value: &'a Value, keys: NestedKeys) -> Option<&'a Value> {
        Path::parse(path).unwrap().get(value, keys)
    }

    #[test]
    fn members_positions_and_quoted_names_are_followed() {
        let value = json!({"a": {"b": [10, {"c": 20}]}, "x.y": 30});
        let plain = |path| get(path, &value, NestedKeys::Plain);
        assert_eq!(plain("a.b.0"), Some(&json!(10)));
        assert_eq!(plain("a.b.1.c"), Some(&json!(20)));
        assert_eq!(plain("\"x.y\""), Some(&json!(30)));
        assert_eq!(plain(""), Some(&value));
        assert_eq!(plain("a.nope"), None);
        assert_eq!(plain("a.b.9"), Some(&Value::Null));
        assert_eq!(plain("a.b.first"), None);
    }

    #[test]
    fn what_lies_behind_a_null_is_null_and_what_is_not_there_is_not_there() {
        let value = json!({"vendor": null});
        assert_eq!(get("vendor.name", &value, NestedKeys::Plain), Some(&Value::Null));
        assert_eq!(get("buyer.name", &value, NestedKeys::Plain), None);
    }

    #[test]
    fn a_trailing_dot_names_the_object_beside_its_reference() {
        let value = json!({"party": 7, "party.": {"id": 7, "name": "Acme"}, "lines": [1],
            "lines.": [{"id": 1}]});
        let dotted = |path| get(path, &value, NestedKeys::TrailingDot);
        assert_eq!(dotted("party"), Some(&json!(7)));
        assert_eq!(dotted("party.name"), Some(&json!("Acme")));
        assert_eq!(dotted("lines"), Some(&json!([1])));
        let lines = Path::parse("lines").unwrap();
        assert_eq!(lines.enter(&value, NestedKeys::TrailingDot), Some(&json!([{"id": 1}])));
    }

    #[test]
    fn an_unreadable_path_is_refused() {
        for text in [".", "a.", "a..b", "\"a", "\"a\"b", "\"\""] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}
