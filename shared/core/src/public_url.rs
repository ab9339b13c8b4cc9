//! Where callers and people reach this service.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::{ConfigError, Source, required};

/// The variable that holds it.
const VARIABLE: &str = "MILLWRIGHT_PUBLIC_URL";

/// The address that links of ours begin with, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// An address that was checked before.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim_end_matches('/').to_owned())
    }

    /// From `MILLWRIGHT_PUBLIC_URL`: `http://` or `https://`, a host, perhaps a path.
    ///
    /// # Errors
    /// When it is not set or is no such address.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let text = required(source, VARIABLE)?;
        let invalid = |why: &str| ConfigError::Invalid {
            name: VARIABLE,
            value: text.clone(),
            why: why.to_owned(),
        };
        let url = Url::parse(&text).map_err(|error| invalid(&error.to_string()))?;
        let complete = matches!(url.scheme(), "http" | "https") && url.has_host();
        if !complete || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it must be http:// or https:// and a host"));
        }
        Ok(Self::new(&text))
    }

    /// The address of a path, which begins with a slash.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path that it has beside its host: nothing, or one that begins with a slash and ends without.
    #[must_use]
    pub fn path(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.find('/').map_or("", |at| &rest[at..])
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(url: &str) -> Result<PublicUrl, ConfigError> {
        PublicUrl::from_source(&HashMap::from([(VARIABLE, url)]))
    }

    #[test]
    fn links_begin_with_it_without_its_last_slash() {
        let url = read("https://api.example.com/millwright/").unwrap();
        assert_eq!(url.at("/link/x"), "https://api.example.com/millwright/link/x");
        assert!(url.is_https());
    }

    #[test]
    fn its_path_is_what_stands_behind_the_host() {
        for (url, path) in [
            ("https://api.example.com", ""),
            ("https://api.example.com/", ""),
            ("http://localhost:1/a/b/", "/a/b"),
        ] {
            assert_eq!(read(url).unwrap().path(), path, "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for url in ["", "api.example.com", "ftp://x", "https://", "https://x/?a=1", "https://x/#a"]
        {
            let refused = read(url).unwrap_err().to_string();
            assert!(refused.contains(VARIABLE), "{refused}");
        }
    }
}
