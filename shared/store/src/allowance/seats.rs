//! Seats: how many may act at the same time, counted over every instance.

use std::{collections::BTreeMap, time::Duration};

use millwright_core::WallTime;
use serde::{Deserialize, Serialize};

/// How long somebody who found no seat counts as waiting since they last asked.
const WAITING_FOR: Duration = Duration::from_secs(1);

/// Who holds how many seats, and who waits for one. What its holder neither renews nor gives back is
/// free at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    held: BTreeMap<String, Held>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    seats: u32,
    until: WallTime,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    who: String,
    until: WallTime,
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Who asks.
    pub who: &'a str,
    /// How many seats they act on at this moment.
    pub in_use: u32,
    /// How many they want in all.
    pub wanted: u32,
    /// How many there are.
    pub limit: u32,
    /// For how long.
    pub term: Duration,
}

/// What they hold now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// How many seats.
    pub seats: u32,
    /// Until when.
    pub until: WallTime,
    /// When it makes sense to ask for more at the latest, where there are fewer than wanted: at the
    /// first end of somebody else's claim.
    pub ask_again: Option<WallTime>,
}

impl Seats {
    /// Takes, renews or gives back seats: what is held afterwards is what the answer says. Seats in
    /// use are never taken away. While somebody waits, others keep only what they use, so that no busy
    /// holder can keep a newcomer out.
    pub fn claim(&mut self, now: WallTime, claim: &Claim<'_>) -> Lot {
        self.held.retain(|_, held| held.until > now);
        let others = self.held.iter().filter(|(who, _)| *who != claim.who);
        let first_end = others.clone().map(|(_, held)| held.until).min();
        let taken: u32 = others.map(|(_, held)| held.seats).sum();
        let free = claim.limit.saturating_sub(taken);
        let wanted = if self.others_wait(now, claim.who) { claim.in_use } else { claim.wanted };
        let seats = wanted.min(free).max(claim.in_use);
        let until = now + claim.term;
        match seats {
            0 => drop(self.held.remove(claim.who)),
            seats => drop(self.held.insert(claim.who.to_owned(), Held { seats, until })),
        }
        let short = seats < claim.wanted;
        self.note_waiting(now, claim, short && seats == 0);
        Lot { seats, until, ask_again: short.then(|| first_end.unwrap_or(now)) }
    }

    /// Whether somebody else found no seat a moment ago.
    #[must_use]
    pub fn others_wait(&self, now: WallTime, who: &str) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.who != who && waiting.until > now)
    }

    /// The first who waits is the one that counts, until they have a seat or ask no more.
    fn note_waiting(&mut self, now: WallTime, claim: &Claim<'_>, waits: bool) {
        if self.others_wait(now, claim.who) {
            return;
        }
        let waiting = || Waiting { who: claim.who.to_owned(), until: now + WAITING_FOR };
        self.waiting = waits.then(waiting);
    }

    /// The newest time that is remembered.
    pub(super) fn newest(&self) -> Option<WallTime> {
        self.held.values().map(|held| held.until).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(6);

    fn at(ms: i64) -> WallTime {
        WallTime::from_millis(1_800_000_000_000 + ms)
    }

    fn claim(who: &str, in_use: u32, wanted: u32) -> Claim<'_> {
        Claim { who, in_use, wanted, limit: 2, term: TERM }
    }

    #[test]
    fn no_more_seats_are_held_than_there_are() {
        let mut seats = Seats::default();
        assert_eq!(seats.claim(at(0), &claim("a", 0, 2)).seats, 2);
        let lot = seats.claim(at(10), &claim("b", 0, 1));
        assert_eq!((lot.seats, lot.ask_again), (0, Some(at(6_000))));
        seats.claim(at(20), &claim("a", 1, 1));
        assert_eq!(seats.claim(at(30), &claim("b", 0, 1)).seats, 1);
    }

    #[test]
    fn seats_that_nobody_renews_are_free_at_their_end() {
        let mut seats = Seats::default();
        seats.claim(at(0), &claim("dead", 0, 2));
        assert_eq!(seats.claim(at(5_999), &claim("b", 0, 1)).seats, 0);
        assert_eq!(seats.claim(at(6_000), &claim("b", 0, 1)).seats, 1);
    }

    #[test]
    fn a_busy_holder_lets_go_of_what_it_does_not_use_when_somebody_waits() {
        let mut seats = Seats::default();
        seats.claim(at(0), &claim("busy", 2, 2));
        assert_eq!(seats.claim(at(10), &claim("new", 0, 1)).seats, 0);
        assert_eq!(seats.claim(at(20), &claim("busy", 1, 2)).seats, 1, "only what it uses");
        assert_eq!(seats.claim(at(30), &claim("third", 0, 1)).seats, 0, "the first waits first");
        assert_eq!(seats.claim(at(40), &claim("new", 0, 1)).seats, 1);
        assert_eq!(seats.claim(at(50), &claim("busy", 0, 0)).seats, 0);
        assert_eq!(seats.claim(at(60), &claim("third", 0, 1)).seats, 1);
    }

    #[test]
    fn who_waits_no_more_keeps_nobody_out() {
        let mut seats = Seats::default();
        seats.claim(at(0), &claim("busy", 2, 2));
        seats.claim(at(10), &claim("gone", 0, 1));
        assert_eq!(seats.claim(at(20), &claim("busy", 0, 2)).seats, 0);
        assert_eq!(seats.claim(at(1_010), &claim("busy", 0, 2)).seats, 2);
    }

    #[test]
    fn seats_in_use_are_not_taken_away() {
        let mut seats = Seats::default();
        seats.claim(at(0), &claim("a", 2, 2));
        let late = at(7_000);
        seats.claim(late, &claim("b", 0, 2));
        assert_eq!(seats.claim(late, &claim("a", 2, 2)).seats, 2, "late, but they are in use");
    }
}
