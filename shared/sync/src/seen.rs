//! The ids that a pass has listed: in memory within a slice, in the blob store between slices.

use std::collections::HashSet;

use bytes::Bytes;
use millwright_blob::Blob;
use millwright_connector::Position;
use millwright_core::{Error, Result};

/// The listed ids of one pass.
#[derive(Debug)]
pub(crate) struct Seen {
    folder: String,
    ids: HashSet<String>,
    unkept: Vec<String>,
    parts: u32,
    /// Where the listing goes on. It is saved only together with the ids up to it.
    pub after: Option<Position>,
    /// Whether every row since the first was compared with this very set.
    pub whole: bool,
}

impl Seen {
    /// An empty list, kept under `folder`.
    pub fn new(folder: String) -> Self {
        Self { folder, ids: HashSet::new(), unkept: Vec::new(), parts: 0, after: None, whole: true }
    }

    /// The list as an earlier slice kept it; nothing when a part of it is gone.
    pub async fn load(blob: &Blob, folder: String, parts: u32) -> Result<Option<Self>> {
        let mut seen = Self { parts, whole: false, ..Self::new(folder) };
        for part in 0..parts {
            let Some(bytes) = blob.get(&seen.path(part)).await? else { return Ok(None) };
            let ids: Vec<String> = serde_json::from_slice(&bytes).map_err(Error::internal)?;
            seen.ids.extend(ids);
        }
        Ok(Some(seen))
    }

    pub fn add(&mut self, ids: Vec<String>) {
        self.unkept.extend(ids.iter().cloned());
        self.ids.extend(ids);
    }

    pub fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Takes an id out that a row was found for; what is left in the end has no row.
    pub fn matched(&mut self, id: &str) {
        self.ids.remove(id);
    }

    /// The ids that no row was found for.
    pub fn unmatched(&self) -> Vec<String> {
        self.ids.iter().cloned().collect()
    }

    /// Keeps what has been added since the last time; answers how many parts there are now.
    pub async fn keep(&mut self, blob: &Blob) -> Result<u32> {
        if !self.unkept.is_empty() {
            let bytes = serde_json::to_vec(&self.unkept).map_err(Error::internal)?;
            blob.put(&self.path(self.parts), Bytes::from(bytes)).await?;
            self.parts += 1;
            self.unkept.clear();
        }
        Ok(self.parts)
    }

    /// Removes what was kept. What stays by a failure is only waste.
    pub async fn discard(&self, blob: &Blob) {
        for part in 0..self.parts {
            if let Err(error) = blob.delete(&self.path(part)).await {
                tracing::warn!(%error, "kept ids not removed");
            }
        }
    }

    fn path(&self, part: u32) -> String {
        format!("{}/{part}", self.folder)
    }
}
