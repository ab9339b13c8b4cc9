//! From feed pages to messages: the pages are the outbox.

use std::collections::{BTreeMap, HashMap};

use millwright_blob::Blob;
use millwright_core::{Cursor, Error, MessageId, Result, WallTime};
use millwright_entities::Entity;
use millwright_event::{Message, NewMessage, Scope as MessageScope, event_data, publish};
use millwright_queue::{MAX_HOPS, Queue};
use millwright_store::{Key, Row, Store};
use serde_json::{Value, json};

use crate::{
    FeedHead, FeedPage, Op, RecordDoc, Scope, append::announce_feed, feed::read_pages, record_json,
};

/// Pages told in one go before the head is moved.
const PAGES_AT_ONCE: usize = 20;

/// How many bytes of records one message holds: what one invocation can render beside all else.
const RECORDS_MAX: usize = 4 * 1024 * 1024;
/// Rows read at a time: one may hold 380 KB.
const ROWS_AT_ONCE: usize = 25;

/// What telling pages takes.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// Where the pages are.
    pub store: &'a Store,
    /// Where their messages are announced.
    pub queue: &'a Queue,
    /// Where large bodies go.
    pub blob: &'a Blob,
    /// Whether somebody asks for the records themselves, beside their keys.
    pub with_records: bool,
}

/// Tells all pages that have not been told, until `deadline`; what is left then is announced anew, or, over
/// the hops, left to the due index. `hop` is the count that the queue's message carried. Ids of messages follow from their pages, so telling a page twice makes one message; the head is moved only
/// afterwards.
///
/// # Errors
/// When a message could not be recorded; what is left is told the next time.
pub async fn publish_pages(
    telling: Telling<'_>,
    scope: &Scope,
    hop: u8,
    deadline: WallTime,
) -> Result<()> {
    let store = telling.store;
    loop {
        let Some(head) = store.get::<FeedHead>(&scope.head()).await? else { return Ok(()) };
        let head = head.doc;
        if head.published >= head.last {
            return Ok(());
        }
        if store.clock().wall() >= deadline {
            if hop < MAX_HOPS {
                announce_feed(telling.queue, scope, hop + 1).await;
            }
            return Ok(());
        }
        let read = read_pages(store, scope, head.published, head.last, PAGES_AT_ONCE).await?;
        let scope = Scope { customer: head.customer.clone(), ..scope.clone() };
        for page in &read.pages {
            publish_page(telling, &scope, page).await?;
        }
        let told = read.reach;
        store
            .modify(&scope.head(), |head: &mut FeedHead| {
                head.published = head.published.max(told);
                // Somebody is telling them: nobody else has to come.
                head.announced = Some(store.clock().schedule());
                Ok(())
            })
            .await?;
    }
}

async fn publish_page(telling: Telling<'_>, scope: &Scope, page: &FeedPage) -> Result<()> {
    for (op, keys) in keys_by_op(page) {
        let message = message_of(telling, scope, page, op, &keys).await?;
        publish(telling.store, telling.queue, &message).await?;
    }
    Ok(())
}

async fn message_of(
    telling: Telling<'_>,
    scope: &Scope,
    page: &FeedPage,
    op: Op,
    keys: &[&str],
) -> Result<Message> {
    let entity = Entity::find(&page.entity)
        .ok_or_else(|| Error::internal(format!("no entity {}", page.entity)))?;
    let cursor = Cursor::encode(&format!("changes/{}", scope.connection), &page.last())?;
    let more = json!({ "entity": page.entity, "keys": keys, "cursor": cursor });
    let mut data = event_data(&scope.connection, scope.customer.as_ref(), more);
    let sequence = page.first.to_string();
    let parts = [scope.workspace.as_str(), scope.connection.as_str(), &sequence, op.as_str()];
    let new = NewMessage {
        workspace: &scope.workspace,
        id: MessageId::derived_at(page.scheduled.millis(), &parts),
        event_type: &format!("{}.{}", entity.event_name, op.as_str()),
        data: &data,
        scope: MessageScope {
            connection_id: Some(scope.connection.clone()),
            customer_id: customer_id(scope),
            initial_load: page.initial,
            only: None,
        },
    };
    let mut message = Message::render(telling.blob, telling.store.clock(), new).await?;
    // What is gone is told by its key.
    if telling.with_records && op != Op::Deleted {
        let Records { records, complete } = records_of(telling.store, scope, page, keys).await?;
        data["records"] = records.into();
        data["records_complete"] = complete.into();
        message.add_full(telling.blob, &data).await?;
    }
    Ok(message)
}

/// Records as they are now.
struct Records {
    records: Vec<Value>,
    /// Whether none was left out for its size.
    complete: bool,
}

/// The records of some of a page's keys: those that are there, as far as one message holds them.
async fn records_of(
    store: &Store,
    scope: &Scope,
    page: &FeedPage,
    keys: &[&str],
) -> Result<Records> {
    let (mut records, mut size) = (Vec::new(), 0);
    for chunk in keys.chunks(ROWS_AT_ONCE) {
        let places: Vec<Key> = chunk.iter().map(|key| scope.record(&page.entity, key)).collect();
        let rows = store.get_all::<RecordDoc>(&places).await?;
        let mut rows: HashMap<String, Row<RecordDoc>> =
            rows.into_iter().map(|row| (row.key.sk.clone(), row)).collect();
        let present = chunk.iter().filter_map(|key| rows.remove(*key));
        for row in present.filter(|row| row.doc.deleted_at.is_none()) {
            size += row.body.as_ref().map_or(0, String::len);
            if size > RECORDS_MAX {
                return Ok(Records { records, complete: false });
            }
            records.push(record_json(&row)?);
        }
    }
    Ok(Records { records, complete: true })
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
