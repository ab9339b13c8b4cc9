//! What one process has seen of an endpoint of late, and how many attempts it may have under way there.
//! Pure: times are passed in.

use std::{collections::VecDeque, time::Duration};

use millwright_core::{ScheduleTime, WallTime};

/// So many failures in a row within [`WITHIN`] open a circuit.
const FAILURES: usize = 10;
/// So many times that were up do.
const TIMEOUTS: usize = 3;
/// The time within which they must lie.
const WITHIN: Duration = Duration::from_secs(60);
/// How many attempts may be under way to an endpoint that has yet to show how it answers.
const LANES_FIRST: usize = 2;
/// How many may be under way at most.
const LANES_MAX: usize = 64;
/// An attempt that has been under way for longer is slow: who answers well does so sooner.
const SLOW: Duration = Duration::from_secs(1);
/// So long after an arrival a failure is no news for the endpoint's row: it is up, and fails now and
/// then.
const RECENT: Duration = Duration::from_secs(60);

/// What an attempt came to, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// It arrived.
    Arrived,
    /// Its time was up.
    TimedOut,
    /// It failed otherwise.
    Failed,
}

/// Whether another attempt may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// It may.
    Yes,
    /// All lanes are taken by attempts that have just begun: one may be free in a moment.
    Soon,
    /// They are taken by attempts that nobody answers.
    No,
}

/// One endpoint as this process knows it.
///
/// Lanes begin few and grow with each arrival towards twice what is in use, and shrink where a time is
/// up. So an endpoint that answers has as many as it can use a moment later, and one that hangs never
/// holds more than the first.
#[derive(Debug)]
pub(crate) struct Pulse {
    failures: VecDeque<ScheduleTime>,
    timeouts: VecDeque<ScheduleTime>,
    arrived: Option<ScheduleTime>,
    lanes: usize,
    /// When those under way began.
    under_way: Vec<(u64, WallTime)>,
    begun: u64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            failures: VecDeque::new(),
            timeouts: VecDeque::new(),
            arrived: None,
            lanes: LANES_FIRST,
            under_way: Vec::new(),
            begun: 0,
        }
    }
}

impl Pulse {
    /// Whether another attempt may begin.
    pub(crate) fn room(&self, now: WallTime) -> Room {
        let slow = |(_, began): &(u64, WallTime)| now.since(*began) >= SLOW;
        if self.under_way.len() < self.lanes {
            Room::Yes
        } else if !self.timeouts.is_empty() || self.under_way.iter().all(slow) {
            Room::No
        } else {
            Room::Soon
        }
    }

    /// Notes that an attempt begins; answers the number under which it ends.
    pub(crate) fn begin(&mut self, now: WallTime) -> u64 {
        self.begun += 1;
        self.under_way.push((self.begun, now));
        self.begun
    }

    /// Notes that it is over.
    pub(crate) fn end(&mut self, number: u64) {
        self.under_way.retain(|(one, _)| *one != number);
    }

    /// Notes what came of an attempt; answers whether the circuit is to open.
    pub(crate) fn beat(&mut self, beat: Beat, now: ScheduleTime) -> bool {
        match beat {
            Beat::Arrived => self.note_arrival(now),
            Beat::TimedOut => {
                self.lanes = (self.lanes / 2).max(1);
                keep(&mut self.timeouts, now, TIMEOUTS);
                keep(&mut self.failures, now, FAILURES);
            }
            Beat::Failed => keep(&mut self.failures, now, FAILURES),
        }
        let opens = full(&self.failures, FAILURES) || full(&self.timeouts, TIMEOUTS);
        if opens {
            // Counted once: the row has it from here on.
            self.failures.clear();
            self.timeouts.clear();
        }
        opens
    }

    /// Whether something arrived a short while ago.
    pub(crate) fn arrived_lately(&self, now: ScheduleTime) -> bool {
        self.arrived.is_some_and(|at| now.since(at) < RECENT)
    }

    /// Whether first attempts may be made where the message is fanned out.
    pub(crate) fn seems_well(&self, now: WallTime) -> bool {
        self.timeouts.is_empty() && self.room(now) != Room::No
    }

    /// Whether it says nothing that a new one would not.
    pub(crate) fn is_idle(&self, now: ScheduleTime) -> bool {
        let old = |at: &ScheduleTime| now.since(*at) >= WITHIN;
        self.under_way.is_empty()
            && self.failures.back().is_none_or(old)
            && self.timeouts.back().is_none_or(old)
            && !self.arrived_lately(now)
    }

