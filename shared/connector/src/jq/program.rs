//! A checked expression, ready to run.

use std::rc::Rc;

use jaq_core::{
    Ctx, DataT, Filter, Lut, Vars,
    data::HasLut,
    load::{Arena, File, Loader},
};

use super::{filters, item::Item, pattern::Patterns};

/// What expressions work on, for the interpreter.
pub(super) struct Host;

impl DataT for Host {
    type V<'a> = Item;
    type Data<'a> = &'a Program;
}

impl<'a> HasLut<'a, Host> for &'a Program {
    fn lut(&self) -> &'a Lut<Host> {
        &self.filter.lut
    }
}

/// A compiled expression with its regular expressions.
pub(super) struct Program {
    filter: Filter<Host>,
    pub patterns: Patterns,
}

/// How an evaluation went.
pub(super) enum Outcome {
    One(Item),
    None,
    Several,
    Failed(String),
}

impl Program {
    /// Compiles an expression that has been checked.
    pub(super) fn compile(text: &str, patterns: Patterns) -> Result<Self, String> {
        let arena = Arena::default();
        let loader = Loader::new(filters::definitions());
        let modules = loader
            .load(&arena, File { code: text, path: () })
            .map_err(|_| format!("`{text}` is not jq"))?;
        let compiled = jaq_core::Compiler::default().with_funs(filters::natives()).compile(modules);
        match compiled {
            Ok(filter) => Ok(Self { filter, patterns }),
            Err(_) => Err(format!("`{text}` names what is not there")),
        }
    }

    /// What it gives for an input. One value is wanted, and at most two are made.
    pub(super) fn run(&self, input: Item) -> Outcome {
        let context = Ctx::<Host>::new(self, Vars::new([]));
        let mut given = self.filter.id.run((context, input));
        let first = match given.next() {
            None => return Outcome::None,
            Some(Ok(item)) => item,
            Some(Err(why)) => return Outcome::Failed(words(why)),
        };
        match given.next() {
            None => Outcome::One(first),
            Some(Ok(_)) => Outcome::Several,
            Some(Err(why)) => Outcome::Failed(words(why)),
        }
    }
}

fn words(why: jaq_core::Exn<'_, Item>) -> String {
    let said = why.get_err().map(|error| match error.into_val() {
        Item::Text(text) => Rc::clone(&text).to_string(),
        other => other.kind().to_owned(),
    });
    said.unwrap_or_else(|_| "it was ended".to_owned())
}
