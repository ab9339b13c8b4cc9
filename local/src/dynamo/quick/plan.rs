//! How rows are written into a table.

use std::collections::{BTreeMap, HashMap, HashSet};

use dynoxide::{
    AttributeValue, Item,
    actions::TableDescription,
    storage::compute_hash_prefix,
    types::{
        KeySchemaElement, KeyType, MAX_ITEM_SIZE, ProjectionType, ScalarAttributeType, item_size,
    },
};
use millwright_store::TableDef;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Deserialize;

/// Bytes up to which any key attribute may be long.
pub(super) const KEY_MAX: usize = 1_024;
/// Digits of a number that is kept as it is written.
const DIGITS_MAX: usize = 38;

/// How rows are written, by table.
pub(in crate::dynamo) type Plans = HashMap<String, Plan>;

/// How rows are written into a table.
pub(in crate::dynamo) struct Plan {
    /// Puts a row that may not be there.
    insert: String,
    /// Puts a row whatever is there.
    replace: String,
    delete: String,
    /// Reads a row's version, its end, and its keys in each index.
    standing: String,
    /// Reads a row.
    pub(super) get: String,
    indexes: Vec<Index>,
}

struct Index {
    insert: String,
    /// Removes the place of a row, which is found by all of its keys: dynoxide's own index by the row alone
    /// is not kept for every table (`forget_base_keys`).
    delete: String,
    /// Its keys, with what each must be.
    hash: (String, ScalarAttributeType),
    range: (String, ScalarAttributeType),
    /// What it holds; everything when it says nothing.
    holds: Option<HashSet<String>>,
}

impl Plan {
    /// Nothing for a table that is not as Millwright's are: with `pk` and `sk`, both text, and global
    /// indexes with two keys each.
    pub(in crate::dynamo) fn of(table: &TableDescription) -> Option<Self> {
        let (pk, sk) = keys(&table.key_schema)?;
        let text = ScalarAttributeType::S;
        let plain = [pk, sk] == [TableDef::PK, TableDef::SK]
            && [pk, sk].iter().all(|key| kind(table, key) == Some(&text))
            && table.local_secondary_indexes.is_none()
            && table.vector_indexes.is_none()
            && table.stream_specification.is_none();
        let name = &table.table_name;
        let indexes = table.global_secondary_indexes.iter().flatten();
        let indexes = indexes.map(|index| {
            let (hash, range) = keys(&index.key_schema)?;
            let typed = |name: &str| Some((name.to_owned(), kind(table, name)?.clone()));
            let projected = index.projection.non_key_attributes.iter().flatten();
            let holds = projected.map(String::as_str).chain([pk, sk, hash, range]);
            let all = index.projection.projection_type.as_ref() == Some(&ProjectionType::ALL);
            let held = (!all).then(|| holds.map(str::to_owned).collect());
            Some(Index::new(name, &index.index_name, typed(hash)?, typed(range)?, held))
        });
        let indexes = indexes.collect::<Option<Vec<Index>>>()?;
        let read = |(name, kind): (&str, &ScalarAttributeType)| {
            format!("json_extract(item_json, '$.\"{name}\".{}')", letter(kind))
        };
        let ends = (TableDef::TTL, &ScalarAttributeType::N);
        let asked = [("version", &ScalarAttributeType::N), ends].into_iter();
        let keys = indexes.iter().flat_map(|index| [&index.hash, &index.range]);
        let asked = asked.chain(keys.map(|(name, kind)| (name.as_str(), kind)));
        let standing = asked.map(read).collect::<Vec<_>>().join(", ");
        let insert = format!(
            "INSERT INTO \"{name}\" (pk, sk, item_json, item_size, hash_prefix) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (pk, sk) DO"
        );
        let at = format!("\"{name}\" WHERE pk = ?1 AND sk = ?2");
        plain.then(|| Self {
            replace: format!(
                "{insert} UPDATE SET item_json = excluded.item_json, \
                 item_size = excluded.item_size, hash_prefix = excluded.hash_prefix"
            ),
            insert: format!("{insert} NOTHING"),
            delete: format!("DELETE FROM {at}"),
            standing: format!("SELECT {standing} FROM {at}"),
            get: format!("SELECT item_json FROM {at}"),
            indexes,
        })
    }

