//! Leases: who may do a thing for now. They run on the wall clock, as functions' timeouts do.

use std::time::Duration;

use millwright_core::WallTime;
use serde::{Deserialize, Serialize};

/// A claim on a row's work. It is part of the row's document, so taking it is a write like any other,
/// and whoever lost it finds the row's version changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Grows by one with each holder.
    pub fence: u64,
    /// When the claim ends, if it is held.
    pub until: Option<WallTime>,
}

impl Lease {
    /// Takes the lease until `now + term`: the new fence, or when the present holder's claim ends.
    ///
    /// # Errors
    /// The end of the claim that is in the way.
    pub fn take(&mut self, now: WallTime, term: Duration) -> Result<u64, WallTime> {
        if let Some(until) = self.until.filter(|until| *until > now) {
            return Err(until);
        }
        self.fence += 1;
        self.until = Some(now + term);
        Ok(self.fence)
    }

    /// Gives the lease back.
    pub fn release(&mut self) {
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_held_by_one_and_free_at_its_end() {
        let term = Duration::from_secs(10);
        let now = WallTime::from_millis(1_000);
        let mut lease = Lease::default();
        assert_eq!(lease.take(now, term), Ok(1));
        assert_eq!(lease.take(now + Duration::from_secs(9), term), Err(now + term));
        assert_eq!(lease.take(now + term, term), Ok(2));
        lease.release();
        assert_eq!(lease.take(now + term, term), Ok(3));
    }
}
