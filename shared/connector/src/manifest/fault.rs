//! What is wrong with a file, and where.

use std::fmt;

/// Why a file is not a manifest: everything that was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ManifestError {
    /// What is wrong; never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The line, from 1; nothing where it is about the whole file.
    pub line: Option<u64>,
    /// The column, from 1.
    pub column: Option<u64>,
    /// What is wrong, with the keys that lead there.
    pub message: String,
}

impl Problem {
    /// One of which the place is not known.
    pub fn new(message: impl Into<String>) -> Self {
        Self { line: None, column: None, message: message.into() }
    }
}

impl ManifestError {
    pub(crate) fn new(message: String) -> Self {
        Self { problems: vec![Problem::new(message)] }
    }

    pub(super) fn at(line: u64, column: u64, message: &str) -> Self {
        let problem = Problem {
            line: Some(line).filter(|line| *line > 0),
            column: Some(column).filter(|column| *column > 0),
            message: message.to_owned(),
        };
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            let new_line = if position > 0 { "\n" } else { "" };
            write!(f, "{new_line}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => {
                write!(f, "line {line} column {column}: {}", self.message)
            }
            _ => f.write_str(&self.message),
        }
    }
}