    /// Whether an item can be put: all key attributes that it has are as they must be.
    fn takes(&self, item: &Item) -> bool {
        let own = [TableDef::PK, TableDef::SK].map(|name| (name, &ScalarAttributeType::S, true));
        let indexes = self.indexes.iter().flat_map(|index| [&index.hash, &index.range]);
        let keys = own.into_iter().chain(indexes.map(|(name, kind)| (name.as_str(), kind, false)));
        let mut fit = keys.map(|(name, kind, needed)| fits(item.get(name), kind, needed));
        fit.all(|fits| fits) && item_size(item) <= MAX_ITEM_SIZE
    }
}

impl Index {
    fn new(
        table: &str,
        name: &str,
        hash: (String, ScalarAttributeType),
        range: (String, ScalarAttributeType),
        holds: Option<HashSet<String>>,
    ) -> Self {
        let entries = format!("\"{table}::gsi::{name}\"");
        Self {
            insert: format!(
                "INSERT INTO {entries} (gsi_pk, gsi_sk, table_pk, table_sk, item_json) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (gsi_pk, gsi_sk, table_pk, table_sk) \
                 DO UPDATE SET item_json = excluded.item_json \
                 WHERE item_json <> excluded.item_json"
            ),
            delete: format!(
                "DELETE FROM {entries} \
                 WHERE gsi_pk = ?1 AND gsi_sk = ?2 AND table_pk = ?3 AND table_sk = ?4"
            ),
            hash,
            range,
            holds,
        }
    }

    /// A row's keys here from those that it is written with.
    fn had(&self, keys: (Option<String>, Option<String>)) -> Option<Had> {
        let kept = |text: String, kind: &ScalarAttributeType| match kind {
            ScalarAttributeType::N => AttributeValue::N(text).to_key_string(),
            _ => AttributeValue::S(text).to_key_string(),
        };
        let (hash, range) = (kept(keys.0?, &self.hash.1)?, kept(keys.1?, &self.range.1)?);
        Some(Had { hash, range })
    }

    /// A row's entry, if it has one: its keys, and what it holds.
    fn entry(&self, item: &Item, text: &str) -> serde_json::Result<Option<Entry>> {
        let (Some(hash), Some(range)) = (key(item, &self.hash.0), key(item, &self.range.0)) else {
            return Ok(None);
        };
        let held = match &self.holds {
            None => text.to_owned(),
            Some(names) => {
                // In order, so that what is the same is written the same.
                let held = item.iter().filter(|(name, _)| names.contains(*name));
                serde_json::to_string(&held.collect::<BTreeMap<_, _>>())?
            }
        };
        Ok(Some(Entry { hash, range, held }))
    }
}

/// A row's place in an index.
struct Entry {
    hash: String,
    range: String,
    held: String,
}

impl Entry {
    fn is(&self, had: &Had) -> bool {
        (&self.hash, &self.range) == (&had.hash, &had.range)
    }
}

/// A row to be put, as dynoxide keeps it.
pub(super) struct Filled {
    text: String,
    /// In bytes, as DynamoDB counts.
    pub(super) size: usize,
    prefix: String,
    /// For each index, if the row has a place in it.
    entries: Vec<Option<Entry>>,
}

fn keys(schema: &[KeySchemaElement]) -> Option<(&str, &str)> {
    match schema {
        [hash, range] if hash.key_type == KeyType::HASH && range.key_type == KeyType::RANGE => {
            Some((&hash.attribute_name, &range.attribute_name))
        }
        _ => None,
    }
}

