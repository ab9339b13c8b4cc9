//! The states in which nothing is tried: held back, put off, given up.

use millwright_core::ScheduleTime;

use super::{Now, Refusal};
use crate::{
    delivery::Delivery,
    state::{AbortReason, Held, State},
};

/// Why a delivery cannot be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AbortRefusal {
    /// It has arrived, failed, or been given up before.
    Ended,
    /// An attempt is being made.
    Busy,
}

impl Delivery {
    /// Keeps attempt `number` back until the endpoint goes on.
    pub(crate) fn hold(&mut self, number: u32, now: Now) -> Result<(), Refusal> {
        let plan = self.claimable(number, now)?;
        self.state = State::Held(Held { since: now.schedule, plan });
        Ok(())
    }

    /// Lets a held delivery go on, at once and with the plan it had; given up instead when its time
    /// is up. False when it is not held.
    pub(crate) fn release(&mut self, now: ScheduleTime) -> bool {
        let State::Held(Held { plan, .. }) = self.state else { return false };
        if self.has_expired(now) {
            self.state = State::Aborted { at: now, reason: AbortReason::Expired };
        } else {
            self.wait(now, now, plan);
        }
        true
    }

    /// Puts attempt `number` off until `until`. It uses up no attempt.
    pub(crate) fn park(
        &mut self,
        number: u32,
        now: Now,
        until: ScheduleTime,
    ) -> Result<(), Refusal> {
        let plan = self.claimable(number, now)?;
        self.wait(until, now.schedule, plan);
        Ok(())
    }

    /// Gives up attempt `number` and all that would follow it.
    pub(crate) fn give_up(
        &mut self,
        number: u32,
        now: Now,
        reason: AbortReason,
    ) -> Result<(), Refusal> {
        match self.claimable(number, now) {
            Ok(_) | Err(Refusal::Expired) => {
                self.state = State::Aborted { at: now.schedule, reason };
                Ok(())
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Gives up a delivery that nobody is attempting and that has not ended.
    pub(crate) fn abort(
        &mut self,
        reason: AbortReason,
        now: ScheduleTime,
    ) -> Result<(), AbortRefusal> {
        match self.state {
            State::Pending | State::Waiting(_) | State::Held(_) | State::Offered { .. } => {
                self.state = State::Aborted { at: now, reason };
                Ok(())
            }
            State::Attempting(_) => Err(AbortRefusal::Busy),
            State::Delivered { .. } | State::Failed { .. } | State::Aborted { .. } => {
                Err(AbortRefusal::Ended)
            }
        }
    }
}
