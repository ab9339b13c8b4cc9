//! Blocks of tokens: a shared budget without a write for each use.
//!
//! Whoever wants to act takes a block of tokens for a short time and spends it on its own. The ledger
//! remembers each block until none of its tokens can stand in a window together with a new one. So in
//! **any** stretch of time of a window's length, wherever it begins, no more than the budget is spent,
//! whether the other side counts in fixed windows or in sliding ones.

use std::time::Duration;

use millwright_core::WallTime;
use serde::{Deserialize, Serialize};

/// A block is good for this part of the window, within [`LIFE_MIN`] and [`LIFE_MAX`].
const LIFE_PART: u32 = 16;
const LIFE_MIN: Duration = Duration::from_millis(200);
const LIFE_MAX: Duration = Duration::from_secs(10);
/// Blocks are remembered in so many steps of time at most, which keeps the row small.
const STEPS: u64 = 32;

/// A budget: so many tokens in any stretch of time of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub tokens: u32,
    /// The stretch of time.
    pub window: Duration,
}

impl Quota {
    /// How long a block is good for.
    #[must_use]
    pub fn life(&self) -> Duration {
        (self.window / LIFE_PART).clamp(LIFE_MIN, LIFE_MAX)
    }

    /// How long a block counts: until its last moment is a whole window ago.
    fn memory(&self) -> Duration {
        self.window + self.life()
    }

    fn step_ms(&self) -> i64 {
        let memory = u64::try_from(self.memory().as_millis()).unwrap_or(u64::MAX);
        i64::try_from(memory.div_ceil(STEPS).max(1)).unwrap_or(i64::MAX)
    }
}

/// Tokens that may be spent until a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// How many are left.
    pub tokens: u32,
    /// The last moment to spend them.
    pub until: WallTime,
    /// Where the ledger has them: to give back what was not spent.
    stamp: WallTime,
}

/// The blocks that still count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger(Vec<Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// The end of the step in which the blocks were taken: never before the taking itself.
    at: WallTime,
    taken: u32,
}

impl Ledger {
    /// Takes up to `wanted` tokens, at least one.
    ///
    /// # Errors
    /// When there is none: the time at which there will be one again.
    pub fn draw(&mut self, now: WallTime, quota: Quota, wanted: u32) -> Result<Block, WallTime> {
        self.0.retain(|entry| entry.at + quota.memory() > now);
        let taken: u32 = self.0.iter().map(|entry| entry.taken).sum();
        let tokens = quota.tokens.saturating_sub(taken).min(wanted.max(1));
        if tokens == 0 {
            let oldest = self.0.iter().map(|entry| entry.at).min().unwrap_or(now);
            return Err(oldest + quota.memory());
        }
        let stamp = step_end(now, quota.step_ms());
        match self.0.iter_mut().find(|entry| entry.at == stamp) {
            Some(entry) => entry.taken += tokens,
            None => self.0.push(Entry { at: stamp, taken: tokens }),
        }
        Ok(Block { tokens, until: now + quota.life(), stamp })
    }

    /// How many tokens can be taken now, and when the first of those that were taken come back.
    #[must_use]
    pub fn standing(&self, now: WallTime, quota: Quota) -> (u32, Option<WallTime>) {
        let living = self.0.iter().filter(|entry| entry.at + quota.memory() > now);
        let taken: u32 = living.clone().map(|entry| entry.taken).sum();
        let first = living.map(|entry| entry.at + quota.memory()).min();
        (quota.tokens.saturating_sub(taken), first)
    }

    /// Gives back what is left of a block. Its tokens must not be spent any more.
    pub fn give_back(&mut self, block: &Block) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.at == block.stamp) {
            entry.taken = entry.taken.saturating_sub(block.tokens);
        }
        self.0.retain(|entry| entry.taken > 0);
    }

    /// The newest time that is remembered.
    pub(super) fn newest(&self) -> Option<WallTime> {
        self.0.iter().map(|entry| entry.at).max()
    }
}

