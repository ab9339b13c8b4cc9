//! The list of failed deliveries, latest failure first, over one endpoint or all of a workspace.

use futures::{StreamExt, TryStreamExt, stream};
use millwright_core::{Cursor, DeliveryId, EndpointId, Result, ScheduleTime, WorkspaceId};
use millwright_store::Key;
use serde::{Deserialize, Serialize};

use crate::{
    DeliveryFilter, Listed, Webhooks,
    delivery::Delivery,
    keys::{delivery_at, failed_of},
    window::Window,
};

const LIST: &str = "webhook-deliveries-failed";
/// How many endpoints are asked at a time.
const AT_A_TIME: usize = 8;
/// What is read beyond a page: about the failures of one endpoint in one millisecond.
const SLACK: usize = 50;

/// The place in the list of a delivery that has come to rest: the later ones first, then by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) failed_at: ScheduleTime,
    /// As text, which sorts.
    id: String,
}

impl Webhooks {
    pub(crate) async fn list_failed(
        &self,
        workspace: &WorkspaceId,
        filter: &DeliveryFilter,
        window: &Window,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Listed<Delivery>> {
        let after: Option<Place> = cursor.map(|text| Cursor::decode(LIST, text)).transpose()?;
        let endpoints = match &filter.endpoint_id {
            Some(endpoint) => vec![endpoint.clone()],
            None => self.endpoints_of(workspace).await?.iter().map(|e| e.id.clone()).collect(),
        };
        let after = after.as_ref();
        let failed = |endpoint: EndpointId| async move {
            let of = failed_of(workspace, &endpoint);
            self.resting_of_endpoint(&of, &endpoint, after, limit).await
        };
        let found: Vec<Vec<(Place, DeliveryId)>> =
            stream::iter(endpoints).map(failed).buffer_unordered(AT_A_TIME).try_collect().await?;
        let mut places: Vec<(Place, DeliveryId)> = found.into_iter().flatten().collect();
        places.sort_by(|(a, _), (b, _)| b.cmp(a));
        places.truncate(limit);
        // A full page may have more behind it.
        let last = places.last().filter(|_| places.len() == limit);
        let next_cursor = last.map(|(place, _)| Cursor::encode(LIST, place)).transpose()?;
        let ids: Vec<DeliveryId> = places.into_iter().map(|(_, id)| id).collect();
        // The index trails the table: what has been retried since is sorted out here.
        let mut data = self.deliveries_by_id(workspace, &ids).await?;
        data.retain(|delivery| filter.wants(delivery, window));
        Ok(Listed { data, next_cursor })
    }

    /// The next deliveries of an endpoint under the index's partition `of`, at least `limit` where
    /// there are so many. The index knows times only: those of the cursor's own millisecond are read
    /// again and passed over by id, and those of the last millisecond read may not be all of it.
    pub(crate) async fn resting_of_endpoint(
        &self,
        of: &str,
        endpoint: &EndpointId,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, DeliveryId)>> {
        let before = after.map(|place| ScheduleTime::from_millis(place.failed_at.millis() + 1));
        let mut read = limit + SLACK;
        loop {
            let most = i32::try_from(read).unwrap_or(i32::MAX);
            let mut keys = self.store.failed(of, before, most).await?;
            let more = keys.len() >= read;
            if more {
                let last = keys.last().map(|(_, failed_at)| *failed_at);
                keys.retain(|(_, failed_at)| Some(*failed_at) != last);
            }
            let places: Vec<_> = keys
                .iter()
                .filter_map(|(key, failed_at)| placed(endpoint, key, *failed_at))
                .filter(|(place, _)| after.is_none_or(|after| place < after))
                .collect();
            if places.len() >= limit || !more {
                return Ok(places);
            }
            read *= 2;
        }
    }
}

fn placed(
    endpoint: &EndpointId,
    key: &Key,
    failed_at: ScheduleTime,
) -> Option<(Place, DeliveryId)> {
    let id = delivery_at(endpoint, key)?;
    Some((Place { failed_at, id: id.to_string() }, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_failures_come_first_and_the_same_moment_is_told_apart_by_id() {
        let place = |ms: i64, id: &str| Place {
            failed_at: ScheduleTime::from_millis(ms),
            id: id.to_owned(),
        };
        let mut places = [place(1, "c"), place(2, "a"), place(2, "b")];
        places.sort_by(|a, b| b.cmp(a));
        assert_eq!(places, [place(2, "b"), place(2, "a"), place(1, "c")]);
    }
}
