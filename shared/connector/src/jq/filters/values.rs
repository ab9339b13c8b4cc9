//! Kinds of values, numbers, times.

use jaq_core::native::Fun;
use jiff::Timestamp;

use super::{Context, Values, one, plain};
use crate::jq::{
    item::{Item, Result, error},
    meter,
    number::{self, Inexact, Side},
    program::Host,
};

pub(super) fn filters() -> Vec<Fun<Host>> {
    vec![
        plain("null", |_| one(Ok(Item::Null))),
        plain("type", |(_, item)| one(Ok(Item::text(item.kind())))),
        plain("values", |cv| kept(cv, |item| !matches!(item, Item::Null))),
        plain("nulls", |cv| kept(cv, |item| matches!(item, Item::Null))),
        plain("booleans", |cv| kept(cv, |item| matches!(item, Item::Bool(_)))),
        plain("numbers", |cv| kept(cv, |item| matches!(item, Item::Number(_)))),
        plain("strings", |cv| kept(cv, |item| matches!(item, Item::Text(_)))),
        plain("arrays", |cv| kept(cv, |item| matches!(item, Item::List(_)))),
        plain("objects", |cv| kept(cv, |item| matches!(item, Item::Object(_)))),
        plain("scalars", |cv| kept(cv, |item| !is_nested(item))),
        plain("iterables", |cv| kept(cv, is_nested)),
        plain("length", |(_, item)| one(length(&item))),
        plain("tonumber", |(_, item)| one(to_number(item))),
        plain("tojson", |(_, item)| one(Ok(Item::from(item.to_json())))),
        plain("fromjson", |(_, item)| one(from_json(&item))),
        plain("floor", |(_, item)| one(rounded(&item, Side::Down))),
        plain("ceil", |(_, item)| one(rounded(&item, Side::Up))),
        plain("round", |(_, item)| one(rounded(&item, Side::Nearest))),
        plain("abs", |(_, item)| one(absolute(item))),
        plain("todate", |(_, item)| one(to_date(&item))),
        plain("todateiso8601", |(_, item)| one(to_date(&item))),
        plain("fromdate", |(_, item)| one(from_date(&item))),
        plain("fromdateiso8601", |(_, item)| one(from_date(&item))),
    ]
}

fn is_nested(item: &Item) -> bool {
    matches!(item, Item::List(_) | Item::Object(_))
}

fn kept<'a>((_, item): Context<'a>, keep: fn(&Item) -> bool) -> Values<'a> {
    Box::new(Some(item).filter(keep).map(Ok).into_iter())
}

fn exact(result: std::result::Result<String, Inexact>) -> Result {
    result.map(|digits| Item::number(&digits)).map_err(|why| error(why.to_string()))
}

fn length(item: &Item) -> Result {
    match item {
        Item::Null => Ok(Item::count(0)),
        Item::Number(_) => absolute(item.clone()),
        Item::Text(text) => {
            meter::step(text.len() / 64);
            Ok(Item::count(text.chars().count()))
        }
        Item::List(_) => Ok(Item::count(item.as_list()?.len())),
        Item::Object(_) => Ok(Item::count(item.as_object()?.len())),
        Item::Bool(_) => Err(item.is_no("something with a length")),
    }
}

fn to_number(item: Item) -> Result {
    match &item {
        Item::Number(_) => Ok(item),
        Item::Text(text) => match text.trim().parse::<serde_json::Number>() {
            Ok(number) => Ok(Item::number(number.as_str())),
            Err(_) => Err(error("a string is given that is no number")),
        },
        other => Err(other.is_no("number or string")),
    }
}

fn from_json(item: &Item) -> Result {
    let text = item.as_text()?;
    // As a tree, some values take this much more room than their text.
    meter::make(text.len().saturating_mul(32));
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|_| error("a string is given that is no JSON"))?;
    Ok(Item::of(&value))
}

fn rounded(item: &Item, side: Side) -> Result {
    exact(number::round(item.as_number()?, side))
}

fn absolute(item: Item) -> Result {
    let digits = item.as_number()?;
    Ok(digits.strip_prefix('-').map_or(item.clone(), Item::number))
}

fn to_date(item: &Item) -> Result {
    let wrong = || error("a number is given that is no time");
    let digits = number::round(item.as_number()?, Side::Down).map_err(|_| wrong())?;
    let seconds: i64 = digits.parse().map_err(|_| wrong())?;
    let at = Timestamp::from_second(seconds).map_err(|_| wrong())?;
    Ok(Item::text(&at.to_string()))
}

/// Seconds since the epoch, with what is behind the point when there is something.
fn from_date(item: &Item) -> Result {
    let wrong = || error("a string is given that is no time in ISO 8601");
    let at: Timestamp = item.as_text()?.parse().map_err(|_| wrong())?;
    exact(number::multiply(&at.as_nanosecond().to_string(), "1e-9"))
}
