//! `/v1/workspace`.

use axum::{Json, extract::State};
use millwright_access::{self as access, WorkspaceChange};
use millwright_core::WorkspaceId;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{
    App,
    error::Answer,
    extract::{Admin, MergePatch, Reader},
};

/// What a workspace's data is worth.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorkspaceEnvironment {
    /// For trying things out.
    Test,
    /// For customers.
    Live,
}

/// The workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct Workspace {
    /// Its id.
    #[schema(value_type = String, example = "ws_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: WorkspaceId,
    /// What people call it.
    name: String,
    /// What its data is worth.
    environment: WorkspaceEnvironment,
    /// For how many days webhook messages and their deliveries are kept.
    webhook_retention_days: u16,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// What to change of the workspace: what is not given stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspacePatch {
    /// For how many days webhook messages and their deliveries are kept that come from now on; null
    /// for 30.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 90)]
    webhook_retention_days: Option<Option<u16>>,
}

/// A field that is given, perhaps as null.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<u16>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl From<access::Workspace> for Workspace {
    fn from(own: access::Workspace) -> Self {
        Self {
            webhook_retention_days: own.webhook_retention_days(),
            id: own.id,
            name: own.name,
            environment: match own.environment {
                access::Environment::Test => WorkspaceEnvironment::Test,
                access::Environment::Live => WorkspaceEnvironment::Live,
            },
            created_at: own.created_at.iso(),
        }
    }
}

/// Get the workspace
#[utoipa::path(
    get,
    path = "/v1/workspace",
    operation_id = "get_workspace",
    tag = "Workspace",
    responses((status = 200, description = "The workspace of the key or token.", body = Workspace))
)]
pub(crate) async fn get(caller: Reader, State(app): State<App>) -> Answer<Json<Workspace>> {
    let own = access::get_workspace(&app.store, &caller.workspace).await?;
    Ok(Json(own.into()))
}

/// Change the workspace
///
/// A JSON merge patch. It takes effect within a minute.
#[utoipa::path(
    patch,
    path = "/v1/workspace",
    operation_id = "update_workspace",
    tag = "Workspace",
    request_body(content(
        (WorkspacePatch = "application/json"),
        (WorkspacePatch = "application/merge-patch+json"),
    )),
    responses((status = 200, description = "The changed workspace.", body = Workspace))
)]
pub(crate) async fn update(
    caller: Admin,
    State(app): State<App>,
    MergePatch(patch): MergePatch<WorkspacePatch>,
) -> Answer<Json<Workspace>> {
    let change = WorkspaceChange { webhook_retention_days: patch.webhook_retention_days };
    let own = access::change_workspace(&app.store, &caller.workspace, &change).await?;
    Ok(Json(own.into()))
}
