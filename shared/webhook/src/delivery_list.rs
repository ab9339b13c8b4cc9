//! Reading deliveries: one, of an endpoint, of the whole workspace. Failed ones have a list of
//! their own, from an index.

use futures::{StreamExt, TryStreamExt, stream};
use millwright_core::{
    Cursor, DeliveryId, EndpointId, Error, MessageId, Result, ScheduleTime, WorkspaceId,
};
use millwright_store::{Key, Range, Row, Table};
use serde::{Deserialize, Serialize};

use crate::{
    Listed, Webhooks,
    delivery::Delivery,
    keys::{DELIVERY_SHARDS, Day, delivery_key, delivery_partition},
    message_list::{EXAMINED_MAX, FIRST_SK, LAST_SK},
    status::DeliveryStatus,
    window::{Ahead, Window},
};

const LIST: &str = "webhook-deliveries";

/// Which deliveries a list shows.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only those to this endpoint.
    pub endpoint_id: Option<EndpointId>,
    /// Only those of this status.
    pub status: Option<DeliveryStatus>,
    /// Only those of messages of this type.
    pub event_type: Option<String>,
    /// Only those made at this time or later.
    pub since: Option<ScheduleTime>,
    /// Only those made before this time.
    pub until: Option<ScheduleTime>,
}

/// Where a list by time goes on: on `day` older than `before`, or, where `skip` is not 0, at
/// `before` itself after that many of its endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    day: i64,
    before: Option<MessageId>,
    skip: usize,
}

/// A message and the endpoints it went to.
type Recipients = (MessageId, Vec<EndpointId>);

/// Some deliveries, newest first, and where to go on.
struct Batch {
    deliveries: Vec<Delivery>,
    next: Place,
}

impl Webhooks {
    /// One delivery, with its attempts.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is none.
    pub async fn get_delivery(&self, workspace: &WorkspaceId, id: &DeliveryId) -> Result<Delivery> {
        let row: Option<Row<Delivery>> = self.store.get(&delivery_key(workspace, id)).await?;
        let found = match row {
            Some(row) => Some(row.doc),
            None => self.under_way(workspace, id).await?,
        };
        found.ok_or_else(|| Error::not_found("webhook delivery"))
    }

