//! The filters that expressions may call: a few of the language's own definitions, the rest natively
//! over values that are counted.

mod lists;
mod text;
mod values;

use jaq_core::{
    Bind, Cv, Exn, Native, RunPtr, ValXs,
    box_iter::box_once,
    load::parse::Def,
    native::{Fun, v},
};

use super::{
    item::{Item, Result},
    program::Host,
};

/// Definitions of the language that are taken as they are, by the number of arguments. None calls
/// itself.
const DEFINED: [&[&str]; 3] = [
    &["empty", "true", "false", "not", "tostring", "first", "last", "to_entries", "all", "any"],
    &["select", "map", "map_values", "del", "nth", "with_entries", "isempty", "all", "any"],
    &["all", "any"],
];

/// The language's own filters that are taken as they are.
const NATIVE: &[&str] = &["first", "last", "key_values", "keys_unsorted"];

type Values<'a> = ValXs<'a, Item>;
type Context<'a> = Cv<'a, Host>;

/// Filters that are defined by others.
pub(super) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    jaq_core::defs()
        .filter(|def| DEFINED.get(def.args.len()).is_some_and(|names| names.contains(&def.name)))
}

/// Filters that are code.
pub(super) fn natives() -> impl Iterator<Item = Fun<Host>> {
    let own = jaq_core::funs().filter(|(name, ..)| NATIVE.contains(name));
    own.chain(values::filters()).chain(lists::filters()).chain(text::filters())
}

fn one<'a>(result: Result) -> Values<'a> {
    box_once(result.map_err(Exn::from))
}

/// A filter of its input alone.
fn plain(name: &'static str, run: RunPtr<Host>) -> Fun<Host> {
    (name, v(0), Native::<Host>::new(run))
}

/// A filter with arguments that are values.
fn with_values(name: &'static str, count: usize, run: RunPtr<Host>) -> Fun<Host> {
    (name, v(count), Native::<Host>::new(run))
}

/// A filter with one argument that is itself a filter.
fn with_filter(name: &'static str, run: RunPtr<Host>) -> Fun<Host> {
    (name, Box::new([Bind::Fun(())]), Native::<Host>::new(run))
}
