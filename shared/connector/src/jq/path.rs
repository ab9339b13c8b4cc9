//! The expressions that are paths and nothing else: `.vendor.id`, `.lines[0]."unit price"`.

use jaq_core::{
    load::{lex::StrPart, parse as read_term, parse::Term},
    path::{Opt, Part, Path},
};
use serde_json::Value;

use super::JqError;

static NULL: Value = Value::Null;

/// A path as jq means it: what is not there is null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JqPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    /// From the end when it is negative.
    Position(i64),
}

impl JqPath {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let term = read_term(text, |parser| parser.term());
        let term = term.ok_or_else(|| format!("`{text}` is not jq"))?;
        Self::of(&term).ok_or_else(|| format!("`{text}` is not a path: nothing else is taken yet"))
    }

    /// The path that a term is.
    pub(super) fn of(term: &Term<&str>) -> Option<Self> {
        match term {
            Term::Id => Some(Self(Vec::new())),
            Term::Path(from, Path(parts)) => {
                let Self(mut steps) = Self::of(from)?;
                for (part, opt) in parts {
                    match (part, opt) {
                        (Part::Index(index), Opt::Essential) => steps.push(step(index)?),
                        _ => return None,
                    }
                }
                Some(Self(steps))
            }
            _ => None,
        }
    }

    pub(super) fn get<'a>(&self, row: &'a Value) -> Result<&'a Value, JqError> {
        self.0.iter().try_fold(row, |at, step| match (step, at) {
            (_, Value::Null) => Ok(&NULL),
            (Step::Name(name), Value::Object(members)) => Ok(members.get(name).unwrap_or(&NULL)),
            (Step::Position(at), Value::Array(items)) => Ok(element(items, *at)),
            (Step::Name(_), _) => Err(JqError("has a name where there is no object".to_owned())),
            (Step::Position(_), _) => {
                Err(JqError("has a position where there is no list".to_owned()))
            }
        })
    }
}

fn element(items: &[Value], at: i64) -> &Value {
    let from_end = usize::try_from(at.unsigned_abs()).ok();
    let place = match usize::try_from(at) {
        Ok(place) => Some(place),
        Err(_) => from_end.and_then(|back| items.len().checked_sub(back)),
    };
    place.and_then(|place| items.get(place)).unwrap_or(&NULL)
}

fn step(index: &Term<&str>) -> Option<Step> {
    match index {
        Term::Str(None, parts) => name(parts).map(Step::Name),
        Term::Num(text) => text.parse().ok().map(Step::Position),
        Term::Neg(inner) => match step(inner)? {
            Step::Position(at) => Some(Step::Position(-at)),
            Step::Name(_) => None,
        },
        _ => None,
    }
}

fn name(parts: &[StrPart<&str, Term<&str>>]) -> Option<String> {
    let mut name = String::new();
    for part in parts {
        match part {
            StrPart::Str(text) => name.push_str(text),
            StrPart::Char(letter) => name.push(*letter),
            StrPart::Term(_) => return None,
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_followed_as_jq_does() {
        let row = json!({"vendor": {"id": 7, "unit price": 1}, "lines": [1, 2, 3], "none": null});
        for (path, expected) in [
            (".", row.clone()),
            (".vendor.id", json!(7)),
            (".vendor[\"id\"]", json!(7)),
            (".vendor.\"unit price\"", json!(1)),
            (".lines[0]", json!(1)),
            (".lines[-1]", json!(3)),
            (".lines[-9]", json!(null)),
            (".lines[9]", json!(null)),
            (".none.a.b[3]", json!(null)),
            (".nothing", json!(null)),
        ] {
            assert_eq!(JqPath::parse(path).unwrap().get(&row), Ok(&expected), "{path}");
        }
        for path in [".vendor[0]", ".lines.a", ".vendor.id.x"] {
            assert!(JqPath::parse(path).unwrap().get(&row).is_err(), "{path}");
        }
    }
}
