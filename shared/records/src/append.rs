//! Appending to the feed: page, head and whatever must happen with them, in one transaction.

use std::time::Duration;

use millwright_core::{Error, QueueName, Result};
use millwright_event::feed_work;
use millwright_queue::Queue;
use millwright_store::{Expect, Store, StoreError, Write};

use crate::{CommitError, CommitId, Entry, FeedHead, FeedPage, Origin, Scope, Seq, commit::TRIES};

/// A page of the feed in the making.
pub(crate) struct PageDraft<'a> {
    pub commit: CommitId,
    pub entity: &'a str,
    pub origin: Origin,
    pub initial: bool,
    pub entries: Vec<Entry>,
}

/// Whoever tells pages goes on until all are told: those that come meanwhile need not be announced. So
/// often they are all the same, should the one before have come to nothing.
const ANNOUNCED_EVERY: Duration = Duration::from_secs(1);

/// Appends a page: page, head and the other writes happen together or not at all. Then it is announced.
pub(crate) async fn append(
    store: &Store,
    queue: &Queue,
    scope: &Scope,
    draft: &PageDraft<'_>,
    others: &[Write],
) -> Result<(), CommitError> {
    debug_assert!(draft.entries.len() <= FeedPage::ENTRIES_MAX, "a page holds 500 entries");
    for _ in 0..TRIES {
        let head = store.get::<FeedHead>(&scope.head()).await?;
        let last = head.as_ref().map_or(Seq::default(), |row| row.doc.last);
        let page = FeedPage {
            first: last.next(store.clock().wall()),
            commit: draft.commit.clone(),
            entity: draft.entity.to_owned(),
            origin: draft.origin,
            initial: draft.initial,
            scheduled: store.clock().schedule(),
            entries: draft.entries.clone(),
        };
        let next = next_head(scope, head.as_ref().map(|row| &row.doc), &page);
        let expect = head.as_ref().map_or(Expect::Absent, |row| Expect::Version(row.version));
        let mut writes = vec![
            Write::put(&scope.page(&page), &page, Expect::Absent)?,
            Write::put(&scope.head(), &next, expect)?,
        ];
        writes.extend_from_slice(others);
        let made = match store.transact(writes).await {
            Ok(()) => true,
            // The transaction may have been made, with its answer lost: then its page is there.
            Err(StoreError::Conflict(place)) => match committed(store, scope, &page).await? {
                false if place >= 2 => return Err(CommitError::Fenced),
                made => made,
            },
            Err(error) => return Err(error.into()),
        };
        if made {
            if next.announced == Some(page.scheduled) {
                announce_feed(queue, scope, 0).await;
            }
            return Ok(());
        }
    }
    Err(CommitError::Failed(Error::internal("the feed's head moved too often")))
}

async fn committed(store: &Store, scope: &Scope, page: &FeedPage) -> Result<bool> {
    let there = store.get::<FeedPage>(&scope.page(page)).await?;
    Ok(there.is_some_and(|row| row.doc.commit == page.commit))
}

/// The head with a page more. That nobody was telling pages holds until the transaction, which has the
/// head's version.
fn next_head(scope: &Scope, head: Option<&FeedHead>, page: &FeedPage) -> FeedHead {
    let waiting = head.filter(|head| head.published < head.last);
    let announced = waiting.and_then(|head| head.announced);
    let lately = announced.filter(|at| page.scheduled.since(*at) < ANNOUNCED_EVERY);
    FeedHead {
        workspace: scope.workspace.clone(),
        connection: scope.connection.clone(),
        customer: scope.customer.clone(),
        last: page.last(),
        published: head.map_or(Seq::default(), |head| head.published),
        scheduled: page.scheduled,
        announced: lately.or(Some(page.scheduled)),
    }
}

/// Tells the fan-out that there are pages to publish. A failure is only logged: the head is due.
pub(crate) async fn announce_feed(queue: &Queue, scope: &Scope, hop: u8) {
    let sent = match feed_work(&scope.workspace, &scope.connection) {
        Ok(work) => queue.send_after(QueueName::Fanout, &work, Duration::ZERO, hop).await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        tracing::warn!(connection = %scope.connection, %error, "feed left to the sweep");
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::{ConnectionId, ScheduleTime, WallTime, WorkspaceId};

    use super::*;

    const NOW: i64 = 1_000_000;

    fn scope() -> Scope {
        let (workspace, connection) = (WorkspaceId::new_at(1), ConnectionId::new_at(1));
        Scope { workspace, connection, customer: None }
    }

    /// A page of one change, some milliseconds later.
    fn page(head: Option<&FeedHead>, later: i64) -> FeedPage {
        let last = head.map_or(Seq::default(), |head| head.last);
        FeedPage {
            first: last.next(WallTime::from_millis(NOW + later)),
            commit: CommitId::of_pull(1, 1),
            entity: "vendors".to_owned(),
            origin: Origin::Sync,
            initial: false,
            scheduled: ScheduleTime::from_millis(NOW + later),
            entries: vec![Entry { key: "rec".to_owned(), op: crate::Op::Inserted }],
        }
    }

    #[test]
    fn what_comes_while_pages_are_told_is_announced_once_a_second() {
        let scope = scope();
        let told =
            |head: &FeedHead, at| head.announced == Some(ScheduleTime::from_millis(NOW + at));
        let first = next_head(&scope, None, &page(None, 0));
        assert!(told(&first, 0));
        let second = next_head(&scope, Some(&first), &page(Some(&first), 999));
        assert!(told(&second, 0) && second.last > first.last);
        let third = next_head(&scope, Some(&second), &page(Some(&second), 1_000));
        assert!(told(&third, 1_000), "the one before may have come to nothing");
        let rests = FeedHead { published: third.last, ..third };
        assert!(told(&next_head(&scope, Some(&rests), &page(Some(&rests), 1_001)), 1_001));
        let older = FeedHead { announced: None, ..second };
        assert!(told(&next_head(&scope, Some(&older), &page(Some(&older), 999)), 999));
    }
}
