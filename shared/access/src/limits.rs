//! Rate limits: how many calls somebody may make in a minute, counted over all instances and without a
//! write for each call. An instance takes a block of tokens off a shared ledger and spends it on its own
//! ([`millwright_store::Ledger`]); blocks grow with what the instance needs and shrink when little is
//! left, and what is not spent in time is given back. No more calls get through than the limit says, in
//! any stretch of a minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use millwright_core::{Result, WallTime, WorkspaceId, derive_id_part};
use millwright_store::{Block, Key, Ledger, Quota, Store};

/// The window of every limit.
const WINDOW: Duration = Duration::from_secs(60);
/// The largest block is this part of the limit.
const BLOCK_PART: u32 = 20;
/// Of what is left, a block is this part at most: others want some, too.
const LEFT_PART: u32 = 4;
/// How often a used-up limit is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// From so many purses on, those with nothing in them are thrown away.
const PURSES_MAX: usize = 4_096;

/// A limit of somebody.
#[derive(Clone, Copy, Debug)]
pub struct Limit<'a> {
    /// The limit's name, as answers tell it.
    pub name: &'static str,
    /// The workspace of whoever is limited.
    pub workspace: &'a WorkspaceId,
    /// Who or what is limited: an id.
    pub who: &'a str,
    /// How many calls a minute.
    pub per_minute: u32,
}

impl Limit<'_> {
    const fn quota(&self) -> Quota {
        Quota { tokens: self.per_minute, window: WINDOW }
    }

    /// The row. It outlives what it is about by an hour or so, and so does not name it.
    fn key(&self) -> Key {
        let who = derive_id_part(&[self.who]);
        Key::state(format!("{}#rate", self.workspace), format!("{}#{who}", self.name))
    }
}

/// How somebody stands with a limit after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit's name.
    pub name: &'static str,
    /// How many calls it allows.
    pub limit: u32,
    /// In what time.
    pub window: Duration,
    /// Whether this call is allowed.
    pub allowed: bool,
    /// How many more there may be now.
    pub remaining: u32,
    /// When there may be more than that.
    pub more_in: Duration,
}

/// What this instance holds of the limits it has met. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Limits(Arc<Mutex<HashMap<Key, Held>>>);

type Held = Arc<tokio::sync::Mutex<Purse>>;

impl Limits {
    /// Counts a call, if it is still allowed.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn take(&self, store: &Store, limit: Limit<'_>) -> Result<Standing> {
        let (key, quota) = (limit.key(), limit.quota());
        let purse = self.purse(&key);
        // While one call fills the purse, the others wait for what it brings.
        let mut purse = purse.lock().await;
        let now = store.clock().wall();
        if purse.must_ask(now) {
            let asked = purse.ask(quota, now);
            let answer = store.allow(&key, |allowance, now| asked.of(allowance.budget(quota), now));
            purse.fill(answer.await?, now);
        }
        Ok(purse.spend(&limit, now))
    }

    fn purse(&self, key: &Key) -> Held {
        let mut purses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if purses.len() >= PURSES_MAX && !purses.contains_key(key) {
            // Those in use are held by somebody else as well.
            purses.retain(|_, held| Arc::strong_count(held) > 1);
        }
        Arc::clone(purses.entry(key.clone()).or_default())
    }
}

/// The tokens of one limit that this instance holds.
#[derive(Clone, Debug, Default)]
struct Purse {
    block: Option<Block>,
    /// How many the block had when it was taken.
    had: u32,
    /// How many were left for anybody when last asked, and when more would come.
    left: u32,
    more_at: Option<WallTime>,
    /// Until when asking makes no sense.
    refused_until: Option<WallTime>,
}

/// What is asked of the ledger.
#[derive(Clone, Copy, Debug)]
struct Ask {
    quota: Quota,
    back: Option<Block>,
    wanted: u32,
}

/// What the ledger answers.
#[derive(Clone, Copy, Debug)]
struct Answer {
    drawn: Result<Block, WallTime>,
    left: u32,
    more_at: Option<WallTime>,
}

impl Ask {
    fn of(&self, ledger: &mut Ledger, now: WallTime) -> Answer {
        if let Some(back) = &self.back {
            ledger.give_back(back);
        }
        let (left, _) = ledger.standing(now, self.quota);
        let drawn = ledger.draw(now, self.quota, self.wanted.min(left / LEFT_PART));
        let (left, more_at) = ledger.standing(now, self.quota);
        Answer { drawn, left, more_at }
    }
}

impl Purse {
    fn holds(&self, now: WallTime) -> bool {
        self.block.is_some_and(|block| block.tokens > 0 && block.until >= now)
    }

    fn must_ask(&self, now: WallTime) -> bool {
        !self.holds(now) && self.refused_until.is_none_or(|until| until <= now)
    }

    /// Twice as much as before when that was used up in time; else about what was used.
    fn ask(&mut self, quota: Quota, now: WallTime) -> Ask {
        let back = self.block.take();
        let wanted = match back {
            Some(block) if block.tokens == 0 && block.until >= now => self.had * 2,
            Some(block) => self.had.saturating_sub(block.tokens),
            None => 1,
        };
        let most = (quota.tokens / BLOCK_PART).max(1);
        let back = back.filter(|block| block.tokens > 0);
        Ask { quota, back, wanted: wanted.clamp(1, most) }
    }

