//! Taking turns: what keeps all instances together within a system's limits.
//!
//! A gate stands before each limit: one before the connection (its seats for calls at the same time,
//! its budgets, and what the system itself has told about waiting), one before the host where budgets
//! are shared there. An instance takes tokens and a seat from the limit's row for a short time and
//! acts on its own with them, so that a busy instance does not write for each call; one that makes a
//! single call gives everything back at once, so that others need not wait for it.

mod local;
mod pass;
mod rows;

use std::{sync::Arc, time::Duration};

use millwright_core::{Clock, WallTime};
use millwright_store::{Key, Quota};
use tokio::time::sleep;

pub(crate) use rows::Rows;

use self::local::{Answered, Local};
pub(crate) use self::pass::Pass;

/// How long a seat is good for without being renewed.
pub(super) const TERM: Duration = Duration::from_secs(6);
/// How often it is looked for a seat that somebody else has.
const POLL: Duration = Duration::from_millis(150);

/// What a gate keeps to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    /// Budgets, no two with windows of the same length.
    pub quotas: Vec<Quota>,
    /// Calls at the same time.
    pub seats: Option<u32>,
}

/// A gate before one limit, for everybody in this process.
pub(crate) struct Gate {
    rows: Rows,
    key: Key,
    who: String,
    bounds: Bounds,
    clock: Clock,
    local: std::sync::Mutex<Local>,
    /// Who asks the row: one at a time.
    asking: tokio::sync::Mutex<()>,
}

/// Why somebody must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until a time that is known.
    Until(WallTime),
    /// Until somebody else gives a seat back.
    Seat,
}

impl Gate {
    pub(crate) fn new(rows: Rows, key: Key, who: String, bounds: Bounds, clock: Clock) -> Self {
        let local = std::sync::Mutex::new(Local::new(bounds.quotas.len()));
        Self { rows, key, who, bounds, clock, local, asking: tokio::sync::Mutex::new(()) }
    }

    pub(crate) fn keeps_to(&self, bounds: &Bounds) -> bool {
        self.bounds == *bounds
    }

    /// Waits for a turn, no longer than `patience`, which is lessened by the time that it took.
    ///
    /// # Errors
    /// When it would take longer: how long, as far as that is known.
    pub(crate) async fn enter(self: &Arc<Self>, patience: &mut Duration) -> Result<Pass, Duration> {
        loop {
            let Err(wait) = self.try_enter().await else { return Ok(Pass::new(self.clone())) };
            let pause = match wait {
                Wait::Until(until) => until.since(self.clock.wall()).max(Duration::from_millis(1)),
                Wait::Seat if patience.is_zero() => return Err(TERM / 2),
                Wait::Seat => POLL.min(*patience),
            };
            if pause > *patience {
                return Err(pause);
            }
            sleep(pause).await;
            *patience -= pause;
        }
    }

    async fn try_enter(&self) -> Result<(), Wait> {
        if let Some(outcome) = self.by_ourselves() {
            return outcome;
        }
        let _asking = self.asking.lock().await;
        loop {
            if let Some(outcome) = self.by_ourselves() {
                return outcome;
            }
            let ask = self.local().ask(self.clock.wall(), &self.bounds, 1);
            let answered =
                self.rows.allow(&self.key, |row, now| ask.put(row, now, &self.who)).await;
            if let Some(outcome) = self.local().enter_with(self.clock.wall(), answered) {
                return outcome;
            }
        }
    }

    /// What can be decided without the row.
    fn by_ourselves(&self) -> Option<Result<(), Wait>> {
        self.local().enter(self.clock.wall(), self.bounds.seats.is_some())
    }

    /// Keeps everybody off until a time, here at once and elsewhere from when they next ask.
    pub(crate) async fn hold(&self, until: WallTime) {
        if self.local().hold(until) {
            self.rows.allow(&self.key, |row, _| row.hold(until)).await;
        }
    }

    /// Renews the seat that a call stands on.
    async fn renew(&self) {
        let _asking = self.asking.lock().await;
        let ask = self.local().ask(self.clock.wall(), &self.bounds, 0);
        let answered = self.rows.allow(&self.key, |row, now| ask.put(row, now, &self.who)).await;
        self.local().renewed(&answered);
    }

    /// Gives a seat back, and tokens, where nothing more is expected to come.
    async fn leave(&self) {
        let done = self.local().leave(self.clock.wall(), self.bounds.seats.is_some());
        if !done {
            return;
        }
        let _asking = self.asking.lock().await;
        let Some(back) = self.local().give_back(&self.bounds) else { return };
        let answered: Answered =
            self.rows.allow(&self.key, |row, now| back.put(row, now, &self.who)).await;
        self.local().renewed(&answered);
    }

    fn local(&self) -> std::sync::MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
