//! Credentials: sealed in a row of their own, opened only to talk to the system.

use std::collections::BTreeMap;

use millwright_connector::{Credentials, Overlay, System, Target};
use millwright_core::{
    ConnectionId, Error, ErrorCode, ExposeSecret, Result, SecretString, WorkspaceId,
};
use millwright_store::{Document, Expect, Key, Write};
use millwright_vault::{Sealed, Vault};
use serde::{Deserialize, Serialize};

use crate::{Connection, ConnectionContext, connection_pk, overlays::overlays_of};

/// The row of a connection's sealed credentials.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SealedCredentials {
    sealed: Sealed,
}

impl Document for SealedCredentials {}

/// Where the sealed credentials are.
#[must_use]
pub fn secret_key(workspace: &WorkspaceId, connection: &ConnectionId) -> Key {
    Key::state(connection_pk(workspace, connection), "secret")
}

/// The write that keeps credentials, sealed for this workspace and connection alone.
pub(crate) async fn seal(
    vault: &Vault,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    credentials: &Credentials,
) -> Result<Write> {
    let plain: BTreeMap<&str, &str> =
        credentials.iter().map(|(name, secret)| (name.as_str(), secret.expose_secret())).collect();
    let text = SecretString::from(serde_json::to_string(&plain).map_err(Error::internal)?);
    let sealed = vault.seal(workspace, connection.as_str(), &text).await?;
    let key = secret_key(workspace, connection);
    Ok(Write::put(&key, &SealedCredentials { sealed }, Expect::Anything)?)
}

/// The system behind a connection, ready to be called with its stored credentials; its rows become
/// records as the connection wants it.
///
/// # Errors
/// `CONNECTION_DISCONNECTED` when the credentials have been destroyed.
pub async fn open_system(context: &ConnectionContext, connection: &Connection) -> Result<System> {
    let overlays = overlays_of(context, connection).await?;
    open_laid(context, connection, overlays).await
}

/// The same as it would be with another overlay for one entity (a slug).
///
/// # Errors
/// As [`open_system`]; the faulty fields of the overlay.
pub async fn open_system_with(
    context: &ConnectionContext,
    connection: &Connection,
    entity: &str,
    overlay: &Overlay,
) -> Result<System> {
    let mut overlays = overlays_of(context, connection).await?;
    overlays.insert(entity.to_owned(), overlay.clone());
    open_laid(context, connection, overlays).await
}

async fn open_laid(
    context: &ConnectionContext,
    connection: &Connection,
    overlays: BTreeMap<String, Overlay>,
) -> Result<System> {
    let key = secret_key(&connection.workspace, &connection.id);
    let row = context.store.get::<SealedCredentials>(&key).await?.ok_or_else(|| {
        Error::new(ErrorCode::ConnectionDisconnected, "the connection was disconnected")
    })?;
    let text =
        context.vault.open(&connection.workspace, connection.id.as_str(), &row.doc.sealed).await?;
    let plain: BTreeMap<String, String> =
        serde_json::from_str(text.expose_secret()).map_err(|_| {
            // The parser's own words would quote the secret.
            Error::internal("sealed credentials are damaged")
        })?;
    let credentials: Credentials =
        plain.into_iter().map(|(name, secret)| (name, SecretString::from(secret))).collect();
    context.engine.open(Target {
        workspace: connection.workspace.clone(),
        connection: connection.id.clone(),
        connector_id: connection.connector()?.to_owned(),
        settings: connection.settings.clone(),
        credentials,
        tokens: None,
        overlays,
        scenario: connection.scenario,
    })
}
