//! From feed pages to messages: the pages are the outbox.

use std::collections::BTreeMap;

use millwright_blob::Blob;
use millwright_core::{Cursor, Error, MessageId, Result, WallTime};
use millwright_entities::Entity;
use millwright_event::{Message, NewMessage, Scope as MessageScope, event_data, publish};
use millwright_queue::Queue;
use millwright_store::Store;
use serde_json::json;

use crate::{FeedHead, FeedPage, Op, Scope, feed::read_pages};

/// Pages told in one go before the head is moved.
const PAGES_AT_ONCE: usize = 20;

/// Tells all pages that have not been told, until `deadline`. Ids of messages follow from their pages, so telling a page
/// twice makes one message; the head is moved only afterwards.
///
/// # Errors
/// When a message could not be recorded; what is left is told the next time.
pub async fn publish_pages(
    store: &Store,
    queue: &Queue,
    blob: &Blob,
    scope: &Scope,
    deadline: WallTime,
) -> Result<()> {
    loop {
        let Some(head) = store.get::<FeedHead>(&scope.head()).await? else { return Ok(()) };
        let head = head.doc;
        // Where time is up, the head is still due: the sweep goes on with it.
        if head.published >= head.last || store.clock().wall() >= deadline {
            return Ok(());
        }
        let read = read_pages(store, scope, head.published, head.last, PAGES_AT_ONCE).await?;
        let scope = Scope { customer: head.customer.clone(), ..scope.clone() };
        for page in &read.pages {
            publish_page(store, queue, blob, &scope, page).await?;
        }
        let told = read.reach;
        store
            .modify(&scope.head(), |head: &mut FeedHead| {
                head.published = head.published.max(told);
                Ok(())
            })
            .await?;
    }
}

async fn publish_page(
    store: &Store,
    queue: &Queue,
    blob: &Blob,
    scope: &Scope,
    page: &FeedPage,
) -> Result<()> {
    for (op, keys) in keys_by_op(page) {
        let message = message_of(store, blob, scope, page, op, &keys).await?;
        publish(store, queue, &message).await?;
    }
    Ok(())
}

async fn message_of(
    store: &Store,
    blob: &Blob,
    scope: &Scope,
    page: &FeedPage,
    op: Op,
    keys: &[&str],
) -> Result<Message> {
    let entity = Entity::find(&page.entity)
        .ok_or_else(|| Error::internal(format!("no entity {}", page.entity)))?;
    let cursor = Cursor::encode(&format!("changes/{}", scope.connection), &page.last())?;
    let more = json!({ "entity": page.entity, "keys": keys, "cursor": cursor });
    let sequence = page.first.to_string();
    let parts = [scope.workspace.as_str(), scope.connection.as_str(), &sequence, op.as_str()];
    let new = NewMessage {
        workspace: &scope.workspace,
        id: MessageId::derived_at(page.scheduled.millis(), &parts),
        event_type: &format!("{}.{}", entity.event_name, op.as_str()),
        data: &event_data(&scope.connection, scope.customer.as_ref(), more),
        scope: MessageScope {
            connection_id: Some(scope.connection.clone()),
            customer_id: customer_id(scope),
            initial_load: page.initial,
            only: None,
        },
    };
    Message::render(blob, store.clock(), new).await
}

fn customer_id(scope: &Scope) -> Option<String> {
    Some(scope.customer.as_ref()?.get("id")?.as_str()?.to_owned())
}

/// One message per kind of change, with all of the page's keys of that kind.
fn keys_by_op(page: &FeedPage) -> Vec<(Op, Vec<&str>)> {
    let mut by_op: BTreeMap<&str, (Op, Vec<&str>)> = BTreeMap::new();
    for entry in &page.entries {
        let keys = by_op.entry(entry.op.as_str()).or_insert((entry.op, Vec::new()));
        keys.1.push(&entry.key);
    }
    by_op.into_values().collect()
}
