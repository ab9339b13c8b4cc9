//! Commands on a data folder that no server uses.

use std::path::{Path, PathBuf};

use millwright_access::{Environment, Role, create_key as create, get_workspace};
use millwright_core::{ExposeSecret, WorkspaceId};
use millwright_sync::rotation;
use millwright_vault::add_master_key;

use super::{Line, told};
use crate::{
    Durability, Stack,
    bootstrap::ensure_default_workspace,
    data::{DataFolder, VAULT_KEY},
};

async fn open(data: PathBuf) -> Result<Stack, Line> {
    Ok(Stack::start(DataFolder::open_existing(&data)?, 1.0, Durability::Flush).await?)
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

/// Makes a new master key. The folder may be in use: only the key file is replaced.
pub(super) fn add_key(data: &Path) -> Result<(), Line> {
    let file = data.join(VAULT_KEY);
    add_master_key(&file).map_err(|error| Line(format!("{}: {error}", file.display())))?;
    println!("a new master key is in {}; keep a copy of the file", file.display());
    Ok(())
}

/// Asks for the secrets of a workspace to be sealed anew and prints the job's id.
pub(super) async fn rotate(data: PathBuf, workspace: Option<WorkspaceId>) -> Result<(), Line> {
    let stack = open(data).await?;
    let store = stack.store();
    let workspace = match workspace {
        Some(id) => get_workspace(&store, &id).await.map_err(told)?,
        None => ensure_default_workspace(&store).await.map_err(told)?,
    };
    let job = rotation(&workspace.id, store.clock());
    store.write(job.as_write().map_err(told)?).await?;
    println!("{}", job.id);
    Ok(stack.stop().await?)
}
