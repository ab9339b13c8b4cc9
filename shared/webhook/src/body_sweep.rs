//! Bodies in the blob store go when their messages do. Rows have an end of their own; bodies have not,
//! so a workspace that has any is looked at once a day, and the days that no message can be from any
//! more are emptied. The look is a row of its own that is due: it is lost neither with a process nor
//! with a queue.

use std::time::Duration;

use millwright_core::{QueueName, Result, ScheduleTime, WorkspaceId};
use millwright_event::{Body, FanoutTask, Message, fanout_work};
use millwright_store::{Document, Due, Expect, Key, Row, Write};
use serde::{Deserialize, Serialize};

use crate::{Webhooks, window::Window};

/// How long after one look the next is.
const BETWEEN: Duration = Duration::from_secs(24 * 3600);

/// When a workspace's bodies are looked at next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BodySweep {
    workspace: WorkspaceId,
    at: ScheduleTime,
}

impl Document for BodySweep {
    fn due(&self) -> Option<Due> {
        let task = FanoutTask::Bodies { workspace: self.workspace.clone() };
        let work = fanout_work(&self.workspace, &task).ok()?;
        // Nothing carries it, so the sweep has to look when its time has come.
        Some(Due { queue: QueueName::Fanout, attempt_at: self.at, due_at: self.at, work })
    }
}

impl Webhooks {
    /// Sees to it that a message's body goes some time, if it is in the blob store.
    pub(crate) async fn plan_body_sweep(&self, message: &Message) -> Result<()> {
        let blob = |body: &Body| matches!(body, Body::Blob(_));
        if !blob(&message.body) && !message.full_body.as_ref().is_some_and(blob) {
            return Ok(());
        }
        let workspace = &message.workspace;
        let now = self.clock().schedule();
        if self.retention.has_planned(workspace, now) {
            return Ok(());
        }
        let sweep = BodySweep { workspace: workspace.clone(), at: now + BETWEEN };
        self.store.create(&sweep_key(workspace), &sweep).await?;
        self.retention.planned(workspace, now + BETWEEN / 2);
        Ok(())
    }

    /// Deletes the bodies of a workspace that no message can have any more, and plans the next look if
    /// others are left. Harmless to do twice.
    ///
    /// # Errors
    /// When the table or the blob store fails: the look is then taken again.
    pub async fn sweep_bodies(&self, workspace: &WorkspaceId) -> Result<()> {
        let row: Option<Row<BodySweep>> = self.store.get(&sweep_key(workspace)).await?;
        let Some(mut row) = row else { return Ok(()) };
        let now = self.clock().schedule();
        if row.doc.at > now {
            return Ok(());
        }
        let kept = self.kept_at_most(workspace).await?;
        let first = Window::new(self.clock(), kept, None, None).first.text();
        let folder = format!("{workspace}/messages");
        let days = self.blob.folders(&folder).await?;
        // Days sort as texts do.
        let (gone, left): (Vec<_>, Vec<_>) = days.into_iter().partition(|day| *day < first);
        for day in gone {
            self.blob.delete_all(&format!("{folder}/{day}")).await?;
        }
        row.doc.at = now + BETWEEN;
        let write = if left.is_empty() {
            Write::delete(&row.key, Expect::Version(row.version))
        } else {
            Write::replace(&row)?
        };
        match self.store.write(write).await {
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn sweep_key(workspace: &WorkspaceId) -> Key {
    Key::state(workspace.as_str(), "body-sweep")
}
