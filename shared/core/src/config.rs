//! Configuration from the environment: each value is read once, checked, and named in its error.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

/// Why the configuration is unusable: one line that names the variable.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable that has no default is not set.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A variable's text cannot be read as what it stands for.
    #[error("{name} is {value:?}: {why}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// Its text.
        value: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Where variables come from: the process environment, or a table in a test.
pub trait Source {
    /// The text of `name`; an empty one counts as not set.
    fn text(&self, name: &str) -> Option<String>;
}

/// The process environment.
#[derive(Clone, Copy, Debug)]
pub struct Environment;

impl Source for Environment {
    fn text(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|text| !text.is_empty())
    }
}

impl<S: std::hash::BuildHasher> Source for std::collections::HashMap<&str, &str, S> {
    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|text| (*text).to_owned()).filter(|text| !text.is_empty())
    }
}

/// A variable that must be set.
///
/// # Errors
/// When it is not.
pub fn required(source: &impl Source, name: &'static str) -> Result<String, ConfigError> {
    source.text(name).ok_or(ConfigError::Missing(name))
}

/// A variable that is parsed and must lie in `range`; `default` when it is not set.
///
/// # Errors
/// When it cannot be parsed or lies outside.
pub fn parsed_in<T>(
    source: &impl Source,
    name: &'static str,
    default: T,
    range: &RangeInclusive<T>,
) -> Result<T, ConfigError>
where
    T: FromStr + PartialOrd + Display,
    T::Err: Display,
{
    let Some(text) = source.text(name) else { return Ok(default) };
    let invalid = |why: String| ConfigError::Invalid { name, value: text.clone(), why };
    let value: T = text.parse().map_err(|e: T::Err| invalid(e.to_string()))?;
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(invalid(format!("it must be from {} to {}", range.start(), range.end())))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_missing_variable_is_named() {
        let empty = HashMap::from([("TABLE", "")]);
        assert_eq!(required(&empty, "TABLE").unwrap_err().to_string(), "TABLE is not set");
    }

    #[test]
    fn a_number_is_checked_at_both_edges() {
        for (text, fine) in [("1", true), ("30", true), ("0", false), ("31", false), ("x", false)] {
            let source = HashMap::from([("SECONDS", text)]);
            assert_eq!(parsed_in(&source, "SECONDS", 10_u64, &(1..=30)).is_ok(), fine, "{text}");
        }
        let empty = HashMap::<&str, &str>::new();
        assert_eq!(parsed_in(&empty, "SECONDS", 10_u64, &(1..=30)).unwrap(), 10);
    }
}
