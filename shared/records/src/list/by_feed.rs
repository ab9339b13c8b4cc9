//! In the order in which records changed: strong and complete, without an index. A record that changes
//! while somebody pages shows again further on, never not at all.

use millwright_core::Result;
use millwright_store::{Row, Store};

use super::{ListPlace, RecordPage, RecordQuery};
use crate::{
    RecordDoc, Scope, Seq,
    feed::{At, read_feed},
};

pub(super) async fn list(
    store: &Store,
    scope: &Scope,
    query: &RecordQuery<'_>,
    after: Seq,
) -> Result<RecordPage> {
    let pick = |_: At<'_>, row: &Row<RecordDoc>| query.wanted.pick(row);
    let bounds = (query.limit, query.effort);
    let page = read_feed(store, scope, Some(query.entity), Some(after), bounds, pick).await?;
    let next = page.has_more.then_some(ListPlace::Feed(page.next));
    Ok(RecordPage { records: page.taken, next })
}
