//! An endpoint's rate limit: how many attempts begin in a second, counted over all instances and without
//! a write for each. A process takes a block of tokens off the shared ledger and spends it by itself.

use std::time::Duration;

use millwright_core::{EndpointId, WallTime, WorkspaceId};
use millwright_store::{Block, Key, Ledger, Quota};

/// Limits count seconds.
const WINDOW: Duration = Duration::from_secs(1);
/// A block is this part of what is left: other instances want some, too.
const LEFT_PART: u32 = 4;

/// The quota of so many attempts a second.
pub(crate) fn quota(per_second: u32) -> Quota {
    Quota { tokens: per_second, window: WINDOW }
}

/// Where all instances count what an endpoint got.
pub(crate) fn rate_key(workspace: &WorkspaceId, endpoint: &EndpointId) -> Key {
    Key::state(format!("{workspace}#{endpoint}"), "rate")
}

/// Takes a block off the ledger.
///
/// # Errors
/// When nothing is left: when there will be something.
pub(crate) fn draw(ledger: &mut Ledger, quota: Quota, now: WallTime) -> Result<Block, WallTime> {
    let (left, _) = ledger.standing(now, quota);
    ledger.draw(now, quota, left / LEFT_PART)
}

/// The tokens of one endpoint that this process holds, and the line of those that found none.
#[derive(Debug, Default)]
pub(crate) struct Purse {
    block: Option<Block>,
    /// Until when the ledger has nothing.
    empty_until: Option<WallTime>,
    /// When the last of those that wait has its turn.
    line_end: Option<WallTime>,
}

/// What the purse answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Spent: the attempt may begin.
    Spent,
    /// The ledger must be asked.
    Ask,
    /// There is none: this is the turn of whoever asked.
    Turn(WallTime),
}

impl Purse {
    /// Spends a token, if there is one.
    pub(crate) fn spend(&mut self, quota: Quota, now: WallTime) -> Token {
        if let Some(block) = self.block.as_mut().filter(|one| one.tokens > 0 && one.until >= now) {
            block.tokens -= 1;
            return Token::Spent;
        }
        match self.empty_until.filter(|until| *until > now) {
            Some(until) => Token::Turn(self.line_up(quota, until)),
            None => Token::Ask,
        }
    }

    /// Takes in what the ledger answered.
    pub(crate) fn fill(&mut self, drawn: Result<Block, WallTime>) {
        match drawn {
            Ok(block) => (self.block, self.empty_until) = (Some(block), None),
            Err(until) => self.empty_until = Some(until),
        }
    }

    /// Each of those that wait has a turn of its own, so that they do not all come back at once.
    fn line_up(&mut self, quota: Quota, from: WallTime) -> WallTime {
        let turn =
            self.line_end.map_or(from, |end| from.max(end + quota.window / quota.tokens.max(1)));
        self.line_end = Some(turn);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> WallTime {
        WallTime::from_millis(1_800_000_000_000 + ms)
    }

    /// Instances that share one ledger, each asking when its purse says so.
    fn ask(ledger: &mut Ledger, purse: &mut Purse, quota: Quota, now: WallTime) -> Token {
        match purse.spend(quota, now) {
            Token::Ask => {
                purse.fill(draw(ledger, quota, now));
                purse.spend(quota, now)
            }
            token => token,
        }
    }

    #[test]
    fn no_second_sees_more_attempts_than_the_limit_over_all_instances() {
        let quota = quota(20);
        let mut ledger = Ledger::default();
        let mut purses = [Purse::default(), Purse::default(), Purse::default()];
        let mut spent = Vec::new();
        for ms in (0..10_000).step_by(7) {
            let which = usize::try_from(ms / 7 % 3).unwrap();
            if ask(&mut ledger, &mut purses[which], quota, at(ms)) == Token::Spent {
                spent.push(ms);
            }
        }
        for (first, start) in spent.iter().enumerate() {
            let inside = spent[first..].iter().take_while(|ms| **ms - start < 1000).count();
            assert!(inside <= 20, "{inside} from {start}");
        }
        assert!(spent.len() >= 120, "{} of about 160", spent.len());
    }

    #[test]
    fn those_that_wait_have_turns_one_after_another() {
        let quota = quota(10);
        let mut purse = Purse { empty_until: Some(at(500)), ..Purse::default() };
        let turns = [(); 3].map(|()| purse.spend(quota, at(0)));
        let expected = [500, 600, 700].map(|ms| Token::Turn(at(ms)));
        assert_eq!(turns, expected);
    }
}
