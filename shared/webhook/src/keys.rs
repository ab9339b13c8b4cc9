//! Where the rows are.

use millwright_core::{DeliveryId, EndpointId, MessageId, ScheduleTime, WorkspaceId, shard_of};
use millwright_store::Key;

/// Partitions per endpoint and day. Each takes 1,000 writes a second, and a delivery costs two.
pub(crate) const DELIVERY_SHARDS: u32 = 4;

/// The milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// A day of the schedule clock, in UTC: days since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) i64);

impl Day {
    pub(crate) fn of(at: ScheduleTime) -> Self {
        Self(at.millis().div_euclid(DAY_MS))
    }

    pub(crate) fn before(self) -> Self {
        Self(self.0 - 1)
    }

    /// `YYYY-MM-DD`.
    pub(crate) fn text(self) -> String {
        let mut text = ScheduleTime::from_millis(self.0.saturating_mul(DAY_MS)).iso();
        text.truncate(10);
        text
    }
}

pub(crate) const ENDPOINT_PREFIX: &str = "endpoint#";

pub(crate) fn endpoint_key(workspace: &WorkspaceId, id: &EndpointId) -> Key {
    Key::state(workspace.as_str(), format!("{ENDPOINT_PREFIX}{id}"))
}

pub(crate) fn secret_key(workspace: &WorkspaceId, id: &EndpointId) -> Key {
    Key::state(format!("{workspace}#{id}"), "secret")
}

pub(crate) fn delivery_key(workspace: &WorkspaceId, id: &DeliveryId) -> Key {
    let day = Day::of(ScheduleTime::from_millis(id.message.time_ms()));
    let shard = shard_of(id.message.as_str(), DELIVERY_SHARDS);
    Key::state(delivery_partition(workspace, &id.endpoint, day, shard), id.message.as_str())
}

pub(crate) fn delivery_partition(
    workspace: &WorkspaceId,
    endpoint: &EndpointId,
    day: Day,
    shard: u32,
) -> String {
    format!("{workspace}#{endpoint}#delivery#{}#{shard}", day.text())
}

pub(crate) fn message_partition(workspace: &WorkspaceId, day: Day) -> String {
    format!("{workspace}#message#{}", day.text())
}

/// The partition of an endpoint's failed deliveries in their index.
pub(crate) fn failed_of(workspace: &WorkspaceId, endpoint: &EndpointId) -> String {
    format!("{workspace}#{endpoint}")
}

/// The partition of an endpoint's held deliveries in the same index.
pub(crate) fn held_of(workspace: &WorkspaceId, endpoint: &EndpointId) -> String {
    format!("{workspace}#{endpoint}#held")
}

/// The partition of what a polled endpoint offers in that index.
pub(crate) fn offered_of(workspace: &WorkspaceId, endpoint: &EndpointId) -> String {
    format!("{workspace}#{endpoint}#offered")
}

/// The delivery whose row is at `key`, if it is one of `endpoint`.
pub(crate) fn delivery_at(endpoint: &EndpointId, key: &Key) -> Option<DeliveryId> {
    let message: MessageId = key.sk.parse().ok()?;
    Some(DeliveryId { endpoint: endpoint.clone(), message })
}

#[cfg(test)]
mod tests {
    use millwright_event::message_key;

    use super::*;

    #[test]
    fn a_days_messages_are_where_each_message_says() {
        let workspace = WorkspaceId::new_at(1);
        for ms in [0, 1_700_000_000_000, 1_700_006_399_999, 1_700_006_400_000] {
            let day = Day::of(ScheduleTime::from_millis(ms));
            let key = message_key(&workspace, &MessageId::new_at(ms));
            assert_eq!(message_partition(&workspace, day), key.pk);
        }
    }

    #[test]
    fn a_delivery_lies_under_its_workspace_endpoint_day_and_shard() {
        let workspace = WorkspaceId::new_at(1);
        let id = DeliveryId {
            endpoint: EndpointId::new_at(2),
            message: MessageId::new_at(1_700_000_000_000),
        };
        let key = delivery_key(&workspace, &id);
        let start = format!("{workspace}#{}#delivery#2023-11-14#", id.endpoint);
        let shard: u32 = key.pk.strip_prefix(&start).unwrap().parse().unwrap();
        assert!(shard < DELIVERY_SHARDS);
        assert_eq!(delivery_at(&id.endpoint, &key), Some(id));
    }
}
