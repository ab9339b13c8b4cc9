//! Sifting a page: what is the same by its fingerprint needs no row, and what was shown has been seen. A
//! row of the source that has become what is known is not even mapped.

use std::collections::{HashMap, HashSet};

use millwright_connector::{SourceRecord, SourceRow};
use millwright_core::Result;
use millwright_entities::record_key;
use millwright_records::{CommitId, Committed, content_hash};

use crate::{
    hints::hints_rest,
    prints::{Content, Known, Of, PrintKey, Prints},
    pull::Fetched,
    slice::{Slice, StepError},
    state::{Mode, Phase, SyncState},
};

/// What is known of a page's records before they are committed.
#[derive(Debug, Default)]
pub(crate) struct Sifted {
    /// Records that are as they were.
    pub same: u64,
    /// What the others hold, by their keys.
    pub contents: HashMap<String, Known>,
}

impl Sifted {
    /// Takes another page's in, which was read later.
    pub fn add(&mut self, other: Self) {
        self.same += other.same;
        self.contents.extend(other.contents);
    }

    /// Whether a record is among those that are to be committed.
    pub fn knows(&self, key: &str) -> bool {
        self.contents.contains_key(key)
    }

    /// Takes out what is known of records that are not to be committed.
    fn forget(&mut self, records: &[SourceRecord]) {
        for key in records.iter().filter_map(key_of) {
            self.contents.remove(key);
        }
    }

    fn known(&self, record: &SourceRecord) -> Option<(PrintKey, Known)> {
        let key = key_of(record)?;
        Some((PrintKey::of(key)?, *self.contents.get(key)?))
    }
}

/// A row of the source, with the key of its record.
struct Keyed {
    key: Option<PrintKey>,
    row: SourceRow,
}

impl Keyed {
    fn is_made_of(&self, prints: &Prints) -> bool {
        self.key.is_some_and(|key| prints.set.is_made_of(key, self.row.print))
    }
}

/// Whether what the fingerprints say can be built upon; found out once for a page, when it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certain {
    Unasked,
    Yes,
    No,
}

