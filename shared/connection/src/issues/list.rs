//! Reading and muting issues.

use millwright_core::{ConnectionId, Error, IssueId, Result, WorkspaceId};
use millwright_store::{Range, Row, Store, Table};
use serde::{Deserialize, Serialize};

use super::model::{Issue, IssueState, ProblemKind, issue_key, prefix};

/// Rows examined before a page is answered with what was found.
const EXAMINED_MAX: usize = 2_000;

/// Which issues to list.
#[derive(Clone, Debug, Default)]
pub struct IssueFilter {
    /// Only those in this state.
    pub state: Option<IssueState>,
    /// Only those of this connection.
    pub connection: Option<ConnectionId>,
    /// Only those of this kind.
    pub kind: Option<ProblemKind>,
}

impl IssueFilter {
    fn admits(&self, issue: &Issue) -> bool {
        self.connection.as_ref().is_none_or(|id| *id == issue.connection)
            && self.kind.is_none_or(|kind| kind == issue.kind)
    }
}

/// Where a list goes on: after this row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IssuePlace(String);

/// Lists a workspace's issues: open ones first, the newest of each first. The page and where to go on.
///
/// # Errors
/// When the table fails.
pub async fn list_issues(
    store: &Store,
    workspace: &WorkspaceId,
    filter: &IssueFilter,
    after: Option<IssuePlace>,
    limit: usize,
) -> Result<(Vec<Issue>, Option<IssuePlace>)> {
    let range = Range::Prefix(filter.state.map_or("issue#", prefix).to_owned());
    let pk = workspace.as_str();
    let mut after = after.map(|place| place.0);
    let (mut found, mut examined) = (Vec::new(), 0);
    loop {
        let left = limit - found.len();
        let page =
            store.query::<Issue>(Table::State, pk, &range, after.as_deref(), left, false).await?;
        examined += page.rows.len();
        found.extend(page.rows.into_iter().map(|row| row.doc).filter(|own| filter.admits(own)));
        let Some(next) = page.next else { return Ok((found, None)) };
        if found.len() >= limit || examined >= EXAMINED_MAX {
            return Ok((found, Some(IssuePlace(next))));
        }
        after = Some(next);
    }
}

/// An issue of this workspace.
///
/// # Errors
/// `NOT_FOUND` when there is none.
pub async fn find_issue(
    store: &Store,
    workspace: &WorkspaceId,
    id: &IssueId,
) -> Result<Row<Issue>> {
    // It may close between the two looks, and never opens again.
    for state in [IssueState::Open, IssueState::Closed] {
        if let Some(row) = store.get::<Issue>(&issue_key(workspace, id, state)).await? {
            return Ok(row);
        }
    }
    Err(Error::not_found("issue"))
}

/// Keeps an issue's events back from now on, or no longer.
///
/// # Errors
/// `NOT_FOUND` when there is none.
pub async fn mute_issue(
    store: &Store,
    workspace: &WorkspaceId,
    id: &IssueId,
    muted: bool,
) -> Result<Issue> {
    for state in [IssueState::Open, IssueState::Closed] {
        let key = issue_key(workspace, id, state);
        let set = store.modify(&key, |issue: &mut Issue| {
            issue.muted = muted;
            Ok(())
        });
        if let Some((row, ())) = set.await? {
            return Ok(row.doc);
        }
    }
    Err(Error::not_found("issue"))
}
