//! An endpoint's figures, from the rows of its deliveries.

use std::{collections::BTreeMap, time::Duration};

use millwright_core::{EndpointId, Result, ScheduleTime, WorkspaceId};

use crate::{
    DeliveryFilter, DeliveryStatus, Webhooks,
    attempt_log::{AttemptEnd, Outcome},
    delivery::Delivery,
};

/// How many deliveries are looked at, the newest first. With more of them in the time asked for, the
/// figures are those of the newest.
pub const EXAMINED_MAX: usize = 2_000;
/// How many are read at a time.
const PAGE: usize = 250;

/// An endpoint's figures over a time.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointStats {
    /// Where the time begins.
    pub since: ScheduleTime,
    /// Where it ends: now.
    pub until: ScheduleTime,
    /// How many deliveries were looked at: those of messages made in that time.
    pub examined: usize,
    /// Whether there are more than were looked at.
    pub sampled: bool,
    /// How many deliveries are in each status.
    pub deliveries: BTreeMap<DeliveryStatus, u64>,
    /// How many of their attempts have ended.
    pub attempts: u64,
    /// How many of those arrived.
    pub arrived: u64,
    /// The latency that half of the attempts did not exceed, in milliseconds; nothing without any.
    pub latency_p50_ms: Option<u64>,
    /// The latency that 95 of 100 attempts did not exceed, in milliseconds.
    pub latency_p95_ms: Option<u64>,
    /// When the oldest of the deliveries was made that has yet to be tried for the last time.
    pub oldest_waiting_at: Option<ScheduleTime>,
}

impl EndpointStats {
    /// The share of the attempts that arrived; nothing without any.
    #[must_use]
    pub fn success_share(&self) -> Option<f64> {
        (self.attempts > 0).then(|| self.arrived as f64 / self.attempts as f64)
    }

    /// How many messages came in a minute, over the time that was looked at: where only some were, the
    /// time since the oldest of them.
    #[must_use]
    pub fn per_minute(&self) -> f64 {
        let minutes = self.until.since(self.since).as_secs_f64() / 60.0;
        if minutes > 0.0 { self.examined as f64 / minutes } else { 0.0 }
    }
}

impl Webhooks {
    /// The figures of an endpoint over the time of this length that ends now.
    ///
    /// # Errors
    /// `NOT_FOUND`; when the table fails.
    pub async fn endpoint_stats(
        &self,
        workspace: &WorkspaceId,
        endpoint: &EndpointId,
        window: Duration,
    ) -> Result<EndpointStats> {
        self.get_endpoint(workspace, endpoint).await?;
        let until = self.clock().schedule();
        let since = until - window;
        let filter = DeliveryFilter {
            endpoint_id: Some(endpoint.clone()),
            since: Some(since),
            ..DeliveryFilter::default()
        };
        let mut deliveries: Vec<Delivery> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = self.list_deliveries(workspace, &filter, cursor.as_deref(), PAGE).await?;
            deliveries.extend(page.data);
            cursor = page.next_cursor;
            if cursor.is_none() || deliveries.len() >= EXAMINED_MAX {
                break;
            }
        }
        let sampled = cursor.is_some();
        Ok(stats_of(&deliveries, since, until, sampled))
    }
}

/// The figures of these deliveries, newest first.
fn stats_of(
    deliveries: &[Delivery],
    since: ScheduleTime,
    until: ScheduleTime,
    sampled: bool,
) -> EndpointStats {
    let oldest = deliveries.last().map_or(since, |delivery| delivery.created_at);
    let ends = || deliveries.iter().flat_map(|delivery| delivery.attempts.iter().map(|a| &a.end));
    let mut latencies: Vec<u64> = ends().filter_map(latency).collect();
    latencies.sort_unstable();
    let mut by_status = BTreeMap::new();
    for delivery in deliveries {
        *by_status.entry(delivery.status()).or_default() += 1;
    }
    let waits = |delivery: &&Delivery| {
        matches!(delivery.status(), DeliveryStatus::Pending | DeliveryStatus::Waiting)
    };
    EndpointStats {
        since: if sampled { oldest } else { since },
        until,
        examined: deliveries.len(),
        sampled,
        deliveries: by_status,
        attempts: ends().count() as u64,
        arrived: ends().filter(|end| end.outcome() == Outcome::Delivered).count() as u64,
        latency_p50_ms: quantile(&latencies, 50),
        latency_p95_ms: quantile(&latencies, 95),
        oldest_waiting_at: deliveries.iter().filter(waits).map(|one| one.created_at).min(),
    }
}

