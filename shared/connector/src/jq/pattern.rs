//! Regular expressions: those of the `regex` crate, whose time is linear in the text.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::{check::PatternText, meter};

/// A pattern that would take more than this when compiled is refused.
const SIZE_MAX: usize = 64 << 10;
/// Text longer than this is not searched.
pub(super) const TEXT_MAX: usize = 64 << 10;

/// The patterns of an expression.
#[derive(Debug, Default)]
pub(super) struct Patterns(BTreeMap<PatternText, Pattern>);

/// One pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub regex: Regex,
    /// What it takes when compiled, in bytes, rounded up to a power of two.
    size: usize,
    /// Whether every match counts and not the first alone.
    pub global: bool,
}

impl Patterns {
    pub(super) fn of(texts: &[PatternText]) -> Result<Self, String> {
        let each = texts
            .iter()
            .map(|(text, flags)| Ok(((text.clone(), flags.clone()), compile(text, flags)?)));
        each.collect::<Result<_, String>>().map(Self)
    }

    pub(super) fn get(&self, text: &str, flags: &str) -> Option<&Pattern> {
        self.0.get(&(text.to_owned(), flags.to_owned()))
    }
}

/// What searching a text takes, at most: each byte may meet each state of the compiled pattern, a state
/// takes some 32 bytes, and 128 such meetings are about the time of one step.
pub(super) fn searching(pattern: &Pattern, length: usize) {
    meter::step(1 + length * pattern.size / (32 * 128));
}

pub(super) fn compile(text: &str, flags: &str) -> Result<Pattern, String> {
    let mut builder = RegexBuilder::new(text);
    let mut global = false;
    for flag in flags.chars() {
        match flag {
            'g' => global = true,
            'i' => drop(builder.case_insensitive(true)),
            'x' => drop(builder.ignore_whitespace(true)),
            's' => drop(builder.dot_matches_new_line(true)),
            'n' => {}
            other => return Err(format!("`{other}` is not a flag of a regular expression")),
        }
    }
    builder.dfa_size_limit(SIZE_MAX).nest_limit(20);
    let mut sizes = (10..=SIZE_MAX.ilog2()).map(|power| 1 << power);
    let sized = sizes.find_map(|size| Some((size, builder.size_limit(size).build().ok()?)));
    let (size, regex) = sized.ok_or_else(|| {
        format!("`{text}` is not a regular expression that can be used here, or is too large")
    })?;
    Ok(Pattern { regex, size, global })
}
