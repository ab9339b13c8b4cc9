//! How an endpoint has been doing: whether attempts are let through to it, and since when nothing has
//! arrived. A part of its row, written on transitions only.
//!
//! The circuit is the breaker of one endpoint. It opens after many failures in a row within a short
//! time, which a process counts by itself ([`crate::pulse`]), and stays open for half a minute. Then one
//! attempt is let through: when it arrives, the circuit closes; when not, it opens again for twice as
//! long, two minutes at most.

use std::time::Duration;

use millwright_core::{ScheduleTime, WallTime};
use serde::{Deserialize, Serialize};

/// How long a circuit is open at first.
pub(crate) const OPEN_FIRST: Duration = Duration::from_secs(30);
/// How long it is open at most.
pub(crate) const OPEN_MAX: Duration = Duration::from_secs(120);

/// How an endpoint has been doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Since when nothing has arrived; nothing while the latest attempts did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<ScheduleTime>,
    /// When the workspace was told that nothing has arrived for long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_told_at: Option<ScheduleTime>,
    /// Until when it asked to be left alone (429 or 503, `Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_until: Option<ScheduleTime>,
    /// Its open circuit; nothing while it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<Circuit>,
}

/// A circuit that is open, or is being tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// Since when it has been open.
    pub since: ScheduleTime,
    /// Until when nothing is let through.
    pub until: ScheduleTime,
    /// How often it has opened in a row.
    pub times: u32,
    /// Until when somebody may be trying it, by the wall clock as claims are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_until: Option<WallTime>,
}

impl Health {
    /// Something has arrived: whatever was wrong is over. What the endpoint itself asked for stands.
    pub(crate) fn arrived(&mut self) {
        *self = Self { slow_until: self.slow_until, ..Self::default() };
    }

    /// It has been left alone: how long nothing has arrived counts anew.
    pub(crate) fn left_alone(&mut self) {
        (self.failing_since, self.failing_told_at) = (None, None);
    }

    /// Nothing has arrived since then, unless that is known for longer already.
    pub(crate) fn failed(&mut self, since: ScheduleTime) {
        self.failing_since.get_or_insert(since);
    }

    /// Leaves it alone until a time; a later one stands.
    pub(crate) fn slow_down(&mut self, until: ScheduleTime) {
        self.slow_until = self.slow_until.max(Some(until));
    }

    /// Opens the circuit, if it is closed.
    pub(crate) fn open(&mut self, now: ScheduleTime) {
        let opened = Circuit { since: now, until: now + OPEN_FIRST, times: 1, trial_until: None };
        self.circuit.get_or_insert(opened);
    }

    /// The one attempt that was let through has failed: open again, for longer. A failure of an attempt
    /// that had begun before the circuit opened changes nothing.
    pub(crate) fn trial_failed(&mut self, now: ScheduleTime) {
        let Some(circuit) = self.circuit.as_mut().filter(|circuit| circuit.until <= now) else {
            return;
        };
        let open = OPEN_FIRST * 2_u32.pow(circuit.times.min(8));
        circuit.until = now + open.min(OPEN_MAX);
        circuit.times = circuit.times.saturating_add(1);
        circuit.trial_until = None;
    }

    /// Takes the right to be the one attempt that is let through, for `term`.
    ///
    /// # Errors
    /// When somebody else has it or the circuit is still open: how long that may last.
    pub(crate) fn try_circuit(
        &mut self,
        now: ScheduleTime,
        wall: WallTime,
        term: Duration,
    ) -> Result<(), Duration> {
        let Some(circuit) = self.circuit.as_mut() else { return Ok(()) };
        if circuit.until > now {
            return Err(circuit.until.since(now));
        }
        if let Some(until) = circuit.trial_until.filter(|until| *until > wall) {
            return Err(until.since(wall));
        }
        circuit.trial_until = Some(wall + term);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::NOW;

    const WALL: WallTime = WallTime::from_millis(1_700_000_000_000);
    const TERM: Duration = Duration::from_secs(25);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_circuit_stays_open_longer_each_time_until_two_minutes() {
        let mut health = Health::default();
        health.open(NOW);
        let mut at = NOW;
        let mut open = Vec::new();
        for _ in 0..5 {
            let until = health.circuit.as_ref().unwrap().until;
            open.push(until.since(at).as_secs());
            at = until;
            health.try_circuit(at, WALL, TERM).unwrap();
            health.trial_failed(at);
        }
        assert_eq!(open, [30, 60, 120, 120, 120]);
    }

    #[test]
    fn one_at_a_time_tries_a_circuit_whose_time_is_over() {
        let mut health = Health::default();
        health.open(NOW);
        assert_eq!(health.try_circuit(NOW, WALL, TERM), Err(OPEN_FIRST));
        let later = NOW + OPEN_FIRST;
        assert_eq!(health.try_circuit(later, WALL, TERM), Ok(()));
        assert_eq!(health.try_circuit(later, WALL + seconds(5), TERM), Err(seconds(20)));
        assert_eq!(health.try_circuit(later, WALL + TERM, TERM), Ok(()), "the first one died");
    }

    #[test]
    fn an_arrival_ends_everything_but_what_the_endpoint_asked_for() {
        let mut health = Health::default();
        health.failed(NOW);
        health.failed(NOW + seconds(9));
        assert_eq!(health.failing_since, Some(NOW), "since the first failure");
        health.open(NOW);
        health.slow_down(NOW + seconds(60));
        health.slow_down(NOW + seconds(5));
        health.failing_told_at = Some(NOW);
        health.arrived();
        assert_eq!(health, Health { slow_until: Some(NOW + seconds(60)), ..Health::default() });
    }

    #[test]
    fn a_failure_of_an_attempt_from_before_does_not_lengthen_an_open_circuit() {
        let mut health = Health::default();
        health.open(NOW);
        let before = health.clone();
        health.trial_failed(NOW + seconds(10));
        health.open(NOW + seconds(11));
        assert_eq!(health, before);
    }
}
