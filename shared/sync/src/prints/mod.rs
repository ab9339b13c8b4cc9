//! Fingerprints of an entity's rows: what is known of their contents without reading them. They are a
//! cache of the feed. What is fetched and is the same by its fingerprint needs no row; what a complete
//! reading has not shown is gone. They are never part of a commit: pages of the feed bring them up to
//! date, and where they are missing they are made anew of the rows.

mod file;
mod key;
mod set;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures::TryStreamExt;
use millwright_blob::Blob;
use millwright_core::{Result, WallTime};
use millwright_records::{
    CommitId, FEED_RETENTION, FeedHead, FeedPage, Op, RecordDoc, Scope, Seq, read_pages, records_pk,
};
use millwright_store::{Range, Store, Table};

pub(crate) use self::{
    file::Mark,
    key::PrintKey,
    set::{Content, Known, PrintSet},
};

/// Pages of the feed read at a time.
const PAGES_AT_ONCE: usize = 50;
/// Rows read at a time, where there is no other way.
const ROWS_AT_ONCE: usize = 500;
/// So many own commits may wait for their pages to be read again.
const WAITING_MAX: usize = 20;
/// After so many pages of other entities it is worth keeping how far they have been read.
const WORTH_KEEPING: usize = 200;
/// Those kept longer ago than the feed goes back cannot be brought up to date; a day for clocks.
const USABLE_FOR: Duration = FEED_RETENTION.saturating_sub(Duration::from_secs(24 * 3600));

/// The fingerprints of an entity, as of a place in the feed.
#[derive(Debug)]
pub(crate) struct Prints {
    pub set: PrintSet,
    /// The place in the feed up to which every change is in them.
    pub as_of: Seq,
    /// How many commits of the entity had been lost when they were made of rows: since a further one
    /// was, rows may hold what no page tells of.
    pub lost: u64,
    /// Remote ids that were listed and have no row.
    pub missing: Vec<String>,
    /// The mapping by which rows of the source become what is known; nothing where no row says enough.
    mapping: Option<String>,
    /// What own commits have put, until their pages are read.
    waiting: HashMap<CommitId, Vec<(PrintKey, Known)>>,
    /// Whether they are worth keeping again.
    changed: bool,
}

/// Whose fingerprints.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub store: &'a Store,
    pub blob: &'a Blob,
    pub scope: &'a Scope,
    pub entity: &'a str,
}

impl Prints {
    pub fn new(set: PrintSet, as_of: Seq, lost: u64) -> Self {
        let (missing, waiting) = (Vec::new(), HashMap::new());
        Self { set, as_of, lost, missing, mapping: None, waiting, changed: false }
    }

    /// Rows of the source become records by this mapping from now on: what they have become by another one
    /// is forgotten.
    pub fn map_by(&mut self, mapping: Option<String>) {
        if mapping.is_none() || self.mapping != mapping {
            self.set.forget_rows();
        }
        self.mapping = mapping;
    }

    /// Those that were kept, with their mark; made anew of the rows where there are none that can be
    /// used. `lost` commits of the entity have been lost so far; those of them whose rows are still
    /// untold are `unfinished`.
    ///
    /// # Errors
    /// When table or blobs fail.
    pub async fn load(
        of: Of<'_>,
        lost: u64,
        unfinished: &[CommitId],
    ) -> Result<(Self, Option<Mark>)> {
        let kept = of.kept().await?;
        let now = of.store.clock().wall();
        let head = of.head().await?;
        match kept {
            Some((prints, mark)) if prints.is_usable(lost, head, now) => Ok((prints, mark)),
            Some((before, mark)) => {
                let seen = before.set.into_seen();
                let mut prints = Self::of_rows(of, lost, unfinished).await?;
                seen.into_iter().for_each(|key| prints.set.see(key));
                prints.missing = before.missing;
                Ok((prints, mark))
            }
            None => Ok((Self::of_rows(of, lost, unfinished).await?, None)),
        }
    }

    fn is_usable(&self, lost: u64, head: Seq, now: WallTime) -> bool {
        let reaches = self.as_of == head || self.as_of.time() + USABLE_FOR > now;
        self.lost == lost && self.as_of <= head && reaches
    }

    /// Made of the rows. What changes while they are read has its page after `as_of`.
    async fn of_rows(of: Of<'_>, lost: u64, unfinished: &[CommitId]) -> Result<Self> {
        let mut prints = Self::new(PrintSet::default(), of.head().await?, lost);
        prints.changed = true;
        let pk = records_pk(&of.scope.workspace, &of.scope.connection, of.entity);
        let mut after: Option<String> = None;
        loop {
            let page = of
                .store
                .query_docs::<RecordDoc>(
                    Table::Records,
                    &pk,
                    &Range::All,
                    after.as_deref(),
                    ROWS_AT_ONCE,
                )
                .await?;
            for row in page.rows {
                // What an unfinished commit has put, or marked as gone, was never told.
                let untold = unfinished.contains(&row.doc.commit);
                let Some(key) = PrintKey::of(&row.key.sk) else { continue };
                if row.doc.deleted_at.is_none() || untold {
                    prints.set.put(key, (!untold).then(|| of_doc(&row.doc)));
                }
            }
            match page.next {
                None => return Ok(prints),
                next => after = next,
            }
        }
    }

