//! Rows that are laid over the data set: written ones, and tombstones of deleted ones.

use std::collections::{BTreeMap, BTreeSet};

use millwright_core::{ConnectionId, WallTime, WorkspaceId};
use millwright_store::{Document, Expect, Key, Range, Store, StoreError, Table, Write};
use serde::{Deserialize, Serialize};

use super::SandboxRow;

/// A row laid over the data set; without a row, the record is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OverlayDoc {
    row: Option<SandboxRow>,
}

impl Document for OverlayDoc {}

/// Rows by their ids; nothing for a deleted one.
pub(super) type Laid = BTreeMap<String, Option<SandboxRow>>;

/// A page of them, and whether there are more.
pub(super) struct LaidPage {
    rows: Laid,
    more: bool,
}

/// The rows of one connection's sandbox.
pub(super) struct Overlay {
    store: Store,
    pk: String,
}

impl Overlay {
    pub(super) fn new(store: Store, workspace: &WorkspaceId, connection: &ConnectionId) -> Self {
        Self { store, pk: format!("{workspace}#{connection}") }
    }

    pub(super) fn now(&self) -> WallTime {
        self.store.clock().wall()
    }

    pub(super) async fn put(
        &self,
        entity: &str,
        id: &str,
        row: Option<SandboxRow>,
    ) -> Result<(), StoreError> {
        self.put_doc(&sort_key(entity, id), &OverlayDoc { row }).await
    }

    pub(super) async fn rows(&self, entity: &str, ids: &[String]) -> Result<Laid, StoreError> {
        // DynamoDB refuses a batch that names a key twice.
        let ids: BTreeSet<&String> = ids.iter().collect();
        let keys: Vec<Key> = ids.into_iter().map(|id| self.key(&sort_key(entity, id))).collect();
        let found = self.store.get_docs::<OverlayDoc>(&keys).await?;
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
            .query::<OverlayDoc>(Table::State, &self.pk, &prefix, after.as_deref(), size, true)
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

    fn key(&self, sk: &str) -> Key {
        Key::state(&self.pk, sk)
    }
}

fn sort_key(entity: &str, id: &str) -> String {
    format!("sandbox#{entity}#{id}")
}

fn id_of(entity: &str, sk: &str) -> String {
    sk.strip_prefix(&sort_key(entity, "")).unwrap_or(sk).to_owned()
}

/// A page of the data set's rows with the others laid over it, in the order of ids, and the id to go
/// on after. `base` has all of its rows from the same place on. A page of overlay rows that is not the
/// last ends what may be given: behind its end, rows could still be laid over.
pub(super) fn merge(
    base: Vec<(String, SandboxRow)>,
    laid: LaidPage,
    size: usize,
) -> (Vec<(String, SandboxRow)>, Option<String>) {
    let end = laid.more.then(|| laid.rows.last_key_value().map(|(id, _)| id.clone())).flatten();
    let mut all: Laid = base.into_iter().map(|(id, row)| (id, Some(row))).collect();
    all.extend(laid.rows);
    let mut rows = Vec::new();
    let mut last = None;
    let mut taken = 0;
    let total = all.len();
    for (id, row) in all {
        if rows.len() == size || end.as_ref().is_some_and(|end| id > *end) {
            return (rows, last);
        }
        taken += 1;
        last = Some(id.clone());
        rows.extend(row.map(|row| (id, row)));
    }
    let next = if laid.more && taken == total { last } else { None };
    (rows, next)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(text: &str) -> SandboxRow {
        SandboxRow::from_iter([("name".to_owned(), text.into())])
    }

    /// Reads everything page by page, as a store would give it.
    fn read(
        base: &BTreeMap<String, SandboxRow>,
        laid: &Laid,
        size: usize,
    ) -> Vec<(String, SandboxRow)> {
        let mut read = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..200 {
            let behind = |id: &String| after.as_ref().is_none_or(|after| id > after);
            let base = base.iter().filter(|(id, _)| behind(id));
            let base = base.map(|(id, row)| (id.clone(), row.clone())).collect();
            let page: Laid = laid
                .iter()
                .filter(|(id, _)| behind(id))
                .take(size)
                .map(|(id, row)| (id.clone(), row.clone()))
                .collect();
            let more = page.len() == size;
            let (rows, next) = merge(base, LaidPage { rows: page, more }, size);
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
            base in proptest::collection::btree_set("[a-f][0-9]", 0..20),
            laid in proptest::collection::btree_map("[a-f][0-9]", any::<bool>(), 0..20),
            size in 1_usize..7,
        ) {
            let base: BTreeMap<_, _> = base.into_iter().map(|id| (id, row("base"))).collect();
            let laid: Laid =
                laid.into_iter().map(|(id, kept)| (id, kept.then(|| row("laid")))).collect();
            let mut expected: Laid =
                base.iter().map(|(id, row)| (id.clone(), Some(row.clone()))).collect();
            expected.extend(laid.clone());
            let expected: Vec<_> =
                expected.into_iter().filter_map(|(id, row)| Some((id, row?))).collect();
            prop_assert_eq!(read(&base, &laid, size), expected);
        }
    }
}