    /// A page of the workspace's deliveries, newest first: by the time of their messages, or, for
    /// failed ones, by the time they failed. A page may hold less than asked for although more
    /// follow.
    ///
    /// # Errors
    /// `CURSOR_INVALID`, or when the table fails.
    pub async fn list_deliveries(
        &self,
        workspace: &WorkspaceId,
        filter: &DeliveryFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Listed<Delivery>> {
        let kept = self.kept_at_most(workspace).await?;
        let window = Window::new(self.clock(), kept, filter.since, filter.until);
        if filter.status == Some(DeliveryStatus::Failed) {
            return self.list_failed(workspace, filter, &window, cursor, limit).await;
        }
        let start = Place { day: window.last.0, before: None, skip: 0 };
        let mut place = cursor.map(|text| Cursor::decode(LIST, text)).transpose()?.unwrap_or(start);
        let (mut data, mut examined, mut ahead) = (Vec::new(), 0, Ahead::default());
        while place.day >= window.first.0 {
            let room = limit - data.len();
            let places = place.ahead(ahead, &window);
            for batch in self.batches(workspace, filter, places, room).await? {
                examined += batch.deliveries.len() + 1;
                place = batch.next;
                data.extend(batch.deliveries.into_iter().filter(|one| filter.wants(one, &window)));
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

    /// What follows at each of these places, read beside one another.
    async fn batches(
        &self,
        workspace: &WorkspaceId,
        filter: &DeliveryFilter,
        places: Vec<Place>,
        limit: usize,
    ) -> Result<Vec<Batch>> {
        let batch = |place: Place| async move {
            match &filter.endpoint_id {
                Some(endpoint) => self.of_endpoint(workspace, endpoint, &place, limit).await,
                None => self.of_all(workspace, &place, limit).await,
            }
        };
        stream::iter(places).map(batch).buffered(Ahead::MOST).try_collect().await
    }

    /// The next deliveries of an endpoint on the place's day: its shards are read beside one
    /// another and merged, as the ids of messages sort by time.
    async fn of_endpoint(
        &self,
        workspace: &WorkspaceId,
        endpoint: &EndpointId,
        place: &Place,
        limit: usize,
    ) -> Result<Batch> {
        let last = place.before.as_ref().map_or(LAST_SK, MessageId::as_str);
        let range = &Range::Between(FIRST_SK.to_owned(), last.to_owned());
        let shard_rows = |shard| async move {
            let pk = delivery_partition(workspace, endpoint, Day(place.day), shard);
            // The range includes its end, which has been shown already.
            let page = self.store.query(Table::State, &pk, range, None, limit + 1, false).await?;
            Ok::<_, Error>(page.rows.into_iter().map(|row: Row<Delivery>| row.doc))
        };
        let shards: Vec<_> = stream::iter(0..DELIVERY_SHARDS)
            .map(shard_rows)
            .buffer_unordered(DELIVERY_SHARDS as usize)
            .try_collect()
            .await?;
        let mut deliveries: Vec<Delivery> = shards.into_iter().flatten().collect();
        deliveries.retain(|delivery| Some(&delivery.message) != place.before.as_ref());
        deliveries.sort_by(|a, b| b.message.cmp(&a.message));
        deliveries.truncate(limit);
        let next = match deliveries.last() {
            Some(last) => place.after(&last.message),
            None => place.day_before(),
        };
        Ok(Batch { deliveries, next })
    }

    /// The next deliveries of all endpoints on the place's day, found by the messages' own lists of
    /// endpoints.
    async fn of_all(&self, workspace: &WorkspaceId, place: &Place, limit: usize) -> Result<Batch> {
        let messages = self.messages_from(workspace, place, limit).await?;
        let (ids, next) = place.expand(&messages, limit);
        let deliveries = self.deliveries_by_id(workspace, &ids).await?;
        Ok(Batch { deliveries, next })
    }

    /// The next messages of the place's day and the endpoints they went to.
    async fn messages_from(
        &self,
        workspace: &WorkspaceId,
        place: &Place,
        limit: usize,
    ) -> Result<Vec<Recipients>> {
        let rows =
            self.newest_messages(workspace, Day(place.day), &place.before, limit + 1).await?;
        let wanted = rows.into_iter().filter(|message| {
            Some(&message.id) != place.before.as_ref() || place.is_inside(&message.id)
        });
        let pair = |message: millwright_event::Message| {
            (message.id, message.endpoints.unwrap_or_default())
        };
        Ok(wanted.take(limit).map(pair).collect())
    }

    /// Those of the deliveries that are there, in the order of `ids`.
    pub(crate) async fn deliveries_by_id(
        &self,
        workspace: &WorkspaceId,
        ids: &[DeliveryId],
    ) -> Result<Vec<Delivery>> {
        let keys: Vec<Key> = ids.iter().map(|id| delivery_key(workspace, id)).collect();
        let rows: Vec<Row<Delivery>> = self.store.get_docs(&keys).await?;
        let mut deliveries: Vec<Delivery> = rows.into_iter().map(|row| row.doc).collect();
        let rank = |delivery: &Delivery| ids.iter().position(|id| *id == delivery.id());
        deliveries.sort_by_cached_key(rank);
        Ok(deliveries)
    }
}

impl DeliveryFilter {
    pub(crate) fn wants(&self, delivery: &Delivery, window: &Window) -> bool {
        window.holds(delivery.created_at)
            && self.status.is_none_or(|status| delivery.status() == status)
            && self.event_type.as_ref().is_none_or(|one| *one == delivery.event_type)
            && self.endpoint_id.as_ref().is_none_or(|one| *one == delivery.endpoint)
    }
}

impl Place {
    fn after(&self, message: &MessageId) -> Self {
        Self { day: self.day, before: Some(message.clone()), skip: 0 }
    }

    fn inside(&self, message: &MessageId, skip: usize) -> Self {
        Self { skip, ..self.after(message) }
    }

    /// The first `limit` deliveries of the messages that follow, and the place after them.
    fn expand(&self, messages: &[Recipients], limit: usize) -> (Vec<DeliveryId>, Self) {
        let mut ids = Vec::new();
        let mut next = if messages.is_empty() { self.day_before() } else { self.clone() };
        for (message, endpoints) in messages {
            let room = limit - ids.len();
            if room == 0 {
                break;
            }
            let skip = if self.is_inside(message) { self.skip } else { 0 };
            let id = |endpoint: &EndpointId| DeliveryId {
                endpoint: endpoint.clone(),
                message: message.clone(),
            };
            ids.extend(endpoints.iter().skip(skip).take(room).map(id));
            if skip + room < endpoints.len() {
                return (ids, self.inside(message, skip + room));
            }
            next = self.after(message);
        }
        (ids, next)
    }

    /// This place, and the days before that are read with it.
    fn ahead(&self, ahead: Ahead, window: &Window) -> Vec<Self> {
        let days = ahead.days(Day(self.day), self.before.is_some(), window);
        let at = |day: Day| match day.0 == self.day {
            true => self.clone(),
            false => Self { day: day.0, before: None, skip: 0 },
        };
        days.into_iter().map(at).collect()
    }

    fn day_before(&self) -> Self {
        Self { day: Day(self.day).before().0, before: None, skip: 0 }
    }

    fn is_inside(&self, message: &MessageId) -> bool {
        self.skip > 0 && self.before.as_ref() == Some(message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pages_of_any_length_show_every_delivery_once(
            endpoints in prop::collection::vec(0_usize..6, 0..20),
            limit in 1_usize..8,
        ) {
            let messages: Vec<Recipients> = (0_i64..)
                .zip(endpoints)
                .map(|(n, count)| {
                    let endpoints = (0..count).map(|_| EndpointId::new_at(n)).collect();
                    (MessageId::new_at(1_000_000 - n), endpoints)
                })
                .collect();
            let day = 7;
            let mut place = Place { day, before: None, skip: 0 };
            let mut shown = Vec::new();
            while place.day == day {
                let follows = |(message, _): &&Recipients| match &place.before {
                    Some(before) => message < before || place.is_inside(message),
                    None => true,
                };
                let rest: Vec<_> = messages.iter().filter(follows).take(limit).cloned().collect();
                let (ids, next) = place.expand(&rest, limit);
                prop_assert!(ids.len() <= limit);
                prop_assert_ne!(&next, &place);
                shown.extend(ids);
                place = next;
            }
            let all = messages.iter().flat_map(|(message, endpoints)| {
                endpoints.iter().map(|endpoint| (endpoint.clone(), message.clone()))
            });
            prop_assert!(shown.into_iter().map(|id| (id.endpoint, id.message)).eq(all));
        }
    }
}
