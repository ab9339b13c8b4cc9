//! What is kept of one connection's sandbox: rows that are laid over the data set (written ones, and
//! marks of deleted ones), and what it was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
};

use millwright_core::{ConnectionId, ScheduleTime, WorkspaceId};
use millwright_store::{Document, Expect, Key, Range, Store, StoreError, Table, Write};
use serde::{Deserialize, Serialize};

use super::SandboxRow;

/// A row laid over the data set; without a row, the record is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct LaidDoc {
    row: Option<SandboxRow>,
}

impl Document for LaidDoc {}

/// Rows by their ids; nothing for a deleted one.
pub(super) type Laid = BTreeMap<String, Option<SandboxRow>>;

/// A page of them, and whether there are more.
pub(super) struct LaidPage {
    pub rows: Laid,
    pub more: bool,
}

/// The rows of one connection's sandbox. The sandbox lives on the schedule clock: where that is
/// quickened, its outages and changes are too.
#[derive(Clone)]
pub(super) struct Kept {
    store: Store,
    pk: String,
}

impl Kept {
    pub(super) fn new(store: Store, workspace: &WorkspaceId, connection: &ConnectionId) -> Self {
        Self { store, pk: format!("{workspace}#{connection}") }
    }

    pub(super) fn now(&self) -> ScheduleTime {
        self.store.clock().schedule()
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn key(&self, sk: &str) -> Key {
        Key::state(&self.pk, sk)
    }

    pub(super) async fn put(
        &self,
        entity: &str,
        id: &str,
        row: Option<SandboxRow>,
    ) -> Result<(), StoreError> {
        self.put_doc(&sort_key(entity, id), &LaidDoc { row }).await
    }

    pub(super) async fn rows(&self, entity: &str, ids: &[String]) -> Result<Laid, StoreError> {
        // DynamoDB refuses a batch that names a key twice.
        let ids: BTreeSet<&String> = ids.iter().collect();
        let keys: Vec<Key> = ids.into_iter().map(|id| self.key(&sort_key(entity, id))).collect();
        let found = self.store.get_docs::<LaidDoc>(&keys).await?;
        Ok(found.into_iter().map(|row| (id_of(entity, &row.key.sk), row.doc.row)).collect())
    }

    pub(super) async fn page(
        &self,
        entity: &str,
        after: Option<&str>,
        size: usize,
    ) -> Result<LaidPage, StoreError> {
        let prefix = Range::Prefix(sort_key(entity, ""));
        let after = after.map(|id| sort_key(entity, id));
        let page = self
            .store
            .query::<LaidDoc>(Table::State, &self.pk, &prefix, after.as_deref(), size, true)
            .await?;
        let rows = page.rows.into_iter().map(|row| (id_of(entity, &row.key.sk), row.doc.row));
        Ok(LaidPage { rows: rows.collect(), more: page.next.is_some() })
    }

    pub(super) async fn doc<T: Document>(&self, sk: &str) -> Result<Option<T>, StoreError> {
        Ok(self.store.get_doc(&self.key(sk)).await?.map(|row| row.doc))
    }

    pub(super) async fn put_doc<T: Document>(&self, sk: &str, doc: &T) -> Result<(), StoreError> {
        self.store.write(Write::put(&self.key(sk), doc, Expect::Anything)?).await.map(drop)
    }
}

fn sort_key(entity: &str, id: &str) -> String {
    format!("sandbox#{entity}#{id}")
}

fn id_of(entity: &str, sk: &str) -> String {
    sk.strip_prefix(&sort_key(entity, "")).unwrap_or(sk).to_owned()
}

/// A row of a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Taken {
    /// The data set's, by its number.
    Own(u32),
    /// One that is laid over it.
    Laid(SandboxRow),
}

impl Taken {
    /// Whether it is marked as deleted.
    pub(super) fn is_put_away(&self) -> bool {
        match self {
            Self::Own(_) => false,
            Self::Laid(row) => row.get("deletedAt").is_some_and(|at| !at.is_null()),
        }
    }
}

/// The page of so many rows, with the id to go on after.
pub(super) type Merged = (Vec<(String, Taken)>, Option<String>);

