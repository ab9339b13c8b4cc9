//! The workspace's applications.

use millwright_core::{ApplicationId, Error, Result, WorkspaceId};
use millwright_store::{Range, Store, Table};

use super::{
    Application, application_key,
    model::{self, PREFIX},
};

/// A page of applications.
#[derive(Clone, Debug)]
pub struct ApplicationPage {
    /// The applications.
    pub applications: Vec<Application>,
    /// The one to continue after, when there may be more.
    pub next: Option<ApplicationId>,
}

/// At most `limit` of the workspace's applications after `after`, oldest first, revoked ones among them.
///
/// # Errors
/// When the table fails.
pub async fn list_applications(
    store: &Store,
    workspace: &WorkspaceId,
    after: Option<&ApplicationId>,
    limit: usize,
) -> Result<ApplicationPage> {
    let range = Range::Prefix(PREFIX.to_owned());
    let after = after.map(|id| application_key(workspace, id).sk);
    let page = store
        .query::<Application>(
            Table::State,
            workspace.as_str(),
            &range,
            after.as_deref(),
            limit,
            true,
        )
        .await?;
    let applications: Vec<Application> = page.rows.into_iter().map(|row| row.doc).collect();
    let next = page.next.and_then(|_| applications.last().map(|last| last.id.clone()));
    Ok(ApplicationPage { applications, next })
}

/// The workspace's application with this id, also when it was revoked.
///
/// # Errors
/// `NOT_FOUND` when it has none; when the table fails.
pub async fn get_application(
    store: &Store,
    workspace: &WorkspaceId,
    id: &ApplicationId,
) -> Result<Application> {
    let row = store.get::<Application>(&application_key(workspace, id)).await?;
    row.map(|row| row.doc).ok_or_else(|| Error::not_found("application"))
}

/// The workspace's application with this id, unless it was revoked.
///
/// # Errors
/// When the table fails.
pub(crate) async fn living_application(
    store: &Store,
    workspace: &WorkspaceId,
    id: &ApplicationId,
) -> Result<Option<Application>> {
    model::living(store, &application_key(workspace, id)).await
}