impl Slice<'_> {
    /// Whose fingerprints.
    pub fn of(&self) -> Of<'_> {
        Of {
            store: &self.context.store,
            blob: &self.context.blob,
            scope: &self.scope,
            entity: &self.row.doc.entity,
        }
    }

    /// Whether the pass reads everything, whatever it is called.
    pub fn reads_everything(&self) -> Result<bool> {
        let from = self.row.doc.pass.as_ref().and_then(|pass| pass.from);
        Ok(from.is_none() || !self.entity()?.is_incremental())
    }

    /// Whether fingerprints are of use: a pass that reads only what has changed meets little that is not.
    fn uses_prints(&self) -> Result<bool> {
        let full = self.row.doc.pass.as_ref().is_some_and(|pass| pass.mode == Mode::Full);
        Ok(full || !self.entity()?.is_incremental())
    }

    /// Makes the fingerprints ready. What the pass has seen is whole from its first page on, or where it
    /// was kept just as the pass stands.
    pub async fn load_prints(&mut self) -> Result<()> {
        if self.prints.is_some() {
            return Ok(());
        }
        let state = &self.row.doc;
        let (mut prints, kept) = Prints::load(self.of(), state.lost, &state.unfinished).await?;
        let mark = state.pass.as_ref().map(crate::state::Pass::mark);
        let begins = mark.as_ref().is_some_and(|mark| mark.pages == 0);
        if begins {
            prints.set.forget_seen();
            prints.missing.clear();
        }
        // Of a row that became what is known when rows were not kept none is kept.
        let with = if state.settings.keep_raw { "+raw" } else { "" };
        prints.map_by(self.system.mapping(&state.entity).map(|mapping| mapping + with));
        self.seen_whole = begins || (kept.is_some() && kept == mark);
        self.prints = Some(prints);
        Ok(())
    }

    /// Keeps the fingerprints, with what the pass has seen where it goes on. A failure costs another
    /// listing, or another reading of the rows, and no more. The slice ends after that.
    pub async fn keep_prints(&mut self) {
        let mark = self.row.doc.pass.as_ref().map(crate::state::Pass::mark);
        let mark = mark.filter(|_| self.seen_whole);
        let Some(prints) = self.prints.take() else { return };
        if let Err(error) = prints.keep(self.of(), mark).await {
            tracing::warn!(entity = self.row.doc.entity, ?error, "fingerprints not kept");
        }
    }

    /// Takes note of what was shown, and takes out what is as it was. Only what is certain: nobody has
    /// put a row without having told of it, and every page of the feed is in the fingerprints. Rows that
    /// are left become records.
    pub async fn sift(
        &mut self,
        fetched: &mut Fetched,
        rows: Vec<SourceRow>,
    ) -> Result<Sifted, StepError> {
        let mut sifted = Sifted::default();
        if !self.uses_prints()? {
            self.map(fetched, rows)?;
            return Ok(sifted);
        }
        self.load_prints().await?;
        let rows = self.keyed(rows);
        self.see(fetched, &rows);
        let Some(mut prints) = self.prints.take() else { return Ok(sifted) };
        let mut certain = Certain::Unasked;
        let rows = self.sift_rows(&mut prints, rows, &mut certain, &mut sifted).await?;
        self.map(fetched, rows)?;
        sifted.contents = contents(&self.row.doc.entity, &mut fetched.records)?;
        self.sift_records(&mut prints, fetched, certain, &mut sifted).await?;
        self.prints = Some(prints);
        Ok(sifted)
    }

    /// Takes out the rows of the source that have become what is known. Where one record has several, what
    /// they become decides.
    async fn sift_rows(
        &self,
        prints: &mut Prints,
        rows: Vec<Keyed>,
        certain: &mut Certain,
        sifted: &mut Sifted,
    ) -> Result<Vec<SourceRow>, StepError> {
        let each: HashSet<PrintKey> = rows.iter().filter_map(|own| own.key).collect();
        let is_same = |prints: &Prints, own: &Keyed| {
            own.is_made_of(prints) && !self.is_held(&own.row.remote_id)
        };
        if each.len() == rows.len() && rows.iter().any(|own| is_same(prints, own)) {
            *certain = self.is_certain(prints).await?;
        }
        let before = rows.len();
        let left = |own: &Keyed| *certain != Certain::Yes || !is_same(prints, own);
        let rows: Vec<SourceRow> = rows.into_iter().filter(left).map(|own| own.row).collect();
        sifted.same += (before - rows.len()) as u64;
        Ok(rows)
    }

    /// Takes out the records that are what is known.
    async fn sift_records(
        &self,
        prints: &mut Prints,
        fetched: &mut Fetched,
        mut certain: Certain,
        sifted: &mut Sifted,
    ) -> Result<(), StepError> {
        // Where rows are kept, the same record of another row is to be looked at.
        let keep_raw = self.row.doc.settings.keep_raw;
        let is_same = |prints: &Prints, sifted: &Sifted, record: &SourceRecord| {
            let known = sifted.known(record).filter(|_| !keep_raw);
            known.is_some_and(|(key, known)| prints.set.holds(key, known.content))
                && !self.is_held(&record.remote_id)
        };
        let some = fetched.records.iter().any(|record| is_same(prints, sifted, record));
        if some && certain == Certain::Unasked {
            certain = self.is_certain(prints).await?;
        } else if prints.is_behind() {
            prints.refresh(self.of()).await?;
        }
        if certain != Certain::Yes {
            return Ok(());
        }
        let same = |record: &SourceRecord| is_same(prints, sifted, record);
        let (same, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut fetched.records).into_iter().partition(same);
        fetched.records = left;
        sifted.same += same.len() as u64;
        for record in &same {
            if let Some((key, known)) = sifted.known(record) {
                prints.learn_row(key, known);
            }
        }
        sifted.forget(&same);
        Ok(())
    }

    /// In this order: what the worker on hints has put by then has its page by then.
    async fn is_certain(&self, prints: &mut Prints) -> Result<Certain, StepError> {
        if !self.hints_rest().await? {
            return Ok(Certain::No);
        }
        prints.refresh(self.of()).await?;
        Ok(Certain::Yes)
    }

    /// Makes records of rows.
    fn map(&self, fetched: &mut Fetched, rows: Vec<SourceRow>) -> Result<(), StepError> {
        if !rows.is_empty() {
            let SyncState { entity, settings, .. } = &self.row.doc;
            let found = self.system.records(entity, rows, settings.keep_raw);
            let found = found.map_err(StepError::System)?;
            fetched.records.extend(found.records);
            fetched.faults.extend(found.faults);
        }
        Ok(())
    }

    fn keyed(&self, rows: Vec<SourceRow>) -> Vec<Keyed> {
        let (connection, entity) = (&self.scope.connection, &self.row.doc.entity);
        let of = |row: SourceRow| {
            let key = PrintKey::of(&record_key(connection, entity, &row.remote_id));
            Keyed { key, row }
        };
        rows.into_iter().map(of).collect()
    }

    async fn hints_rest(&self) -> Result<bool> {
        let Of { store, scope, entity, .. } = self.of();
        hints_rest(store, &scope.workspace, &scope.connection, entity).await
    }

    /// Rows that cannot be mapped are there as well.
    fn see(&mut self, fetched: &Fetched, rows: &[Keyed]) {
        let pulling = self.row.doc.pass.as_ref();
        if !pulling.is_some_and(|pass| matches!(pass.phase, Phase::Pulling(_))) {
            return;
        }
        let rows = rows.iter().filter_map(|own| own.key);
        let (scope, entity) = (&self.scope, &self.row.doc.entity);
        let faults = fetched.faults.iter();
        let faults = faults.map(|own| record_key(&scope.connection, entity, &own.remote_id));
        let faults = faults.filter_map(|key| PrintKey::of(&key));
        let records = fetched.records.iter().filter_map(|own| PrintKey::of(key_of(own)?));
        let Some(prints) = &mut self.prints else { return };
        rows.chain(records).chain(faults).for_each(|key| prints.set.see(key));
    }

    /// Takes over what a commit has found out of rows.
    pub fn learn(&mut self, commit: &CommitId, done: &Committed, sifted: &Sifted) {
        let Some(prints) = &mut self.prints else { return };
        let settled = done.settled.iter();
        let rows = settled.filter_map(|key| Some((PrintKey::of(key)?, *sifted.contents.get(key)?)));
        let tally = done.tally;
        let told = tally.inserted + tally.updated + tally.deleted > 0;
        prints.learn(commit, told, rows.collect());
    }
}

