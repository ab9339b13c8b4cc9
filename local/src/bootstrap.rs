//! What a first start makes, so that there is something to try: a workspace, a key, a sandbox.

use millwright_access::{
    Environment, Role, Workspace, authenticate, check_chosen_key, create_key, ensure_workspace,
};
use millwright_connection::{ConnectionContext, ConnectionFilter, NewConnection, list_connections};
use millwright_core::{
    ConnectionId, Error, ErrorCode, ExposeSecret, Result, SecretString, WorkspaceId,
};
use millwright_store::{Document, Expect, Key, Store, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The first workspace's name.
const NAME: &str = "default";
const ENVIRONMENT: Environment = Environment::Test;
/// The name of the key that a first start makes, or that was given on the command line.
const KEY_NAME: &str = "first key";
const CONNECTOR: &str = "sandbox";
const CONNECTION_NAME: &str = "Stateful sandbox";

/// What there is after a start.
#[derive(Debug)]
pub struct Welcome {
    /// A key that was made now, or given.
    pub key: Option<SecretString>,
    /// Whether this was the first start.
    pub first: bool,
    /// The sandbox that the first start connected.
    pub connection: ConnectionId,
}

/// That the first start has been made.
#[derive(Debug, Serialize, Deserialize)]
struct FirstStart {
    connection: ConnectionId,
}

impl Document for FirstStart {}

/// The first workspace: the same id everywhere, so that a start that was cut short goes on with it.
#[must_use]
pub fn default_workspace() -> WorkspaceId {
    WorkspaceId::derived(&[NAME])
}

/// The first workspace, made when it is missing.
///
/// # Errors
/// When the table fails.
pub async fn ensure_default_workspace(store: &Store) -> Result<Workspace> {
    ensure_workspace(store, default_workspace(), NAME, ENVIRONMENT).await
}

/// Whether a text can be a key of the first workspace. Nothing is read for it.
///
/// # Errors
/// `VALIDATION_FAILED` when it cannot.
pub fn check_given_key(key: &SecretString) -> Result<()> {
    check_chosen_key(ENVIRONMENT, key)
}

/// Makes what a first start makes, unless it has been made; `given` is a key that must be there.
///
/// # Errors
/// For a given key that cannot be one, was revoked, or belongs to another workspace; when a part fails.
pub async fn bootstrap(
    context: &ConnectionContext,
    given: Option<SecretString>,
) -> Result<Welcome> {
    let store = &context.store;
    let workspace = ensure_default_workspace(store).await?;
    let marker = Key::state(workspace.id.as_str(), "local#first-start");
    let before = store.get::<FirstStart>(&marker).await?.map(|row| row.doc);
    let key = match given {
        Some(key) => Some(ensure_key(store, &workspace, key).await?),
        None if before.is_none() => {
            Some(create_key(store, &workspace, KEY_NAME, Role::Admin, None).await?.1)
        }
        None => None,
    };
    let first = before.is_none();
    let made = match before {
        Some(made) => made,
        None => {
            let made = FirstStart { connection: sandbox(context, &workspace.id).await? };
            store.write(Write::put(&marker, &made, Expect::Anything)?).await?;
            made
        }
    };
    Ok(Welcome { key, first, connection: made.connection })
}

/// The given key as an admin key of the workspace.
async fn ensure_key(
    store: &Store,
    workspace: &Workspace,
    key: SecretString,
) -> Result<SecretString> {
    let made = create_key(store, workspace, KEY_NAME, Role::Admin, Some(key.clone())).await;
    let Err(refused) = made else { return Ok(key) };
    if refused.code != ErrorCode::StateConflict {
        return Err(refused);
    }
    let caller = authenticate(store, key.expose_secret()).await;
    if caller.is_ok_and(|caller| caller.workspace == workspace.id && caller.role == Role::Admin) {
        return Ok(key);
    }
    let why = "the given key was revoked, is no admin key, or belongs to another workspace";
    Err(Error::new(ErrorCode::StateConflict, why))
}

/// The sandbox connection, made when there is none.
async fn sandbox(context: &ConnectionContext, workspace: &WorkspaceId) -> Result<ConnectionId> {
    let filter = ConnectionFilter {
        connector_id: Some(CONNECTOR.to_owned()),
        ..ConnectionFilter::default()
    };
    let (present, _) = list_connections(&context.store, workspace, &filter, None, 1).await?;
    if let Some(connection) = present.into_iter().next() {
        return Ok(connection.id);
    }
    let new = NewConnection {
        name: Some(CONNECTION_NAME.to_owned()),
        ..NewConnection::to(
            CONNECTOR,
            Map::from_iter([("stateful".to_owned(), Value::Bool(true))]),
            [("username".to_owned(), SecretString::from("ok"))].into(),
        )
    };
    Ok(millwright_sync::connect(context, workspace, new).await?.id)
}
