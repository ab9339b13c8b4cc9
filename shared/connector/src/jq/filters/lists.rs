//! Lists and objects.

use std::{cmp::Ordering, rc::Rc};

use jaq_core::{Error, Exn, ValX, native::Fun};

use super::{Context, Values, one, plain, with_filter, with_values};
use crate::jq::{
    item::{Item, Members, Result, error},
    meter,
    program::Host,
};

pub(super) fn filters() -> Vec<Fun<Host>> {
    vec![
        plain("keys", |(_, item)| one(keys(&item))),
        plain("add", |(_, item)| one(add(&item))),
        with_filter("add", |cv| ended(given(cv).and_then(|items| Ok(add(&Item::list(items))?)))),
        plain("reverse", |(_, item)| one(reverse(&item))),
        plain("flatten", |(_, item)| one(flatten(&item, u64::MAX))),
        with_values("flatten", 1, |mut cv| {
            let levels = cv.0.pop_var();
            one(levels
                .position()
                .and_then(|levels| flatten(&cv.1, u64::try_from(levels).unwrap_or(0))))
        }),
        plain("sort", |cv| by_itself(cv, Made::Sorted)),
        plain("unique", |cv| by_itself(cv, Made::Unique)),
        plain("min", |cv| by_itself(cv, Made::Least)),
        plain("max", |cv| by_itself(cv, Made::Most)),
        with_filter("sort_by", |cv| ended(by(cv, Made::Sorted))),
        with_filter("unique_by", |cv| ended(by(cv, Made::Unique))),
        with_filter("group_by", |cv| ended(by(cv, Made::Grouped))),
        with_filter("min_by", |cv| ended(by(cv, Made::Least))),
        with_filter("max_by", |cv| ended(by(cv, Made::Most))),
        with_values("has", 1, |mut cv| {
            let name = cv.0.pop_var();
            one(has(&cv.1, &name))
        }),
        with_values("contains", 1, |mut cv| {
            let part = cv.0.pop_var();
            one(Ok(Item::from(contains(&cv.1, &part))))
        }),
        with_values("inside", 1, |mut cv| {
            let whole = cv.0.pop_var();
            one(Ok(Item::from(contains(&whole, &cv.1))))
        }),
        plain("from_entries", |(_, item)| one(from_entries(&item))),
    ]
}

fn ended<'a>(result: ValX<'a, Item>) -> Values<'a> {
    jaq_core::box_iter::box_once(result)
}

/// What the filter that is the argument gives for the input.
fn given<'a>((mut context, item): Context<'a>) -> std::result::Result<Vec<Item>, Exn<'a, Item>> {
    let (filter, inside) = context.pop_fun();
    filter.run((inside, item)).collect()
}

fn keys(item: &Item) -> Result {
    match item {
        Item::List(_) => Ok((0..item.as_list()?.len()).map(Item::count).collect()),
        _ => {
            let mut names: Vec<Rc<str>> = item.as_object()?.keys().cloned().collect();
            meter::step(names.len());
            names.sort_unstable();
            Ok(names.into_iter().map(Item::Text).collect())
        }
    }
}

fn parts(item: &Item) -> std::result::Result<Vec<Item>, Error<Item>> {
    match item {
        Item::Object(_) => Ok(item.as_object()?.values().cloned().collect()),
        other => Ok(other.as_list()?.to_vec()),
    }
}

/// Texts are joined in one go: one after the other would copy the first as often as there are others.
fn add(item: &Item) -> Result {
    let parts = parts(item)?;
    let texts = parts.iter().all(|part| matches!(part, Item::Text(_)));
    if texts && !parts.is_empty() {
        return joined(&parts, "");
    }
    parts.into_iter().try_fold(Item::Null, |sum, part| sum + part)
}

/// Texts, numbers and the like with a text between them.
pub(super) fn joined(parts: &[Item], between: &str) -> Result {
    let mut text = String::new();
    for (position, part) in parts.iter().enumerate() {
        let part = match part {
            Item::Null => "".into(),
            Item::List(_) | Item::Object(_) => return Err(part.is_no("string")),
            other => other.to_text(),
        };
        let between = if position == 0 { "" } else { between };
        meter::make(between.len() + part.len());
        text.push_str(between);
        text.push_str(&part);
    }
    Ok(Item::Text(text.into()))
}

fn reverse(item: &Item) -> Result {
    match item {
        Item::Text(text) => {
            meter::make(text.len());
            Ok(Item::Text(text.chars().rev().collect::<String>().into()))
        }
        Item::Null => Ok(Item::list(Vec::new())),
        other => Ok(other.as_list()?.iter().rev().cloned().collect()),
    }
}

fn flatten(item: &Item, levels: u64) -> Result {
    let mut flat = Vec::new();
    flatten_into(item.as_list()?, levels, &mut flat);
    Ok(Item::list(flat))
}

