//! What is done instead of an attempt when a delivery's time has come.

use millwright_core::{Result, ScheduleTime};
use millwright_event::{Message, Stopped};

use crate::{
    Webhooks,
    admit::{Admission, Pass},
    decide::{Now, Refusal},
    delivery::Delivery,
    endpoint::Endpoint,
    gate::Gate,
    state::AbortReason,
};

/// What is done instead of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    /// It is left to whoever polls the endpoint.
    Offer,
    /// It is kept until the endpoint goes on.
    Hold,
    /// It is put off until then.
    Park(ScheduleTime),
    /// It is given up.
    Abort(AbortReason),
}

impl Instead {
    /// What a message and an endpoint call for, as far as their rows tell. What ends the delivery
    /// comes first: a message that nobody wants any more is not kept for later.
    fn of(message: &Message, endpoint: &Endpoint, now: ScheduleTime) -> Option<Self> {
        match message.stopped(now) {
            Some(Stopped::Aborted) => return Some(Self::Abort(AbortReason::MessageAborted)),
            Some(Stopped::Expired) => return Some(Self::Abort(AbortReason::Expired)),
            None => {}
        }
        match endpoint.gate(now) {
            // Whether it is given out is decided when it is asked for.
            _ if endpoint.is_polled() => Some(Self::Offer),
            Gate::Hold => Some(Self::Hold),
            Gate::Open | Gate::Trial | Gate::Park { .. } => None,
        }
    }
}

impl Webhooks {
    /// The right to make an attempt now, or what is done instead.
    pub(crate) async fn may_attempt(
        &self,
        message: &Message,
        endpoint: &Endpoint,
    ) -> Result<Result<Pass, Instead>> {
        if let Some(instead) = Instead::of(message, endpoint, self.clock().schedule()) {
            return Ok(Err(instead));
        }
        Ok(match self.admit(endpoint).await? {
            Admission::Go(pass) => Ok(pass),
            Admission::Hold => Err(Instead::Hold),
            Admission::Park { until } => Err(Instead::Park(until)),
        })
    }

    /// What is done instead of sending an attempt to the queue, if its rows call for that already.
    pub(crate) fn instead_of_queue(
        &self,
        message: &Message,
        endpoint: &Endpoint,
    ) -> Option<Instead> {
        let now = self.clock().schedule();
        Instead::of(message, endpoint, now).or_else(|| match endpoint.gate(now) {
            Gate::Park { until } => Some(Instead::Park(self.spread(endpoint, until))),
            Gate::Open | Gate::Trial | Gate::Hold => None,
        })
    }
}

impl Delivery {
    /// Does something instead of attempt `number`.
    pub(crate) fn take(&mut self, instead: Instead, number: u32, now: Now) -> Result<(), Refusal> {
        match instead {
            Instead::Offer => {
                self.claimable(number, now)?;
                self.offer(now.schedule);
                Ok(())
            }
            Instead::Hold => self.hold(number, now),
            Instead::Park(until) => self.park(number, now, until),
            Instead::Abort(reason) => self.give_up(number, now, reason),
        }
    }
}
