//! Conditions over what a system has sent.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, HeaderName};
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::Operation;
use crate::{
    json::{Json, Node, Seen as Kind},
    path::{NestedKeys, Path},
};

/// So much of a body's text is looked through, in bytes.
const TEXT_MAX: usize = 64 << 10;
/// The largest compiled expression, in bytes.
const EXPRESSION_MAX: usize = 1 << 18;

/// Everything that is given must hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// One of these HTTP statuses.
    #[serde(default)]
    pub status: Vec<u16>,
    /// While doing this.
    pub during: Option<Operation>,
    /// There is a header, and it is as this says.
    pub header: Option<HeaderCondition>,
    /// The body has something other than null here.
    pub path: Option<Path>,
    /// It is this.
    pub equals: Option<Value>,
    /// It is one of these.
    #[serde(default)]
    pub one_of: Vec<Value>,
    /// Its text has this in it; without a path, the body's text. Of a list, one text is enough.
    pub contains: Option<String>,
    /// Its text has a part that fits this regular expression; without a path, the body's text.
    pub matches: Option<Expression>,
}

/// There is a header of that name, and everything else that is given holds for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderCondition {
    /// Its name.
    pub name: Header,
    /// It is this, in large or small letters.
    pub equals: Option<String>,
    /// It is one of these, in large or small letters.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// It has this in it.
    pub contains: Option<String>,
    /// It has a part that fits this regular expression.
    pub matches: Option<Expression>,
}

/// The name of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header(pub HeaderName);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let name = HeaderName::try_from(&text);
        name.map(Self).map_err(|_| D::Error::custom(format!("`{text}` is no header")))
    }
}

/// A regular expression, in the syntax of the crate `regex`: it runs in a time that grows only
/// with the text.
#[derive(Clone)]
pub struct Expression(Regex);

impl Expression {
    /// Whether a part of the text fits.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// What its first group finds in the text.
    pub(crate) fn first_group<'a>(&self, text: &'a str) -> Option<&'a str> {
        Some(self.0.captures(text)?.get(1)?.as_str())
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let built = RegexBuilder::new(&text).size_limit(EXPRESSION_MAX).build();
        built.map(Self).map_err(|why| D::Error::custom(format!("`{text}`: {why}")))
    }
}

/// What a system has sent.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// While doing what; nothing where the system sent it by itself.
    pub operation: Option<Operation>,
    /// The HTTP status; 0 where there is none.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body; null when it is not JSON.
    pub body: Json<'a>,
    /// The body as it came.
    pub raw: &'a [u8],
}

impl Condition {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, seen: &Seen<'_>) -> bool {
        (self.status.is_empty() || self.status.contains(&seen.status))
            && self.during.is_none_or(|during| Some(during) == seen.operation)
            && self.header.as_ref().is_none_or(|header| header.holds(seen.headers))
            && self.body_holds(seen)
    }

    /// Whether it says anything of the body or its text.
    fn body_holds(&self, seen: &Seen<'_>) -> bool {
        let here = match &self.path {
            None => None,
            Some(path) => match path.get(seen.body, NestedKeys::Plain) {
                Some(found) if !found.is_null() => Some(found),
                _ => return false,
            },
        };
        if !self.has_text_test() {
            return self.value_holds(here);
        }
        let texts = here.map_or_else(|| vec![start_of(seen.raw)], texts);
        self.value_holds(here)
            && self
                .contains
                .as_ref()
                .is_none_or(|part| texts.iter().any(|text| text.contains(part)))
            && self.matches.as_ref().is_none_or(|one| texts.iter().any(|text| one.is_in(text)))
    }

    fn has_text_test(&self) -> bool {
        self.contains.is_some() || self.matches.is_some()
    }

    fn value_holds(&self, here: Option<Json<'_>>) -> bool {
        let is = |value: &Value| here.is_some_and(|here| here.is(value));
        self.equals.as_ref().is_none_or(is)
            && (self.one_of.is_empty() || self.one_of.iter().any(is))
    }
}

