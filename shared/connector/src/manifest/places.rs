//! Where in a file its keys stand.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

use super::{Problem, reader};

/// A file's keys and the elements of its lists, each with its place.
pub(super) struct Places(Vec<(String, Location, Places)>);

impl Places {
    /// Those of a file; none when it cannot be read.
    pub fn of(yaml: &str) -> Self {
        reader::read(yaml).unwrap_or(Self(Vec::new()))
    }

    /// A problem that begins with the keys that lead to it (`entities.vendors.fields.name: ...`), at the
    /// last of them that the file has.
    pub fn locate(&self, message: &str) -> Problem {
        let keys = message.split_once(": ").map_or("", |(keys, _)| keys);
        let found = self.deepest(keys).filter(|at| at.line() > 0);
        Problem {
            line: found.map(|at| at.line()),
            column: found.map(|at| at.column()),
            message: message.to_owned(),
        }
    }

    fn deepest(&self, keys: &str) -> Option<Location> {
        // A key may have dots itself: the longest one that fits counts.
        let fits = |name: &str| {
            let rest = keys.strip_prefix(name)?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
        };
        let found =
            self.0.iter().filter_map(|(name, at, inner)| Some((name, at, inner, fits(name)?)));
        let (_, at, inner, rest) = found.max_by_key(|(name, ..)| name.len())?;
        Some(inner.deepest(rest.strip_prefix('.').unwrap_or(rest)).unwrap_or(*at))
    }
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Node)
    }
}

struct Node;

impl<'de> Visitor<'de> for Node {
    type Value = Places;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Places, A::Error> {
        let mut places = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            places.push((key.value, key.referenced, map.next_value()?));
        }
        Ok(Places(places))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Places, A::Error> {
        let mut places = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Places>>()? {
            places.push((format!("[{}]", places.len()), item.referenced, item.value));
        }
        Ok(Places(places))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Places, E> {
        Ok(Places(Vec::new()))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Places, E> {
        Ok(Places(Vec::new()))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Places, E> {
        Ok(Places(Vec::new()))
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Places, E> {
        Ok(Places(Vec::new()))
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Places, E> {
        Ok(Places(Vec::new()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Places, E> {
        Ok(Places(Vec::new()))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Places, E> {
        Ok(Places(Vec::new()))
    }

    fn visit_unit<E: Error>(self) -> Result<Places, E> {
        Ok(Places(Vec::new()))
    }
}
