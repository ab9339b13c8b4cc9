//! Appending to the feed: page, head and whatever must happen with them, in one transaction.

use millwright_core::{Error, QueueName, Result};
use millwright_event::feed_work;
use millwright_queue::Queue;
use millwright_store::{Expect, Row, Store, StoreError, Write};

use crate::{CommitError, CommitId, Entry, FeedHead, FeedPage, Origin, Scope, Seq, commit::TRIES};

/// A page of the feed in the making.
pub(crate) struct PageDraft<'a> {
    pub commit: CommitId,
    pub entity: &'a str,
    pub origin: Origin,
    pub initial: bool,
    pub entries: Vec<Entry>,
}

/// Appends a page: page, head and the other writes happen together or not at all.
pub(crate) async fn append(
    store: &Store,
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
        let mut writes = vec![
            Write::put(&scope.page(&page), &page, Expect::Absent)?,
            head_write(scope, head.as_ref(), &page)?,
        ];
        writes.extend_from_slice(others);
        match store.transact(writes).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict(place)) if place < 2 => {}
            // The transaction may have been made, with its answer lost: then its page is there.
            Err(StoreError::Conflict(_)) if committed(store, scope, &page).await? => return Ok(()),
            Err(StoreError::Conflict(_)) => return Err(CommitError::Fenced),
            Err(error) => return Err(error.into()),
        }
        if committed(store, scope, &page).await? {
            return Ok(());
        }
    }
    Err(CommitError::Failed(Error::internal("the feed's head moved too often")))
}

async fn committed(store: &Store, scope: &Scope, page: &FeedPage) -> Result<bool> {
    let there = store.get::<FeedPage>(&scope.page(page)).await?;
    Ok(there.is_some_and(|row| row.doc.commit == page.commit))
}

fn head_write(scope: &Scope, head: Option<&Row<FeedHead>>, page: &FeedPage) -> Result<Write> {
    let doc = FeedHead {
        workspace: scope.workspace.clone(),
        connection: scope.connection.clone(),
        customer: scope.customer.clone(),
        last: page.last(),
        published: head.map_or(Seq::default(), |row| row.doc.published),
        scheduled: page.scheduled,
    };
    let expect = head.map_or(Expect::Absent, |row| Expect::Version(row.version));
    Ok(Write::put(&scope.head(), &doc, expect)?)
}

/// Tells the fan-out that there are pages to publish. A failure is only logged: the head is due.
pub(crate) async fn announce_feed(queue: &Queue, scope: &Scope) {
    let sent = match feed_work(&scope.workspace, &scope.connection) {
        Ok(work) => queue.send(QueueName::Fanout, &work).await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        tracing::warn!(connection = %scope.connection, %error, "feed left to the sweep");
    }
}