impl HeaderCondition {
    fn holds(&self, headers: &HeaderMap) -> bool {
        let found = headers.get_all(&self.name.0).iter().filter_map(|value| value.to_str().ok());
        found.map(str::trim).any(|text| self.fits(text))
    }

    fn fits(&self, text: &str) -> bool {
        self.equals.as_ref().is_none_or(|value| value.eq_ignore_ascii_case(text))
            && (self.one_of.is_empty()
                || self.one_of.iter().any(|value| value.eq_ignore_ascii_case(text)))
            && self.contains.as_ref().is_none_or(|part| text.contains(part))
            && self.matches.as_ref().is_none_or(|pattern| pattern.is_in(text))
    }
}

fn start_of(raw: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&raw[..raw.len().min(TEXT_MAX)])
}

/// The texts of a value: its own, or those of its elements.
pub(crate) fn texts(value: Json<'_>) -> Vec<Cow<'_, str>> {
    match value.see() {
        Kind::Text(text) | Kind::Number(text) => vec![Cow::Borrowed(text)],
        Kind::List => value.items().flat_map(texts).collect(),
        Kind::Null | Kind::Bool(_) | Kind::Object => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Row;

    const BODY: &str =
        r#"{"error": {"code": 104, "type": "limit"}, "errors": ["too soon", "wait"]}"#;

    fn holds(condition: &str) -> bool {
        let condition: Condition = serde_saphyr::from_str(condition).expect(condition);
        let headers =
            [("content-type", "text/html"), ("x-token", "Required")].map(|(name, value)| {
                (HeaderName::from_static(name), http::HeaderValue::from_static(value))
            });
        let body = Row::parse(BODY).unwrap();
        condition.holds(&Seen {
            operation: Some(Operation::Read),
            status: 200,
            headers: &HeaderMap::from_iter(headers),
            body: body.json(),
            raw: BODY.as_bytes(),
        })
    }

    #[test]
    fn a_condition_holds_when_all_of_it_does() {
        for (condition, expected) in [
            ("{}", true),
            ("{status: [200, 403]}", true),
            ("{status: [403]}", false),
            ("{during: read}", true),
            ("{during: write}", false),
            ("{path: error}", true),
            ("{path: error.nope}", false),
            ("{path: error.code, equals: 104}", true),
            ("{path: error.code, equals: '104'}", false),
            ("{path: error.type, one_of: [lock, limit]}", true),
            ("{path: error.type, one_of: [lock]}", false),
            ("{path: errors, contains: soon}", true),
            ("{path: errors, contains: never}", false),
            ("{path: error.code, matches: '^1\\d\\d$'}", true),
            ("{contains: 'too soon'}", true),
            ("{matches: 'too\\s+late'}", false),
            ("{header: {name: x-token}}", true),
            ("{header: {name: X-Token, equals: required}}", true),
            ("{header: {name: X-Token, one_of: [fetch, required]}}", true),
            ("{header: {name: X-Token, equals: fetch}}", false),
            ("{header: {name: X-Other}}", false),
            ("{header: {name: content-type, contains: html}, path: error}", true),
            ("{header: {name: content-type, matches: '^text/h'}, path: nope}", false),
        ] {
            assert_eq!(holds(condition), expected, "{condition}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_when_it_is_read() {
        for wrong in
            ["{matches: '('}", "{header: {name: 'a b'}}", "{header: {equals: x}}", "{x: 1}"]
        {
            assert!(serde_saphyr::from_str::<Condition>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_expression_that_others_would_run_on_for_ever_ends() {
        let text = "a".repeat(TEXT_MAX);
        let condition: Condition = serde_saphyr::from_str("{matches: '^(a+)+$x'}").unwrap();
        let nothing = Row::default();
        let seen = Seen {
            operation: None,
            status: 0,
            headers: &HeaderMap::new(),
            body: nothing.json(),
            raw: text.as_bytes(),
        };
        assert!(!condition.holds(&seen));
    }
}
