//! Workspaces: the tenants.

use millwright_core::{Error, ErrorCode, FieldError, Result, WallTime, WorkspaceId};
use millwright_store::{Document, Expect, Key, Store, Write};
use serde::{Deserialize, Serialize};

/// What a workspace's data is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// For trying things out.
    Test,
    /// For customers.
    Live,
}

impl Environment {
    /// The environment as it stands in answers and in keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

/// A tenant. Nothing crosses its border.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its id: the first part of the partition keys of all that is in it.
    pub id: WorkspaceId,
    /// What people call it.
    pub name: String,
    /// What its data is worth.
    pub environment: Environment,
    /// When it was made.
    pub created_at: WallTime,
}

impl Document for Workspace {}

/// Makes a workspace with an id of its own.
///
/// # Errors
/// `VALIDATION_FAILED` for a name that is empty or longer than 200 characters; when the table fails.
pub async fn create_workspace(
    store: &Store,
    name: &str,
    environment: Environment,
) -> Result<Workspace> {
    let id = WorkspaceId::new_at(store.clock().wall().millis());
    ensure_workspace(store, id, name, environment).await
}

/// The workspace with this id; made with this name and environment when there is none. Doing it again
/// gives the same workspace, so a first start that was cut short can be repeated.
///
/// # Errors
/// As [`create_workspace`].
pub async fn ensure_workspace(
    store: &Store,
    id: WorkspaceId,
    name: &str,
    environment: Environment,
) -> Result<Workspace> {
    let name = checked_name(name)?;
    let workspace = Workspace { id, name, environment, created_at: store.clock().wall() };
    let key = workspace_key(&workspace.id);
    match store.write(Write::put(&key, &workspace, Expect::Absent)?).await {
        Err(error) if error.is_conflict() => get_workspace(store, &workspace.id).await,
        other => Ok(other.map(|_| workspace)?),
    }
}

/// The workspace with this id.
///
/// # Errors
/// `NOT_FOUND` when there is none; when the table fails.
pub async fn get_workspace(store: &Store, id: &WorkspaceId) -> Result<Workspace> {
    let row = store.get::<Workspace>(&workspace_key(id)).await?;
    row.map(|row| row.doc).ok_or_else(|| Error::new(ErrorCode::NotFound, "no such workspace"))
}

fn workspace_key(id: &WorkspaceId) -> Key {
    Key::state(id.as_str(), "workspace")
}

/// A name for a person to read: trimmed, 1 to 200 characters, none of them a control character.
pub(crate) fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    let fault = match name.chars().count() {
        0 => Some((ErrorCode::FieldRequired, "must not be empty")),
        1..=200 if name.chars().any(char::is_control) => {
            Some((ErrorCode::ValidationFailed, "must not hold control characters"))
        }
        1..=200 => None,
        _ => Some((ErrorCode::ValidationFailed, "must have at most 200 characters")),
    };
    let field = fault.map(|(code, message)| FieldError::new("name", code, message));
    Error::from_fields(field.into_iter().collect()).map_or_else(|| Ok(name.to_owned()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_must_say_something() {
        assert_eq!(checked_name("  Acme ").unwrap(), "Acme");
        assert_eq!(checked_name(&"é".repeat(200)).unwrap().chars().count(), 200);
        assert_eq!(checked_name("  ").unwrap_err().code, ErrorCode::FieldRequired);
        for name in ["a\nb".to_owned(), "x".repeat(201)] {
            assert_eq!(checked_name(&name).unwrap_err().code, ErrorCode::ValidationFailed);
        }
    }
}