fn kind<'a>(table: &'a TableDescription, name: &str) -> Option<&'a ScalarAttributeType> {
    let found = table.attribute_definitions.iter().find(|one| one.attribute_name == name);
    found.map(|one| &one.attribute_type)
}

/// Where a row is, as dynoxide keeps keys.
pub(in crate::dynamo) struct Place<'a> {
    pub(super) table: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) pk: String,
    pub(super) sk: String,
}

impl<'a> Place<'a> {
    /// Nothing where the table has no plan, or the key is not just that.
    pub(super) fn of_key(
        plans: &'a Plans,
        table: &str,
        key: HashMap<String, Plain>,
    ) -> Option<Self> {
        let key = items(key)?;
        let plan = plans.get_key_value(table)?;
        let text = |name| fits(key.get(name), &ScalarAttributeType::S, true);
        let whole = key.len() == 2 && text(TableDef::PK) && text(TableDef::SK);
        Self::of(plan, &key).filter(|_| whole)
    }

    /// Nothing where the table has no plan, or the item is not for here.
    pub(super) fn of_item(plans: &'a Plans, table: &str, item: &Item) -> Option<Self> {
        let plan = plans.get_key_value(table).filter(|(_, plan)| plan.takes(item))?;
        Self::of(plan, item)
    }

    fn of((table, plan): (&'a String, &'a Plan), item: &Item) -> Option<Self> {
        let (pk, sk) = (key(item, TableDef::PK)?, key(item, TableDef::SK)?);
        Some(Self { table, plan, pk, sk })
    }

    /// Whether no two are one row.
    pub(super) fn differ(places: &[&Self]) -> bool {
        let mut seen = HashSet::new();
        places.iter().all(|place| seen.insert((place.table, &place.pk, &place.sk)))
    }

    /// An item that is to be put here.
    pub(super) fn fill(&self, item: &Item) -> Option<Filled> {
        let text = serde_json::to_string(item).ok()?;
        let entries = self.plan.indexes.iter().map(|index| index.entry(item, &text));
        let entries = entries.collect::<Result<_, _>>().ok()?;
        let prefix = item.get(TableDef::PK).map(compute_hash_prefix).unwrap_or_default();
        Some(Filled { text, size: item_size(item), prefix, entries })
    }

    /// Puts a row if it is not there: whether it was put.
    pub(super) fn insert(&self, connection: &Connection, row: &Filled) -> rusqlite::Result<bool> {
        let put = self.put(connection, &self.plan.insert, row)? > 0;
        if put {
            self.enter(connection, row, None)?;
        }
        Ok(put)
    }

    /// Puts a row, which is there or not.
    pub(super) fn replace(
        &self,
        connection: &Connection,
        row: &Filled,
        there: Option<&Standing>,
    ) -> rusqlite::Result<()> {
        self.put(connection, &self.plan.replace, row)?;
        self.enter(connection, row, there)
    }

    fn put(&self, connection: &Connection, put: &str, row: &Filled) -> rusqlite::Result<usize> {
        let size = i64::try_from(row.size).unwrap_or(i64::MAX);
        let values = params![self.pk, self.sk, row.text, size, row.prefix];
        connection.prepare_cached(put)?.execute(values)
    }

    /// Gives the row its places in the indexes; where it was there, it may have had others.
    fn enter(
        &self,
        connection: &Connection,
        row: &Filled,
        there: Option<&Standing>,
    ) -> rusqlite::Result<()> {
        if let Some(there) = there {
            let stays = |at: usize, had: &Had| row.entries[at].as_ref().is_some_and(|e| e.is(had));
            self.leave(connection, there, stays)?;
        }
        for (index, entry) in self.plan.indexes.iter().zip(&row.entries) {
            let Some(Entry { hash, range, held }) = entry else { continue };
            let mut insert = connection.prepare_cached(&index.insert)?;
            insert.execute(params![hash, range, self.pk, self.sk, held])?;
        }
        Ok(())
    }

