//! What this process holds of a limit, and what it asks for: decisions only.

use std::time::Duration;

use millwright_core::WallTime;
use millwright_store::{Allowance, Block, Claim, Lot, Quota};

use super::{Bounds, TERM, Wait};

/// A call that comes so soon after the one before it belongs to the same series.
const SOON: Duration = Duration::from_secs(2);
/// From so many calls in a series on, more are expected.
const SERIES: u32 = 3;
/// A block is at most this part of its budget.
const BLOCK_PART: u32 = 4;

/// What this process holds.
#[derive(Clone, Debug)]
pub(super) struct Local {
    held_until: Option<WallTime>,
    pub(super) blocks: Vec<Tokens>,
    lot: Option<Lot>,
    in_use: u32,
    series: u32,
    last: Option<WallTime>,
}

/// The tokens of one budget, and how many to take at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    pub(super) block: Option<Block>,
    size: u32,
}

/// What is asked of the row.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    quotas: Vec<Want>,
    claim: Option<Wish>,
}

#[derive(Clone, Copy, Debug)]
struct Want {
    quota: Quota,
    /// What is left of the block before, to be given back.
    rest: Option<Block>,
    tokens: u32,
}

#[derive(Clone, Copy, Debug)]
struct Wish {
    in_use: u32,
    wanted: u32,
    limit: u32,
}

/// What the row says.
#[derive(Debug)]
pub(super) struct Answered {
    held_until: Option<WallTime>,
    /// By budget; nothing for one that was not asked for.
    blocks: Vec<Option<Result<Block, WallTime>>>,
    lot: Option<Lot>,
}

impl Local {
    pub(super) fn new(budgets: usize) -> Self {
        let none = Tokens { block: None, size: 1 };
        let blocks = vec![none; budgets];
        Self { held_until: None, blocks, lot: None, in_use: 0, series: 0, last: None }
    }

    /// Enters on what is held, or says that a hold is in the way; nothing when the row must be asked.
    pub(super) fn enter(&mut self, now: WallTime, with_seats: bool) -> Option<Result<(), Wait>> {
        if let Some(until) = self.held_until.filter(|until| *until > now) {
            return Some(Err(Wait::Until(until)));
        }
        let seat = !with_seats || self.lot.is_some_and(|lot| self.has_seat(&lot, now));
        if !seat || !self.blocks.iter().all(|tokens| tokens.ready(now)) {
            return None;
        }
        self.take(now);
        Some(Ok(()))
    }

    /// Renewed in good time: a call must not outlast its seat.
    fn has_seat(&self, lot: &Lot, now: WallTime) -> bool {
        lot.seats > self.in_use && lot.until > now + TERM / 2
    }

    fn take(&mut self, now: WallTime) {
        for block in self.blocks.iter_mut().filter_map(|tokens| tokens.block.as_mut()) {
            block.tokens -= 1;
        }
        self.in_use += 1;
        let soon = self.last.is_some_and(|last| now.since(last) < SOON);
        self.series = if soon { self.series + 1 } else { 0 };
        self.last = Some(now);
    }

    /// What to ask for to let `more` calls in.
    pub(super) fn ask(&mut self, now: WallTime, bounds: &Bounds, more: u32) -> Ask {
        let quotas = bounds.quotas.iter().zip(&mut self.blocks);
        let quotas = quotas.map(|(quota, tokens)| match tokens.ready(now) || more == 0 {
            true => Want { quota: *quota, rest: None, tokens: 0 },
            false => tokens.want(now, *quota),
        });
        let wish = |limit| Wish { in_use: self.in_use, wanted: self.in_use + more, limit };
        Ask { quotas: quotas.collect(), claim: bounds.seats.map(wish) }
    }

