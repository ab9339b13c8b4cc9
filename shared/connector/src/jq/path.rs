//! The expressions that are paths and nothing else: `.vendor.id`, `.lines[0]."unit price"`.

use super::{JqError, check::constant};
use crate::json::{Node, Seen};
use jaq_core::{
    load::parse::Term,
    path::{Opt, Part, Path},
};

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

    pub(super) fn get<'a, N: Node<'a>>(&self, row: N) -> Result<N, JqError> {
        let wrong = |what: &str| Err(JqError(what.to_owned()));
        self.0.iter().try_fold(row, |at, step| match (step, at.see()) {
            (_, Seen::Null) => Ok(at),
            (Step::Name(name), Seen::Object) => Ok(at.member(name).unwrap_or_else(|| at.null())),
            (Step::Position(place), Seen::List) => Ok(element(at, *place)),
            (Step::Name(_), _) => wrong("has a name where there is no object"),
            (Step::Position(_), _) => wrong("has a position where there is no list"),
        })
    }
}

fn element<'a, N: Node<'a>>(list: N, at: i64) -> N {
    let back = usize::try_from(at.unsigned_abs()).ok();
    let place = match usize::try_from(at) {
        Ok(place) => Some(place),
        Err(_) => back.and_then(|back| list.items().count().checked_sub(back)),
    };
    place.and_then(|place| list.items().nth(place)).unwrap_or_else(|| list.null())
}

fn step(index: &Term<&str>) -> Option<Step> {
    match index {
        Term::Str(..) => constant(index).map(Step::Name),
        Term::Num(text) => text.parse().ok().map(Step::Position),
        Term::Neg(inner) => match step(inner)? {
            Step::Position(at) => Some(Step::Position(-at)),
            Step::Name(_) => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> JqPath {
        let term = jaq_core::load::parse(text, |parser| parser.term()).unwrap();
        JqPath::of(&term).unwrap()
    }

    #[test]
    fn a_path_is_followed_as_jq_does() {
        let row = json!({"vendor": {"id": 7, "unit price": 1}, "lines": [1, 2, 3], "none": null});
        for (text, expected) in [
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
            assert_eq!(path(text).get(&row), Ok(&expected), "{text}");
        }
        for text in [".vendor[0]", ".lines.a", ".vendor.id.x"] {
            assert!(path(text).get(&row).is_err(), "{text}");
        }
    }
}
