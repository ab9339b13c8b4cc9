//! What the rows hold.

use std::time::Duration;

use millwright_connection::Connection;
use millwright_core::{ConnectionId, QueueName, ScheduleTime, WallTime, WorkspaceId};
use millwright_event::feed_work;
use millwright_store::{Document, Due, Key, Order, OrderPlace, OrderPlaces};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{KeptRaw, Seq, sortable_time};

/// How long feed pages are kept; older cursors have to list again.
pub const FEED_RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);

/// How much later than the feed's page the row of a deleted record goes.
const ENDS_AFTER_FEED: Duration = Duration::from_secs(24 * 3600);

/// Whose records: part of every key.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The connection.
    pub connection: ConnectionId,
    /// The customer it belongs to, `{id, name}`, for the events.
    pub customer: Option<Value>,
}

/// The commit that wrote a row: a puller's fence and count, the fence of who reads what webhooks hint
/// at, or one write through the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitId(String);

impl CommitId {
    /// The `number`th commit of the puller that holds `fence`.
    #[must_use]
    pub fn of_pull(fence: u64, number: u64) -> Self {
        Self(format!("p{fence}.{number}"))
    }

    /// The commit of the worker that holds `fence` on an entity's hints.
    #[must_use]
    pub fn of_hints(entity: &str, fence: u64) -> Self {
        Self(format!("h{entity}.{fence}"))
    }

    /// Whether it is a puller's, and this one or a later one: the `number`th of `fence`.
    #[must_use]
    pub fn is_of_pull_from(&self, fence: u64, number: u64) -> bool {
        let own = self.0.strip_prefix('p').and_then(|own| own.split_once('.'));
        let own = own.and_then(|(fence, number)| {
            Some((fence.parse::<u64>().ok()?, number.parse::<u64>().ok()?))
        });
        own.is_some_and(|own| own >= (fence, number))
    }

    /// The commit of a write: `name` is unique.
    #[must_use]
    pub fn of_write(name: &str) -> Self {
        Self(format!("w{name}"))
    }
}

/// What a commit did to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It was not there before.
    Inserted,
    /// It was there and is different now.
    Updated,
    /// It is gone.
    Deleted,
}

impl Op {
    /// The last part of the event's type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// Where a change came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A sync found it.
    Sync,
    /// It was written through the API.
    Write,
}

/// What is known of a record beside its content, which is the row's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordDoc {
    /// The source's own id.
    pub remote_id: String,
    /// Hash of the content.
    pub hash: String,
    /// The commit that wrote the row. It counts only if that commit's page is in the feed.
    pub commit: CommitId,
    /// Whether readers of the feed had the record before that commit told of it.
    #[serde(default)]
    pub known_before: bool,
    /// When Millwright first had it.
    pub first_seen_at: WallTime,
    /// When Millwright last found it different.
    pub changed_at: WallTime,
    /// When it was last written through the API: what was fetched before then is older.
    #[serde(default)]
    pub written_at: Option<WallTime>,
    /// When the reading began that the row is from: what was fetched before then is older.
    #[serde(default)]
    pub fetched_at: Option<WallTime>,
    /// When it was found to be gone.
    #[serde(default)]
    pub deleted_at: Option<WallTime>,
    /// Whether it had been gone before, and came back: what tells of a deletion may mean that one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revived: bool,
    /// When the source made and changed it.
    #[serde(default)]
    pub source: SourceTimes,
    /// How many days it is kept once it is gone; nothing for as long as the feed tells of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_days: Option<u32>,
    /// The row of the system that the content was made of, where rows are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<KeptRaw>,
}

impl RecordDoc {
    /// What its commit tells of it.
    #[must_use]
    pub fn op(&self) -> Op {
        match (self.deleted_at, self.known_before) {
            (Some(_), _) => Op::Deleted,
            (None, true) => Op::Updated,
            (None, false) => Op::Inserted,
        }
    }

    /// Whether readers of the feed have it, where these commits never came to be.
    #[must_use]
    pub fn is_known(&self, unfinished: &[CommitId]) -> bool {
        if unfinished.contains(&self.commit) {
            self.known_before
        } else {
            self.deleted_at.is_none()
        }
    }

    /// When the row goes, where its record is gone: never before the feed's page that tells of it, for
    /// that is told with the row.
    #[must_use]
    pub fn ends_at(&self) -> Option<WallTime> {
        let days = Duration::from_secs(u64::from(self.kept_days.unwrap_or(0)) * 24 * 3600);
        // What was told of late, by another commit than the one that marked it, changed then.
        let gone = self.deleted_at?.max(self.changed_at);
        Some(gone + days.max(FEED_RETENTION) + ENDS_AFTER_FEED)
    }
}

impl Document for RecordDoc {
    fn expires_at(&self) -> Option<WallTime> {
        self.ends_at()
    }

    fn places(&self) -> Option<OrderPlaces> {
        Some(OrderPlaces {
            created: self.source.place(Order::Created),
            updated: self.source.place(Order::Updated),
        })
    }
}

/// When the source made a record and last changed it, by its own clock, as the record's content says:
/// texts that sort as the times do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTimes {
    /// `createdAt`.
    #[serde(default)]
    pub created: Option<String>,
    /// `updatedAt`.
    #[serde(default)]
    pub updated: Option<String>,
}

impl SourceTimes {
    /// Those of a record's content.
    #[must_use]
    pub fn of(record: &Map<String, Value>) -> Self {
        let time = |name| record.get(name).and_then(Value::as_str).and_then(sortable_time);
        Self { created: time("createdAt"), updated: time("updatedAt") }
    }

