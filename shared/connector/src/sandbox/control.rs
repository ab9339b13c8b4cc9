//! The sandbox from outside: what it is told, and rows put into it by hand.

use millwright_core::{ConnectionId, Result, WorkspaceId};
use millwright_store::Store;
use serde_json::Value;

use super::{
    DataSet, SandboxRow, ScenarioRequest, Told,
    data::{Changes, World},
    kept::Kept,
    scenario::ToldDoc,
};

/// What can be done to a connection's sandbox behind its back.
pub struct SandboxControl {
    kept: Kept,
}

impl SandboxControl {
    /// The sandbox of a connection.
    #[must_use]
    pub fn new(store: Store, workspace: &WorkspaceId, connection: &ConnectionId) -> Self {
        Self { kept: Kept::new(store, workspace, connection) }
    }

    /// What the sandbox has been told; the scenario `ok` when nothing.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn told(&self) -> Result<Told> {
        let doc = self.kept.doc::<ToldDoc>(ToldDoc::SORT_KEY).await?;
        Ok(doc.map(|doc| doc.told).unwrap_or_default())
    }

    /// Tells the sandbox how to behave from now on, and answers with what it was told. Calls are
    /// counted anew.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn tell(&self, request: ScenarioRequest) -> Result<Told> {
        let now = self.kept.now();
        let told = request.told(now);
        let before = self.kept.doc::<ToldDoc>(ToldDoc::SORT_KEY).await?;
        let changes = before.map(|doc| doc.changes).unwrap_or_default();
        let doc = ToldDoc::new(told.clone(), &changes, now);
        self.kept.put_doc(ToldDoc::SORT_KEY, &doc).await?;
        Ok(told)
    }

    /// A row as it is now; of the standard data set, where nothing was put in its place.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn row(&self, entity: &str, remote_id: &str) -> Result<Option<SandboxRow>> {
        let laid = self.kept.rows(entity, &[remote_id.to_owned()]).await?;
        let world = World::new(DataSet::Standard, 0, Changes::default(), self.kept.now());
        Ok(match laid.into_iter().next() {
            Some((_, row)) => row,
            None => world.row(entity, remote_id),
        })
    }

    /// Puts a row, new or in place of another, as changed now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn put(&self, entity: &str, remote_id: &str, mut row: SandboxRow) -> Result<()> {
        let now = Value::String(self.kept.now().iso());
        row.insert("id".to_owned(), Value::from(remote_id));
        row.entry("createdAt").or_insert_with(|| now.clone());
        row.insert("updatedAt".to_owned(), now);
        Ok(self.kept.put(entity, remote_id, Some(row)).await?)
    }

    /// Deletes a row, one of the data set too.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn delete(&self, entity: &str, remote_id: &str) -> Result<()> {
        Ok(self.kept.put(entity, remote_id, None).await?)
    }
}