    /// Enters with what the row has said; nothing when others have meanwhile used the tokens that were
    /// here, so that it must be asked again.
    pub(super) fn enter_with(
        &mut self,
        now: WallTime,
        answered: Answered,
    ) -> Option<Result<(), Wait>> {
        let Answered { held_until, blocks, lot } = answered;
        if let Some(until) = held_until {
            self.held_until = Some(until);
            return Some(Err(Wait::Until(until)));
        }
        self.lot = lot.or(self.lot);
        if let Some(until) = self.take_blocks(blocks) {
            return Some(Err(Wait::Until(until)));
        }
        if lot.is_some_and(|lot| lot.seats <= self.in_use) {
            return Some(Err(Wait::Seat));
        }
        if !self.blocks.iter().all(|tokens| tokens.ready(now)) {
            return None;
        }
        self.take(now);
        Some(Ok(()))
    }

    /// Takes the blocks that the row has given; the time to come again where a budget is used up.
    fn take_blocks(&mut self, blocks: Vec<Option<Result<Block, WallTime>>>) -> Option<WallTime> {
        let mut later = None;
        for (tokens, block) in self.blocks.iter_mut().zip(blocks) {
            match block {
                None => {}
                Some(Ok(block)) => tokens.block = Some(block),
                Some(Err(until)) => {
                    tokens.block = None;
                    later = later.max(Some(until));
                }
            }
        }
        later
    }

    pub(super) fn renewed(&mut self, answered: &Answered) {
        self.lot = answered.lot.or(self.lot);
    }

    /// Takes note of a hold: whether it is later than the one that is known by more than a trifle.
    pub(super) fn hold(&mut self, until: WallTime) -> bool {
        let known = self.held_until.is_some_and(|held| held + Duration::from_millis(500) >= until);
        self.held_until = self.held_until.max(Some(until));
        !known
    }

    /// Ends a call. True when what is held should be given back now.
    pub(super) fn leave(&mut self, now: WallTime, with_seats: bool) -> bool {
        self.in_use = self.in_use.saturating_sub(1);
        self.last = Some(now);
        with_seats && self.in_use == 0 && self.series < SERIES
    }

    /// What is given back, unless somebody has come in again.
    pub(super) fn give_back(&mut self, bounds: &Bounds) -> Option<Ask> {
        if self.in_use > 0 {
            return None;
        }
        let rests = self.blocks.iter_mut().map(|tokens| tokens.block.take());
        let quotas = bounds.quotas.iter().zip(rests);
        let quotas = quotas.map(|(quota, rest)| Want { quota: *quota, rest, tokens: 0 }).collect();
        let wish = |limit| Wish { in_use: 0, wanted: 0, limit };
        Some(Ask { quotas, claim: bounds.seats.map(wish) })
    }
}

impl Tokens {
    fn ready(&self, now: WallTime) -> bool {
        self.block.is_some_and(|block| block.tokens > 0 && block.until >= now)
    }

    /// The next block: larger when the last was used up in its time, smaller when it was not.
    fn want(&mut self, now: WallTime, quota: Quota) -> Want {
        let rest = self.block.take();
        self.size = match &rest {
            Some(block) if block.tokens == 0 && block.until >= now => self.size.saturating_mul(2),
            Some(block) if block.tokens > self.size / 2 => self.size / 2,
            _ => self.size,
        };
        self.size = self.size.clamp(1, (quota.tokens / BLOCK_PART).max(1));
        Want { quota, rest, tokens: self.size }
    }
}

impl Ask {
    /// Puts it to the row. A seat is taken only when there are tokens to use it with.
    pub(super) fn put(&self, row: &mut Allowance, now: WallTime, who: &str) -> Answered {
        for want in &self.quotas {
            if let Some(rest) = &want.rest {
                row.budget(want.quota).give_back(rest);
            }
        }
        let held_until = row.held(now);
        let blocks: Vec<_> = self
            .quotas
            .iter()
            .map(|want| {
                let draws = want.tokens > 0 && held_until.is_none();
                draws.then(|| row.budget(want.quota).draw(now, want.quota, want.tokens))
            })
            .collect();
        let short =
            held_until.is_some() || blocks.iter().any(|block| matches!(block, Some(Err(_))));
        let lot = self.claim.map(|wish| {
            let wanted = if short { wish.in_use } else { wish.wanted };
            let claim = Claim { who, in_use: wish.in_use, wanted, limit: wish.limit, term: TERM };
            row.seats.claim(now, &claim)
        });
        Answered { held_until, blocks, lot }
    }
}