fn flatten_into(items: &[Item], levels: u64, flat: &mut Vec<Item>) {
    for item in items {
        match item.as_list() {
            Ok(inner) if levels > 0 => {
                meter::step(1);
                flatten_into(inner, levels - 1, flat);
            }
            _ => {
                meter::make(size_of::<Item>());
                flat.push(item.clone());
            }
        }
    }
}

/// What is made of a list whose elements have been put in order.
#[derive(Clone, Copy)]
enum Made {
    Sorted,
    Grouped,
    Unique,
    Least,
    Most,
}

type Ranked = Vec<(Vec<Item>, Item)>;

fn by_itself<'a>((_, item): Context<'a>, made: Made) -> Values<'a> {
    let ranked = item.as_list().map(|items| {
        items.iter().map(|item| (vec![item.clone()], item.clone())).collect::<Ranked>()
    });
    one(ranked.map(|ranked| made.of(ranked)))
}

fn by<'a>((mut context, item): Context<'a>, made: Made) -> ValX<'a, Item> {
    let (filter, inside) = context.pop_fun();
    let mut ranked = Ranked::new();
    for item in item.as_list()? {
        meter::make(2 * size_of::<Item>());
        let rank =
            filter.run((inside.clone(), item.clone())).collect::<std::result::Result<_, _>>()?;
        ranked.push((rank, item.clone()));
    }
    Ok(made.of(ranked))
}

impl Made {
    fn of(self, mut ranked: Ranked) -> Item {
        match self {
            Self::Sorted => {
                ranked.sort_by(|left, right| left.0.cmp(&right.0));
                ranked.into_iter().map(|(_, item)| item).collect()
            }
            Self::Grouped => grouped(ranked).into_iter().map(Item::list).collect(),
            Self::Unique => {
                grouped(ranked).into_iter().filter_map(|group| group.into_iter().next()).collect()
            }
            Self::Least => extreme(ranked, Ordering::Less),
            Self::Most => extreme(ranked, Ordering::Greater),
        }
    }
}

fn grouped(mut ranked: Ranked) -> Vec<Vec<Item>> {
    ranked.sort_by(|left, right| left.0.cmp(&right.0));
    let mut groups: Vec<Vec<Item>> = Vec::new();
    let mut last: Option<Vec<Item>> = None;
    for (rank, item) in ranked {
        match groups.last_mut().filter(|_| last.as_ref() == Some(&rank)) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
        last = Some(rank);
    }
    groups
}

/// The first of the least, or the last of the most.
fn extreme(ranked: Ranked, wanted: Ordering) -> Item {
    let best = ranked.into_iter().reduce(|best, next| match next.0.cmp(&best.0) {
        Ordering::Equal if wanted == Ordering::Greater => next,
        order if order == wanted => next,
        _ => best,
    });
    best.map_or(Item::Null, |(_, item)| item)
}

fn has(item: &Item, name: &Item) -> Result {
    match item {
        Item::Object(_) => Ok(Item::from(item.as_object()?.contains_key(name.as_text()?))),
        other => {
            let count = i64::try_from(other.as_list()?.len()).unwrap_or(i64::MAX);
            Ok(Item::from((0..count).contains(&name.position()?)))
        }
    }
}

/// Whether a part is in a whole: a text in a text, each of a list in one of a list, each member in the
/// member of its name.
fn contains(whole: &Item, part: &Item) -> bool {
    meter::step(1);
    match (whole, part) {
        (Item::Text(whole), Item::Text(part)) => {
            meter::step(whole.len() / 16);
            whole.contains(&**part)
        }
        (Item::List(_), Item::List(_)) => {
            let (whole, part) = (whole.as_list(), part.as_list());
            let (Ok(whole), Ok(part)) = (whole, part) else { return false };
            part.iter().all(|part| whole.iter().any(|whole| contains(whole, part)))
        }
        (Item::Object(_), Item::Object(_)) => {
            let (Ok(whole), Ok(part)) = (whole.as_object(), part.as_object()) else { return false };
            part.iter()
                .all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part)))
        }
        (whole, part) => whole == part,
    }
}

/// An object out of names and values, which systems call by several names.
fn from_entries(item: &Item) -> Result {
    let mut members = Members::new();
    for entry in item.as_list()? {
        let entry = entry.as_object()?;
        let at = |names: &[&str]| names.iter().find_map(|name| entry.get(*name)).cloned();
        let name = at(&["key", "k", "name", "Name", "Key", "K"]).unwrap_or(Item::Null);
        if matches!(name, Item::Null | Item::List(_) | Item::Object(_)) {
            return Err(error("an entry has no name"));
        }
        let value = at(&["value", "v", "Value", "V"]).unwrap_or(Item::Null);
        meter::make(2 * size_of::<Item>());
        members.insert(name.to_text(), value);
    }
    Ok(Item::object(members))
}
