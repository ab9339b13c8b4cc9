//! What all instances together may do to somebody else's system: one row for each limit, on the wall
//! clock, with budgets in blocks of tokens, seats for calls at the same time, and a hold that keeps
//! everybody off until a time.

mod ledger;
mod seats;

use std::{collections::BTreeMap, time::Duration};

use millwright_core::{Error, Result, WallTime};
use serde::{Deserialize, Serialize};

pub use ledger::{Block, Ledger, Quota};
pub use seats::{Claim, Lot, Seats};

use crate::{
    Document, Expect, Key, Store, StoreError, Write,
    store::{TRIES, pause_before},
};

/// A row that nobody has asked for is dropped after this.
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// What is known of a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Until when nobody may act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<WallTime>,
    /// The budgets, by the length of their windows in milliseconds.
    #[serde(default)]
    budgets: BTreeMap<u64, Ledger>,
    /// Who acts.
    #[serde(default)]
    pub seats: Seats,
}

impl Allowance {
    /// Keeps everybody off until a time; a later hold stays.
    pub fn hold(&mut self, until: WallTime) {
        self.held_until = self.held_until.max(Some(until));
    }

    /// The hold, if it has not ended.
    #[must_use]
    pub fn held(&self, now: WallTime) -> Option<WallTime> {
        self.held_until.filter(|until| *until > now)
    }

    /// The ledger of a budget. Two budgets with windows of the same length are one.
    pub fn budget(&mut self, quota: Quota) -> &mut Ledger {
        let window = u64::try_from(quota.window.as_millis()).unwrap_or(u64::MAX);
        self.budgets.entry(window).or_default()
    }
}

impl Document for Allowance {
    fn expires_at(&self) -> Option<WallTime> {
        let budgets = self.budgets.iter().filter_map(|(window, ledger)| {
            // A block counts for a window and a little more.
            Some(ledger.newest()? + Duration::from_millis(window.saturating_mul(2)))
        });
        let newest = budgets.chain(self.held_until).chain(self.seats.newest()).max();
        newest.map(|newest| newest + KEPT_FOR)
    }
}

impl Store {
    /// Reads the row of a limit, lets `decide` change it, writes it back; begins again when another
    /// instance wrote in between. `decide` must only decide: it may run several times, each time with
    /// the wall clock's reading. Nothing is written when it leaves the row as it was.
    ///
    /// # Errors
    /// When the table fails, or others write all the time.
    pub async fn allow<R, F>(&self, key: &Key, decide: F) -> Result<R>
    where
        F: Fn(&mut Allowance, WallTime) -> R + Send + Sync,
    {
        for tries in 0..TRIES {
            pause_before(tries).await;
            let row = self.get_doc::<Allowance>(key).await?;
            let (before, expect) = match row {
                Some(row) => (row.doc, Expect::Version(row.version)),
                None => (Allowance::default(), Expect::Absent),
            };
            let mut after = before.clone();
            let result = decide(&mut after, self.clock.wall());
            if after == before {
                return Ok(result);
            }
            match self.write(Write::put(key, &after, expect)?).await {
                Ok(_) => return Ok(result),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::internal(StoreError::Conflict(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_not_shortened_and_ends() {
        let at = WallTime::from_millis;
        let mut allowance = Allowance::default();
        allowance.hold(at(500));
        allowance.hold(at(300));
        assert_eq!(allowance.held(at(499)), Some(at(500)));
        assert_eq!(allowance.held(at(500)), None);
    }

    #[test]
    fn a_row_outlives_everything_that_it_must_remember() {
        let now = WallTime::from_millis(1_800_000_000_000);
        let day = Quota { tokens: 10, window: Duration::from_secs(86_400) };
        let mut allowance = Allowance::default();
        assert_eq!(allowance.expires_at(), None);
        allowance.budget(day).draw(now, day, 1).unwrap();
        assert!(allowance.expires_at().unwrap() > now + day.window + day.life());
    }

    #[test]
    fn a_row_comes_back_from_json_as_it_was() {
        let now = WallTime::from_millis(1_800_000_000_000);
        let quota = Quota { tokens: 10, window: Duration::from_secs(60) };
        let mut allowance = Allowance::default();
        allowance.hold(now);
        allowance.budget(quota).draw(now, quota, 3).unwrap();
        let claim = Claim { who: "a", in_use: 0, wanted: 1, limit: 2, term: quota.window };
        allowance.seats.claim(now, &claim);
        let text = serde_json::to_string(&allowance).unwrap();
        assert_eq!(serde_json::from_str::<Allowance>(&text).unwrap(), allowance);
    }
}
