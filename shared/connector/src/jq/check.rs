//! Which expressions are taken: by their syntax tree, before anything is run.
//!
//! The list says what is allowed, so what the language learns later is refused until someone looks at
//! it. What is left cannot call itself, has no source of values but the row, and knows of nothing
//! outside of it: it ends. How much it makes on the way is [`super::meter`]'s.

use jaq_core::{
    load::{
        lex::StrPart,
        parse::{BinaryOp, Pattern, Term},
    },
    ops::Math,
    path::{Part, Path},
};

use super::{allowed, pattern};

/// Deeper expressions are refused: the interpreter goes as deep as they do.
const DEPTH_MAX: usize = 40;
/// Larger expressions are refused.
const TERMS_MAX: usize = 600;

/// A regular expression and its flags.
pub(super) type PatternText = (String, String);

/// Looks at an expression and collects its regular expressions.
///
/// # Errors
/// Says what in it is not taken.
pub(super) fn check(term: &Term<&str>) -> Result<Vec<PatternText>, String> {
    let mut check = Check { terms: 0, variables: Vec::new(), patterns: Vec::new() };
    check.term(term, 0)?;
    Ok(check.patterns)
}

struct Check<'t> {
    terms: usize,
    variables: Vec<&'t str>,
    patterns: Vec<PatternText>,
}

fn not(what: &str) -> String {
    format!("{what} cannot be used here")
}

impl<'t> Check<'t> {
    fn term(&mut self, term: &'t Term<&'t str>, depth: usize) -> Result<(), String> {
        self.terms += 1;
        if depth > DEPTH_MAX || self.terms > TERMS_MAX {
            return Err("the jq expression is too large".to_owned());
        }
        let depth = depth + 1;
        match term {
            Term::Id | Term::Num(_) | Term::Arr(None) => Ok(()),
            Term::Recurse => Err(not("`..`")),
            Term::Str(None, parts) => parts.iter().try_for_each(|part| match part {
                StrPart::Term(term) => self.term(term, depth),
                StrPart::Str(_) | StrPart::Char(_) => Ok(()),
            }),
            Term::Str(Some(format), _) => Err(not(&format!("`{format}`"))),
            Term::Arr(Some(inner)) | Term::Neg(inner) => self.term(inner, depth),
            Term::Obj(members) => self.members(members, depth),
            Term::BinOp(left, op, right) => self.operation(left, op, right, depth),
            Term::Label(..) | Term::Break(_) => Err(not("`label`")),
            Term::Fold(_, source, pattern, parts) => self.fold(source, pattern, parts, depth),
            Term::TryCatch(tried, caught) => {
                self.term(tried, depth)?;
                caught.iter().try_for_each(|caught| self.term(caught, depth))
            }
            Term::IfThenElse(branches, otherwise) => {
                for (condition, branch) in branches {
                    self.term(condition, depth)?;
                    self.term(branch, depth)?;
                }
                otherwise.iter().try_for_each(|otherwise| self.term(otherwise, depth))
            }
            Term::Def(..) => Err(not("`def`")),
            Term::Call(name, arguments) => self.call(name, arguments, depth),
            Term::Var(name) if self.variables.contains(name) => Ok(()),
            Term::Var(name) => Err(format!("there is no `{name}` here")),
            Term::Path(from, path) => {
                self.term(from, depth)?;
                self.path(path, depth)
            }
        }
    }

    fn members(
        &mut self,
        members: &'t [(Term<&'t str>, Option<Term<&'t str>>)],
        depth: usize,
    ) -> Result<(), String> {
        members.iter().try_for_each(|(name, value)| {
            self.term(name, depth)?;
            value.iter().try_for_each(|value| self.term(value, depth))
        })
    }

    fn path(&mut self, path: &'t Path<Term<&'t str>>, depth: usize) -> Result<(), String> {
        for (part, _) in &path.0 {
            match part {
                Part::Index(index) => self.term(index, depth)?,
                Part::Range(from, to) => {
                    from.iter().chain(to).try_for_each(|bound| self.term(bound, depth))?;
                }
            }
        }
        Ok(())
    }

