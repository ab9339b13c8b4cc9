//! Calls of the system's own.

use crate::manifest::like;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::Header;

/// More of them in one name would take long to try.
const STARS_MAX: usize = 3;

/// Which calls of the system's own may be made with the stored credentials.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Passthrough {
    /// What may be called. What no rule fits may not.
    pub allow: Vec<AllowRule>,
    /// Headers that a caller may not set, beside those that never may: where the system takes a right
    /// or another account from one.
    pub refused_headers: Vec<Header>,
    /// Parameters of the query that a caller may not set, for the same reason.
    pub refused_query: Vec<String>,
}

/// What may be called.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawRule")]
pub struct AllowRule {
    /// With one of these methods.
    pub methods: Vec<Method>,
    /// On such a path.
    pub path: PathPattern,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AllowRule")]
struct RawRule {
    /// With one of these methods.
    methods: Vec<String>,
    /// On such a path.
    path: PathPattern,
}

impl TryFrom<RawRule> for AllowRule {
    type Error = String;

    fn try_from(raw: RawRule) -> Result<Self, String> {
        let methods: Result<Vec<_>, _> =
            raw.methods.iter().map(|text| super::request::known_method(text)).collect();
        match methods? {
            none if none.is_empty() => Err("`methods` names no method".to_owned()),
            methods => Ok(Self { methods, path: raw.path }),
        }
    }
}

like!(AllowRule as RawRule);

/// A path below the base address: `/items/*/notes`. `*` stands for one name, or inside a name for a
/// part of it (`/t/*.json`); `**` at the end for whatever follows, at least one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    names: Vec<String>,
    rest: bool,
}

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("`{text}`: {why}"));
        let Some(path) = text.strip_prefix('/') else { return wrong("begins with a slash") };
        let (path, rest) = match path.strip_suffix("**") {
            Some("") => ("", true),
            Some(before) => match before.strip_suffix('/') {
                Some(before) => (before, true),
                None => return wrong("`**` stands for whole names"),
            },
            None => (path, false),
        };
        let names: Vec<String> =
            if path.is_empty() { Vec::new() } else { path.split('/').map(str::to_owned).collect() };
        let odd = |name: &String| {
            name.is_empty()
                || matches!(name.as_str(), "." | "..")
                || name.contains("**")
                || name.matches('*').count() > STARS_MAX
                || name.contains(['%', '?', '#', '\\', ';'])
        };
        if names.iter().any(odd) {
            return wrong(
                "a name in it is empty, dots alone, has many stars, or one of `% ? # \\ ;`",
            );
        }
        Ok(Self { names, rest })
    }

    /// Whether a path, as its decoded names, fits.
    #[must_use]
    pub fn fits(&self, names: &[String]) -> bool {
        let (own, more) = names.split_at(names.len().min(self.names.len()));
        own.len() == self.names.len()
            && (if self.rest { !more.is_empty() } else { more.is_empty() })
            && self.names.iter().zip(own).all(|(pattern, name)| name_fits(pattern, name))
    }
}

/// Whether a name fits a pattern in which `*` stands for at least one character.
fn name_fits(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]).skip(1);
    starts.any(|at| name_fits(after, &rest[at..]))
}

impl<'de> Deserialize<'de> for PathPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, path: &str) -> bool {
        let names: Vec<String> =
            path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        PathPattern::parse(pattern).unwrap().fits(&names)
    }

    #[test]
    fn a_pattern_fits_whole_paths_only() {
        for (pattern, path, expected) in [
            ("/items", "/items", true),
            ("/items", "/items/7", false),
            ("/items", "/item", false),
            ("/items/*", "/items/7", true),
            ("/items/*", "/items", false),
            ("/items/*", "/items/7/notes", false),
            ("/items/*/notes", "/items/7/notes", true),
            ("/items/**", "/items/7/notes", true),
            ("/items/**", "/items", false),
            ("/**", "/anything/at/all", true),
            ("/**", "/", false),
            ("/", "/", true),
            ("/t/*.json", "/t/7.json", true),
            ("/t/*.json", "/t/.json", false),
            ("/t/*.json", "/t/7.json.bak", false),
            ("/t/a*b*c", "/t/aXbYc", true),
            ("/t/a*b*c", "/t/abc", false),
            ("/Items", "/items", false),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        for wrong in
            ["items", "/a//b", "/a/../b", "/a**", "/a/**/b", "/a%2Fb", "/a?b", "/a\\b", "/a;b"]
        {
            assert!(PathPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
