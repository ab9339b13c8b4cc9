//! jq, where a field table does not reach: an expression over a row.
//!
//! The language can loop for ever, call itself until the stack is gone, read the environment and fill
//! the memory. Three things stand before that. An expression is taken by a list of what is allowed in
//! its syntax tree, when a manifest is read ([`check`]). What it works on counts what is done with it
//! and ends the evaluation when that is too much ([`meter`]). And its input and output are bounded. An
//! expression that is only a path is not interpreted at all.

mod allowed;
mod check;
mod filters;
mod item;
mod meter;
mod number;
mod path;
mod pattern;
mod program;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use jaq_core::load::parse as read_term;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use self::{
    check::PatternText,
    item::Item,
    meter::{Limits, Stop, metered},
    path::JqPath,
    pattern::Patterns,
    program::{Outcome, Program},
};
use crate::json::Node;

/// An expression longer than this is refused.
const LENGTH_MAX: usize = 4096;
/// The parser's stack. It calls itself for each bracket, prefix and pipe, of which there are at most as
/// many as bytes.
const STACK: usize = 64 << 20;

/// What one evaluation may use, the row and what is made of it included. A step takes some tens of
/// nanoseconds, so this is some ten milliseconds.
const EVALUATION: Limits = Limits { steps: 300_000, bytes: 8 << 20 };

/// Why an expression gave nothing for a row, in words without the row's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JqError(pub(crate) String);

/// A jq expression that has been checked.
#[derive(Clone)]
pub struct Jq {
    text: Arc<str>,
    run: Run,
}

#[derive(Clone)]
enum Run {
    Path(JqPath),
    Program(Arc<Lazy>),
}

/// Compiled when it is first used: a process uses few of the connectors that it knows.
struct Lazy {
    patterns: Vec<PatternText>,
    program: OnceLock<Result<Program, String>>,
}

impl Jq {
    /// Reads and checks an expression.
    ///
    /// # Errors
    /// Says what is wrong with it, or not allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("a jq expression has at most {LENGTH_MAX} bytes"));
        }
        let run = on_a_large_stack(|| read(text))?;
        Ok(Self { text: text.into(), run })
    }

    /// The expression's one value for a row; nothing when it gives none.
    ///
    /// # Errors
    /// When it fails on this row, gives several values, or takes too much time or memory.
    pub fn run<'r>(&self, row: impl Node<'r>) -> Result<Option<Value>, JqError> {
        self.run_within(EVALUATION, row)
    }

    fn run_within<'r>(&self, limits: Limits, row: impl Node<'r>) -> Result<Option<Value>, JqError> {
        match &self.run {
            Run::Path(path) => path.get(row).map(|value| Some(value.to_value())),
            Run::Program(lazy) => {
                let program = lazy.program(&self.text)?;
                match metered(limits, || evaluate(program, row)) {
                    Ok(found) => found,
                    Err(why) => Err(JqError(stopped(why).to_owned())),
                }
            }
        }
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Nothing that belongs to an evaluation is dropped outside of it.
fn evaluate<'r>(program: &Program, row: impl Node<'r>) -> Result<Option<Value>, JqError> {
    match program.run(Item::of(row)) {
        Outcome::One(item) => Ok(Some(item.to_value())),
        Outcome::None => Ok(None),
        Outcome::Several => {
            Err(JqError("has a jq expression that gives several values".to_owned()))
        }
        Outcome::Failed(why) => Err(JqError(format!("has a jq expression that fails: {why}"))),
    }
}

fn stopped(why: Stop) -> &'static str {
    match why {
        Stop::Steps => "has a jq expression that takes too long",
        Stop::Bytes => "has a jq expression that makes too much",
        Stop::Depth => "has a jq expression that nests too deep",
        Stop::Broken => "has a jq expression that cannot be run",
    }
}

fn read(text: &str) -> Result<Run, String> {
    let term = read_term(text, |parser| parser.term());
    let term = term.ok_or_else(|| format!("`{text}` is not jq"))?;
    let patterns = check::check(&term)?;
    if let Some(path) = JqPath::of(&term) {
        return Ok(Run::Path(path));
    }
    Ok(Run::Program(Arc::new(Lazy { patterns, program: OnceLock::new() })))
}

impl Lazy {
    fn program(&self, text: &str) -> Result<&Program, JqError> {
        let compile = || on_a_large_stack(|| Program::compile(text, Patterns::of(&self.patterns)?));
        let program = self.program.get_or_init(compile).as_ref();
        program.map_err(|why| JqError(format!("has a jq expression that cannot be used: {why}")))
    }
}

/// Runs something that calls itself often.
fn on_a_large_stack<T: Send>(work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let thread = thread.map_err(|_| "there is no thread to read jq with".to_owned())?;
        thread.join().unwrap_or_else(|_| Err("the jq expression cannot be read".to_owned()))
    })
}

impl fmt::Debug for Jq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

impl<'de> Deserialize<'de> for Jq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
