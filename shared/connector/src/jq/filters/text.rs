//! Text, and patterns in it.

use std::rc::Rc;

use jaq_core::{Bind, Error, Exn, Native, ValX, native::Fun};
use regex::Captures;

use super::{Context, lists::joined, one, plain, with_values};
use crate::jq::{
    item::{Item, Members, Result, error, reckon::split},
    meter,
    pattern::{self, Pattern},
    program::Host,
};

pub(super) fn filters() -> Vec<Fun<Host>> {
    let mut filters = vec![
        plain("ascii_downcase", |(_, item)| one(changed(&item, str::to_ascii_lowercase))),
        plain("ascii_upcase", |(_, item)| one(changed(&item, str::to_ascii_uppercase))),
        plain("trim", |(_, item)| one(part(&item, |text| text.trim()))),
        plain("ltrim", |(_, item)| one(part(&item, |text| text.trim_start()))),
        plain("rtrim", |(_, item)| one(part(&item, |text| text.trim_end()))),
        with_values("ltrimstr", 1, |cv| one(trimmed(cv, |text, end| text.strip_prefix(end)))),
        with_values("rtrimstr", 1, |cv| one(trimmed(cv, |text, end| text.strip_suffix(end)))),
        with_values("startswith", 1, |cv| one(told(cv, |text, end| text.starts_with(end)))),
        with_values("endswith", 1, |cv| one(told(cv, |text, end| text.ends_with(end)))),
        with_values("index", 1, |cv| one(found(cv, |text, part| text.find(part), false))),
        with_values("rindex", 1, |cv| one(found(cv, |text, part| text.rfind(part), true))),
        with_values("split", 1, |mut cv| {
            let between = cv.0.pop_var();
            one(both(&cv.1, &between).map(|(text, between)| split(text, between)))
        }),
        with_values("join", 1, |mut cv| {
            let between = cv.0.pop_var();
            one(cv.1.as_list().and_then(|parts| joined(parts, between.as_text()?)))
        }),
        with_values("test", 1, |cv| one(test(cv, false))),
        with_values("test", 2, |cv| one(test(cv, true))),
        with_values("capture", 1, |cv| capture(cv, false)),
        with_values("capture", 2, |cv| capture(cv, true)),
    ];
    for (name, flags, run) in SUBSTITUTIONS {
        let mut arguments = vec![Bind::Var(()), Bind::Fun(())];
        arguments.extend(flags.then_some(Bind::Var(())));
        filters.push((name, arguments.into(), Native::<Host>::new(run)));
    }
    filters
}

type Substitution = (&'static str, bool, jaq_core::RunPtr<Host>);

const SUBSTITUTIONS: [Substitution; 4] = [
    ("sub", false, |cv| jaq_core::box_iter::box_once(substitute(cv, false, ""))),
    ("sub", true, |cv| jaq_core::box_iter::box_once(substitute(cv, true, ""))),
    ("gsub", false, |cv| jaq_core::box_iter::box_once(substitute(cv, false, "g"))),
    ("gsub", true, |cv| jaq_core::box_iter::box_once(substitute(cv, true, "g"))),
];

fn both<'t>(
    one: &'t Item,
    other: &'t Item,
) -> std::result::Result<(&'t str, &'t str), Error<Item>> {
    let (one, other) = (one.as_text()?, other.as_text()?);
    meter::step(one.len() / 64);
    Ok((one, other))
}

fn changed(item: &Item, change: fn(&str) -> String) -> Result {
    let text = item.as_text()?;
    meter::make(text.len());
    Ok(Item::Text(change(text).into()))
}

fn part(item: &Item, part: fn(&str) -> &str) -> Result {
    Ok(Item::text(part(item.as_text()?)))
}

