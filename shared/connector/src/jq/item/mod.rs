//! The values that expressions work on.
//!
//! They differ from the interpreter's usual ones in three ways: numbers keep their digits and are
//! reckoned with exactly, whatever is made of them is counted ([`meter`]), and none is nested deeper
//! than can be walked on an ordinary stack. What an error says of a value is its kind.

mod access;
mod json;
mod order;
pub(super) mod reckon;
mod update;

use std::{fmt, rc::Rc};

use super::{
    meter::{self, Stop},
    number,
};
use indexmap::IndexMap;
use jaq_core::{Error, ValR};

/// Lists and objects nested deeper than this are not made.
const DEPTH_MAX: u16 = 200;

/// A value.
pub(super) enum Item {
    Null,
    Bool(bool),
    /// By its digits, as JSON writes them.
    Number(Rc<str>),
    Text(Rc<str>),
    List(Rc<List>),
    Object(Rc<Object>),
}

pub(super) type Members = IndexMap<Rc<str>, Item>;

/// A list that knows how deep it is nested.
#[derive(Clone)]
pub(super) struct List {
    depth: u16,
    items: Vec<Item>,
}

/// An object that knows how deep it is nested.
#[derive(Clone)]
pub(super) struct Object {
    depth: u16,
    members: Members,
}

pub(super) type Result = ValR<Item>;

/// An error in words.
pub(super) fn error(what: impl Into<String>) -> Error<Item> {
    Error::new(Item::from(what.into()))
}

impl Item {
    pub(super) fn text(text: &str) -> Self {
        meter::make(text.len());
        Self::Text(text.into())
    }

    pub(super) fn number(digits: &str) -> Self {
        meter::make(digits.len());
        Self::Number(digits.into())
    }

    pub(super) fn count(count: usize) -> Self {
        Self::number(&count.to_string())
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        meter::make(items.len() * size_of::<Self>());
        Self::List(Rc::new(List { depth: deeper(items.iter()), items }))
    }

    pub(super) fn object(members: Members) -> Self {
        meter::make(members.len() * 2 * size_of::<Self>());
        Self::Object(Rc::new(Object { depth: deeper(members.values()), members }))
    }

    /// A list out of one and what is put behind it.
    fn longer(list: Rc<List>, more: &[Self]) -> Self {
        meter::make(size_of_val(more));
        let List { depth, mut items } = owned(list, |list| list.items.len());
        items.extend(more.iter().cloned());
        Self::List(Rc::new(List { depth: depth.max(deeper(more.iter())), items }))
    }

    /// An object with members added or replaced.
    fn larger(object: Rc<Object>, more: &Members) -> Self {
        meter::make(more.len() * 2 * size_of::<Self>());
        let Object { depth, mut members } = owned(object, |object| 2 * object.members.len());
        for (name, value) in more {
            members.insert(Rc::clone(name), value.clone());
        }
        Self::Object(Rc::new(Object { depth: depth.max(deeper(more.values())), members }))
    }

    fn depth(&self) -> u16 {
        match self {
            Self::List(list) => list.depth,
            Self::Object(object) => object.depth,
            _ => 0,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Object(_) => "object",
        }
    }

    pub(super) fn as_text(&self) -> std::result::Result<&Rc<str>, Error<Self>> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(other.is_no("string")),
        }
    }

    pub(super) fn as_list(&self) -> std::result::Result<&[Self], Error<Self>> {
        match self {
            Self::List(list) => Ok(&list.items),
            other => Err(other.is_no("array")),
        }
    }

    pub(super) fn as_object(&self) -> std::result::Result<&Members, Error<Self>> {
        match self {
            Self::Object(object) => Ok(&object.members),
            other => Err(other.is_no("object")),
        }
    }

    pub(super) fn as_number(&self) -> std::result::Result<&str, Error<Self>> {
        match self {
            Self::Number(digits) => Ok(digits),
            other => Err(other.is_no("number")),
        }
    }

    pub(super) fn is_no(&self, wanted: &str) -> Error<Self> {
        error(format!("{} is given where {wanted} is wanted", self.kind()))
    }

    /// It as text: text as it is, anything else as JSON.
    pub(super) fn to_text(&self) -> Rc<str> {
        match self {
            Self::Text(text) => Rc::clone(text),
            other => other.to_json().into(),
        }
    }

    /// It as a position, if it is a whole number.
    pub(super) fn position(&self) -> std::result::Result<i64, Error<Self>> {
        let whole = number::whole(self.as_number()?);
        whole.ok_or_else(|| error("a number is given where a whole number is wanted"))
    }
}

/// What is shared is copied, which counts as making so many values.
fn owned<T: Clone>(shared: Rc<T>, values: impl Fn(&T) -> usize) -> T {
    Rc::try_unwrap(shared).unwrap_or_else(|shared| {
        meter::make(values(&shared) * size_of::<Item>());
        (*shared).clone()
    })
}

/// How deep a list or object of these is nested.
fn deeper<'a>(inside: impl Iterator<Item = &'a Item>) -> u16 {
    let depth = inside.map(Item::depth).max().unwrap_or(0) + 1;
    if depth > DEPTH_MAX {
        meter::end(Stop::Depth);
    }
    depth
}

impl Clone for Item {
    fn clone(&self) -> Self {
        meter::step(1);
        match self {
            Self::Null => Self::Null,
            Self::Bool(flag) => Self::Bool(*flag),
            Self::Number(digits) => Self::Number(Rc::clone(digits)),
            Self::Text(text) => Self::Text(Rc::clone(text)),
            Self::List(list) => Self::List(Rc::clone(list)),
            Self::Object(object) => Self::Object(Rc::clone(object)),
        }
    }
}

/// Errors show values, and are themselves shown: so it is the kind alone, unless it is what an error
/// of ours says.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}
