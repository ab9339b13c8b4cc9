//! Committing what was written: row, page and head in one transaction, once.

use millwright_connection::connection_key;
use millwright_connector::SourceRecord;
use millwright_core::{Error, Result, WallTime};
use millwright_queue::Queue;
use millwright_store::{Expect, Row, Store, StoreError, Write};

use crate::{
    CommitError, CommitId, Entry, Op, Origin, RecordDoc, Scope,
    append::{PageDraft, append},
    commit::{RECORD_MAX, TRIES, expect, next_doc, record_key},
    content::content_hash,
    unshown::filled,
};

/// Where a written record is kept.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub store: &'a Store,
    pub queue: &'a Queue,
    pub scope: &'a Scope,
    pub entity: &'a str,
    /// The write's own commit: the same however often it is begun.
    pub commit: &'a CommitId,
    /// Where what is kept comes from.
    pub origin: Origin,
}

/// What came of a commit.
#[derive(Debug)]
pub(super) enum Committed {
    /// The row holds the record.
    Kept(Box<RecordDoc>),
    /// The row was put by somebody else after the record was read, with another content: it must be
    /// read again.
    Overtaken,
}

impl Place<'_> {
    /// Commits a record as it stood in the source when it was read at `read_at`. A record that the row
    /// holds already makes no page: there is nothing to tell. Either way nothing that was fetched
    /// before `read_at` counts against it.
    ///
    /// # Errors
    /// When the table fails, or the record is too large to keep.
    pub(super) async fn keep(&self, record: &SourceRecord, read_at: WallTime) -> Result<Committed> {
        let key = record_key(&record.record)?;
        let row_key = self.scope.record(self.entity, key);
        for _ in 0..TRIES {
            let record = filled(self.store, &row_key, record).await?;
            let hash = content_hash(self.entity, &record.record)?;
            let body = serde_json::to_string(&record.record).map_err(Error::internal)?;
            if body.len() > RECORD_MAX {
                return Err(Error::internal("a written record is too large to keep"));
            }
            let now = self.store.clock().wall();
            let row = self.store.get_doc::<RecordDoc>(&row_key).await?;
            let told = row.as_ref().is_some_and(|row| is_told(&row.doc, &hash));
            if !told && row.as_ref().is_some_and(|row| is_newer(&row.doc, read_at, self.commit)) {
                return Ok(Committed::Overtaken);
            }
            let mut doc = next_doc(row.as_ref(), &record, &hash, self.commit.clone(), now);
            doc.known_before = row.as_ref().is_some_and(|row| row.doc.deleted_at.is_none());
            let written = row.as_ref().and_then(|row| row.doc.written_at);
            doc.written_at = written.max(Some(read_at));
            let op = doc.op();
            if let Some(row) = row.as_ref().filter(|_| told) {
                doc.commit = row.doc.commit.clone();
                doc.known_before = row.doc.known_before;
                doc.changed_at = row.doc.changed_at;
            }
            let put = Write::put_with_body(&row_key, &doc, Some(&body), expect(row.as_ref()))?;
            let entry = (!told).then(|| Entry { key: key.to_owned(), op });
            if self.written(put, entry).await? {
                return Ok(Committed::Kept(Box::new(doc)));
            }
        }
        Err(Error::internal("a record changed too often to be written"))
    }

    /// Commits that a record is gone. Answers with the row as it is then; nothing when there is none.
    ///
    /// # Errors
    /// When the table fails.
    pub(super) async fn gone(&self, key: &str) -> Result<Option<Row<RecordDoc>>> {
        let row_key = self.scope.record(self.entity, key);
        for _ in 0..TRIES {
            let now = self.store.clock().wall();
            let Some(mut row) = self.store.get::<RecordDoc>(&row_key).await? else {
                return Ok(None);
            };
            let told = row.doc.deleted_at.is_some();
            if !told {
                row.doc.commit = self.commit.clone();
                row.doc.known_before = true;
                row.doc.changed_at = now;
                row.doc.deleted_at = Some(now);
            }
            row.doc.written_at = Some(now);
            let entry = (!told).then(|| Entry { key: key.to_owned(), op: Op::Deleted });
            if self.written(Write::replace(&row)?, entry).await? {
                return Ok(Some(row));
            }
        }
        Err(Error::internal("a record changed too often to be deleted"))
    }

    /// Makes the row's write, with a page of the feed where there is something to tell. False when the
    /// row was written by others meanwhile.
    async fn written(&self, put: Write, entry: Option<Entry>) -> Result<bool> {
        let Some(entry) = entry else {
            return match self.store.write(put).await {
                Ok(_) => Ok(true),
                Err(StoreError::Conflict(_)) => Ok(false),
                Err(error) => Err(error.into()),
            };
        };
        let page = PageDraft {
            commit: self.commit.clone(),
            entity: self.entity,
            origin: self.origin,
            initial: false,
            entries: vec![entry],
        };
        // A connection that is being erased takes no more rows.
        let connection = connection_key(&self.scope.workspace, &self.scope.connection);
        let there = Write::check(&connection, Expect::Present);
        match append(self.store, self.queue, self.scope, &page, &[put, there]).await {
            Ok(()) => Ok(true),
            Err(CommitError::Fenced) => Ok(false),
            Err(CommitError::Failed(error)) => Err(error),
        }
    }
}

/// Whether the row holds this content already, and it has been told.
fn is_told(row: &RecordDoc, hash: &str) -> bool {
    row.deleted_at.is_none() && row.hash == hash
}

/// Whether somebody else put the row after a reading at `read_at` began.
fn is_newer(row: &RecordDoc, read_at: WallTime, own: &CommitId) -> bool {
    let touched = row.written_at.max(Some(row.changed_at));
    row.commit != *own && touched >= Some(read_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceTimes;

    const READ: WallTime = WallTime::from_millis(1_000);

    fn row(changed: i64, written: Option<i64>) -> RecordDoc {
        RecordDoc {
            remote_id: "7".to_owned(),
            hash: "a".to_owned(),
            commit: CommitId::of_pull(1, 1),
            known_before: false,
            first_seen_at: WallTime::from_millis(1),
            changed_at: WallTime::from_millis(changed),
            written_at: written.map(WallTime::from_millis),
            fetched_at: None,
            source: SourceTimes::default(),
            deleted_at: None,
            revived: false,
            kept_days: None,
            raw: None,
        }
    }

    #[test]
    fn a_row_that_was_put_after_the_reading_began_is_newer() {
        let own = CommitId::of_write("write_1");
        assert!(!is_newer(&row(999, None), READ, &own));
        assert!(is_newer(&row(1_000, None), READ, &own));
        assert!(is_newer(&row(1, Some(1_000)), READ, &own));
        let mine = RecordDoc { commit: own.clone(), ..row(2_000, Some(2_000)) };
        assert!(!is_newer(&mine, READ, &own));
    }

    #[test]
    fn the_same_content_is_told_unless_the_record_was_deleted() {
        let gone = RecordDoc { deleted_at: Some(READ), ..row(1, None) };
        assert!(is_told(&row(1, None), "a"));
        assert!(!is_told(&row(1, None), "b") && !is_told(&gone, "a"));
    }
}
