//! The sandbox: a system without a system behind it, to develop and test against.
//!
//! Its data set follows from positions alone, so every sandbox has the same records. A *stateful* one
//! keeps what is written as rows laid over the data set; any other answers success and changes
//! nothing. Logins and scenarios make it fail on purpose.

mod data;
mod order;
mod overlay;
mod scenario;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use millwright_core::{
    ConnectionId, ExposeSecret, Result as CoreResult, SecretString, WorkspaceId, random_token,
};
use millwright_store::Store;
use serde_json::{Map, Value};

pub use scenario::Scenario;

use self::overlay::Overlay;
use crate::{
    error::{SystemError, SystemErrorClass},
    system::{Instance, RowPage},
};

/// A row as the sandbox' manifest reads it.
pub type SandboxRow = Map<String, Value>;

/// One connection's sandbox.
pub struct Sandbox {
    overlay: Overlay,
    stateful: bool,
    login: String,
    /// What a sandbox that is not stateful was told to make: readable once by whoever made it.
    played: Mutex<BTreeMap<String, SandboxRow>>,
}

impl Sandbox {
    /// The sandbox of a connection: to put rows into it, take them out, or set a scenario.
    #[must_use]
    pub fn new(store: Store, workspace: WorkspaceId, connection: ConnectionId) -> Self {
        let overlay = Overlay::new(store, &workspace, &connection);
        Self { overlay, stateful: true, login: "ok".to_owned(), played: Mutex::default() }
    }

    pub(crate) fn opened_with(
        self,
        settings: &Map<String, Value>,
        credentials: &BTreeMap<String, SecretString>,
    ) -> Self {
        let login = credentials.get("username").map_or("ok", |name| name.expose_secret());
        let stateful = settings.get("stateful").and_then(Value::as_bool).unwrap_or(false);
        Self { stateful, login: login.to_owned(), ..self }
    }

    pub(crate) fn is_stateful(&self) -> bool {
        self.stateful
    }