/// What records hold, by their keys, and of which rows they were made. Of several with one key the last
/// one stands.
fn contents(entity: &str, records: &mut Vec<SourceRecord>) -> Result<HashMap<String, Known>> {
    let mut contents = HashMap::with_capacity(records.len());
    for record in records.iter() {
        if let Some(key) = key_of(record) {
            let content = Content::of(&content_hash(entity, &record.record)?);
            contents.insert(key.to_owned(), Known { content, row: record.print });
        }
    }
    if contents.len() < records.len() {
        // Which of its rows a record was made of is not known then.
        contents.values_mut().for_each(|known| known.row = None);
        let mut left: HashSet<String> = contents.keys().cloned().collect();
        records.reverse();
        records.retain(|record| key_of(record).is_none_or(|key| left.remove(key)));
        records.reverse();
    }
    Ok(contents)
}

/// A record's key.
pub(crate) fn key_of(record: &SourceRecord) -> Option<&str> {
    record.record.get("key").and_then(serde_json::Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held::tests::record;

    #[test]
    fn of_a_record_that_comes_twice_in_a_page_the_last_one_stands() {
        let mut records = vec![record("a", "1"), record("b", "1"), record("a", "2")];
        let contents = contents("vendors", &mut records).unwrap();
        assert_eq!(records, [record("b", "1"), record("a", "2")]);
        let last = content_hash("vendors", &record("a", "2").record).unwrap();
        assert_eq!(contents["a"], Known::content(Content::of(&last)));
    }
}
