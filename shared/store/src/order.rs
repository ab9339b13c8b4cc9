//! The orders of a partition of `records`: by the source's times. Each is an index that trails its
//! table and holds keys alone; the rows themselves are read strongly.

use crate::{
    Key, Store, StoreError, Table,
    row::{Item, attr, text},
    write::text_value,
};

/// An order of a partition's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// By the time at which the source made them.
    Created,
    /// By the time at which the source last changed them.
    Updated,
}

impl Order {
    /// The index.
    pub(crate) const fn index(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
        }
    }

    /// The attribute that holds a row's place.
    pub(crate) const fn attribute(self) -> &'static str {
        match self {
            Self::Created => attr::CREATED_AT,
            Self::Updated => attr::UPDATED_AT,
        }
    }
}

/// A row's places in the orders of its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPlaces {
    /// Where it stands by creation.
    pub created: OrderPlace,
    /// Where it stands by change.
    pub updated: OrderPlace,
}

/// A place in an order: a text that sorts as what it stands for does, and the row's sort key behind
/// it, so that no two rows share a place. Rows without the time come first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderPlace(String);

impl OrderPlace {
    /// A place by a text, none of whose characters sorts before `$`.
    #[must_use]
    pub fn new(sortable: impl Into<String>) -> Self {
        Self(sortable.into())
    }

    /// As the attribute of the row has it.
    #[must_use]
    pub fn at(&self, row: &Key) -> String {
        format!("{}#{}", self.0, row.sk)
    }
}

/// An entry of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEntry {
    /// The row.
    pub key: Key,
    /// Its place when the index last heard of it.
    pub at: String,
}

/// A stretch of an order, in places as attributes have them; both ends belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderStretch {
    /// The first place. Not empty.
    pub from: String,
    /// The last place. Not empty.
    pub to: String,
    /// Whether the later places come last.
    pub forward: bool,
}

impl Store {
    /// The entries of a stretch after a place (excluded): at most `limit`, and whether there may be
    /// more. The index trails the table: a row that was just written may be missing, or stand where
    /// it stood before.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn ordered(
        &self,
        order: Order,
        pk: &str,
        stretch: &OrderStretch,
        after: Option<&OrderEntry>,
        limit: usize,
    ) -> Result<(Vec<OrderEntry>, bool), StoreError> {
        if stretch.from > stretch.to {
            return Ok((Vec::new(), false));
        }
        let values = Item::from([
            (":pk".to_owned(), text_value(pk)),
            (":from".to_owned(), text_value(&stretch.from)),
            (":to".to_owned(), text_value(&stretch.to)),
        ]);
        let start = after.map(|entry| {
            let mut start = entry.key.attributes();
            start.insert(order.attribute().to_owned(), text_value(&entry.at));
            start
        });
        let name = order.attribute();
        let answer = self
            .client
            .query()
            .table_name(self.tables.name(Table::Records))
            .index_name(order.index())
            .key_condition_expression(format!("pk = :pk AND {name} BETWEEN :from AND :to"))
            .set_expression_attribute_values(Some(values))
            .set_exclusive_start_key(start)
            .scan_index_forward(stretch.forward)
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::sdk)?;
        let entry = |item: &Item| OrderEntry {
            key: Key::records(text(item, attr::PK), text(item, attr::SK)),
            at: text(item, name),
        };
        let entries = answer.items.unwrap_or_default().iter().map(entry).collect();
        Ok((entries, answer.last_evaluated_key.is_some()))
    }
}