    /// Takes from a row the places in indexes that it has, but those that stay.
    fn leave(
        &self,
        connection: &Connection,
        there: &Standing,
        stays: impl Fn(usize, &Had) -> bool,
    ) -> rusqlite::Result<()> {
        for (at, (index, had)) in self.plan.indexes.iter().zip(&there.places).enumerate() {
            let Some(had) = had.as_ref().filter(|had| !stays(at, had)) else { continue };
            let mut delete = connection.prepare_cached(&index.delete)?;
            delete.execute(params![had.hash, had.range, self.pk, self.sk])?;
        }
        Ok(())
    }

    /// Removes a row that is there.
    pub(super) fn delete(&self, connection: &Connection, there: &Standing) -> rusqlite::Result<()> {
        self.leave(connection, there, |_, _| false)?;
        connection.prepare_cached(&self.plan.delete)?.execute(params![self.pk, self.sk])?;
        Ok(())
    }

    /// What can be asked of the row that is there.
    pub(super) fn standing(&self, connection: &Connection) -> rusqlite::Result<Option<Standing>> {
        let mut read = connection.prepare_cached(&self.plan.standing)?;
        let standing = read.query_row(params![self.pk, self.sk], |row| {
            let had = |(at, index): (usize, &Index)| {
                let keys = (row.get(2 * at + 2)?, row.get(2 * at + 3)?);
                Ok(index.had(keys))
            };
            let places = self.plan.indexes.iter().enumerate().map(had);
            let places = places.collect::<rusqlite::Result<_>>()?;
            Ok(Standing { version: row.get(0)?, ends: row.get(1)?, places })
        });
        standing.optional()
    }
}

/// What can be asked of a row that is there.
pub(super) struct Standing {
    /// A number as it is written, if it has one; so is its end.
    pub(super) version: Option<String>,
    pub(super) ends: Option<String>,
    /// Its keys in each index, if it has a place there.
    places: Vec<Option<Had>>,
}

/// The keys of a row's place in an index.
struct Had {
    hash: String,
    range: String,
}

/// A value as a request has it, if it is plain.
#[derive(Deserialize)]
pub(super) enum Plain {
    S(String),
    N(String),
}

impl Plain {
    /// The value, unless a number would be kept in other digits than it is written in.
    fn value(self) -> Option<AttributeValue> {
        match self {
            Self::S(text) => Some(AttributeValue::S(text)),
            Self::N(digits) => whole(&digits).then_some(AttributeValue::N(digits)),
        }
    }
}

/// An item of plain values.
pub(super) fn items(values: impl IntoIterator<Item = (String, Plain)>) -> Option<Item> {
    let plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
    };
    let value = |(name, value): (String, Plain)| {
        let value = value.value().filter(|_| plain(&name))?;
        Some((name, value))
    };
    values.into_iter().map(value).collect::<Option<HashMap<_, _>>>()
}

fn whole(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let kept = digits.len() <= DIGITS_MAX && digits.bytes().all(|digit| digit.is_ascii_digit());
    kept && (number == "0" || digits.starts_with(|first| matches!(first, '1'..='9')))
}

/// What a value of this kind is called where it is written.
fn letter(kind: &ScalarAttributeType) -> &'static str {
    match kind {
        ScalarAttributeType::S => "S",
        ScalarAttributeType::N => "N",
        ScalarAttributeType::B => "B",
    }
}

fn fits(value: Option<&AttributeValue>, kind: &ScalarAttributeType, needed: bool) -> bool {
    match (value, kind) {
        (None, _) => !needed,
        (Some(AttributeValue::S(text)), ScalarAttributeType::S) => {
            !text.is_empty() && text.len() <= KEY_MAX
        }
        (Some(AttributeValue::N(_)), ScalarAttributeType::N) => true,
        _ => false,
    }
}

/// A key as dynoxide keeps it.
fn key(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.to_key_string()
}