fn step_end(now: WallTime, step_ms: i64) -> WallTime {
    WallTime::from_millis(now.millis().div_euclid(step_ms).saturating_add(1) * step_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { tokens: 60, window: Duration::from_secs(60) };

    fn at(ms: i64) -> WallTime {
        WallTime::from_millis(1_800_000_000_000 + ms)
    }

    /// A small generator of chance, so that histories come from a seed.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % bound
        }
    }

    #[test]
    fn a_budget_that_is_used_up_says_when_there_is_more() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.draw(at(0), QUOTA, 50).unwrap().tokens, 50);
        assert_eq!(ledger.draw(at(10), QUOTA, 50).unwrap().tokens, 10);
        let more = ledger.draw(at(20), QUOTA, 1).unwrap_err();
        assert!(more > at(60_000) && more < at(67_000), "{more:?}");
        assert_eq!(ledger.draw(more, QUOTA, 99).unwrap().tokens, 60);
    }

    #[test]
    fn what_was_not_spent_can_be_given_back() {
        let mut ledger = Ledger::default();
        let mut block = ledger.draw(at(0), QUOTA, 60).unwrap();
        assert!(ledger.draw(at(1), QUOTA, 1).is_err());
        block.tokens -= 20;
        ledger.give_back(&block);
        assert_eq!(ledger.draw(at(2), QUOTA, 60).unwrap().tokens, 40);
    }

    #[test]
    fn what_is_left_is_told_with_when_more_comes_back() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.standing(at(0), QUOTA), (60, None));
        ledger.draw(at(0), QUOTA, 50).unwrap();
        let (left, first) = ledger.standing(at(10), QUOTA);
        assert_eq!(left, 10);
        assert_eq!(ledger.standing(first.unwrap(), QUOTA), (60, None));
    }

    #[test]
    fn a_ledger_stays_small() {
        let mut ledger = Ledger::default();
        for ms in (0..600_000).step_by(50) {
            let _ = ledger.draw(at(ms), QUOTA, 1);
            assert!(ledger.0.len() <= usize::try_from(STEPS).unwrap() + 1, "{}", ledger.0.len());
        }
    }

    #[test]
    fn most_of_a_budget_is_used_when_it_is_wanted() {
        let mut ledger = Ledger::default();
        let drawn = |ms| ledger.draw(at(ms), QUOTA, 1).map_or(0, |block| block.tokens);
        let spent: u32 = (0..6_000_000).step_by(200).map(drawn).sum();
        assert!(spent >= 5_400, "{spent} of 6000 in 100 minutes");
    }

    #[test]
    fn in_no_stretch_of_time_more_is_spent_than_the_budget() {
        for seed in 1..60 {
            let mut chance = Chance(seed * 0x9e37_79b9);
            let quota = Quota {
                tokens: 1 + u32::try_from(chance.below(50)).unwrap(),
                window: Duration::from_millis(300 + chance.below(60_000)),
            };
            let window = i64::try_from(quota.window.as_millis()).unwrap();
            let mut spent = spent_by_some(&mut chance, quota);
            spent.sort_unstable();
            for (first, start) in spent.iter().enumerate() {
                let inside = spent[first..].iter().take_while(|ms| **ms - start < window).count();
                assert!(inside <= quota.tokens as usize, "seed {seed}: {inside} of {quota:?}");
            }
        }
    }

    /// The times at which three users of one ledger spend their tokens.
    fn spent_by_some(chance: &mut Chance, quota: Quota) -> Vec<i64> {
        let mut ledger = Ledger::default();
        let mut held: [Option<Block>; 3] = [None; 3];
        let (mut now, mut spent) = (0, Vec::new());
        for _ in 0..2_000 {
            now += i64::try_from(chance.below(400)).unwrap();
            let who = usize::try_from(chance.below(3)).unwrap();
            match &mut held[who] {
                Some(block) if block.tokens > 0 && block.until >= at(now) => {
                    if chance.below(8) == 0 {
                        ledger.give_back(block);
                        held[who] = None;
                    } else {
                        block.tokens -= 1;
                        spent.push(now);
                    }
                }
                other => {
                    let wanted = 1 + u32::try_from(chance.below(12)).unwrap();
                    *other = ledger.draw(at(now), quota, wanted).ok();
                }
            }
        }
        assert!(!spent.is_empty());
        spent
    }
}
