//! Which of two values comes first: null, false, true, numbers, texts, lists, objects.

use std::cmp::Ordering;

use super::{Item, Members};
use crate::jq::{meter, number};

impl Item {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(false) => 1,
            Self::Bool(true) => 2,
            Self::Number(_) => 3,
            Self::Text(_) => 4,
            Self::List(_) => 5,
            Self::Object(_) => 6,
        }
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        meter::step(1);
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => {
                meter::step(left.len().min(right.len()) / 64);
                number::compare(left, right)
            }
            (Self::Text(left), Self::Text(right)) => {
                meter::step(left.len().min(right.len()) / 256);
                left.cmp(right)
            }
            (Self::List(left), Self::List(right)) => left.items.cmp(&right.items),
            (Self::Object(left), Self::Object(right)) => objects(&left.members, &right.members),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// First by their names, then by the values in the order of names.
fn objects(left: &Members, right: &Members) -> Ordering {
    meter::step(left.len() + right.len());
    let sorted = |members: &Members| {
        let mut names: Vec<_> = members.keys().cloned().collect();
        names.sort_unstable();
        names
    };
    let (names, others) = (sorted(left), sorted(right));
    names.cmp(&others).then_with(|| {
        let pairs = names.iter().map(|name| left.get(name).cmp(&right.get(name)));
        pairs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    })
}
