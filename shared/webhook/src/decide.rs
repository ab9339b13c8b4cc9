//! What may be done with a delivery, and what follows: decisions without a table, a queue or a
//! clock.

use std::time::Duration;

use millwright_core::{Clock, ScheduleTime, WallTime};

use crate::{
    attempt_log::{Attempt, AttemptEnd, Outcome, Trigger},
    delivery::{AbortReason, Claim, Delivery, Fallback, Plan, State, Waiting},
    schedule::{Jitter, RetrySchedule},
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
}

/// Why an attempt cannot be asked for by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryRefusal {
    /// It has arrived.
    Delivered,
    /// Its endpoint is gone.
    Aborted,
    /// An attempt is being made or about to be.
    Busy,
    /// Its endpoint is paused or disabled.
    Held,
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
            State::Pending => Ok(Plan::Automatic),
            State::Waiting(waiting) if waiting.at > now.schedule => Err(Refusal::Early(waiting.at)),
            State::Waiting(waiting) => Ok(waiting.plan),
            State::Attempting(claim) if claim.until > now.wall => Err(Refusal::Busy(claim.until)),
            State::Attempting(_) => Err(Refusal::Interrupted),
            State::Held(_)
            | State::Offered { .. }
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

    /// Ends the attempt that is being made with what came of it.
    pub(crate) fn record(&mut self, end: AttemptEnd, now: ScheduleTime, jitter: Jitter) {
        if let State::Attempting(claim) = self.state.clone() {
            self.finish(&claim, end, now, now, jitter);
        }
    }

    /// Ends an attempt whose maker died: it reads `unknown` and counts. False when there is none.
    pub(crate) fn settle(&mut self, now: Now, jitter: Jitter) -> bool {
        match self.state.clone() {
            State::Attempting(claim) if claim.until <= now.wall => {
                // When it ended nobody knows, so the wait counts from its start.
                let began = claim.started_at;
                self.finish(&claim, AttemptEnd::Unknown, began, now.schedule, jitter);
                true
            }
            _ => false,
        }
    }

    /// Corrects attempt `number`, which was settled as `unknown` while its maker was only slow. An
    /// arrival ends the delivery unless another attempt is being made, which then ends it.
    pub(crate) fn record_late(&mut self, number: u32, end: AttemptEnd, now: ScheduleTime) {
        let unknown = |a: &&mut Attempt| a.number == number && a.end == AttemptEnd::Unknown;
        let Some(attempt) = self.attempts.iter_mut().find(unknown) else { return };
        attempt.end = end;
        let open = matches!(self.state, State::Waiting(_) | State::Failed { .. });
        if open && self.has_arrived() {
            self.state = State::Delivered { at: now };
        }
    }

    /// Gives up a delivery that nobody is attempting.
    pub(crate) fn abort(&mut self, reason: AbortReason, now: ScheduleTime) {
        if let State::Pending | State::Waiting(_) | State::Held(_) | State::Offered { .. } =
            self.state
        {
            self.state = State::Aborted { at: now, reason };
        }
    }

    /// Plans an attempt by hand, at once. It takes the place of a waiting one, which comes back if
    /// it fails.
    pub(crate) fn retry(&mut self, now: Now, jitter: Jitter) -> Result<(), RetryRefusal> {
        self.settle(now, jitter);
        let fallback = match &self.state {
            State::Delivered { .. } => return Err(RetryRefusal::Delivered),
            State::Aborted { .. } => return Err(RetryRefusal::Aborted),
            State::Pending | State::Attempting(_) | State::Offered { .. } => {
                return Err(RetryRefusal::Busy);
            }
            _ if self.attempts.len() >= ATTEMPTS_MAX => return Err(RetryRefusal::TooMany),
            State::Failed { at } => Fallback::FailedAt(*at),
            State::Held(_) => return Err(RetryRefusal::Held),
            State::Waiting(Waiting { plan: Plan::Manual(fallback), .. }) => *fallback,
            State::Waiting(Waiting { at, .. }) => Fallback::WaitUntil(*at),
        };
        self.wait(now.schedule, now.schedule, Plan::Manual(fallback));
        Ok(())
    }

    /// The end of an attempt. Waits begin at `from`, and no plan lies before `now`.
    fn finish(
        &mut self,
        claim: &Claim,
        end: AttemptEnd,
        from: ScheduleTime,
        now: ScheduleTime,
        jitter: Jitter,
    ) {
        let trigger = match claim.plan {
            Plan::Automatic => Trigger::Automatic,
            Plan::Manual(_) => Trigger::Manual,
        };
        let number = self.next_number();
        self.attempts.push(Attempt { number, trigger, at: claim.started_at, end });
        if self.has_arrived() {
            self.state = State::Delivered { at: now };
            return;
        }
        match claim.plan {
            Plan::Manual(Fallback::FailedAt(at)) => self.state = State::Failed { at },
            Plan::Manual(Fallback::WaitUntil(at)) => self.wait(at, now, Plan::Automatic),
            Plan::Automatic => match self.next_automatic(from, jitter) {
                Some(at) => self.wait(at, now, Plan::Automatic),
                None => self.state = State::Failed { at: now },
            },
        }
    }

    fn next_automatic(&self, from: ScheduleTime, jitter: Jitter) -> Option<ScheduleTime> {
        let automatic = self.attempts.iter().filter(|a| a.trigger == Trigger::Automatic).count();
        let made = u32::try_from(automatic).unwrap_or(u32::MAX);
        let first = self.first_attempt_at.unwrap_or(from);
        RetrySchedule::Promised.next(made, first, from, jitter)
    }

    fn wait(&mut self, at: ScheduleTime, now: ScheduleTime, plan: Plan) {
        self.state = State::Waiting(Waiting { at: at.max(now), since: now, plan });
    }

    fn has_arrived(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.end.outcome() == Outcome::Delivered)
    }
}

#[cfg(test)]
mod tests;
