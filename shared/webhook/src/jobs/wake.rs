//! Planning a delivery anew that has come to rest.

use millwright_core::{DeliveryId, Result, ScheduleTime};
use millwright_job::{DeliveryScope, RestState};

use super::Step;
use crate::{
    decide::ATTEMPTS_MAX,
    delivery::Delivery,
    keys::delivery_key,
    state::{Fallback, Held, Plan, State, Waiting},
};

impl Delivery {
    /// Plans an attempt at `at` of a delivery that has failed or is held; false for any other. What is
    /// held goes on as it was planned. What has failed gets one attempt more and stays failed since
    /// when it was, should that fail too.
    pub(crate) fn wake(&mut self, at: ScheduleTime, now: ScheduleTime) -> bool {
        let plan = match &self.state {
            State::Held(Held { plan, .. }) => *plan,
            State::Failed { at } if self.attempts.len() < ATTEMPTS_MAX => {
                Plan::Manual(Fallback::FailedAt(*at))
            }
            _ => return false,
        };
        self.state = State::Waiting(Waiting { at: at.max(now), since: now, plan });
        true
    }

    /// How it rests, and since when.
    fn rests(&self) -> Option<(RestState, ScheduleTime)> {
        match &self.state {
            State::Failed { at } => Some((RestState::Failed, *at)),
            State::Held(held) => Some((RestState::Held, held.since)),
            _ => None,
        }
    }
}

/// Whether a delivery is one of those that a job is about.
pub(super) fn is_meant(scope: &DeliveryScope, delivery: &Delivery) -> bool {
    delivery.rests().is_some_and(|(state, at)| {
        scope.state.is_none_or(|wanted| wanted == state)
            && scope.since.is_none_or(|since| at >= since)
            && scope.until.is_none_or(|until| at < until)
            && scope.event_type.as_ref().is_none_or(|wanted| *wanted == delivery.event_type)
            && scope.endpoint.as_ref().is_none_or(|wanted| *wanted == delivery.endpoint)
    })
}

impl Step<'_> {
    /// Plans those of the deliveries that are meant, each in its turn; answers how many.
    pub(super) async fn wake_all(&self, ids: &[DeliveryId], scope: &DeliveryScope) -> Result<u32> {
        self.each(ids, |n, id| {
            let (id, at) = (id.clone(), self.turn(n));
            async move { self.wake(&id, scope, at).await }
        })
        .await
    }

    /// Plans one delivery, if it is meant.
    pub(super) async fn wake(
        &self,
        id: &DeliveryId,
        scope: &DeliveryScope,
        at: ScheduleTime,
    ) -> Result<bool> {
        let webhooks = self.webhooks;
        let now = webhooks.clock().schedule();
        let decide =
            |delivery: &mut Delivery| Ok(is_meant(scope, delivery) && delivery.wake(at, now));
        let key = delivery_key(&self.job.workspace, id);
        match webhooks.store.modify(&key, decide).await? {
            Some((row, true)) => {
                // It is due from here on; this only spares it the wait for the sweep.
                webhooks.carry(&row.doc, 0).await;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        examples::{NOW, delivery as resting},
        state::AbortReason,
    };

    #[test]
    fn what_failed_gets_one_attempt_and_what_is_held_goes_on_as_planned() {
        let later = NOW + Duration::from_secs(9);
        let mut failed = resting(State::Failed { at: NOW });
        assert!(failed.wake(later, NOW));
        let plan = Plan::Manual(Fallback::FailedAt(NOW));
        assert_eq!(failed.state, State::Waiting(Waiting { at: later, since: NOW, plan }));
        assert!(!failed.wake(later, NOW), "the second job finds nothing to do");
        let mut held = resting(State::Held(Held { since: NOW, plan: Plan::Automatic }));
        assert!(held.wake(NOW - Duration::from_secs(1), NOW));
        let plan = Plan::Automatic;
        assert_eq!(held.state, State::Waiting(Waiting { at: NOW, since: NOW, plan }));
    }

    #[test]
    fn what_arrived_or_was_given_up_stays_so() {
        let aborted = State::Aborted { at: NOW, reason: AbortReason::Expired };
        for state in [State::Pending, State::Delivered { at: NOW }, aborted] {
            let mut delivery = resting(state.clone());
            assert!(!delivery.wake(NOW, NOW));
            assert_eq!(delivery.state, state);
        }
    }

    #[test]
    fn a_scope_means_what_has_rested_since_its_time_in_its_state() {
        let failed = resting(State::Failed { at: NOW });
        let scope = |change: fn(&mut DeliveryScope)| {
            let mut scope = DeliveryScope::default();
            change(&mut scope);
            is_meant(&scope, &failed)
        };
        assert!(scope(|_| {}));
        assert!(scope(|own| own.since = Some(NOW)));
        assert!(!scope(|own| own.since = Some(NOW + Duration::from_millis(1))));
        assert!(!scope(|own| own.until = Some(NOW)));
        assert!(scope(|own| own.event_type = Some("test.ping".to_owned())));
        assert!(!scope(|own| own.event_type = Some("test.pong".to_owned())));
        assert!(!scope(|own| own.state = Some(RestState::Held)));
        assert!(!is_meant(&DeliveryScope::default(), &resting(State::Delivered { at: NOW })));
    }
}
