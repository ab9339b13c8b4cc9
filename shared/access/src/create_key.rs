//! Making a key.

use millwright_core::{
    ApiKeyId, Error, ErrorCode, ExposeSecret, Result, SecretString, WallTime, sha256_hex,
};
use millwright_store::{Expect, Store, Write};

use crate::{ApiKey, Role, Workspace, key_text, workspace::checked_name};

/// Makes a key and answers with its text, which cannot be had again. `fixed` is a text chosen by
/// somebody: the right prefix, and 24 to 200 letters, digits, `-` or `_` after it.
///
/// # Errors
/// `VALIDATION_FAILED` or `FIELD_REQUIRED` for a bad name or chosen text; `STATE_CONFLICT` when a key
/// with the chosen text was made before, here or elsewhere, even if it was revoked; when the table
/// fails.
pub async fn create_key(
    store: &Store,
    workspace: &Workspace,
    name: &str,
    role: Role,
    fixed: Option<SecretString>,
) -> Result<(ApiKey, SecretString)> {
    let name = checked_name(name)?;
    if let Some(text) = &fixed {
        key_text::check_chosen(workspace.environment, text)?;
    }
    let text = fixed.unwrap_or_else(|| key_text::random(workspace.environment));
    let key = new_key(workspace, name, role, &text, store.clock().wall());
    let lookup = Write::put(&key.lookup(), &key, Expect::Absent)?;
    let listing = Write::put(&key.listing(), &key, Expect::Absent)?;
    match store.transact(vec![lookup, listing]).await {
        Err(error) if error.is_conflict() => {
            Err(Error::new(ErrorCode::StateConflict, "a key with this text was made before"))
        }
        other => Ok(other.map(|()| (key, text))?),
    }
}

fn new_key(
    workspace: &Workspace,
    name: String,
    role: Role,
    text: &SecretString,
    now: WallTime,
) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new_at(now.millis()),
        workspace: workspace.id.clone(),
        environment: workspace.environment,
        name,
        role,
        hash: sha256_hex(text.expose_secret().as_bytes()),
        created_at: now,
        revoked_at: None,
        dies_at: None,
        previous: None,
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::WorkspaceId;

    use super::*;
    use crate::Environment;

    #[test]
    fn what_is_kept_holds_the_hash_and_not_the_text() {
        let workspace = Workspace {
            id: WorkspaceId::new_at(1),
            name: "Acme".to_owned(),
            environment: Environment::Test,
            created_at: WallTime::from_millis(1),
            webhook_retention_days: None,
            webhook_retention_before: None,
        };
        let text = key_text::random(workspace.environment);
        let now = WallTime::from_millis(2);
        let key = new_key(&workspace, "ci".to_owned(), Role::Write, &text, now);
        let kept = serde_json::to_string(&key).unwrap();
        assert!(!kept.contains(text.expose_secret()));
        assert!(kept.contains(&sha256_hex(text.expose_secret().as_bytes())));
    }
}