/// A page of the data set's rows with the others laid over it, in the order of ids. `own` has the data
/// set's rows from the same place on, and is taken from only as far as the page goes. A page of laid
/// rows that is not the last ends what may be given: behind its end, rows could still be laid over.
pub(super) fn merge(
    own: impl Iterator<Item = (String, u32)>,
    laid: LaidPage,
    size: usize,
) -> Merged {
    let more = laid.more;
    let end = more.then(|| laid.rows.last_key_value().map(|(id, _)| id.clone())).flatten();
    let mut own = own.peekable();
    let mut laid = laid.rows.into_iter().peekable();
    let mut rows = Vec::new();
    let mut last = None;
    while let Some(id) = first(&mut own, &mut laid) {
        if rows.len() == size || end.as_ref().is_some_and(|end| id > *end) {
            return (rows, last);
        }
        let number = own.next_if(|(own, _)| *own == id).map(|(_, number)| Taken::Own(number));
        let taken = match laid.next_if(|(laid, _)| *laid == id) {
            Some((_, row)) => row.map(Taken::Laid),
            None => number,
        };
        rows.extend(taken.map(|taken| (id.clone(), taken)));
        last = Some(id);
    }
    (rows, last.filter(|_| more))
}

/// The first id of both.
fn first(
    own: &mut Peekable<impl Iterator<Item = (String, u32)>>,
    laid: &mut Peekable<impl Iterator<Item = (String, Option<SandboxRow>)>>,
) -> Option<String> {
    let own = own.peek().map(|(id, _)| id);
    let laid = laid.peek().map(|(id, _)| id);
    own.into_iter().chain(laid).min().cloned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(text: &str) -> SandboxRow {
        SandboxRow::from_iter([("name".to_owned(), text.into())])
    }

    /// Reads everything page by page, as a store would give it.
    fn read(own: &BTreeMap<String, u32>, laid: &Laid, size: usize) -> Vec<(String, Taken)> {
        let mut read = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..200 {
            let behind = |id: &String| after.as_ref().is_none_or(|after| id > after);
            let own = own.iter().filter(|(id, _)| behind(id));
            let own = own.map(|(id, number)| (id.clone(), *number));
            let page: Laid = laid
                .iter()
                .filter(|(id, _)| behind(id))
                .take(size)
                .map(|(id, row)| (id.clone(), row.clone()))
                .collect();
            let more = page.len() == size;
            let (rows, next) = merge(own, LaidPage { rows: page, more }, size);
            assert!(rows.len() <= size);
            read.extend(rows);
            match next {
                None => return read,
                Some(next) => after = Some(next),
            }
        }
        panic!("the pages do not end");
    }

    proptest! {
        #[test]
        fn pages_hold_every_row_once_and_in_order(
            own in proptest::collection::btree_map("[a-f][0-9]", 1_u32..99, 0..20),
            laid in proptest::collection::btree_map("[a-f][0-9]", any::<bool>(), 0..20),
            size in 1_usize..7,
        ) {
            let laid: Laid =
                laid.into_iter().map(|(id, kept)| (id, kept.then(|| row("laid")))).collect();
            let mut expected: BTreeMap<String, Option<Taken>> =
                own.iter().map(|(id, number)| (id.clone(), Some(Taken::Own(*number)))).collect();
            let over = laid.iter().map(|(id, row)| (id.clone(), row.clone().map(Taken::Laid)));
            expected.extend(over);
            let expected: Vec<_> =
                expected.into_iter().filter_map(|(id, row)| Some((id, row?))).collect();
            prop_assert_eq!(read(&own, &laid, size), expected);
        }
    }

    #[test]
    fn of_a_large_data_set_only_a_page_is_taken() {
        let taken = std::cell::Cell::new(0);
        let own = (0..u32::MAX).inspect(|_| taken.set(taken.get() + 1));
        let own = own.map(|number| (format!("po-{number:010}"), number));
        let (rows, next) = merge(own, LaidPage { rows: Laid::new(), more: false }, 500);
        assert_eq!((rows.len(), next.as_deref()), (500, Some("po-0000000499")));
        assert_eq!(taken.get(), 501);
    }
}
