//! Where somebody logs in again: one address for each episode, dead once it has succeeded. Its secret is
//! found by its hash and kept sealed in the connection's row, so that it can be told as often as asked.

use std::{fmt, time::Duration};

use millwright_core::{
    ApplicationId, ConnectionId, ExposeSecret, Result, SecretString, WallTime, WorkspaceId,
    random_token, sha256_hex,
};
use millwright_store::{Document, Expect, Key, Write};
use millwright_vault::Sealed;
use serde::{Deserialize, Serialize};

use crate::{Connection, ConnectionContext, connection_key};

/// Letters and digits of a secret: more than 200 bits.
const LENGTH: usize = 40;
/// How long a used address is remembered.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// The secret of an episode's address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconnectSecret {
    /// Its SHA-256, in hexadecimal.
    hash: String,
    sealed: Sealed,
    /// Whether the workspace asked for it, and no episode began it: then none ends it.
    #[serde(default)]
    pub(crate) asked_for: bool,
}

impl fmt::Debug for ReconnectSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReconnectSecret")
    }
}

/// Whose a secret is, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnecting {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The connection; nothing once somebody has logged in there.
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    /// Of a used one: the application whose name and logo its page shows.
    #[serde(default)]
    pub application: Option<ApplicationId>,
    /// Of a used one: how long it is remembered.
    #[serde(default)]
    until: Option<WallTime>,
}

impl Document for Reconnecting {
    fn expires_at(&self) -> Option<WallTime> {
        self.until
    }
}

fn owner_at(hash: &str) -> Key {
    Key::state(format!("reconnect#{hash}"), "reconnect")
}

fn sealed_for(connection: &Connection) -> String {
    format!("reconnect/{}", connection.id)
}

/// Gives a connection an address for this episode, if it has none: in the row, which the caller writes
/// together with what is returned.
///
/// # Errors
/// When the vault fails.
pub async fn new_reconnect(
    context: &ConnectionContext,
    connection: &mut Connection,
) -> Result<Option<Write>> {
    if connection.reconnect.is_some() {
        return Ok(None);
    }
    let secret = SecretString::from(random_token(LENGTH));
    let bound = sealed_for(connection);
    let sealed = context.vault.seal(&connection.workspace, &bound, &secret).await?;
    let hash = sha256_hex(secret.expose_secret().as_bytes());
    let owner = Reconnecting {
        workspace: connection.workspace.clone(),
        connection: Some(connection.id.clone()),
        application: None,
        until: None,
    };
    let write = Write::put(&owner_at(&hash), &owner, Expect::Absent)?;
    connection.reconnect = Some(ReconnectSecret { hash, sealed, asked_for: false });
    Ok(Some(write))
}

/// The connection with its address sealed anew; nothing when there is none or it is young.
///
/// # Errors
/// When the vault fails.
pub(crate) async fn resealed(
    context: &ConnectionContext,
    connection: &Connection,
    since: WallTime,
) -> Result<Option<Connection>> {
    let Some(secret) = &connection.reconnect else { return Ok(None) };
    let (workspace, bound) = (&connection.workspace, sealed_for(connection));
    let young = context.vault.reseal(workspace, &bound, &secret.sealed, since).await?;
    Ok(young.map(|sealed| {
        let reconnect = Some(ReconnectSecret { sealed, ..secret.clone() });
        Connection { reconnect, ..connection.clone() }
    }))
}

/// Ends the episode: the address is dead once the caller has written the row and what is returned.
pub fn forget_reconnect(connection: &mut Connection) -> Option<Write> {
    let secret = connection.reconnect.take()?;
    Some(Write::delete(&owner_at(&secret.hash), Expect::Anything))
}

/// As [`forget_reconnect`], because somebody has logged in: whoever opens the address again is told so for
/// a while. What is left names no connection.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn spend_reconnect(connection: &mut Connection, now: WallTime) -> Result<Option<Write>> {
    let Some(secret) = connection.reconnect.take() else { return Ok(None) };
    let owner = Reconnecting {
        workspace: connection.workspace.clone(),
        connection: None,
        application: connection.application_id.clone(),
        until: Some(now + REMEMBERED),
    };
    Ok(Some(Write::put(&owner_at(&secret.hash), &owner, Expect::Anything)?))
}

/// Where somebody has logged in with this secret before: whose it was.
///
/// # Errors
/// When the table fails.
pub async fn spent_reconnect(
    context: &ConnectionContext,
    secret: &str,
) -> Result<Option<Reconnecting>> {
    let hash = sha256_hex(secret.as_bytes());
    let owner = context.store.get::<Reconnecting>(&owner_at(&hash)).await?;
    Ok(owner.map(|row| row.doc).filter(|own| own.connection.is_none()))
}

/// The address, while there is one.
///
/// # Errors
/// When the vault fails.
pub async fn reconnect_url(
    context: &ConnectionContext,
    connection: &Connection,
) -> Result<Option<String>> {
    let Some(secret) = &connection.reconnect else { return Ok(None) };
    let bound = sealed_for(connection);
    let text = context.vault.open(&connection.workspace, &bound, &secret.sealed).await?;
    Ok(Some(context.public_url.at(&format!("/link/{}", text.expose_secret()))))
}

/// The connection whose present episode has this secret. The hash is the look-up itself, so no
/// comparison tells how much of a secret was right.
///
/// # Errors
/// When the table fails.
pub async fn find_reconnect(
    context: &ConnectionContext,
    secret: &str,
) -> Result<Option<Connection>> {
    let hash = sha256_hex(secret.as_bytes());
    let Some(owner) = context.store.get::<Reconnecting>(&owner_at(&hash)).await? else {
        return Ok(None);
    };
    let Reconnecting { workspace, connection: Some(connection), .. } = owner.doc else {
        return Ok(None);
    };
    let row = context.store.get::<Connection>(&connection_key(&workspace, &connection)).await?;
    let present = |own: &Connection| own.reconnect.as_ref().is_some_and(|own| own.hash == hash);
    Ok(row.map(|row| row.doc).filter(present))
}
