//! What polling does to a delivery: pure decisions.

use millwright_core::ScheduleTime;

use crate::{
    attempt_log::{Attempt, AttemptEnd, Trigger},
    delivery::Delivery,
    state::State,
};

impl Delivery {
    /// Puts a delivery that nobody is attempting on offer to whoever polls its endpoint.
    pub(crate) fn offer(&mut self, now: ScheduleTime) {
        if let State::Pending | State::Waiting(_) | State::Held(_) = self.state {
            self.state = State::Offered { since: now };
        }
    }

    /// Ends a delivery that is on offer: whoever polled has acknowledged it. Any other stays as it is.
    pub(crate) fn fetch(&mut self, now: ScheduleTime) {
        if let State::Offered { .. } = self.state {
            let number = self.next_number();
            let end = AttemptEnd::Acknowledged;
            self.attempts.push(Attempt { number, trigger: Trigger::Poll, at: now, end });
            self.first_attempt_at.get_or_insert(now);
            self.state = State::Delivered { at: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use millwright_store::Document;

    use super::*;
    use crate::{
        examples::{START, delivery},
        keys::{failed_of, offered_of},
        state::{AbortReason, Held, Plan},
        status::DeliveryStatus,
    };

    fn at(seconds: i64) -> ScheduleTime {
        ScheduleTime::from_millis(START + seconds * 1000)
    }

    #[test]
    fn what_is_on_offer_stands_in_the_index_until_it_is_acknowledged() {
        let held = State::Held(Held { since: at(0), plan: Plan::Automatic });
        for state in [State::Pending, held] {
            let mut delivery = delivery(state);
            delivery.offer(at(1));
            assert_eq!(delivery.status(), DeliveryStatus::Pending);
            let mark = delivery.failed().unwrap();
            assert_eq!(mark.of, offered_of(&delivery.workspace, &delivery.endpoint));
            assert_ne!(mark.of, failed_of(&delivery.workspace, &delivery.endpoint));
            assert_eq!(mark.at, at(1));
            assert!(delivery.due().is_none());
            delivery.fetch(at(2));
            assert_eq!(delivery.state, State::Delivered { at: at(2) });
            assert!(delivery.failed().is_none());
        }
    }

    #[test]
    fn acknowledging_twice_leaves_one_attempt() {
        let mut delivery = delivery(State::Offered { since: at(0) });
        delivery.fetch(at(1));
        let once = delivery.clone();
        delivery.fetch(at(2));
        assert_eq!(delivery, once);
        let attempts: Vec<_> =
            delivery.attempts.iter().map(|own| (own.number, own.trigger)).collect();
        assert_eq!(attempts, [(1, Trigger::Poll)]);
    }

    #[test]
    fn what_has_ended_is_neither_offered_again_nor_acknowledged() {
        let aborted = State::Aborted { at: at(0), reason: AbortReason::EndpointDeleted };
        for state in [State::Delivered { at: at(0) }, State::Failed { at: at(0) }, aborted] {
            let mut delivery = delivery(state.clone());
            delivery.offer(at(1));
            delivery.fetch(at(2));
            assert_eq!(delivery.state, state);
        }
    }
}
