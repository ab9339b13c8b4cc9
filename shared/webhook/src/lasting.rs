//! Endpoints at which nothing has arrived for days: a notice half way, and disabling at the end. What
//! drives it are failures as they are recorded, so an endpoint that nothing is sent to is never disabled
//! for that.

use std::time::Duration;

use millwright_core::{Result, ScheduleTime};
use serde_json::{Value, json};

use crate::{
    DeliveryFilter, Webhooks,
    endpoint::{DisabledReason, Endpoint},
    health::Health,
    set_status::StatusChange,
    state::State,
    status::DeliveryStatus,
    tell::{ENDPOINT_DISABLED, ENDPOINT_FAILING, Told},
};

/// After so long of only failures an endpoint is disabled, unless the deployment says otherwise.
pub const DISABLE_AFTER: Duration = Duration::from_secs(5 * 24 * 3600);
/// A delivery's attempts may begin so long after its message was made.
const ATTEMPTS_TAKE: Duration = Duration::from_secs(25 * 3600);
/// How many pages of deliveries are looked through for an arrival before an endpoint is disabled.
const PAGES: u32 = 20;
const PAGE: usize = 500;

/// What lasting failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// Nothing yet, or nothing more.
    Not,
    /// The workspace is told.
    Tell,
    /// The endpoint is disabled.
    Disable,
}

impl Health {
    /// What it leads to that nothing has arrived for so long.
    pub(crate) fn lasting(&self, now: ScheduleTime, disable_after: Duration) -> Lasting {
        let Some(since) = self.failing_since else { return Lasting::Not };
        match self.failing_told_at {
            Some(told) if now >= end_of(since, told, disable_after) => Lasting::Disable,
            None if now >= since + disable_after / 2 => Lasting::Tell,
            _ => Lasting::Not,
        }
    }
}

/// When an endpoint is disabled if nothing arrives. Somebody has a fifth of the time, a day, from the notice
/// on, also where failures are so rare that it comes late.
fn end_of(since: ScheduleTime, told: ScheduleTime, disable_after: Duration) -> ScheduleTime {
    (since + disable_after).max(told + disable_after / 5)
}

impl Webhooks {
    /// Does what lasting failure leads to, once the newest arrival has been looked for again.
    pub(crate) async fn follow_failure(&self, endpoint: &Endpoint, health: &Health) -> Result<()> {
        let now = self.clock().schedule();
        let lasting = health.lasting(now, self.disable_after);
        let Some(since) = health.failing_since.filter(|_| lasting != Lasting::Not) else {
            return Ok(());
        };
        if self.has_arrived_since(endpoint, since).await? {
            return self.note_arrival(endpoint).await;
        }
        match lasting {
            Lasting::Not => Ok(()),
            Lasting::Tell => self.tell_failing(endpoint, now).await,
            Lasting::Disable => self.disable_failing(endpoint, now).await,
        }
    }

    /// Disables an endpoint whose receiver asked for it.
    pub(crate) async fn disable_refused(&self, endpoint: &Endpoint) -> Result<()> {
        let now = self.clock().schedule();
        let decide = |row: &mut Endpoint| disabled(row, DisabledReason::Refused, now);
        if self.change_and_tell(endpoint, decide).await?.is_some() {
            tracing::info!(endpoint = %endpoint.id, "its receiver wants nothing more: disabled");
        }
        Ok(())
    }

    async fn tell_failing(&self, endpoint: &Endpoint, now: ScheduleTime) -> Result<()> {
        let after = self.disable_after;
        let decide = |row: &mut Endpoint| {
            if row.health.lasting(now, after) != Lasting::Tell || !row.is_enabled() {
                return None;
            }
            row.health.failing_told_at = Some(now);
            let mut data = about(row);
            let end = row.health.failing_since.map(|since| end_of(since, now, after).iso());
            data["disabled_if_nothing_arrives_by"] = json!(end);
            Some(Told { event_type: ENDPOINT_FAILING, at: now, data })
        };
        self.change_and_tell(endpoint, decide).await.map(drop)
    }

