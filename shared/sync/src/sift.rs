//! Sifting a page: what is the same by its fingerprint needs no row, and what was shown has been seen.

use std::collections::HashMap;

use millwright_connector::SourceRecord;
use millwright_core::Result;
use millwright_entities::record_key;
use millwright_records::{CommitId, Committed, content_hash};

use crate::{
    hints::hints_rest,
    prints::{Content, Of, PrintKey, Prints},
    pull::Fetched,
    slice::{Slice, StepError},
    state::{Mode, Phase},
};

/// What is known of a page's records before they are committed.
#[derive(Debug, Default)]
pub(crate) struct Sifted {
    /// Records that are as they were.
    pub same: u64,
    /// What the others hold.
    contents: HashMap<String, Content>,
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
        self.seen_whole = begins || (kept.is_some() && kept == mark);
        self.prints = Some(prints);
        Ok(())
    }

    /// Keeps the fingerprints, with what the pass has seen where it goes on. A failure costs another
    /// listing, or another reading of the rows, and no more.
    pub async fn keep_prints(&mut self) -> bool {
        let mark = self.row.doc.pass.as_ref().map(crate::state::Pass::mark);
        let mark = mark.filter(|_| self.seen_whole);
        let Some(mut prints) = self.prints.take() else { return true };
        let kept = prints.keep(self.of(), mark).await;
        self.prints = Some(prints);
        if let Err(error) = &kept {
            tracing::warn!(entity = self.row.doc.entity, ?error, "fingerprints not kept");
        }
        kept.is_ok()
    }

    /// Takes note of what was shown, and takes out what is as it was. Only what is certain: nobody has
    /// put a row without having told of it, and every page of the feed is in the fingerprints.
    pub async fn sift(&mut self, fetched: &mut Fetched) -> Result<Sifted, StepError> {
        let mut sifted = Sifted::default();
        if !self.uses_prints()? {
            return Ok(sifted);
        }
        self.load_prints().await?;
        self.see(fetched);
        sifted.contents = contents(&self.row.doc.entity, &mut fetched.records)?;
        let Some(mut prints) = self.prints.take() else { return Ok(sifted) };
        let some = fetched.records.iter().any(|record| is_same(&prints, &sifted, record));
        // In this order: what the worker on hints has put by then has its page by then.
        let certain = some && self.hints_rest().await?;
        if certain || prints.is_behind() {
            prints.refresh(self.of()).await?;
        }
        if certain {
            let before = fetched.records.len();
            fetched.records.retain(|record| !is_same(&prints, &sifted, record));
            sifted.same = (before - fetched.records.len()) as u64;
        }
        self.prints = Some(prints);
        Ok(sifted)
    }

    async fn hints_rest(&self) -> Result<bool> {
        let Of { store, scope, entity, .. } = self.of();
        hints_rest(store, &scope.workspace, &scope.connection, entity).await
    }

    /// Rows that cannot be mapped are there as well.
    fn see(&mut self, fetched: &Fetched) {
        let pulling = self.row.doc.pass.as_ref();
        if !pulling.is_some_and(|pass| matches!(pass.phase, Phase::Pulling(_))) {
            return;
        }
        let (scope, entity) = (&self.scope, &self.row.doc.entity);
        let faults = fetched.faults.iter();
        let faults = faults.map(|own| record_key(&scope.connection, entity, &own.remote_id));
        let faults = faults.filter_map(|key| PrintKey::of(&key));
        let records = fetched.records.iter().filter_map(|own| PrintKey::of(key_of(own)?));
        let Some(prints) = &mut self.prints else { return };
        records.chain(faults).for_each(|key| prints.set.see(key));
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

/// The contents of records by their keys. Of several with one key the last one stands.
fn contents(entity: &str, records: &mut Vec<SourceRecord>) -> Result<HashMap<String, Content>> {
    let mut contents = HashMap::with_capacity(records.len());
    for record in records.iter() {
        if let Some(key) = key_of(record) {
            let content = Content::of(&content_hash(entity, &record.record)?);
            contents.insert(key.to_owned(), content);
        }
    }
    if contents.len() < records.len() {
        let mut left: std::collections::HashSet<String> = contents.keys().cloned().collect();
        records.reverse();
        records.retain(|record| key_of(record).is_none_or(|key| left.remove(key)));
        records.reverse();
    }
    Ok(contents)
}

fn key_of(record: &SourceRecord) -> Option<&str> {
    record.record.get("key").and_then(serde_json::Value::as_str)
}

fn is_same(prints: &Prints, sifted: &Sifted, record: &SourceRecord) -> bool {
    let known =
        key_of(record).and_then(|key| Some((PrintKey::of(key)?, sifted.contents.get(key)?)));
    known.is_some_and(|(key, content)| prints.set.holds(key, *content))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(key: &str, name: &str) -> SourceRecord {
        let record = json!({ "key": key, "name": name }).as_object().cloned().unwrap();
        SourceRecord { remote_id: key.to_owned(), record, unshown: Vec::new(), raw: None }
    }

    #[test]
    fn of_a_record_that_comes_twice_in_a_page_the_last_one_stands() {
        let mut records = vec![record("a", "1"), record("b", "1"), record("a", "2")];
        let contents = contents("vendors", &mut records).unwrap();
        assert_eq!(records, [record("b", "1"), record("a", "2")]);
        let last = content_hash("vendors", &record("a", "2").record).unwrap();
        assert_eq!(contents["a"], Content::of(&last));
    }
}