/// How long an attempt took, where somebody knows.
pub(crate) fn latency(end: &AttemptEnd) -> Option<u64> {
    match end {
        AttemptEnd::Answered(answer) => Some(answer.latency_ms),
        AttemptEnd::Unanswered { latency_ms, .. } => Some(*latency_ms),
        _ => None,
    }
}

/// For how many milliseconds a delivery has been waiting that is to be tried, or tried again: since its
/// message was accepted.
pub(crate) fn waited(delivery: &Delivery, now: ScheduleTime) -> Option<u64> {
    delivery.next_attempt_at()?;
    u64::try_from(now.since(delivery.created_at).as_millis()).ok()
}

/// The smallest of the sorted values that so many of a hundred do not exceed.
fn quantile(sorted: &[u64], of_hundred: usize) -> Option<u64> {
    let rank = (sorted.len() * of_hundred).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Answer, Attempt, Plan, State, Trigger, Waiting,
        examples::{self, NOW},
    };

    fn delivery(minutes_ago: u64, latencies: &[(u16, u64)], state: State) -> Delivery {
        let at = NOW - Duration::from_secs(minutes_ago * 60);
        let mut delivery = Delivery { created_at: at, ..examples::delivery(state) };
        for (number, (status, latency_ms)) in (1..).zip(latencies) {
            let answer = serde_json::json!({
                "status": status, "latency_ms": latency_ms, "headers": [], "body": "",
            });
            let answer: Answer = serde_json::from_value(answer).unwrap();
            let end = AttemptEnd::Answered(answer);
            delivery.attempts.push(Attempt { number, trigger: Trigger::Automatic, at, end });
        }
        delivery
    }

    #[test]
    fn figures_count_deliveries_by_status_and_attempts_by_outcome() {
        let deliveries = [
            delivery(1, &[(200, 10)], State::Delivered { at: NOW }),
            delivery(2, &[(500, 30), (200, 20)], State::Delivered { at: NOW }),
            delivery(8, &[], State::Pending),
            delivery(9, &[(500, 1000)], State::Failed { at: NOW }),
        ];
        let since = NOW - Duration::from_secs(3600);
        let stats = stats_of(&deliveries, since, NOW, false);
        assert_eq!(stats.deliveries[&DeliveryStatus::Delivered], 2);
        assert_eq!(stats.deliveries[&DeliveryStatus::Failed], 1);
        assert_eq!((stats.attempts, stats.arrived), (4, 2));
        assert_eq!(stats.success_share(), Some(0.5));
        assert_eq!((stats.latency_p50_ms, stats.latency_p95_ms), (Some(20), Some(1000)));
        assert_eq!(stats.oldest_waiting_at, Some(NOW - Duration::from_secs(480)));
        assert!((stats.per_minute() - 4.0 / 60.0).abs() < 1e-9);
    }

    #[test]
    fn where_only_some_were_looked_at_the_time_is_theirs() {
        let deliveries = [delivery(1, &[], State::Pending), delivery(2, &[], State::Pending)];
        let stats = stats_of(&deliveries, NOW - Duration::from_secs(86_400), NOW, true);
        assert!(stats.sampled);
        assert!((stats.per_minute() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn without_attempts_there_is_no_share_and_no_latency() {
        let stats = stats_of(&[], NOW, NOW, false);
        assert_eq!((stats.success_share(), stats.latency_p50_ms), (None, None));
        assert!(stats.per_minute().abs() < f64::EPSILON);
    }

    #[test]
    fn who_waits_for_an_attempt_has_done_so_since_the_message_was_accepted() {
        let next = NOW + Duration::from_secs(30);
        let waiting = State::Waiting(Waiting { at: next, since: NOW, plan: Plan::Automatic });
        assert_eq!(waited(&delivery(8, &[], waiting.clone()), NOW), Some(480_000));
        assert_eq!(waited(&delivery(9, &[(500, 10)], waiting), NOW), Some(540_000));
        let at_rest = [
            State::Pending,
            State::Offered { since: NOW },
            State::Delivered { at: NOW },
            State::Failed { at: NOW },
        ];
        for state in at_rest {
            assert_eq!(waited(&delivery(8, &[], state), NOW), None);
        }
    }

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!((quantile(&values, 50), quantile(&values, 95)), (Some(50), Some(95)));
        assert_eq!(quantile(&[7], 95), Some(7));
    }
}