    /// Brings them up to date with the feed as it is now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn refresh(&mut self, of: Of<'_>) -> Result<()> {
        let head = of.head().await?;
        let mut others: HashSet<PrintKey> = HashSet::new();
        let mut count = 0;
        while self.as_of < head {
            let read = read_pages(of.store, of.scope, self.as_of, head, PAGES_AT_ONCE).await?;
            for page in read.pages.iter().filter(|page| page.entity == of.entity) {
                self.apply(page, &mut others);
            }
            self.as_of = read.reach;
            count += read.pages.len();
        }
        self.changed |= count > WORTH_KEEPING;
        self.waiting.clear();
        Ok(())
    }

    /// Takes a page in. A row that others have put at about the same time may hold either content.
    fn apply(&mut self, page: &FeedPage, others: &mut HashSet<PrintKey>) {
        self.changed = true;
        let own = self.waiting.remove(&page.commit);
        let own: Option<HashMap<PrintKey, Known>> = own.map(|own| own.into_iter().collect());
        for entry in &page.entries {
            let Some(key) = PrintKey::of(&entry.key) else { continue };
            if entry.op == Op::Deleted {
                self.set.remove(key);
                continue;
            }
            let known = own.as_ref().and_then(|own| own.get(&key).copied());
            if known.is_none() {
                others.insert(key);
            }
            self.set.put(key, known.filter(|_| !others.contains(&key)));
        }
    }

    /// A commit of our own has been made, or has found rows as they were: they hold these. `told` says
    /// whether it has a page.
    pub fn learn(&mut self, commit: &CommitId, told: bool, rows: Vec<(PrintKey, Known)>) {
        let by_rows = self.mapping.is_some();
        let of = |(key, known): (PrintKey, Known)| {
            (key, Known { row: known.row.filter(|_| by_rows), ..known })
        };
        let rows: Vec<(PrintKey, Known)> = rows.into_iter().map(of).collect();
        if told {
            self.waiting.insert(commit.clone(), rows.clone());
        }
        for (key, known) in rows {
            // A row that is not known of yet comes with its page.
            if self.set.has(key) && !self.set.knows(key, known) {
                self.changed = true;
                self.set.put(key, Some(known));
            }
        }
    }

    /// Takes note of the row of the source that becomes what a row is known to hold.
    pub fn learn_row(&mut self, key: PrintKey, known: Known) {
        let tells = self.mapping.is_some() && known.row.is_some();
        if tells && self.set.holds(key, known.content) && !self.set.knows(key, known) {
            self.changed = true;
            self.set.put(key, Some(known));
        }
    }

    /// Whether own commits wait for their pages to be read again.
    pub fn is_behind(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }

    /// Keeps them, where there is something new, or a mark to be kept with them.
    ///
    /// # Errors
    /// When blobs fail, or the table.
    pub async fn keep(mut self, of: Of<'_>, mark: Option<Mark>) -> Result<()> {
        self.refresh(of).await?;
        if mark.is_none() && !self.changed {
            return Ok(());
        }
        of.blob.put_pieces(&of.path(), file::encode(self, mark)?).await
    }
}

fn of_doc(doc: &RecordDoc) -> Known {
    Known { content: Content::of(&doc.hash), row: None }
}

impl Of<'_> {
    /// Where an entity's are kept: it goes with the connection.
    fn path(&self) -> String {
        let Scope { workspace, connection, .. } = self.scope;
        format!("{workspace}/sync/{connection}/{}/prints", self.entity)
    }

    /// Those that are kept, as far as they can be read.
    async fn kept(&self) -> Result<Option<(Prints, Option<Mark>)>> {
        let Some(mut pieces) = self.blob.pieces(&self.path()).await? else { return Ok(None) };
        let mut decoder = file::Decoder::default();
        while let Some(piece) = pieces.try_next().await? {
            if decoder.take(&piece).is_none() {
                return Ok(None);
            }
        }
        Ok(decoder.end())
    }

    async fn head(&self) -> Result<Seq> {
        let head = self.store.get::<FeedHead>(&self.scope.head()).await?;
        Ok(head.map_or(Seq::default(), |row| row.doc.last))
    }
}

#[cfg(test)]
mod tests;
