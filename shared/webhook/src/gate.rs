//! Whether an attempt may be made now: what an endpoint's row says about it.

use std::time::Duration;

use millwright_core::ScheduleTime;

use crate::{
    endpoint::{Endpoint, EndpointStatus},
    health::Health,
};

/// What an endpoint's row says about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may be made.
    Open,
    /// Its circuit was open until now: one attempt is let through, and what comes of it decides.
    Trial,
    /// The endpoint is paused or disabled: the delivery is held.
    Hold,
    /// Not before this time. A wait until then is no attempt, and the plan stays as it was.
    Park {
        /// When to ask again.
        until: ScheduleTime,
    },
}

impl Endpoint {
    /// What the row says about an attempt at `now`. [`crate::Webhooks::admit`] asks this and in
    /// addition what no row knows: rate limits, trials of others, attempts under way.
    #[must_use]
    pub fn gate(&self, now: ScheduleTime) -> Gate {
        match self.status {
            EndpointStatus::Enabled => self.health.gate(now),
            EndpointStatus::Paused { .. } | EndpointStatus::Disabled { .. } => Gate::Hold,
        }
    }

    /// Whether nothing is known against it: only then are first attempts made where the message is
    /// fanned out, so that no fan-out waits for one that hangs.
    pub(crate) fn seems_well(&self, now: ScheduleTime) -> bool {
        let slow_until = self.health.slow_until.filter(|until| *until <= now);
        let well = Health { slow_until, ..Health::default() };
        self.status == EndpointStatus::Enabled && self.health == well
    }

    /// How long one exchange may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }
}

impl Health {
    fn gate(&self, now: ScheduleTime) -> Gate {
        let circuit = self.circuit.as_ref();
        let closed_until = self.slow_until.max(circuit.map(|circuit| circuit.until));
        match closed_until.filter(|until| *until > now) {
            Some(until) => Gate::Park { until },
            None if circuit.is_some() => Gate::Trial,
            None => Gate::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{NOW, endpoint};

    #[test]
    fn an_open_circuit_parks_and_then_lets_one_try() {
        let mut endpoint = endpoint();
        assert_eq!(endpoint.gate(NOW), Gate::Open);
        assert!(endpoint.seems_well(NOW));
        endpoint.health.open(NOW);
        let until = NOW + Duration::from_secs(30);
        assert_eq!(endpoint.gate(NOW), Gate::Park { until });
        assert_eq!(endpoint.gate(until), Gate::Trial);
        assert!(!endpoint.seems_well(until));
    }

    #[test]
    fn what_an_endpoint_asked_for_lasts_beyond_its_circuit() {
        let mut endpoint = endpoint();
        endpoint.health.open(NOW);
        let until = NOW + Duration::from_secs(3600);
        endpoint.health.slow_down(until);
        assert_eq!(endpoint.gate(NOW + Duration::from_secs(60)), Gate::Park { until });
        endpoint.health.arrived();
        assert_eq!(endpoint.gate(until), Gate::Open);
        assert!(
            !endpoint.seems_well(NOW) && endpoint.seems_well(until),
            "it counts until it is over"
        );
    }

    #[test]
    fn a_paused_endpoint_holds_whatever_its_circuit_says() {
        let mut endpoint = endpoint();
        endpoint.health.open(NOW);
        endpoint.status = EndpointStatus::Paused { since: NOW };
        assert_eq!(endpoint.gate(NOW + Duration::from_secs(60)), Gate::Hold);
    }
}
