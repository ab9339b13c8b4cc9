//! Which message of a queue comes next. Pure: what time it is, is passed in.
//!
//! A message is *delayed* until a time of the schedule clock, then *ready*, and while somebody works on
//! it *in flight* until a time of the wall clock. Ready messages are taken from the group that has the
//! fewest in flight, and among equals from the one that was served longest ago (SQS "fair queues"), so
//! that a group with a thousand messages cannot keep another group's single one waiting.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use millwright_core::{Clock, ScheduleTime, WallTime};

/// A message's place in the store.
pub(crate) type Seq = i64;

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) wall: WallTime,
    pub(crate) schedule: ScheduleTime,
}

impl Now {
    pub(crate) fn of(clock: &Clock) -> Self {
        Self { wall: clock.wall(), schedule: clock.schedule() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Delayed(ScheduleTime),
    Ready,
    InFlight(WallTime),
}

/// What is known of a message without reading it.
#[derive(Debug)]
struct Entry {
    group: Arc<str>,
    state: State,
    received: u32,
    first_received: Option<WallTime>,
    last_received: WallTime,
    /// The sole valid receipt; a later receive replaces it.
    receipt: u64,
}

#[derive(Debug, Default)]
struct Group {
    ready: BTreeSet<Seq>,
    in_flight: usize,
    /// When it was last served, counted in servings.
    served: u64,
}

/// A message as it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) seq: Seq,
    pub(crate) receipt: u64,
    pub(crate) received: u32,
    pub(crate) first_received: WallTime,
}

/// How many messages are ready, in flight and delayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) ready: usize,
    pub(crate) in_flight: usize,
    pub(crate) delayed: usize,
}

/// What a receipt says about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    /// It is the last one given out, and the message is in flight since then.
    Held { since: WallTime },
    /// It is the last one given out, and its time is over.
    Lapsed,
    /// The message has been received again, or is gone.
    Stale,
}

/// The messages of one queue.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    entries: HashMap<Seq, Entry>,
    groups: HashMap<Arc<str>, Group>,
    /// Groups with something ready, in the order in which they are served.
    turns: BTreeSet<(usize, u64, Arc<str>)>,
    delayed: BTreeSet<(ScheduleTime, Seq)>,
    in_flight: BTreeSet<(WallTime, Seq)>,
    servings: u64,
}

impl Shelf {
    /// Adds a message that has been received `received` times, delayed until `ready_at`.
    pub(crate) fn add(
        &mut self,
        seq: Seq,
        group: &str,
        ready_at: ScheduleTime,
        received: u32,
        first_received: Option<WallTime>,
    ) {
        let entry = Entry {
            group: Arc::from(group),
            state: State::Delayed(ready_at),
            received,
            first_received,
            last_received: WallTime::default(),
            receipt: 0,
        };
        self.entries.insert(seq, entry);
        self.delayed.insert((ready_at, seq));
    }

    /// Makes ready what has waited, and what nobody finished in time.
    pub(crate) fn wake(&mut self, now: Now) {
        while let Some(&(at, seq)) = self.delayed.first()
            && at <= now.schedule
        {
            self.set(seq, State::Ready);
        }
        while let Some(&(until, seq)) = self.in_flight.first()
            && until <= now.wall
        {
            self.set(seq, State::Ready);
        }
    }

    /// The message whose turn it is, and how often it has been received.
    pub(crate) fn next(&self) -> Option<(Seq, u32)> {
        let (_, _, group) = self.turns.first()?;
        let seq = *self.groups.get(group)?.ready.first()?;
        Some((seq, self.entries.get(&seq)?.received))
    }

