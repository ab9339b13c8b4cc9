//! Workspaces: the tenants.

use std::{ops::RangeInclusive, time::Duration};

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
    /// For how many days it wants webhook messages kept, if it has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_retention_days: Option<u16>,
    /// For how many days it wanted them kept before it shortened that time, while there may be any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_retention_before: Option<RetentionBefore>,
}

/// A time for which messages were kept, and until when there may be any of then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionBefore {
    /// For how many days they were kept.
    pub days: u16,
    /// When the last of them ceases to be.
    pub until: WallTime,
}

impl Document for Workspace {}

/// For how many days webhook messages are kept unless their workspace says otherwise.
pub const WEBHOOK_RETENTION_DAYS: u16 = 30;
/// For how many days they may be kept.
const WEBHOOK_RETENTION: RangeInclusive<u16> = 1..=90;

impl Workspace {
    /// For how many days webhook messages are kept.
    #[must_use]
    pub fn webhook_retention_days(&self) -> u16 {
        self.webhook_retention_days.unwrap_or(WEBHOOK_RETENTION_DAYS)
    }

    /// For how many days any message is kept that there is: those of before it shortened that time too.
    #[must_use]
    pub fn webhook_retention_at_most(&self, now: WallTime) -> u16 {
        let before = self.webhook_retention_before.filter(|before| now < before.until);
        before.map_or(0, |before| before.days).max(self.webhook_retention_days())
    }

    fn set_webhook_retention(&mut self, days: Option<u16>, now: WallTime) {
        let at_most = self.webhook_retention_at_most(now);
        let before = self.webhook_retention_days();
        self.webhook_retention_days = days;
        if before > self.webhook_retention_days() {
            // Some processes learn of it a minute later.
            let until = now + Duration::from_secs((u64::from(at_most) + 1) * 24 * 3600);
            self.webhook_retention_before = Some(RetentionBefore { days: at_most, until });
        }
    }
}

/// What to change of a workspace. What is not given stays; `Some(None)` is what it had at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkspaceChange {
    /// For how many days webhook messages are kept, from 1 to 90.
    pub webhook_retention_days: Option<Option<u16>>,
}

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
    let created_at = store.clock().wall();
    let workspace = Workspace {
        id,
        name,
        environment,
        created_at,
        webhook_retention_days: None,
        webhook_retention_before: None,
    };
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

/// Changes a workspace. Nothing is written when that leaves it as it was.
///
/// # Errors
/// `VALIDATION_FAILED` for a number of days out of range; `NOT_FOUND`; when the table fails.
pub async fn change_workspace(
    store: &Store,
    id: &WorkspaceId,
    change: &WorkspaceChange,
) -> Result<Workspace> {
    if let Some(Some(days)) = change.webhook_retention_days
        && !WEBHOOK_RETENTION.contains(&days)
    {
        let path = "webhook_retention_days";
        let fault = FieldError::new(path, ErrorCode::ValidationFailed, "must be from 1 to 90");
        return Err(Error::from_fields(vec![fault])
            .unwrap_or_else(|| Error::internal("one fault is an error")));
    }
    let (change, key, now) = (*change, workspace_key(id), store.clock().wall());
    let changed = store.modify(&key, move |workspace: &mut Workspace| {
        if let Some(days) = change.webhook_retention_days {
            workspace.set_webhook_retention(days, now);
        }
        Ok(())
    });
    let (row, ()) =
        changed.await?.ok_or_else(|| Error::new(ErrorCode::NotFound, "no such workspace"))?;
    Ok(row.doc)
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
    fn what_was_kept_longer_before_is_known_as_long_as_there_may_be_any() {
        let (now, day) = (WallTime::from_millis(1_000_000), Duration::from_secs(86_400));
        let mut workspace = Workspace {
            id: WorkspaceId::new_at(1),
            name: "Acme".to_owned(),
            environment: Environment::Test,
            created_at: now,
            webhook_retention_days: None,
            webhook_retention_before: None,
        };
        assert_eq!(workspace.webhook_retention_at_most(now), 30);
        workspace.set_webhook_retention(Some(90), now);
        assert_eq!(workspace.webhook_retention_at_most(now), 90);
        workspace.set_webhook_retention(Some(7), now);
        workspace.set_webhook_retention(Some(1), now + day);
        assert_eq!(workspace.webhook_retention_days(), 1);
        assert_eq!(workspace.webhook_retention_at_most(now + day * 91), 90);
        assert_eq!(workspace.webhook_retention_at_most(now + day * 92), 1);
    }

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
