//! Fields of the customer's own.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Docs, Written};
use crate::path::Path;

/// How fields of the customer's own are written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomWrite {
    /// The object in the system's record that has them; the record itself when it is not given.
    #[serde(default)]
    pub to: Path,
    /// When they can be given.
    #[serde(default)]
    pub writable: Written,
    /// Which of them can; all when it is not given. A trailing `*` stands for any ending.
    #[serde(default)]
    pub only: Vec<String>,
    /// How long a text may be, in characters.
    pub max_length: Option<usize>,
    /// Where this is said.
    #[serde(default)]
    pub docs: Docs,
}

impl CustomWrite {
    /// Whether a field of this name can be written at all.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        let fits = |known: &String| match known.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => known == name,
        };
        self.only.is_empty() || self.only.iter().any(fits)
    }
}