    /// The record's place in an order; before all others where the source does not say.
    #[must_use]
    pub fn place(&self, order: Order) -> OrderPlace {
        let time = match order {
            Order::Created => &self.created,
            Order::Updated => &self.updated,
        };
        OrderPlace::new(time.clone().unwrap_or_default())
    }
}

/// One change: a record and what happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The record's key.
    pub key: String,
    /// What happened.
    pub op: Op,
}

/// An immutable page of the feed. Its entries have the sequences from `first` on, one each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPage {
    /// The sequence of the first entry.
    pub first: Seq,
    /// The commit.
    pub commit: CommitId,
    /// The entity of all of its entries.
    pub entity: String,
    /// Where the changes came from.
    pub origin: Origin,
    /// Whether it is part of a first load.
    pub initial: bool,
    /// The schedule clock at the commit: the messages' ids follow from it.
    pub scheduled: ScheduleTime,
    /// The changes, 500 at most.
    pub entries: Vec<Entry>,
}

impl FeedPage {
    /// The most entries a page holds.
    pub const ENTRIES_MAX: usize = 500;

    /// The sequence of the last entry: the page's sort key, so that a query from a cursor finds the
    /// page the cursor lies in.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.first.plus(self.entries.len().saturating_sub(1))
    }
}

impl Document for FeedPage {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.first.time() + FEED_RETENTION)
    }
}

/// The head of a connection's feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedHead {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The connection.
    pub connection: ConnectionId,
    /// The customer, for the events.
    pub customer: Option<Value>,
    /// The last sequence committed.
    pub last: Seq,
    /// The last sequence told by webhook. While it trails, the head is due.
    pub published: Seq,
    /// The schedule clock at the last commit.
    pub scheduled: ScheduleTime,
    /// The same when pages were last announced to whoever tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<ScheduleTime>,
}

impl Document for FeedHead {
    fn due(&self) -> Option<Due> {
        if self.published >= self.last {
            return None;
        }
        let work = feed_work(&self.workspace, &self.connection).ok()?;
        Some(Due::at(QueueName::Fanout, self.scheduled, self.scheduled, work))
    }
}

/// The key of a feed's head.
#[must_use]
pub fn head_key(workspace: &WorkspaceId, connection: &ConnectionId) -> Key {
    Key::state(format!("{workspace}#{connection}"), "feed")
}

/// The partition of a feed's pages.
#[must_use]
pub fn feed_pk(workspace: &WorkspaceId, connection: &ConnectionId) -> String {
    format!("{workspace}#{connection}#feed")
}

/// The partition of an entity's records.
#[must_use]
pub fn records_pk(workspace: &WorkspaceId, connection: &ConnectionId, entity: &str) -> String {
    format!("{workspace}#{connection}#{entity}")
}

impl Scope {
    /// Those of a connection.
    #[must_use]
    pub fn of(connection: &Connection) -> Self {
        Self {
            workspace: connection.workspace.clone(),
            connection: connection.id.clone(),
            customer: connection.customer_json(),
        }
    }

    /// The row of a record.
    #[must_use]
    pub fn record(&self, entity: &str, key: &str) -> Key {
        record_key_at(&self.workspace, &self.connection, entity, key)
    }

    /// The row of the feed's head.
    #[must_use]
    pub fn head(&self) -> Key {
        head_key(&self.workspace, &self.connection)
    }

    /// The row of a page.
    #[must_use]
    pub fn page(&self, page: &FeedPage) -> Key {
        Key::records(feed_pk(&self.workspace, &self.connection), page.last().sort_key())
    }
}

/// The row of a record.
#[must_use]
pub fn record_key_at(
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    entity: &str,
    key: &str,
) -> Key {
    Key::records(records_pk(workspace, connection, entity), key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const GONE: WallTime = WallTime::from_millis(1_800_000_000_000);

    fn row(deleted_at: Option<WallTime>, kept_days: Option<u32>) -> RecordDoc {
        RecordDoc {
            remote_id: "7".to_owned(),
            hash: "a".to_owned(),
            commit: CommitId::of_pull(1, 1),
            known_before: false,
            first_seen_at: WallTime::from_millis(1),
            changed_at: GONE,
            written_at: None,
            fetched_at: None,
            deleted_at,
            source: SourceTimes::default(),
            revived: false,
            kept_days,
            raw: None,
        }
    }

    #[test]
    fn the_row_of_what_is_gone_outlives_the_page_that_tells_of_it() {
        let page = FeedPage {
            first: Seq::default().next(GONE),
            commit: CommitId::of_pull(1, 1),
            entity: "vendors".to_owned(),
            origin: Origin::Sync,
            initial: false,
            scheduled: ScheduleTime::from_millis(1),
            entries: Vec::new(),
        };
        let (row_ends, page_ends) = (row(Some(GONE), None).expires_at(), page.expires_at());
        assert!(row_ends > page_ends, "{row_ends:?} {page_ends:?}");
        assert_eq!(row(Some(GONE), Some(1)).expires_at(), row_ends, "never sooner");
        assert_eq!(row(Some(GONE), Some(365)).expires_at(), Some(GONE + DAY * 366));
        // One that was told of late stays as long as what told of it.
        assert_eq!(row(Some(GONE - DAY * 30), None).expires_at(), row_ends);
        assert_eq!(row(None, Some(365)).expires_at(), None);
    }
}
