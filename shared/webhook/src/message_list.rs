//! Reading messages.

use futures::{StreamExt, TryStreamExt, stream};
use millwright_core::{Cursor, Error, MessageId, Result, ScheduleTime, WorkspaceId};
use millwright_event::{Message, message_key};
use millwright_store::{Range, Row, Table};
use serde::{Deserialize, Serialize};

use crate::{
    Listed, Webhooks,
    keys::{Day, message_partition},
    window::{Ahead, Window},
};

const LIST: &str = "webhook-messages";
/// How many rows and days one call looks at: filters may refuse most, and days may be empty.
pub(crate) const EXAMINED_MAX: usize = 1000;
/// Below and above every id of a message.
pub(crate) const FIRST_SK: &str = "msg_";
pub(crate) const LAST_SK: &str = "msg_~";

/// Which messages a list shows.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Only those of this type.
    pub event_type: Option<String>,
    /// Only those made at this time or later.
    pub since: Option<ScheduleTime>,
    /// Only those made before this time.
    pub until: Option<ScheduleTime>,
}

/// Where a list goes on: older than `before` on `day`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    day: i64,
    before: Option<MessageId>,
}

impl Webhooks {
    /// One message.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is none: also for a moment after it was accepted, until the queue has
    /// handed it over.
    pub async fn get_message(&self, workspace: &WorkspaceId, id: &MessageId) -> Result<Message> {
        let row: Option<Row<Message>> = self.store.get(&message_key(workspace, id)).await?;
        row.map(|row| row.doc).ok_or_else(|| Error::not_found("webhook message"))
    }

    /// A page of the workspace's messages, newest first.
    ///
    /// # Errors
    /// `CURSOR_INVALID`, or when the table fails.
    pub async fn list_messages(
        &self,
        workspace: &WorkspaceId,
        filter: &MessageFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Listed<Message>> {
        let kept = self.kept_at_most(workspace).await?;
        let window = Window::new(self.clock(), kept, filter.since, filter.until);
        let start = Place { day: window.last.0, before: None };
        let mut place = cursor.map(|text| Cursor::decode(LIST, text)).transpose()?.unwrap_or(start);
        let wanted = |message: &Message| {
            window.holds(message.created_at)
                && filter.event_type.as_ref().is_none_or(|one| *one == message.event_type)
        };
        let (mut data, mut examined, mut ahead) = (Vec::new(), 0, Ahead::default());
        while place.day >= window.first.0 {
            let room = limit - data.len();
            let days = ahead.days(Day(place.day), place.before.is_some(), &window);
            for (day, rows) in self.days_messages(workspace, days, &place.before, room).await? {
                examined += rows.len() + 1;
                place = match rows.last() {
                    Some(last) => Place { day: day.0, before: Some(last.id.clone()) },
                    None => Place { day: day.before().0, before: None },
                };
                data.extend(rows.into_iter().filter(wanted));
                ahead.found(place.before.is_some());
                if place.before.is_some() {
                    // There may be more on this day: what was read of others has to wait.
                    break;
                }
            }
            if data.len() >= limit || examined >= EXAMINED_MAX {
                return Ok(Listed { data, next_cursor: Some(Cursor::encode(LIST, &place)?) });
            }
        }
        Ok(Listed { data, next_cursor: None })
    }

    /// The newest messages of each of these days that are older than `before`, if they are of one day, read
    /// beside one another.
    async fn days_messages(
        &self,
        workspace: &WorkspaceId,
        days: Vec<Day>,
        before: &Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<(Day, Vec<Message>)>> {
        let of_day = |day: Day| async move {
            let messages = self.newest_messages(workspace, day, before, limit + 1).await?;
            let older = messages.into_iter().filter(|one| Some(&one.id) != before.as_ref());
            Ok((day, older.take(limit).collect()))
        };
        stream::iter(days).map(of_day).buffered(Ahead::MOST).try_collect().await
    }

    /// The newest messages of a day up to `last`, itself included.
    pub(crate) async fn newest_messages(
        &self,
        workspace: &WorkspaceId,
        day: Day,
        last: &Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>> {
        let last = last.as_ref().map_or(LAST_SK, MessageId::as_str);
        let range = Range::Between(FIRST_SK.to_owned(), last.to_owned());
        let pk = message_partition(workspace, day);
        let page = self.store.query(Table::State, &pk, &range, None, limit, false).await?;
        Ok(page.rows.into_iter().map(|row: Row<Message>| row.doc).collect())
    }
}