    /// What the sandbox has been told to do; [`Scenario::Ok`] when nothing.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn scenario(&self) -> CoreResult<Scenario> {
        Ok(scenario::read(&self.overlay).await?)
    }

    /// Tells the sandbox how to behave from now on.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn set_scenario(&self, scenario: Scenario) -> CoreResult<()> {
        Ok(scenario::write(&self.overlay, scenario).await?)
    }

    /// A row as it is now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn row(&self, entity: &str, remote_id: &str) -> CoreResult<Option<SandboxRow>> {
        let laid = self.overlay.rows(entity, &[remote_id.to_owned()]).await?;
        Ok(match laid.into_iter().next() {
            Some((_, row)) => row,
            None => data::row(entity, remote_id),
        })
    }

    /// Puts a row, new or in place of another, as changed now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn put(&self, entity: &str, remote_id: &str, mut row: SandboxRow) -> CoreResult<()> {
        let now = Value::String(self.overlay.now().iso());
        row.insert("id".to_owned(), Value::from(remote_id));
        row.entry("createdAt").or_insert_with(|| now.clone());
        row.insert("updatedAt".to_owned(), now);
        Ok(self.overlay.put(entity, remote_id, Some(row)).await?)
    }

    /// Deletes a row, one of the data set too.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn delete(&self, entity: &str, remote_id: &str) -> CoreResult<()> {
        Ok(self.overlay.put(entity, remote_id, None).await?)
    }

    pub(crate) async fn probe(&self) -> Result<Instance, SystemError> {
        self.pass().await?;
        Ok(Instance { id: "sandbox".to_owned(), name: Some("Sandbox".to_owned()) })
    }

    pub(crate) async fn page(
        &self,
        entity: &str,
        after: Option<&str>,
        size: u32,
        since: Option<i64>,
    ) -> Result<RowPage, SystemError> {
        self.pass().await?;
        let asked_at = Some(self.overlay.now().millis());
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let laid = self.overlay.page(entity, after, size).await.map_err(broken)?;
        let (rows, next) = overlay::merge(data::after(entity, after), laid, size);
        let recent = |row: &SandboxRow| since.is_none_or(|since| data::changed_since(row, since));
        let rows = rows.into_iter().filter(|(_, row)| recent(row));
        let rows = rows.map(|(id, row)| (id, Value::Object(row))).collect();
        Ok(RowPage { rows, next, asked_at })
    }

    pub(crate) async fn rows(
        &self,
        entity: &str,
        ids: &[String],
    ) -> Result<Vec<(String, Value)>, SystemError> {
        self.pass().await?;
        let laid = self.overlay.rows(entity, ids).await.map_err(broken)?;
        let row = |id: &String| match laid.get(id) {
            Some(row) => row.clone(),
            None => data::row(entity, id).or_else(|| self.played().get(id).cloned()),
        };
        let found = ids.iter().filter_map(|id| Some((id.clone(), Value::Object(row(id)?))));
        Ok(found.collect())
    }

    /// Makes a record. Only purchase orders can be made, as the manifest says.
    pub(crate) async fn create(
        &self,
        entity: &str,
        row: Value,
        _token: &str,
    ) -> Result<String, SystemError> {
        self.pass().await?;
        let Value::Object(row) = row else {
            return Err(SystemError::malformed("a row must be an object"));
        };
        let now = self.overlay.now();
        let id = format!("po-new-{:013}-{}", now.millis(), random_token(6));
        let named = self.named(&row).await?;
        let order = order::completed(row, &id, now, &named)?;
        if self.stateful {
            self.overlay.put(entity, &id, Some(order)).await.map_err(broken)?;
        } else {
            self.played().insert(id.clone(), order);
        }
        Ok(id)
    }

    /// Changes a record. `row` has the members that change; a list takes the place of the one before.
    pub(crate) async fn update(
        &self,
        entity: &str,
        id: &str,
        row: Value,
    ) -> Result<(), SystemError> {
        self.pass().await?;
        let (Some(mut now), Value::Object(change)) =
            (self.row(entity, id).await.map_err(lost)?, row)
        else {
            return Err(SystemError::new(SystemErrorClass::NotFound, "there is no such record"));
        };
        if self.stateful {
            now.extend(change);
            self.put(entity, id, now).await.map_err(lost)?;
        }
        Ok(())
    }

    /// Deletes a record.
    pub(crate) async fn remove(&self, entity: &str, id: &str) -> Result<(), SystemError> {
        self.pass().await?;
        if self.stateful {
            self.delete(entity, id).await.map_err(lost)?;
        }
        Ok(())
    }

    /// Does an action to a record. The manifest has none yet.
    pub(crate) async fn act(
        &self,
        entity: &str,
        _id: &str,
        action: &str,
        _row: Value,
    ) -> Result<(), SystemError> {
        self.pass().await?;
        Err(SystemError::unsupported(entity, action))
    }

    /// The record that was made with a token. Tokens are not kept yet.
    pub(crate) async fn find(
        &self,
        entity: &str,
        _token: &str,
    ) -> Result<Option<String>, SystemError> {
        self.pass().await?;
        Err(SystemError::unsupported(entity, "find"))
    }

    /// The vendors and materials that an order names.
    async fn named(&self, order: &SandboxRow) -> Result<BTreeMap<String, Value>, SystemError> {
        let text = |row: &SandboxRow, name: &str| row.get(name)?.as_str().map(str::to_owned);
        let vendors: Vec<String> = text(order, "vendor").into_iter().collect();
        let lines = order.get("lines").and_then(Value::as_array).into_iter().flatten();
        let materials: Vec<String> =
            lines.filter_map(|line| text(line.as_object()?, "material")).collect();
        let mut named: BTreeMap<String, Value> =
            self.rows("vendors", &vendors).await?.into_iter().collect();
        named.extend(self.rows("materials", &materials).await?);
        Ok(named)
    }

    /// Lets a call pass, unless the login or the scenario says otherwise.
    async fn pass(&self) -> Result<(), SystemError> {
        scenario::login(&self.login)?;
        scenario::read(&self.overlay).await.map_err(broken)?.pass()
    }

    fn played(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SandboxRow>> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("stateful", &self.stateful).finish_non_exhaustive()
    }
}

fn lost(error: millwright_core::Error) -> SystemError {
    tracing::warn!(%error, "the sandbox cannot reach its rows");
    SystemError::new(SystemErrorClass::Unreachable, "the sandbox cannot reach its rows")
}

/// The sandbox' own rows cannot be read: to the caller its system is out of reach.
fn broken(error: millwright_store::StoreError) -> SystemError {
    tracing::warn!(%error, "the sandbox cannot reach its rows");
    SystemError::new(SystemErrorClass::Unreachable, "the sandbox cannot reach its rows")
}
