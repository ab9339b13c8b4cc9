//! The one source of chance of a layer, and the count of what it led to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

/// What a layer can do to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The table refused a call for going too fast; nothing was done.
    Throttled,
    /// A transaction was cancelled because it met another; nothing was done.
    TransactionConflict,
    /// A single write was refused because it met a transaction; nothing was done.
    WriteConflict,
    /// Part of a batch was left undone.
    Unprocessed,
    /// An index did not show a row that had just been written.
    LateIndex,
    /// An index answered as it would have a moment ago.
    StaleIndex,
    /// It was done, and the answer was lost.
    LostAnswer,
    /// A message was delivered a second time.
    Duplicated,
    /// A message was delivered later than it could have been.
    HeldBack,
    /// Messages were delivered in another order.
    Reordered,
}

/// How often each fault happened. Clones share the numbers.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<Fault, u64>>>);

impl Counts {
    /// How often a fault has happened so far.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.all().get(&fault).copied().unwrap_or(0)
    }

    /// All numbers so far.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Fault, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, fault: Fault, n: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(fault).or_default() += n;
    }
}

/// Dice that follow from a seed. Which call meets which throw depends on the order in which calls
/// arrive, so the same seed gives the same faults to the same sequence of calls.
#[derive(Debug)]
pub(crate) struct Chance {
    dice: Mutex<StdRng>,
    counts: Counts,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self { dice: Mutex::new(StdRng::seed_from_u64(seed)), counts: Counts::default() }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Whether something of this rate happens now.
    pub(crate) fn falls(&self, rate: f64) -> bool {
        rate > 0.0 && self.with(|dice| dice.random_bool(rate.min(1.0)))
    }

    /// Whether a fault of this rate happens now; counted if so.
    pub(crate) fn strikes(&self, fault: Fault, rate: f64) -> bool {
        let falls = self.falls(rate);
        if falls {
            self.count(fault, 1);
        }
        falls
    }

    pub(crate) fn count(&self, fault: Fault, n: usize) {
        self.counts.add(fault, n as u64);
    }

    /// A number below `end` (0 when there is none).
    pub(crate) fn below(&self, end: usize) -> usize {
        if end == 0 { 0 } else { self.with(|dice| dice.random_range(0..end)) }
    }

    pub(crate) fn shuffle<T>(&self, items: &mut [T]) {
        self.with(|dice| items.shuffle(dice));
    }

    fn with<R>(&self, f: impl FnOnce(&mut StdRng) -> R) -> R {
        f(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throws(seed: u64) -> Vec<bool> {
        let chance = Chance::new(seed);
        (0..200).map(|_| chance.strikes(Fault::Throttled, 0.3)).collect()
    }

    #[test]
    fn the_same_seed_throws_the_same() {
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }

    #[test]
    fn what_strikes_is_counted_and_a_rate_of_zero_never_does() {
        let chance = Chance::new(1);
        let struck = (0..1000).filter(|_| chance.strikes(Fault::HeldBack, 0.5)).count();
        assert_eq!(chance.counts().of(Fault::HeldBack), struck as u64);
        assert!((400..600).contains(&struck), "{struck}");
        assert!(!(0..1000).any(|_| chance.falls(0.0)));
    }
}
