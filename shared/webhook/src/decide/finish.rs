//! What the end of an attempt leads to.

use std::time::Duration;

use millwright_core::ScheduleTime;

use super::{Now, Pace};
use crate::{
    attempt_log::{Attempt, AttemptEnd, Outcome, Trigger},
    delivery::Delivery,
    state::{AbortReason, Claim, Fallback, Plan, State},
    wish::Wish,
};

/// The endpoint's own row says that it is to be left alone a moment after the delivery's does: who
/// came back to the millisecond would be put off once more.
const NOTED_WITHIN: Duration = Duration::from_secs(1);

/// What was done under one claim: a try, and at most one more at once if its connection broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    /// How the first try ended.
    pub(crate) first: AttemptEnd,
    /// The second, if there was one.
    pub(crate) again: Option<Again>,
}

/// A try that followed at once upon a broken connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    /// When it began.
    pub(crate) at: ScheduleTime,
    /// How it ended.
    pub(crate) end: AttemptEnd,
}

impl Tried {
    /// How it ended in the end.
    pub(crate) fn end(&self) -> &AttemptEnd {
        self.again.as_ref().map_or(&self.first, |again| &again.end)
    }
}

impl From<AttemptEnd> for Tried {
    fn from(first: AttemptEnd) -> Self {
        Self { first, again: None }
    }
}

impl Delivery {
    /// Ends the attempt that is being made with what came of it.
    pub(crate) fn record(&mut self, tried: Tried, now: ScheduleTime, pace: &Pace) {
        if let State::Attempting(claim) = self.state.clone() {
            self.finish(&claim, tried, now, now, pace);
        }
    }

    /// Ends an attempt whose maker died: it reads `unknown` and counts. False when there is none.
    pub(crate) fn settle(&mut self, now: Now, pace: &Pace) -> bool {
        match self.state.clone() {
            State::Attempting(claim) if claim.until <= now.wall => {
                // When it ended nobody knows, so the wait counts from its start.
                let began = claim.started_at;
                self.finish(&claim, AttemptEnd::Unknown.into(), began, now.schedule, pace);
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
        self.forget_answers_of_expunged();
        let open = !matches!(self.state, State::Attempting(_) | State::Delivered { .. });
        if open && self.has_arrived() {
            self.state = State::Delivered { at: now };
        }
    }

    /// The end of an attempt. Waits begin at `from`, and no plan lies before `now`.
    fn finish(
        &mut self,
        claim: &Claim,
        tried: Tried,
        from: ScheduleTime,
        now: ScheduleTime,
        pace: &Pace,
    ) {
        let wish = tried.end().wish();
        self.note(claim, tried);
        if self.has_arrived() {
            self.state = State::Delivered { at: now };
            return;
        }
        if wish == Wish::AbortMessage {
            self.state = State::Aborted { at: now, reason: AbortReason::Refused };
            return;
        }
        let next = match claim.plan {
            Plan::Manual(Fallback::FailedAt(at)) => {
                self.state = State::Failed { at };
                return;
            }
            Plan::Manual(Fallback::WaitUntil(at)) => Some(at),
            Plan::Automatic => self.next_automatic(from, pace),
        };
        match next {
            Some(at) => self.wait_or_expire(at.max(left_alone_until(wish, now, pace)), now),
            None => self.state = State::Failed { at: now },
        }
    }

    /// Puts what was tried into the log.
    fn note(&mut self, claim: &Claim, tried: Tried) {
        let trigger = match claim.plan {
            Plan::Automatic => Trigger::Automatic,
            Plan::Manual(_) => Trigger::Manual,
        };
        let (number, at, end) = (self.next_number(), claim.started_at, tried.first);
        self.attempts.push(Attempt { number, trigger, at, end });
        if let Some(Again { at, end }) = tried.again {
            let (number, trigger) = (self.next_number(), Trigger::Reconnect);
            self.attempts.push(Attempt { number, trigger, at, end });
        }
        self.forget_answers_of_expunged();
    }

    /// Where the message's content was removed, forgets what was answered, but for the status and the time
    /// it took.
    pub(crate) fn forget_answers_of_expunged(&mut self) {
        for attempt in self.attempts.iter_mut().filter(|_| self.expunged) {
            if let AttemptEnd::Answered(answer) = &mut attempt.end {
                answer.headers.clear();
                answer.body.clear();
            }
        }
    }

    /// Waits for the next attempt, unless the message's own time is up before it: then nothing will
    /// be tried any more, which is better known now than then.
    fn wait_or_expire(&mut self, at: ScheduleTime, now: ScheduleTime) {
        if self.has_expired(at.max(now)) {
            self.state = State::Aborted { at: now, reason: AbortReason::Expired };
        } else {
            self.wait(at, now, Plan::Automatic);
        }
    }

    fn next_automatic(&self, from: ScheduleTime, pace: &Pace) -> Option<ScheduleTime> {
        let automatic = self.attempts.iter().filter(|a| a.trigger == Trigger::Automatic).count();
        let made = u32::try_from(automatic).unwrap_or(u32::MAX);
        let first = self.first_attempt_at.unwrap_or(from);
        pace.schedule.next(made, first, from, pace.jitter)
    }

    pub(super) fn has_arrived(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.end.outcome() == Outcome::Delivered)
    }
}

/// Until when the endpoint asked to be left alone: now, or earlier by another's attempt.
fn left_alone_until(wish: Wish, now: ScheduleTime, pace: &Pace) -> ScheduleTime {
    let asked = match wish {
        Wish::SlowDown { pause } => now + pause + NOTED_WITHIN,
        Wish::None | Wish::Disable | Wish::AbortMessage => now,
    };
    pace.slow_until.map_or(asked, |until| until.max(asked))
}