    fn fill(&mut self, answer: Answer, now: WallTime) {
        (self.left, self.more_at) = (answer.left, answer.more_at);
        match answer.drawn {
            Ok(block) => {
                (self.had, self.block, self.refused_until) = (block.tokens, Some(block), None);
            }
            // Others may give some back before that time.
            Err(more_at) => self.refused_until = Some(more_at.min(now + ASK_AGAIN)),
        }
    }

    fn spend(&mut self, limit: &Limit<'_>, now: WallTime) -> Standing {
        let allowed = self.holds(now);
        if let Some(block) = self.block.as_mut().filter(|_| allowed) {
            block.tokens -= 1;
        }
        let own = self.block.filter(|block| block.until >= now).map_or(0, |block| block.tokens);
        let more_in = self.more_at.map_or(WINDOW, |at| at.since(now));
        Standing {
            name: limit.name,
            limit: limit.per_minute,
            window: WINDOW,
            allowed,
            remaining: if allowed { self.left + own } else { 0 },
            more_in: more_in.max(Duration::from_secs(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> WallTime {
        WallTime::from_millis(1_800_000_000_000 + ms)
    }

    /// Instances that share one ledger.
    struct Instances {
        ledger: Ledger,
        purses: Vec<Purse>,
        writes: usize,
    }

    impl Instances {
        fn new(count: usize) -> Self {
            Self { ledger: Ledger::default(), purses: vec![Purse::default(); count], writes: 0 }
        }

        fn call(&mut self, which: usize, per_minute: u32, now: WallTime) -> Standing {
            let workspace = WorkspaceId::derived(&["x"]);
            let limit = Limit { name: "key", workspace: &workspace, who: "key_1", per_minute };
            let purse = &mut self.purses[which];
            if purse.must_ask(now) {
                let ask = purse.ask(limit.quota(), now);
                let before = self.ledger.clone();
                let answer = ask.of(&mut self.ledger, now);
                self.writes += usize::from(before != self.ledger);
                purse.fill(answer, now);
            }
            purse.spend(&limit, now)
        }
    }

    #[test]
    fn one_instance_lets_the_whole_limit_through_and_no_more() {
        for limit in [1, 5, 60, 240, 600] {
            let mut instances = Instances::new(1);
            let allowed =
                (0..1_000).filter(|n| instances.call(0, limit, at(n * 2)).allowed).count();
            assert_eq!(allowed, limit as usize);
        }
    }

    #[test]
    fn a_refusal_says_when_there_is_more_and_then_there_is() {
        let mut instances = Instances::new(1);
        let mut last = None;
        for n in 0..20 {
            last = Some(instances.call(0, 10, at(n)));
        }
        let refused = last.unwrap();
        assert!(!refused.allowed && refused.remaining == 0, "{refused:?}");
        assert!(refused.more_in > WINDOW - Duration::from_secs(1), "{refused:?}");
        assert!(instances.call(0, 10, at(19) + refused.more_in).allowed);
    }

    #[test]
    fn what_remains_is_told_and_only_goes_down() {
        let mut instances = Instances::new(1);
        let remaining: Vec<u32> =
            (0..100).map(|n| instances.call(0, 100, at(n)).remaining).collect();
        assert_eq!(remaining, (0..100).rev().collect::<Vec<u32>>());
    }

    #[test]
    fn a_busy_instance_writes_far_less_than_it_calls() {
        let mut instances = Instances::new(1);
        for n in 0..6_000 {
            instances.call(0, 6_000, at(n * 10));
        }
        assert!(instances.writes < 200, "{}", instances.writes);
    }

    #[test]
    fn many_instances_that_call_once_do_not_use_up_what_they_do_not_need() {
        let mut instances = Instances::new(300);
        let mut call = |which| instances.call(which, 600, at(i64::try_from(which).unwrap()));
        assert!((0..300).all(|which| call(which).allowed));
    }

    #[test]
    fn in_no_minute_more_calls_get_through_than_the_limit_says() {
        for seed in 1..40_u64 {
            let mut chance = seed * 0x9e37_79b9;
            let mut below = |bound: u64| {
                chance ^= chance << 13;
                chance ^= chance >> 7;
                chance ^= chance << 17;
                chance % bound
            };
            let per_minute = 1 + u32::try_from(below(80)).unwrap();
            let mut instances = Instances::new(5);
            let (mut now, mut through) = (0, Vec::new());
            for _ in 0..3_000 {
                now += i64::try_from(below(300)).unwrap();
                let which = usize::try_from(below(5)).unwrap();
                if instances.call(which, per_minute, at(now)).allowed {
                    through.push(now);
                }
            }
            for (first, start) in through.iter().enumerate() {
                let inside = through[first..].iter().take_while(|ms| **ms - start < 60_000).count();
                assert!(inside <= per_minute as usize, "seed {seed}: {inside} of {per_minute}");
            }
            assert!(through.len() > per_minute as usize, "seed {seed}: too few get through");
        }
    }
}
