//! Reading the audit log.

use std::time::Duration;

use millwright_core::{AuditId, ConnectionId, Result, WallTime, WorkspaceId};
use millwright_store::{Range, Store, Table};
use serde::{Deserialize, Serialize};

use super::{AuditAction, AuditEntry, Month, partition};

/// How many rows and months one call looks at: filters may refuse most, and months may be empty.
const EXAMINED_MAX: usize = 1_000;
/// Below and above every id of an entry.
const FIRST_SK: &str = "aud_";
const LAST_SK: &str = "aud_~";

/// Which entries a list shows.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only those of this time or later.
    pub since: Option<WallTime>,
    /// Only those of before this time.
    pub until: Option<WallTime>,
    /// Only those that did this.
    pub action: Option<AuditAction>,
    /// Only those done to this connection.
    pub connection: Option<ConnectionId>,
}

impl AuditFilter {
    fn admits(&self, entry: &AuditEntry) -> bool {
        self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
            && self.action.is_none_or(|action| entry.action == action)
            && self.connection.as_ref().is_none_or(|own| entry.connection.as_ref() == Some(own))
    }
}

/// Where a list goes on: older than `before` in its month.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditPlace {
    month: Month,
    before: Option<AuditId>,
}

/// A page of entries.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// The entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// Where to go on, when there may be more.
    pub next: Option<AuditPlace>,
}

/// A page of a workspace's log, newest first, as far back as entries are kept.
///
/// # Errors
/// When the table fails.
pub async fn list_audit(
    store: &Store,
    workspace: &WorkspaceId,
    retention: Duration,
    filter: &AuditFilter,
    place: Option<AuditPlace>,
    limit: usize,
) -> Result<AuditPage> {
    let now = store.clock().wall();
    let oldest = (now - retention).max(filter.since.unwrap_or(WallTime::from_millis(0)));
    let newest = filter.until.map_or(now, |until| until.min(now));
    let first = Month::of(oldest.millis());
    let start = AuditPlace { month: Month::of(newest.millis()), before: None };
    let mut place = place.unwrap_or(start);
    let (mut entries, mut examined) = (Vec::new(), 0);
    while place.month >= first {
        let room = limit - entries.len();
        let found = older(store, workspace, &place, room).await?;
        examined += found.len() + 1;
        place = match found.last() {
            Some(last) => AuditPlace { before: Some(last.id.clone()), ..place },
            None => AuditPlace { month: place.month.before(), before: None },
        };
        entries.extend(found.into_iter().filter(|entry| filter.admits(entry)));
        if entries.len() >= limit || examined >= EXAMINED_MAX {
            return Ok(AuditPage { entries, next: Some(place) });
        }
    }
    Ok(AuditPage { entries, next: None })
}

/// The newest entries of a month that are older than its place.
async fn older(
    store: &Store,
    workspace: &WorkspaceId,
    place: &AuditPlace,
    limit: usize,
) -> Result<Vec<AuditEntry>> {
    let last = place.before.as_ref().map_or(LAST_SK, AuditId::as_str);
    let range = Range::Between(FIRST_SK.to_owned(), last.to_owned());
    let pk = partition(workspace, place.month);
    let page = store.query::<AuditEntry>(Table::State, &pk, &range, None, limit + 1, false).await?;
    let entries = page.rows.into_iter().map(|row| row.doc);
    let older = entries.filter(|entry| Some(&entry.id) != place.before.as_ref());
    Ok(older.take(limit).collect())
}
