//! For how long a workspace's messages are kept.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use millwright_access::{WEBHOOK_RETENTION_DAYS, Workspace, get_workspace};
use millwright_core::{ErrorCode, Result, ScheduleTime, WallTime, WorkspaceId};

use crate::Webhooks;

/// How long an answer is good for: a change takes effect within this time.
const FRESH: Duration = Duration::from_secs(60);
/// How many workspaces' answers are kept in memory.
const KNOWN_MAX: usize = 10_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is known of workspaces. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Retention(Arc<Mutex<HashMap<WorkspaceId, Known>>>);

/// What is known of one.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Since when, and for how many days its messages are kept, and may have been kept.
    days: Option<(WallTime, Days)>,
    /// Until when a look at its bodies is surely planned.
    planned_until: Option<ScheduleTime>,
}

/// For how many days messages are kept that come now, if the workspace has said so; and for how many at
/// most those are that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    now: Option<u16>,
    at_most: u16,
}

impl Days {
    fn of(workspace: &Workspace, at: WallTime) -> Self {
        Self {
            now: workspace.webhook_retention_days,
            at_most: workspace.webhook_retention_at_most(at),
        }
    }

    const USUAL: Self = Self { now: None, at_most: WEBHOOK_RETENTION_DAYS };
}

impl fmt::Debug for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retention")
    }
}

impl Retention {
    fn known(&self, workspace: &WorkspaceId) -> Known {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(workspace).copied().unwrap_or_default()
    }

    fn note(&self, workspace: &WorkspaceId, change: impl FnOnce(&mut Known)) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        change(known.entry(workspace.clone()).or_default());
    }

    fn days(&self, workspace: &WorkspaceId, now: WallTime) -> Option<Days> {
        let fresh = self.known(workspace).days.filter(|(at, _)| now.since(*at) < FRESH);
        fresh.map(|(_, days)| days)
    }

    fn set_days(&self, workspace: &WorkspaceId, now: WallTime, days: Days) {
        self.note(workspace, |known| known.days = Some((now, days)));
    }

    /// Whether a look at the workspace's bodies is surely planned.
    pub(crate) fn has_planned(&self, workspace: &WorkspaceId, now: ScheduleTime) -> bool {
        self.known(workspace).planned_until.is_some_and(|until| now < until)
    }

    /// Takes note that one is.
    pub(crate) fn planned(&self, workspace: &WorkspaceId, until: ScheduleTime) {
        self.note(workspace, |known| known.planned_until = Some(until));
    }
}

impl Webhooks {
    async fn days(&self, workspace: &WorkspaceId) -> Result<Days> {
        let now = self.clock().wall();
        if let Some(days) = self.retention.days(workspace, now) {
            return Ok(days);
        }
        let days = match get_workspace(&self.store, workspace).await {
            Ok(found) => Days::of(&found, now),
            // What is told of a workspace that is going is kept as usual.
            Err(error) if error.code == ErrorCode::NotFound => Days::USUAL,
            Err(error) => return Err(error),
        };
        self.retention.set_days(workspace, now, days);
        Ok(days)
    }

    /// For how many days the workspace wants its messages kept, if it has said so.
    pub(crate) async fn kept_days(&self, workspace: &WorkspaceId) -> Result<Option<u16>> {
        Ok(self.days(workspace).await?.now)
    }

    /// For how long a message of the workspace is kept that is taken in now.
    pub(crate) async fn kept_for(&self, workspace: &WorkspaceId) -> Result<Duration> {
        let days = self.days(workspace).await?.now.unwrap_or(WEBHOOK_RETENTION_DAYS);
        Ok(DAY * u32::from(days))
    }

    /// For how long any message of the workspace is kept: those of before it shortened that time too.
    pub(crate) async fn kept_at_most(&self, workspace: &WorkspaceId) -> Result<Duration> {
        Ok(DAY * u32::from(self.days(workspace).await?.at_most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_for_a_minute() {
        let (known, workspace) = (Retention::default(), WorkspaceId::new_at(1));
        let now = WallTime::from_millis(1_000_000);
        let days = Days { now: Some(7), at_most: 30 };
        assert_eq!(known.days(&workspace, now), None);
        known.set_days(&workspace, now, days);
        assert_eq!(known.days(&workspace, now + Duration::from_secs(59)), Some(days));
        assert_eq!(known.days(&workspace, now + FRESH), None);
        assert_eq!(known.days(&WorkspaceId::new_at(1), now), None);
    }

    #[test]
    fn a_planned_look_is_remembered_beside_it() {
        let (known, workspace) = (Retention::default(), WorkspaceId::new_at(1));
        let now = ScheduleTime::from_millis(1_000_000);
        assert!(!known.has_planned(&workspace, now));
        known.planned(&workspace, now + DAY);
        known.set_days(&workspace, WallTime::from_millis(1), Days::USUAL);
        assert!(known.has_planned(&workspace, now) && !known.has_planned(&workspace, now + DAY));
    }
}
