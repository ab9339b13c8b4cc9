//! Commands on a data folder that no server uses.

use std::path::PathBuf;

use millwright_access::{Environment, Role, create_key as create, get_workspace};
use millwright_core::{ExposeSecret, WorkspaceId};

use super::{Line, told};
use crate::{Stack, bootstrap::ensure_default_workspace, data::DataFolder};

async fn open(data: PathBuf) -> Result<Stack, Line> {
    Ok(Stack::start(DataFolder::open_existing(&data)?, 1.0).await?)
}

/// Makes a key and prints it.
pub(super) async fn create_key(
    data: PathBuf,
    workspace: Option<WorkspaceId>,
    role: Role,
    name: &str,
) -> Result<(), Line> {
    let stack = open(data).await?;
    let store = stack.store();
    let workspace = match workspace {
        Some(id) => get_workspace(&store, &id).await.map_err(told)?,
        None => ensure_default_workspace(&store).await.map_err(told)?,
    };
    let (_, key) = create(&store, &workspace, name, role, None).await.map_err(told)?;
    println!("{}", key.expose_secret());
    Ok(stack.stop().await?)
}

/// Makes a workspace and prints its id.
pub(super) async fn create_workspace(
    data: PathBuf,
    name: &str,
    environment: Environment,
) -> Result<(), Line> {
    let stack = open(data).await?;
    let workspace = millwright_access::create_workspace(&stack.store(), name, environment).await?;
    println!("{}", workspace.id);
    Ok(stack.stop().await?)
}