    /// Takes a ready message until `now + visibility`, under a new receipt.
    pub(crate) fn take(
        &mut self,
        seq: Seq,
        now: WallTime,
        visibility: Duration,
        receipt: u64,
    ) -> Option<Taken> {
        let entry = self.entries.get_mut(&seq)?;
        entry.received += 1;
        entry.receipt = receipt;
        entry.last_received = now;
        let first_received = *entry.first_received.get_or_insert(now);
        let received = entry.received;
        let group = Arc::clone(&entry.group);
        self.set(seq, State::InFlight(now + visibility));
        self.servings += 1;
        let servings = self.servings;
        self.with_group(&group, |group| group.served = servings);
        Some(Taken { seq, receipt, received, first_received })
    }

    /// Removes a message.
    pub(crate) fn remove(&mut self, seq: Seq) {
        self.unlink(seq);
        self.entries.remove(&seq);
    }

    /// What a receipt is worth.
    pub(crate) fn holding(&self, seq: Seq, receipt: u64) -> Holding {
        match self.entries.get(&seq).filter(|entry| entry.receipt == receipt) {
            None => Holding::Stale,
            Some(Entry { state: State::InFlight(_), last_received, .. }) => {
                Holding::Held { since: *last_received }
            }
            Some(_) => Holding::Lapsed,
        }
    }

    /// Moves the end of a message's flight to `until`; it is ready at once when that has come.
    pub(crate) fn keep_until(&mut self, seq: Seq, until: WallTime, now: WallTime) {
        self.set(seq, if until <= now { State::Ready } else { State::InFlight(until) });
    }

    /// How many messages are in each state.
    pub(crate) fn counts(&self) -> Counts {
        let (in_flight, delayed) = (self.in_flight.len(), self.delayed.len());
        Counts { ready: self.entries.len() - in_flight - delayed, in_flight, delayed }
    }

    /// When the next message comes back from flight, and when the next delay ends.
    pub(crate) fn next_changes(&self) -> (Option<WallTime>, Option<ScheduleTime>) {
        (self.in_flight.first().map(|(at, _)| *at), self.delayed.first().map(|(at, _)| *at))
    }

    fn set(&mut self, seq: Seq, state: State) {
        self.unlink(seq);
        let Some(entry) = self.entries.get_mut(&seq) else { return };
        entry.state = state;
        let group = Arc::clone(&entry.group);
        match state {
            State::Delayed(at) => {
                self.delayed.insert((at, seq));
            }
            State::InFlight(until) => {
                self.in_flight.insert((until, seq));
                self.with_group(&group, |group| group.in_flight += 1);
            }
            State::Ready => self.with_group(&group, |group| {
                group.ready.insert(seq);
            }),
        }
    }

    /// Takes a message out of the order its state put it in.
    fn unlink(&mut self, seq: Seq) {
        let Some(entry) = self.entries.get(&seq) else { return };
        let group = Arc::clone(&entry.group);
        match entry.state {
            State::Delayed(at) => {
                self.delayed.remove(&(at, seq));
            }
            State::InFlight(until) => {
                self.in_flight.remove(&(until, seq));
                self.with_group(&group, |group| group.in_flight -= 1);
            }
            State::Ready => self.with_group(&group, |group| {
                group.ready.remove(&seq);
            }),
        }
    }