    fn note_arrival(&mut self, now: ScheduleTime) {
        self.failures.clear();
        self.timeouts.clear();
        self.arrived = Some(now);
        // The attempt that arrived may still count as under way, or not any more.
        let wanted = (self.under_way.len() + 1) * 2;
        self.lanes = if wanted > self.lanes { self.lanes + 1 } else { self.lanes - 1 };
        self.lanes = self.lanes.clamp(LANES_FIRST, LANES_MAX);
    }
}

fn keep(times: &mut VecDeque<ScheduleTime>, now: ScheduleTime, most: usize) {
    times.push_back(now);
    if times.len() > most {
        times.pop_front();
    }
}

/// Whether there are as many as it takes, all within the time.
fn full(times: &VecDeque<ScheduleTime>, most: usize) -> bool {
    let (Some(first), Some(last)) = (times.front(), times.back()) else { return false };
    times.len() >= most && last.since(*first) <= WITHIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::NOW;

    const WALL: WallTime = WallTime::from_millis(1_700_000_000_000);

    fn beats(pulse: &mut Pulse, beat: Beat, count: u64, apart: Duration) -> Vec<bool> {
        let at = |n: u64| NOW + apart * u32::try_from(n).unwrap();
        (0..count).map(|n| pulse.beat(beat, at(n))).collect()
    }

    #[test]
    fn ten_failures_or_three_times_up_within_a_minute_open_the_circuit_once() {
        let opened = beats(&mut Pulse::default(), Beat::Failed, 12, Duration::from_secs(6));
        assert_eq!(opened.iter().position(|opens| *opens), Some(9));
        assert_eq!(opened.iter().filter(|opens| **opens).count(), 1);
        let opened = beats(&mut Pulse::default(), Beat::TimedOut, 3, Duration::from_secs(30));
        assert_eq!(opened, [false, false, true]);
    }

    #[test]
    fn one_failing_message_never_meets_an_open_circuit() {
        let mut pulse = Pulse::default();
        let mut at = NOW;
        for n in 0..13 {
            assert!(!pulse.beat(Beat::TimedOut, at), "attempt {n}");
            at = at + Duration::from_secs(30 << n);
        }
    }

    #[test]
    fn an_arrival_in_between_keeps_it_closed() {
        let mut pulse = Pulse::default();
        for _ in 0..10 {
            let failed = beats(&mut pulse, Beat::Failed, 9, Duration::ZERO);
            assert!(!failed.contains(&true));
            assert!(!pulse.beat(Beat::Arrived, NOW));
        }
    }

    #[test]
    fn who_hangs_holds_two_lanes_and_then_one() {
        let mut pulse = Pulse::default();
        let (first, second) = (pulse.begin(WALL), pulse.begin(WALL));
        assert_eq!(pulse.room(WALL), Room::Soon);
        assert_eq!(pulse.room(WALL + SLOW), Room::No);
        for number in [first, second] {
            pulse.beat(Beat::TimedOut, NOW);
            pulse.end(number);
        }
        assert_eq!(pulse.room(WALL + SLOW), Room::Yes);
        pulse.begin(WALL + SLOW);
        assert_eq!(pulse.room(WALL + SLOW), Room::No, "no waiting for who lets times run out");
    }

    #[test]
    fn who_answers_has_as_many_lanes_as_it_can_use() {
        let mut pulse = Pulse::default();
        let mut numbers = VecDeque::new();
        let mut most = 0;
        for _ in 0..200 {
            while pulse.room(WALL) == Room::Yes && numbers.len() < 40 {
                numbers.push_back(pulse.begin(WALL));
            }
            most = most.max(numbers.len());
            pulse.beat(Beat::Arrived, NOW);
            pulse.end(numbers.pop_front().unwrap());
        }
        assert_eq!(most, 40);
        assert!(pulse.lanes <= LANES_MAX);
    }

    #[test]
    fn a_busy_endpoint_that_has_become_quiet_has_few_lanes_again() {
        let mut pulse = Pulse { lanes: LANES_MAX, ..Pulse::default() };
        for _ in 0..100 {
            let number = pulse.begin(WALL);
            pulse.beat(Beat::Arrived, NOW);
            pulse.end(number);
        }
        assert!(pulse.lanes <= 4, "{}", pulse.lanes);
    }
}
