//! Values with a part of them changed.

use std::rc::Rc;

use jaq_core::{Exn, ValX, path::Opt, val::Range};

use super::{
    Item, List, Members, Object,
    access::{bounds, place},
    error, owned,
};

/// The first of what an update gives; nothing takes the part away.
fn first<'a>(
    mut given: impl Iterator<Item = ValX<'a, Item>>,
) -> Result<Option<Item>, Exn<'a, Item>> {
    given.next().transpose()
}

fn items(list: Rc<List>) -> Vec<Item> {
    owned(list, |list| list.items.len()).items
}

fn members(object: Rc<Object>) -> Members {
    owned(object, |object| 2 * object.members.len()).members
}

impl Item {
    fn refused<'a>(self, opt: Opt, wanted: &str) -> ValX<'a, Self> {
        opt.fail(self, |item| Exn::from(item.is_no(wanted)))
    }

    pub(super) fn with_each<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self {
            Self::List(list) => {
                let made = items(list).into_iter().flat_map(f);
                made.collect::<Result<Self, _>>()
            }
            Self::Object(object) => {
                let changed = members(object).into_iter().filter_map(|(name, value)| {
                    first(f(value)).map(|value| Some((name, value?))).transpose()
                });
                Ok(Self::object(changed.collect::<Result<_, _>>()?))
            }
            other => other.refused(opt, "array or object"),
        }
    }

    pub(super) fn with_one<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match (self, index) {
            (Self::Null, Self::Text(_)) => Self::object(Members::new()).with_one(index, opt, f),
            (Self::Object(object), Self::Text(name)) => {
                let mut members = members(object);
                let old = members.get(name).cloned().unwrap_or(Self::Null);
                match first(f(old))? {
                    Some(new) => drop(members.insert(Rc::clone(name), new)),
                    None => drop(members.shift_remove(name)),
                }
                Ok(Self::object(members))
            }
            (Self::List(list), Self::Number(_)) => {
                let mut items = items(list);
                let at = place(index.position()?, items.len()).filter(|at| *at < items.len());
                let Some(at) = at else {
                    return opt.fail(Self::list(items), |_| {
                        Exn::from(error("a position is outside of its array"))
                    });
                };
                match first(f(items[at].clone()))? {
                    Some(new) => items[at] = new,
                    None => drop(items.remove(at)),
                }
                Ok(Self::list(items))
            }
            (other, _) => other.refused(opt, "array or object"),
        }
    }

    pub(super) fn with_part<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let Self::List(list) = self else { return self.refused(opt, "array") };
        let mut items = items(list);
        let (from, to) = bounds(&range, items.len())?;
        let part = Self::list(items[from..to].to_vec());
        let new = match first(f(part))? {
            Some(new) => new.as_list()?.to_vec(),
            None => Vec::new(),
        };
        items.splice(from..to, new);
        Ok(Self::list(items))
    }
}