    /// Changes a group and keeps its place among the turns true; forgets it when it is empty.
    fn with_group(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Group)) {
        let group = self.groups.entry(Arc::clone(name)).or_default();
        self.turns.remove(&(group.in_flight, group.served, Arc::clone(name)));
        change(group);
        if !group.ready.is_empty() {
            self.turns.insert((group.in_flight, group.served, Arc::clone(name)));
        } else if group.in_flight == 0 {
            self.groups.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now =
        Now { wall: WallTime::from_millis(1_000), schedule: ScheduleTime::from_millis(1_000) };
    const SECOND: Duration = Duration::from_secs(1);

    fn shelf(groups: &[&str]) -> Shelf {
        let mut shelf = Shelf::default();
        for (seq, group) in (1..).zip(groups) {
            shelf.add(seq, group, ScheduleTime::default(), 0, None);
        }
        shelf.wake(NOW);
        shelf
    }

    fn take(shelf: &mut Shelf, now: Now) -> Option<Seq> {
        let (seq, received) = shelf.next()?;
        shelf.take(seq, now.wall, SECOND, u64::from(received) + 10).map(|taken| taken.seq)
    }

    #[test]
    fn within_a_group_the_oldest_comes_first() {
        let mut shelf = shelf(&["a", "a", "a"]);
        assert_eq!([take(&mut shelf, NOW), take(&mut shelf, NOW)], [Some(1), Some(2)]);
    }

    #[test]
    fn a_noisy_group_does_not_starve_another() {
        let mut shelf = shelf(&["noisy", "noisy", "noisy", "noisy", "quiet", "quiet"]);
        let order: Vec<_> = std::iter::from_fn(|| take(&mut shelf, NOW)).collect();
        assert_eq!(order, [1, 5, 2, 6, 3, 4]);
    }

    #[test]
    fn groups_with_as_many_in_flight_take_turns() {
        let mut shelf = shelf(&["a", "b", "c", "a", "b", "c"]);
        let mut order = Vec::new();
        while let Some(seq) = take(&mut shelf, NOW) {
            shelf.remove(seq);
            order.push(seq);
        }
        // A group that has emptied is forgotten; until then it waits for the others' turns.
        assert_eq!(order, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_message_in_flight_is_hidden_until_its_time_is_over_and_its_receipt_lasts_until_the_next() {
        let mut shelf = shelf(&["a"]);
        assert_eq!(take(&mut shelf, NOW), Some(1));
        assert_eq!(take(&mut shelf, NOW), None);
        assert_eq!(shelf.holding(1, 10), Holding::Held { since: NOW.wall });
        let later = Now { wall: NOW.wall + SECOND, ..NOW };
        shelf.wake(later);
        assert_eq!(shelf.holding(1, 10), Holding::Lapsed);
        assert_eq!(take(&mut shelf, later), Some(1));
        assert_eq!(shelf.holding(1, 10), Holding::Stale);
        assert_eq!(shelf.holding(1, 11), Holding::Held { since: later.wall });
    }

    #[test]
    fn a_delay_ends_by_the_schedule_clock_and_a_flight_by_the_wall_clock() {
        let mut shelf = shelf(&["a"]);
        take(&mut shelf, NOW);
        shelf.add(2, "a", NOW.schedule + SECOND, 0, None);
        assert_eq!(shelf.next_changes(), (Some(NOW.wall + SECOND), Some(NOW.schedule + SECOND)));
        shelf.wake(Now { schedule: NOW.schedule + SECOND, ..NOW });
        assert_eq!(shelf.counts(), Counts { ready: 1, in_flight: 1, delayed: 0 });
        assert_eq!(shelf.next(), Some((2, 0)));
        shelf.wake(Now { wall: NOW.wall + SECOND, ..NOW });
        assert_eq!(shelf.counts(), Counts { ready: 2, in_flight: 0, delayed: 0 });
    }

    #[test]
    fn giving_a_message_back_makes_it_ready_at_once_or_later() {
        let mut shelf = shelf(&["a"]);
        take(&mut shelf, NOW);
        shelf.keep_until(1, NOW.wall + SECOND * 5, NOW.wall);
        shelf.wake(Now { wall: NOW.wall + SECOND * 2, ..NOW });
        assert_eq!(shelf.next(), None);
        shelf.keep_until(1, NOW.wall, NOW.wall);
        assert_eq!(shelf.next(), Some((1, 1)));
    }

    #[test]
    fn nothing_is_left_of_a_removed_message() {
        let mut shelf = shelf(&["a", "b"]);
        take(&mut shelf, NOW);
        shelf.remove(1);
        shelf.remove(2);
        assert_eq!(shelf.counts(), Counts::default());
        assert!(shelf.groups.is_empty() && shelf.turns.is_empty() && shelf.in_flight.is_empty());
    }
}