/// The text without an end that it has; anything else as it is.
fn trimmed(mut cv: Context<'_>, strip: for<'t> fn(&'t str, &str) -> Option<&'t str>) -> Result {
    let end = cv.0.pop_var();
    let rest = match (&cv.1, &end) {
        (Item::Text(text), Item::Text(end)) => strip(text, end).map(Item::text),
        _ => None,
    };
    Ok(rest.unwrap_or(cv.1))
}

fn told(mut cv: Context<'_>, tell: fn(&str, &str) -> bool) -> Result {
    let end = cv.0.pop_var();
    both(&cv.1, &end).map(|(text, end)| Item::from(tell(text, end)))
}

/// Where a part stands in a text, in letters, or an element in a list; null when it does not, or is
/// empty.
fn found(mut cv: Context<'_>, find: fn(&str, &str) -> Option<usize>, last: bool) -> Result {
    let part = cv.0.pop_var();
    if let Item::List(_) = &cv.1 {
        let items = cv.1.as_list()?;
        let at = if last {
            items.iter().rposition(|item| *item == part)
        } else {
            items.iter().position(|item| *item == part)
        };
        return Ok(at.map_or(Item::Null, Item::count));
    }
    let (text, part) = both(&cv.1, &part)?;
    meter::step(text.len() / 16);
    let at = find(text, part).filter(|_| !part.is_empty());
    Ok(at.map_or(Item::Null, |at| Item::count(text[..at].chars().count())))
}

/// The pattern that was compiled when the expression was checked, and the text to search.
fn pattern<'a>(
    cv: &mut Context<'a>,
    text: &Item,
    flags: &str,
) -> std::result::Result<(&'a Pattern, Rc<str>), Error<Item>> {
    let searched = Rc::clone(cv.1.as_text()?);
    if searched.len() > pattern::TEXT_MAX {
        return Err(error("a string is too long to be searched"));
    }
    let known = cv.0.data().patterns.get(text.as_text()?, flags);
    let known = known.ok_or_else(|| error("a pattern is not known"))?;
    pattern::searching(known, searched.len());
    Ok((known, searched))
}

fn test(mut cv: Context<'_>, with_flags: bool) -> Result {
    let flags = if with_flags { cv.0.pop_var() } else { Item::text("") };
    let text = cv.0.pop_var();
    let (pattern, text) = pattern(&mut cv, &text, flags.as_text()?)?;
    Ok(Item::from(pattern.regex.is_match(&text)))
}

/// The named parts of the first match; nothing when there is none.
fn capture<'a>(mut cv: Context<'a>, with_flags: bool) -> super::Values<'a> {
    let flags = if with_flags { cv.0.pop_var() } else { Item::text("") };
    let text = cv.0.pop_var();
    let found = flags.as_text().and_then(|flags| pattern(&mut cv, &text, flags));
    match found {
        Err(why) => one(Err(why)),
        Ok((pattern, text)) => {
            let named = pattern.regex.captures(&text).map(|found| Ok(named(pattern, &found)));
            Box::new(named.into_iter())
        }
    }
}

fn named(pattern: &Pattern, found: &Captures<'_>) -> Item {
    let mut members = Members::new();
    for name in pattern.regex.capture_names().flatten() {
        let part = found.name(name).map_or(Item::Null, |part| Item::text(part.as_str()));
        members.insert(name.into(), part);
    }
    Item::object(members)
}

/// The text with the first match, or all, replaced by what the filter makes of its named parts.
fn substitute<'a>(mut cv: Context<'a>, with_flags: bool, more: &str) -> ValX<'a, Item> {
    let flags = if with_flags { cv.0.pop_var() } else { Item::text("") };
    let (filter, inside) = cv.0.pop_fun();
    let text = cv.0.pop_var();
    let flags = format!("{}{more}", flags.as_text()?);
    let (pattern, text) = pattern(&mut cv, &text, &flags)?;
    let mut made = String::new();
    let mut from = 0;
    for found in pattern.regex.captures_iter(&text) {
        let Some(whole) = found.get(0) else { continue };
        pattern::searching(pattern, text.len() - whole.end());
        let given = filter.run((inside.clone(), named(pattern, &found))).next();
        let given =
            given.unwrap_or_else(|| Err(Exn::from(error("a match is replaced by nothing"))))?;
        for part in [&text[from..whole.start()], &**given.as_text()?] {
            meter::make(part.len());
            made.push_str(part);
        }
        from = whole.end();
        if !pattern.global {
            break;
        }
    }
    meter::make(text.len() - from);
    made.push_str(&text[from..]);
    Ok(Item::Text(made.into()))
}
