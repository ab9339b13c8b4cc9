//! Credentials: sealed in a row of their own, opened only to talk to the system.

use std::{collections::BTreeMap, sync::Arc};

use millwright_connector::{Credentials, Overlay, System, Target, oauth::TokenSource};
use millwright_core::{
    ConnectionId, Error, ErrorCode, ExposeSecret, Result, SecretString, WorkspaceId,
};
use millwright_store::{Document, Expect, Key, Write};
use millwright_vault::{Sealed, Vault};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Connection, ConnectionContext, connection_pk,
    oauth::{Keeper, keeping::Keeping},
    overlays::overlays_of,
};

/// The row of a connection's sealed credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealedCredentials {
    pub(crate) sealed: Sealed,
    /// Of the OAuth tokens among them.
    #[serde(default)]
    pub(crate) oauth: Keeping,
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
    let sealed = sealed(vault, workspace, connection, credentials).await?;
    let key = secret_key(workspace, connection);
    let doc = SealedCredentials { sealed, oauth: Keeping::new() };
    Ok(Write::put(&key, &doc, Expect::Anything)?)
}

pub(crate) async fn sealed(
    vault: &Vault,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    credentials: &Credentials,
) -> Result<Sealed> {
    let plain = serde_json::to_string(&exposed(credentials)).map_err(Error::internal)?;
    vault.seal(workspace, connection.as_str(), &SecretString::from(plain)).await
}

/// Credentials as they are written, to be sealed at once.
pub(crate) fn exposed(credentials: &Credentials) -> Map<String, Value> {
    let exposed = credentials.iter();
    exposed.map(|(name, secret)| (name.clone(), Value::from(secret.expose_secret()))).collect()
}

/// Credentials as they were written.
pub(crate) fn hidden(exposed: Map<String, Value>) -> Credentials {
    let texts = exposed.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, SecretString::from(text))),
        _ => None,
    });
    texts.collect()
}

/// The credentials in a row.
pub(crate) async fn open_credentials(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    row: &SealedCredentials,
) -> Result<Credentials> {
    let text = context.vault.open(workspace, connection.as_str(), &row.sealed).await?;
    let plain: Map<String, Value> = serde_json::from_str(text.expose_secret()).map_err(|_| {
        // The parser's own words would quote the secret.
        Error::internal("sealed credentials are damaged")
    })?;
    Ok(hidden(plain))
}

/// What is said when the credentials have been destroyed.
pub(crate) fn destroyed() -> Error {
    Error::new(ErrorCode::ConnectionDisconnected, "the connection was disconnected")
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
    let Connection { workspace, id, .. } = connection;
    let row = context.store.get::<SealedCredentials>(&secret_key(workspace, id)).await?;
    let row = row.ok_or_else(destroyed)?;
    let credentials = open_credentials(context, workspace, id, &row.doc).await?;
    let connector = connection.connector()?;
    let manifest = context.engine.catalog().get(connector);
    let tokens = match manifest.and_then(|manifest| manifest.auth.oauth()) {
        Some(_) => Some(Arc::new(Keeper::of(context, connection)?) as Arc<dyn TokenSource>),
        None => None,
    };
    context.engine.open(Target {
        workspace: connection.workspace.clone(),
        connection: connection.id.clone(),
        connector_id: connector.to_owned(),
        settings: connection.settings.clone(),
        credentials,
        tokens,
        overlays,
        scenario: connection.scenario,
    })
}
