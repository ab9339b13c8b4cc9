//! Where a connection's system sends its own webhooks: an address with a secret in it. The secret is
//! found by its hash and kept sealed, so that admins can be shown it again.

use millwright_core::{
    ConnectionId, Error, ExposeSecret, Result, SecretString, WallTime, WorkspaceId, random_token,
    sha256_hex,
};
use millwright_store::{Document, Expect, Key, Row, StoreError, Write};
use millwright_vault::Sealed;
use serde::{Deserialize, Serialize};

use crate::{Connection, ConnectionContext, connection_key, connection_pk};

/// Letters and digits of a secret: more than 200 bits.
const LENGTH: usize = 40;
/// How often it is begun again when others make one at the same time.
const TRIES: usize = 5;

/// A connection's secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct HookSecret {
    /// Its SHA-256, in hexadecimal: by it the row of the other kind is found.
    hash: String,
    sealed: Sealed,
}

impl Document for HookSecret {}

/// Whose a secret is.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct HookOwner {
    workspace: WorkspaceId,
    connection: ConnectionId,
}

impl Document for HookOwner {}

fn secret_at(workspace: &WorkspaceId, connection: &ConnectionId) -> Key {
    Key::state(connection_pk(workspace, connection), "hook")
}

fn owner_at(hash: &str) -> Key {
    Key::state(format!("hook#{hash}"), "hook")
}

/// The secret of a connection's address; made when there is none.
///
/// # Errors
/// When the table or the vault fails, or the connection is gone.
pub async fn hook_secret(
    context: &ConnectionContext,
    connection: &Connection,
) -> Result<SecretString> {
    for _ in 0..TRIES {
        let key = secret_at(&connection.workspace, &connection.id);
        if let Some(row) = context.store.get::<HookSecret>(&key).await? {
            let bound = sealed_for(connection);
            return context.vault.open(&connection.workspace, &bound, &row.doc.sealed).await;
        }
        if let Some(secret) = make(context, connection, None).await? {
            return Ok(secret);
        }
    }
    Err(StoreError::Conflict(0).into())
}

/// A new secret in place of the one there was, which is dead at once.
///
/// # Errors
/// As [`hook_secret`].
pub async fn rotate_hook(
    context: &ConnectionContext,
    connection: &Connection,
) -> Result<SecretString> {
    for _ in 0..TRIES {
        let key = secret_at(&connection.workspace, &connection.id);
        let old = context.store.get::<HookSecret>(&key).await?;
        if let Some(secret) = make(context, connection, old).await? {
            return Ok(secret);
        }
    }
    Err(StoreError::Conflict(0).into())
}

/// Makes a secret; nothing when somebody else did at the same time.
async fn make(
    context: &ConnectionContext,
    connection: &Connection,
    old: Option<Row<HookSecret>>,
) -> Result<Option<SecretString>> {
    let Connection { workspace, id, .. } = connection;
    let secret = SecretString::from(random_token(LENGTH));
    let sealed = context.vault.seal(workspace, &sealed_for(connection), &secret).await?;
    let doc = HookSecret { hash: sha256_hex(secret.expose_secret().as_bytes()), sealed };
    let owner = HookOwner { workspace: workspace.clone(), connection: id.clone() };
    let expect = old.as_ref().map_or(Expect::Absent, |row| Expect::Version(row.version));
    let mut writes = vec![
        Write::put(&secret_at(workspace, id), &doc, expect)?,
        Write::put(&owner_at(&doc.hash), &owner, Expect::Absent)?,
        // A connection that is being erased takes no more rows.
        Write::check(&connection_key(workspace, id), Expect::Present),
    ];
    if let Some(old) = &old {
        writes.push(Write::delete(&owner_at(&old.doc.hash), Expect::Anything));
    }
    match context.store.transact(writes).await {
        Ok(()) => Ok(Some(secret)),
        Err(StoreError::Conflict(2)) => Err(Error::not_found("connection")),
        Err(StoreError::Conflict(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The connection whose address has this secret. The hash is the look-up itself, so no comparison
/// tells how much of a secret was right.
///
/// # Errors
/// When the table fails.
pub async fn find_by_hook(context: &ConnectionContext, secret: &str) -> Result<Option<Connection>> {
    let key = owner_at(&sha256_hex(secret.as_bytes()));
    let Some(owner) = context.store.get::<HookOwner>(&key).await? else { return Ok(None) };
    let at = connection_key(&owner.doc.workspace, &owner.doc.connection);
    Ok(context.store.get::<Connection>(&at).await?.map(|row| row.doc))
}

/// Forgets a connection's secret: part of erasing it.
///
/// # Errors
/// When the table fails.
pub async fn forget_hook(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
) -> Result<()> {
    let key = secret_at(workspace, connection);
    if let Some(row) = context.store.get::<HookSecret>(&key).await? {
        let owner = Write::delete(&owner_at(&row.doc.hash), Expect::Anything);
        context.store.transact(vec![owner, Write::delete(&key, Expect::Anything)]).await?;
    }
    Ok(())
}

/// Seals a connection's secret anew, unless it is young: part of rotating the vault's keys.
pub(crate) async fn reseal_hook(
    context: &ConnectionContext,
    connection: &Connection,
    since: WallTime,
) -> Result<bool> {
    let Connection { workspace, id, .. } = connection;
    let decide = |row: HookSecret| async move {
        let bound = sealed_for(connection);
        let young = context.vault.reseal(workspace, &bound, &row.sealed, since).await?;
        Ok(young.map(|sealed| HookSecret { hash: row.hash, sealed }))
    };
    context.store.modify_slowly(&secret_at(workspace, id), decide).await
}

fn sealed_for(connection: &Connection) -> String {
    format!("hook/{}", connection.id)
}
