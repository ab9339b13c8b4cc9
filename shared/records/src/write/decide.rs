//! After a lost answer: what to do next, from what is known. Pure decisions.

use std::time::Duration;

use millwright_core::WallTime;

use super::{WriteTiming, doc::Sent};

/// What the system shows of a write whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It happened; the record's remote id.
    Happened(String),
    /// Nothing has happened so far.
    NotYet,
    /// It cannot be told.
    CannotTell,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on as if it had been answered.
    Accept(String),
    /// Send it once more.
    SendAgain,
    /// Look again after this.
    LookAgain(Duration),
    /// It did not happen, and that is final.
    NotDone,
    /// Nobody knows.
    Unknown,
}

/// How often a write is sent at most.
const ATTEMPTS_MAX: u32 = 2;
/// A system gets this many times the time again that the lost call took, before its silence counts.
const TIMES_THE_CALL: u32 = 5;

/// Who waits for the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Somebody still wants it done: where nobody does, it is not sent again behind their back.
    pub wanted: bool,
    /// The system is known to be slow with it.
    pub slow: bool,
}

/// What follows from the evidence. "Not yet" counts only once the system has had time to finish what
/// it may still be doing.
pub(super) fn next(
    evidence: Evidence,
    sent: &Sent,
    waiting: Waiting,
    now: WallTime,
    times: &WriteTiming,
) -> Step {
    match evidence {
        Evidence::Happened(remote_id) => Step::Accept(remote_id),
        Evidence::CannotTell => Step::Unknown,
        Evidence::NotYet => match patience_ends(sent, waiting, times).since(now) {
            left if !left.is_zero() => Step::LookAgain(left),
            _ if sent.attempts < ATTEMPTS_MAX && waiting.wanted => Step::SendAgain,
            _ => Step::NotDone,
        },
    }
}

/// When "not yet" becomes "no".
fn patience_ends(sent: &Sent, waiting: Waiting, times: &WriteTiming) -> WallTime {
    let Some(took) = sent.took_ms.map(Duration::from_millis) else {
        let unknown = if waiting.slow { times.patience_max } else { times.patience_unknown };
        return sent.at + unknown;
    };
    let patience = (took * TIMES_THE_CALL).max(times.patience).min(times.patience_max);
    sent.at + took + patience
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: WallTime = WallTime::from_millis(1_000_000);
    const WANTED: Waiting = Waiting { wanted: true, slow: false };

    fn sent(attempts: u32, took_ms: Option<u64>) -> Sent {
        Sent { attempts, at: SENT, took_ms, accepted: None, unreached: 0 }
    }

    fn not_yet(sent: &Sent, waiting: Waiting, after_ms: u64) -> Step {
        let now = SENT + Duration::from_millis(after_ms);
        next(Evidence::NotYet, sent, waiting, now, &WriteTiming::default())
    }

    #[test]
    fn what_happened_is_accepted_and_what_cannot_be_told_is_unknown() {
        let (sent, times) = (sent(1, Some(5)), WriteTiming::default());
        let step = |evidence| next(evidence, &sent, WANTED, SENT, &times);
        assert_eq!(step(Evidence::Happened("7".to_owned())), Step::Accept("7".to_owned()));
        assert_eq!(step(Evidence::CannotTell), Step::Unknown);
    }

    #[test]
    fn a_quick_loss_is_sent_again_after_2_seconds_and_only_once() {
        let wait = Step::LookAgain(Duration::from_millis(2_000));
        assert_eq!(not_yet(&sent(1, Some(100)), WANTED, 100), wait);
        assert_eq!(not_yet(&sent(1, Some(100)), WANTED, 2_100), Step::SendAgain);
        assert_eq!(not_yet(&sent(2, Some(100)), WANTED, 2_100), Step::NotDone);
    }

    #[test]
    fn a_slow_system_is_given_5_times_what_it_took_and_5_minutes_at_most() {
        assert_eq!(
            not_yet(&sent(1, Some(10_000)), WANTED, 59_999),
            Step::LookAgain(Duration::from_millis(1))
        );
        assert_eq!(not_yet(&sent(1, Some(10_000)), WANTED, 60_000), Step::SendAgain);
        assert_eq!(not_yet(&sent(1, Some(90_000)), WANTED, 390_000), Step::SendAgain);
    }

    #[test]
    fn where_the_process_died_a_minute_counts_and_5_where_the_system_is_slow() {
        let died = sent(1, None);
        assert_eq!(not_yet(&died, WANTED, 60_000), Step::SendAgain);
        let slow = Waiting { slow: true, ..WANTED };
        assert_eq!(not_yet(&died, slow, 60_000), Step::LookAgain(Duration::from_secs(240)));
        assert_eq!(not_yet(&died, slow, 300_000), Step::SendAgain);
    }

    #[test]
    fn what_nobody_waits_for_is_not_sent_again() {
        let nobody = Waiting { wanted: false, slow: false };
        assert_eq!(not_yet(&sent(1, None), nobody, 60_000), Step::NotDone);
    }
}
