//! Opening and closing: as writes that go into the transaction of what causes them.

use std::time::Duration;

use millwright_core::{ErrorCode, IssueId, Result, WallTime};
use millwright_event::Message;
use millwright_store::{Expect, Row, Write};
use serde_json::json;

use super::model::{Issue, IssueState, OpenIssue, Problem, issue_key, open_key};
use crate::{Connection, ConnectionContext, events::event};

/// A problem that is met again and again is written at most this often.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// What opening, meeting again or closing an issue writes, and what it tells.
#[derive(Debug, Default)]
pub struct IssueChanges {
    /// For the transaction of the cause.
    pub writes: Vec<Write>,
    /// Rows of `writes`, to announce once they are written.
    pub messages: Vec<Message>,
}

impl IssueChanges {
    /// Both together.
    pub fn extend(&mut self, other: Self) {
        self.writes.extend(other.writes);
        self.messages.extend(other.messages);
    }

    fn tell(&mut self, message: Message) -> Result<()> {
        self.writes.push(message.as_write()?);
        self.messages.push(message);
        Ok(())
    }
}

/// A problem was met: opens its issue, or takes note that it lasts. The writes hold only while nobody
/// else has done so; then the caller asks again.
///
/// # Errors
/// When the table fails.
pub async fn raise_issue(
    context: &ConnectionContext,
    connection: &Connection,
    problem: &Problem,
    code: ErrorCode,
    message: &str,
) -> Result<IssueChanges> {
    let now = context.store.clock().wall();
    let open_at = open_key(&connection.workspace, &connection.id, problem);
    let Some(open) = context.store.get::<OpenIssue>(&open_at).await? else {
        let issue = new_issue(connection, problem, code, message, now);
        return opened(context, connection, problem, &issue).await;
    };
    let mut changes = IssueChanges::default();
    if now.since(open.doc.seen_at) < SEEN_EVERY {
        return Ok(changes);
    }
    let key = issue_key(&connection.workspace, &open.doc.id, IssueState::Open);
    if let Some(mut row) = context.store.get::<Issue>(&key).await? {
        row.doc.last_seen_at = now;
        row.doc.count += 1;
        row.doc.code = code;
        message.clone_into(&mut row.doc.message);
        let seen = OpenIssue { seen_at: now, ..open.doc.clone() };
        changes.writes = vec![Write::replace(&row)?, Write::replace(&Row { doc: seen, ..open })?];
    }
    Ok(changes)
}

/// A problem is over: closes its issue, if one is open. The writes hold only while nobody else has done
/// so; then the caller asks again.
///
/// # Errors
/// When the table fails.
pub async fn settle_issue(
    context: &ConnectionContext,
    connection: &Connection,
    problem: &Problem,
) -> Result<IssueChanges> {
    let open_at = open_key(&connection.workspace, &connection.id, problem);
    match context.store.get::<OpenIssue>(&open_at).await? {
        Some(open) => closed(context, connection, open).await,
        None => Ok(IssueChanges::default()),
    }
}

pub(super) async fn closed(
    context: &ConnectionContext,
    connection: &Connection,
    open: Row<OpenIssue>,
) -> Result<IssueChanges> {
    let mut changes = IssueChanges {
        writes: vec![Write::delete(&open.key, Expect::Version(open.version))],
        messages: Vec::new(),
    };
    let key = issue_key(&connection.workspace, &open.doc.id, IssueState::Open);
    let Some(row) = context.store.get::<Issue>(&key).await? else { return Ok(changes) };
    let mut issue = row.doc;
    issue.closed_at = Some(context.store.clock().wall());
    let closed_at = issue_key(&connection.workspace, &issue.id, IssueState::Closed);
    changes.writes.push(Write::delete(&row.key, Expect::Version(row.version)));
    changes.writes.push(Write::put(&closed_at, &issue, Expect::Absent)?);
    if !issue.muted {
        changes.tell(told(context, connection, "issue.closed", &issue).await?)?;
    }
    Ok(changes)
}

async fn opened(
    context: &ConnectionContext,
    connection: &Connection,
    problem: &Problem,
    issue: &Issue,
) -> Result<IssueChanges> {
    let open = OpenIssue { id: issue.id.clone(), seen_at: issue.opened_at };
    let open_at = open_key(&connection.workspace, &connection.id, problem);
    let key = issue_key(&connection.workspace, &issue.id, IssueState::Open);
    let mut changes = IssueChanges {
        writes: vec![
            Write::put(&open_at, &open, Expect::Absent)?,
            Write::put(&key, issue, Expect::Absent)?,
        ],
        messages: Vec::new(),
    };
    changes.tell(told(context, connection, "issue.opened", issue).await?)?;
    Ok(changes)
}

fn new_issue(
    connection: &Connection,
    problem: &Problem,
    code: ErrorCode,
    message: &str,
    now: WallTime,
) -> Issue {
    Issue {
        id: IssueId::derived_at(now.millis(), &[connection.id.as_str(), &problem.name()]),
        workspace: connection.workspace.clone(),
        connection: connection.id.clone(),
        kind: problem.kind(),
        entity: problem.entity().map(str::to_owned),
        code,
        message: message.to_owned(),
        opened_at: now,
        last_seen_at: now,
        closed_at: None,
        count: 1,
        muted: false,
    }
}

async fn told(
    context: &ConnectionContext,
    connection: &Connection,
    event_type: &str,
    issue: &Issue,
) -> Result<Message> {
    let more = json!({
        "issue_id": issue.id,
        "kind": issue.kind,
        "entity": issue.entity,
        "code": issue.code,
        "message": issue.message,
        "opened_at": issue.opened_at.iso(),
        "closed_at": issue.closed_at.map(WallTime::iso),
        "count": issue.count,
    });
    event(context, connection, event_type, issue.id.as_str(), more).await
}