    fn operation(
        &mut self,
        left: &'t Term<&'t str>,
        op: &'t BinaryOp<&'t str>,
        right: &'t Term<&'t str>,
        depth: usize,
    ) -> Result<(), String> {
        match op {
            BinaryOp::Math(Math::Mul) if !is_number(left) || !is_number(right) => {
                return Err(
                    "`*` is for numbers: end what stands beside it in `tonumber`".to_owned()
                );
            }
            BinaryOp::UpdateMath(Math::Mul) => return Err(not("`*=`")),
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt
                if !is_place(left) =>
            {
                return Err("only a path can stand before an assignment".to_owned());
            }
            _ => {}
        }
        self.term(left, depth)?;
        let BinaryOp::Pipe(Some(pattern)) = op else { return self.term(right, depth) };
        self.bound(pattern, depth, |check| check.term(right, depth))
    }

    fn fold(
        &mut self,
        source: &'t Term<&'t str>,
        pattern: &'t Pattern<&'t str>,
        parts: &'t [Term<&'t str>],
        depth: usize,
    ) -> Result<(), String> {
        let [start, rest @ ..] = parts else {
            return Err("`reduce` and `foreach` have a start and an update".to_owned());
        };
        if rest.is_empty() || rest.len() > 2 {
            return Err("`reduce` and `foreach` have a start and an update".to_owned());
        }
        self.term(source, depth)?;
        self.term(start, depth)?;
        let each = |check: &mut Self| rest.iter().try_for_each(|part| check.term(part, depth));
        self.bound(pattern, depth, each)
    }

    /// Looks at what may name the variables of a pattern.
    fn bound(
        &mut self,
        pattern: &'t Pattern<&'t str>,
        depth: usize,
        inside: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let before = self.variables.len();
        self.pattern(pattern, depth)?;
        inside(self)?;
        self.variables.truncate(before);
        Ok(())
    }

    fn pattern(&mut self, pattern: &'t Pattern<&'t str>, depth: usize) -> Result<(), String> {
        self.terms += 1;
        if depth > DEPTH_MAX || self.terms > TERMS_MAX {
            return Err("the jq expression is too large".to_owned());
        }
        match pattern {
            Pattern::Var(name) => self.variables.push(name),
            Pattern::Arr(inner) => {
                inner.iter().try_for_each(|inner| self.pattern(inner, depth + 1))?;
            }
            Pattern::Obj(inner) => {
                for (name, inner) in inner {
                    self.term(name, depth + 1)?;
                    self.pattern(inner, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        name: &'t str,
        arguments: &'t [Term<&'t str>],
        depth: usize,
    ) -> Result<(), String> {
        if !allowed::is(name, arguments.len()) {
            let many = match arguments.len() {
                0 => String::new(),
                1 => " with an argument".to_owned(),
                count => format!(" with {count} arguments"),
            };
            return Err(not(&format!("`{name}`{many}")));
        }
        if name == "del" && !arguments.iter().all(is_place) {
            return Err("`del` is for paths".to_owned());
        }
        if let Some(with_flags) = allowed::with_flags(name) {
            self.regex(name, arguments, arguments.len() == with_flags)?;
        }
        arguments.iter().try_for_each(|argument| self.term(argument, depth))
    }

    fn regex(
        &mut self,
        name: &str,
        arguments: &[Term<&str>],
        with_flags: bool,
    ) -> Result<(), String> {
        let flags = arguments.last().filter(|_| with_flags).map_or(Some(String::new()), constant);
        let text = arguments.first().and_then(constant);
        let (Some(text), Some(mut flags)) = (text, flags) else {
            return Err(format!("the pattern of `{name}` and its flags are plain texts"));
        };
        if name == "gsub" {
            flags.push('g');
        }
        pattern::compile(&text, &flags)?;
        self.patterns.push((text, flags));
        Ok(())
    }
}

/// A text that is the same for every row.
pub(super) fn constant(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else { return None };
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(part) => text.push_str(part),
            StrPart::Char(letter) => text.push(*letter),
            StrPart::Term(_) => return None,
        }
    }
    Some(text)
}

/// Whether a term can only give numbers.
fn is_number(term: &Term<&str>) -> bool {
    match term {
        Term::Num(_) => true,
        Term::Neg(inner) => is_number(inner),
        Term::Call(name, arguments) => arguments.is_empty() && allowed::NUMERIC.contains(name),
        Term::BinOp(_, BinaryOp::Pipe(_), last) => is_number(last),
        Term::BinOp(left, BinaryOp::Math(_), right) => is_number(left) && is_number(right),
        _ => false,
    }
}

/// Whether a term names places in its input and nothing else.
fn is_place(term: &Term<&str>) -> bool {
    match term {
        Term::Id => true,
        Term::Path(from, _) => is_place(from),
        Term::BinOp(left, BinaryOp::Comma, right) => is_place(left) && is_place(right),
        _ => false,
    }
}
