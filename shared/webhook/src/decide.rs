//! What may be done with a delivery, and what follows: decisions without a table, a queue or a
//! clock.
//!
//! Every step is refused unless the row's state allows it, so whoever comes late or twice changes
//! nothing. `finish` holds what the end of an attempt leads to, `rest` the states in which nothing
//! is tried.

mod finish;
mod rest;

use std::time::Duration;

use millwright_core::{Clock, ScheduleTime, WallTime};

pub(crate) use finish::{Again, Tried};
pub(crate) use rest::AbortRefusal;

use crate::{
    delivery::Delivery,
    endpoint::Endpoint,
    schedule::{Jitter, RetrySchedule},
    state::{Claim, Fallback, Plan, State, Waiting},
};

/// How many attempts a delivery can hold: its row, with what each endpoint answered, must stay well
/// below the 400 KB of a DynamoDB item.
pub(crate) const ATTEMPTS_MAX: usize = 50;

/// Both clocks, read together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) schedule: ScheduleTime,
    pub(crate) wall: WallTime,
}

impl Now {
    pub(crate) fn read(clock: &Clock) -> Self {
        Self { schedule: clock.schedule(), wall: clock.wall() }
    }
}

/// Who claims an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Claimant {
    /// Different for everybody.
    pub(crate) name: String,
    /// How long the claim lasts.
    pub(crate) term: Duration,
}

/// What says when a delivery is tried again.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// The endpoint's schedule, as it is when an attempt fails.
    pub(crate) schedule: RetrySchedule,
    /// Until when the endpoint asked to be left alone.
    pub(crate) slow_until: Option<ScheduleTime>,
    /// Chance.
    pub(crate) jitter: Jitter,
}

impl Pace {
    /// An endpoint's pace.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let schedule = endpoint.retry_schedule.clone();
        Self { schedule, slow_until: endpoint.health.slow_until, jitter: Jitter::by_chance() }
    }

    /// The promised one, where there is no endpoint any more.
    pub(crate) fn promised() -> Self {
        let schedule = RetrySchedule::Promised;
        Self { schedule, slow_until: None, jitter: Jitter::by_chance() }
    }
}

/// Why an attempt is not made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has been made, or another has taken its place, or none is wanted any more.
    Superseded,
    /// Its time has not come.
    Early(ScheduleTime),
    /// Somebody is making it.
    Busy(WallTime),
    /// Whoever was making it died. It must be settled first.
    Interrupted,
    /// It is held back.
    Held,
    /// The message's own time is up.
    Expired,
}

/// Why an attempt cannot be asked for by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryRefusal {
    /// It has arrived.
    Delivered,
    /// It was given up.
    Aborted,
    /// An attempt is being made or about to be.
    Busy,
    /// Its endpoint is paused or disabled.
    Held,
    /// Its endpoint is polled.
    Offered,
    /// The message's own time is up.
    Expired,
    /// It has been tried too often to keep count.
    TooMany,
}

impl Delivery {
    /// Whether attempt `number` may be made now.
    pub(crate) fn claimable(&self, number: u32, now: Now) -> Result<Plan, Refusal> {
        if number != self.next_number() {
            return Err(Refusal::Superseded);
        }
        match &self.state {
            State::Pending | State::Waiting(_) if self.has_expired(now.schedule) => {
                Err(Refusal::Expired)
            }
            State::Pending => Ok(Plan::Automatic),
            State::Waiting(waiting) if waiting.at > now.schedule => Err(Refusal::Early(waiting.at)),
            State::Waiting(waiting) => Ok(waiting.plan),
            State::Attempting(claim) if claim.until > now.wall => Err(Refusal::Busy(claim.until)),
            State::Attempting(_) => Err(Refusal::Interrupted),
            State::Held(_) => Err(Refusal::Held),
            State::Offered { .. }
            | State::Delivered { .. }
            | State::Failed { .. }
            | State::Aborted { .. } => Err(Refusal::Superseded),
        }
    }

    /// Claims attempt `number`.
    pub(crate) fn claim(&mut self, number: u32, now: Now, by: Claimant) -> Result<(), Refusal> {
        let plan = self.claimable(number, now)?;
        self.begin(plan, now, by);
        Ok(())
    }

    /// The same delivery with its first attempt claimed from the start, for a row that is just
    /// made.
    pub(crate) fn claimed(mut self, now: Now, by: Claimant) -> Self {
        self.begin(Plan::Automatic, now, by);
        self
    }

    fn begin(&mut self, plan: Plan, now: Now, by: Claimant) {
        let (until, holder) = (now.wall + by.term, by.name);
        let claim = Claim { plan, started_at: now.schedule, until, holder };
        self.state = State::Attempting(claim);
        self.first_attempt_at.get_or_insert(now.schedule);
    }

    /// Plans an attempt by hand, at once. It takes the place of a waiting one, which comes back if
    /// it fails.
    pub(crate) fn retry(&mut self, now: Now, pace: &Pace) -> Result<(), RetryRefusal> {
        self.settle(now, pace);
        let fallback = match &self.state {
            State::Delivered { .. } => return Err(RetryRefusal::Delivered),
            State::Aborted { .. } => return Err(RetryRefusal::Aborted),
            State::Held(_) => return Err(RetryRefusal::Held),
            State::Offered { .. } => return Err(RetryRefusal::Offered),
            State::Pending | State::Attempting(_) => return Err(RetryRefusal::Busy),
            _ if self.has_expired(now.schedule) => return Err(RetryRefusal::Expired),
            _ if self.attempts.len() >= ATTEMPTS_MAX => return Err(RetryRefusal::TooMany),
            State::Failed { at } => Fallback::FailedAt(*at),
            State::Waiting(Waiting { plan: Plan::Manual(fallback), .. }) => *fallback,
            State::Waiting(Waiting { at, .. }) => Fallback::WaitUntil(*at),
        };
        self.wait(now.schedule, now.schedule, Plan::Manual(fallback));
        Ok(())
    }

    fn wait(&mut self, at: ScheduleTime, now: ScheduleTime, plan: Plan) {
        self.state = State::Waiting(Waiting { at: at.max(now), since: now, plan });
    }

    /// Whether the message's own time is up.
    pub(crate) fn has_expired(&self, now: ScheduleTime) -> bool {
        self.abort_at.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests;
