//! Making values, and getting at what is in them.

use std::rc::Rc;

use jaq_core::{
    ValT, ValX,
    box_iter::{BoxIter, box_once},
    path::Opt,
    val::Range,
};

use super::{Item, Members, Result, error};
use crate::jq::meter;

impl From<bool> for Item {
    fn from(flag: bool) -> Self {
        meter::step(1);
        Self::Bool(flag)
    }
}

impl From<isize> for Item {
    fn from(number: isize) -> Self {
        Self::number(&number.to_string())
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        meter::make(text.len());
        Self::Text(text.into())
    }
}

/// How a part of a list is named in a path: which expressions here never see.
impl From<Range<Self>> for Item {
    fn from(range: Range<Self>) -> Self {
        Self::list(range.start.into_iter().chain(range.end).collect())
    }
}

impl FromIterator<Self> for Item {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        let made = |item| {
            meter::make(size_of::<Self>());
            item
        };
        Self::list(items.into_iter().map(made).collect())
    }
}

impl ValT for Item {
    fn from_num(digits: &str) -> Result {
        // Only what the parser has found to be a number comes here; JSON writes some of them otherwise.
        match digits.parse::<serde_json::Number>() {
            Ok(number) => Ok(Self::number(number.as_str())),
            Err(_) => Err(error("a number is not written as JSON writes it")),
        }
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> Result {
        let mut made = Members::new();
        for (name, value) in members {
            meter::make(2 * size_of::<Self>());
            made.insert(Rc::clone(name.as_text()?), value);
        }
        Ok(Self::object(made))
    }

    fn key_values(
        self,
    ) -> BoxIter<'static, std::result::Result<(Self, Self), jaq_core::Error<Self>>> {
        match self {
            Self::List(list) => {
                let count = list.items.len();
                Box::new((0..count).map(move |at| Ok((Self::count(at), list.items[at].clone()))))
            }
            Self::Object(object) => Box::new((0..object.members.len()).filter_map(move |at| {
                let (name, value) = object.members.get_index(at)?;
                Some(Ok((Self::Text(Rc::clone(name)), value.clone())))
            })),
            other => box_once(Err(other.is_no("array or object"))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = Result>> {
        match self {
            Self::List(list) => {
                Box::new((0..list.items.len()).map(move |at| Ok(list.items[at].clone())))
            }
            Self::Object(object) => Box::new((0..object.members.len()).filter_map(move |at| {
                object.members.get_index(at).map(|(_, value)| Ok(value.clone()))
            })),
            other => box_once(Err(other.is_no("array or object"))),
        }
    }

    fn index(self, index: &Self) -> Result {
        meter::step(1);
        match (&self, index) {
            (Self::Null, Self::Text(_) | Self::Number(_)) => Ok(Self::Null),
            (Self::Object(object), Self::Text(name)) => {
                Ok(object.members.get(name).cloned().unwrap_or(Self::Null))
            }
            (Self::List(list), Self::Number(_)) => {
                let at = place(index.position()?, list.items.len());
                Ok(at.and_then(|at| list.items.get(at)).cloned().unwrap_or(Self::Null))
            }
            (this, index) => Err(error(format!("{} has no {} inside", this.kind(), index.kind()))),
        }
    }

    fn range(self, range: Range<&Self>) -> Result {
        match &self {
            Self::Null => Ok(Self::Null),
            Self::List(list) => {
                let (from, to) = bounds(&range, list.items.len())?;
                Ok(Self::list(list.items[from..to].to_vec()))
            }
            Self::Text(text) => {
                meter::step(text.len() / 64);
                let (from, to) = bounds(&range, text.chars().count())?;
                let at = |count| text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
                Ok(Self::text(&text[at(from)..at(to)]))
            }
            other => Err(other.is_no("array or string")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        self.with_each(opt, f)
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        self.with_one(index, opt, f)
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        self.with_part(range, opt, f)
    }

    fn as_bool(&self) -> bool {
        meter::step(1);
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        Self::Text(self.to_text())
    }
}

/// A position in a list; from the end when it is negative.
pub(super) fn place(at: i64, length: usize) -> Option<usize> {
    match usize::try_from(at) {
        Ok(at) => Some(at),
        Err(_) => length.checked_sub(usize::try_from(at.unsigned_abs()).ok()?),
    }
}

/// From where to where a range reaches in something of this length.
pub(super) fn bounds(
    range: &Range<&Item>,
    length: usize,
) -> std::result::Result<(usize, usize), jaq_core::Error<Item>> {
    let bound = |item: Option<&Item>, open: usize| match item {
        None | Some(Item::Null) => Ok(open),
        Some(item) => Ok(place(item.position()?, length).unwrap_or(0).min(length)),
    };
    let (from, to) = (bound(range.start, 0)?, bound(range.end, length)?);
    Ok((from, to.max(from)))
}