    async fn disable_failing(&self, endpoint: &Endpoint, now: ScheduleTime) -> Result<()> {
        let after = self.disable_after;
        let decide = |row: &mut Endpoint| {
            let lasts = row.health.lasting(now, after) == Lasting::Disable;
            (lasts && row.is_enabled())
                .then(|| disabled(row, DisabledReason::Failing, now))
                .flatten()
        };
        if self.change_and_tell(endpoint, decide).await?.is_some() {
            tracing::warn!(endpoint = %endpoint.id, "nothing has arrived for days: disabled");
        }
        Ok(())
    }

    /// Whether anything arrived at an endpoint since then, by the deliveries themselves: an attempt that
    /// ended beside the first failure may not have found it in the endpoint's row.
    async fn has_arrived_since(&self, endpoint: &Endpoint, since: ScheduleTime) -> Result<bool> {
        let filter = DeliveryFilter {
            endpoint_id: Some(endpoint.id.clone()),
            status: Some(DeliveryStatus::Delivered),
            since: Some(since - ATTEMPTS_TAKE),
            ..DeliveryFilter::default()
        };
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let workspace = &endpoint.workspace;
            let page = self.list_deliveries(workspace, &filter, cursor.as_deref(), PAGE).await?;
            let arrived = |state: &State| matches!(state, State::Delivered { at } if *at >= since);
            if page.data.iter().any(|delivery| arrived(&delivery.state)) {
                return Ok(true);
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(false)
    }
}

/// Disables the endpoint of a row; what is to be told of it, or nothing when it is disabled already.
pub(crate) fn disabled(
    row: &mut Endpoint,
    reason: DisabledReason,
    now: ScheduleTime,
) -> Option<Told> {
    let before = row.status.clone();
    row.change_status(StatusChange::Disable(reason), now).ok()?;
    if row.status == before {
        return None;
    }
    let mut data = about(row);
    data["reason"] = json!(reason);
    data["disabled_at"] = json!(now.iso());
    Some(Told { event_type: ENDPOINT_DISABLED, at: now, data })
}

fn about(endpoint: &Endpoint) -> Value {
    json!({
        "endpoint_id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "failing_since": endpoint.health.failing_since.map(ScheduleTime::iso),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::NOW;

    /// What it leads to after so many hours of failures, and so many after a notice.
    fn failing(hours: u64, told: Option<u64>) -> Lasting {
        let ago = |hours| NOW - Duration::from_secs(hours * 3600);
        let (failing_since, failing_told_at) = (Some(ago(hours)), told.map(ago));
        let health = Health { failing_since, failing_told_at, ..Health::default() };
        health.lasting(NOW, DISABLE_AFTER)
    }

    #[test]
    fn a_notice_comes_half_way_once_and_disabling_at_the_end() {
        assert_eq!(failing(59, None), Lasting::Not);
        assert_eq!(failing(60, None), Lasting::Tell);
        assert_eq!(failing(60, Some(0)), Lasting::Not);
        assert_eq!(failing(119, Some(59)), Lasting::Not);
        assert_eq!(failing(120, Some(60)), Lasting::Disable);
    }

    #[test]
    fn nobody_is_disabled_without_notice_however_rare_failures_are() {
        assert_eq!(failing(500, None), Lasting::Tell);
        assert_eq!(failing(500, Some(23)), Lasting::Not);
        assert_eq!(failing(500, Some(24)), Lasting::Disable);
    }

    #[test]
    fn time_in_which_an_endpoint_was_paused_does_not_count() {
        let mut endpoint = crate::examples::endpoint();
        endpoint.health.failed(NOW);
        endpoint.change_status(StatusChange::Resume, NOW).unwrap();
        assert!(endpoint.health.failing_since.is_some(), "it was not paused");
        endpoint.change_status(StatusChange::Pause, NOW).unwrap();
        endpoint.change_status(StatusChange::Resume, NOW + DISABLE_AFTER * 2).unwrap();
        endpoint.health.failed(NOW + DISABLE_AFTER * 2);
        assert_eq!(endpoint.health.lasting(NOW + DISABLE_AFTER * 2, DISABLE_AFTER), Lasting::Not);
    }

    #[test]
    fn an_endpoint_that_is_up_leads_to_nothing() {
        assert_eq!(Health::default().lasting(NOW, DISABLE_AFTER), Lasting::Not);
    }
}
