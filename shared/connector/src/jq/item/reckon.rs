//! `+ - * / %`: exact for numbers, joining for the rest.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use super::{Item, Result, error};
use crate::jq::{
    meter,
    number::{self, Inexact},
};

/// Two numbers reckoned with; what is none is an error.
fn numbers(
    left: &Item,
    sign: &str,
    right: &Item,
    reckon: impl Fn(&str, &str) -> std::result::Result<String, Inexact>,
) -> Result {
    let (Item::Number(one), Item::Number(other)) = (left, right) else {
        return Err(error(format!("{} {sign} {} cannot be reckoned", left.kind(), right.kind())));
    };
    meter::step(4);
    match reckon(one, other) {
        Ok(digits) => Ok(Item::number(&digits)),
        Err(why) => Err(error(why.to_string())),
    }
}

impl Add for Item {
    type Output = Result;

    fn add(self, right: Self) -> Result {
        match (self, right) {
            (Self::Null, other) | (other, Self::Null) => Ok(other),
            (Self::Text(left), Self::Text(right)) => {
                meter::make(left.len() + right.len());
                Ok(Self::Text([&*left, &*right].concat().into()))
            }
            (Self::List(left), Self::List(right)) => Ok(Self::longer(left, &right.items)),
            (Self::Object(left), Self::Object(right)) => Ok(Self::larger(left, &right.members)),
            (left, right) => numbers(&left, "+", &right, number::add),
        }
    }
}

impl Sub for Item {
    type Output = Result;

    fn sub(self, right: Self) -> Result {
        match (&self, &right) {
            (Self::List(left), Self::List(right)) => {
                let kept = left.items.iter().filter(|item| !right.items.contains(item));
                Ok(Self::list(kept.cloned().collect()))
            }
            (left, right) => numbers(left, "-", right, number::subtract),
        }
    }
}

/// Of numbers alone: text is not repeated, objects are not merged.
impl Mul for Item {
    type Output = Result;

    fn mul(self, right: Self) -> Result {
        numbers(&self, "*", &right, number::multiply)
    }
}

impl Div for Item {
    type Output = Result;

    fn div(self, right: Self) -> Result {
        match (&self, &right) {
            (Self::Text(text), Self::Text(between)) => Ok(split(text, between)),
            (left, right) => numbers(left, "/", right, number::divide),
        }
    }
}

impl Rem for Item {
    type Output = Result;

    fn rem(self, right: Self) -> Result {
        numbers(&self, "%", &right, number::remainder)
    }
}

impl Neg for Item {
    type Output = Result;

    fn neg(self) -> Result {
        Ok(Self::number(&number::negate(self.as_number()?)))
    }
}

/// The parts of a text between another; its letters when that is empty.
pub(in crate::jq) fn split(text: &str, between: &str) -> Item {
    let part = |part: &str| {
        meter::make(size_of::<Item>());
        Item::text(part)
    };
    let parts: Vec<Item> = match between {
        "" => text
            .char_indices()
            .map(|(at, letter)| part(&text[at..at + letter.len_utf8()]))
            .collect(),
        _ if text.is_empty() => Vec::new(),
        _ => text.split(between).map(part).collect(),
    };
    Item::list(parts)
}
