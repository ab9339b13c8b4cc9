use millwright_outbound::FailureClass;
use millwright_store::{DUE_GRACE, DUE_LOOKAHEAD, Document};
use proptest::prelude::*;

use super::*;
use crate::{
    attempt_log::{Answer, Attempt, AttemptEnd, Trigger},
    examples::{self, START},
    state::AbortReason,
    status::DeliveryStatus,
    wish::Wish,
};

mod histories;
mod resting;

/// How many waits an own schedule may have.
const OWN_WAITS_MAX: usize = 24;

fn at(seconds: u64) -> Now {
    let millis = START + i64::try_from(seconds).unwrap() * 1000;
    Now { schedule: ScheduleTime::from_millis(millis), wall: WallTime::from_millis(millis) }
}

fn us() -> Claimant {
    Claimant { name: "us".to_owned(), term: Duration::from_secs(25) }
}

fn delivery() -> Delivery {
    examples::delivery(State::Pending)
}

fn answer(status: u16) -> AttemptEnd {
    wishing(status, Wish::None)
}

fn wishing(status: u16, wish: Wish) -> AttemptEnd {
    let (headers, body) = (vec![], String::new());
    AttemptEnd::Answered(Answer { status, latency_ms: 5, headers, body, wish })
}

/// The promised schedule without chance.
fn pace() -> Pace {
    Pace { schedule: RetrySchedule::Promised, slow_until: None, jitter: Jitter::NONE }
}

fn own(waits: &[u32]) -> Pace {
    Pace { schedule: RetrySchedule::Own(waits.to_vec()), ..pace() }
}

fn no_answer() -> AttemptEnd {
    let message = "no complete answer came in time".to_owned();
    AttemptEnd::Unanswered { class: FailureClass::Timeout, message, latency_ms: 10_000 }
}

/// Makes the next attempt at `seconds` with this end.
fn tried(delivery: &mut Delivery, seconds: u64, end: AttemptEnd) {
    delivery.claim(delivery.next_number(), at(seconds), us()).unwrap();
    delivery.record(end.into(), at(seconds).schedule, &pace());
}

/// Fails until there is nothing left to try; the time of the last attempt.
fn exhausted(delivery: &mut Delivery) -> u64 {
    let mut seconds = 0;
    tried(delivery, seconds, answer(500));
    while let Some(next) = delivery.next_attempt_at() {
        seconds = next.since(at(0).schedule).as_secs();
        tried(delivery, seconds, answer(500));
    }
    seconds
}

#[test]
fn a_2xx_delivers_and_nothing_is_sent_afterwards() {
    for status in [200, 204, 299] {
        let mut delivery = delivery();
        assert_eq!(delivery.status(), DeliveryStatus::Pending);
        tried(&mut delivery, 0, answer(status));
        assert_eq!(delivery.status(), DeliveryStatus::Delivered);
        assert_eq!(delivery.claimable(1, at(99)), Err(Refusal::Superseded));
        assert_eq!(delivery.claimable(2, at(99)), Err(Refusal::Superseded));
        assert_eq!(delivery.retry(at(99), &pace()), Err(RetryRefusal::Delivered));
        assert!(delivery.due().is_none());
    }
}

#[test]
fn a_failed_attempt_is_retried_after_30_seconds_and_not_earlier() {
    for end in [answer(199), answer(301), answer(404), answer(500), no_answer()] {
        let mut delivery = delivery();
        tried(&mut delivery, 0, end);
        assert_eq!(delivery.status(), DeliveryStatus::Waiting);
        assert_eq!(delivery.next_attempt_at(), Some(at(30).schedule));
        assert_eq!(delivery.claimable(2, at(29)), Err(Refusal::Early(at(30).schedule)));
        assert_eq!(delivery.claimable(2, at(30)), Ok(Plan::Automatic));
    }
}

#[test]
fn after_13_attempts_over_24_hours_a_delivery_has_failed() {
    let mut delivery = delivery();
    assert_eq!(exhausted(&mut delivery), 24 * 3600);
    assert_eq!(delivery.attempts.len(), 13);
    assert_eq!(delivery.status(), DeliveryStatus::Failed);
    assert_eq!(delivery.failed().unwrap().at, at(24 * 3600).schedule);
    assert!(delivery.due().is_none());
}

#[test]
fn the_due_index_looks_after_a_carried_wait_and_before_a_parked_one() {
    let mut delivery = delivery();
    tried(&mut delivery, 0, answer(500));
    let due = delivery.due().unwrap();
    assert_eq!((due.attempt_at, due.due_at), (at(30).schedule, at(30).schedule + DUE_GRACE));
    while delivery.attempts.len() < 6 {
        let next = delivery.next_attempt_at().unwrap().since(at(0).schedule).as_secs();
        tried(&mut delivery, next, answer(500));
    }
    let due = delivery.due().unwrap();
    assert_eq!(due.due_at, due.attempt_at - DUE_LOOKAHEAD, "16 minutes are too long for a queue");
}

#[test]
fn a_live_claim_is_respected_and_a_dead_one_is_settled_as_unknown() {
    let mut delivery = delivery();
    delivery.claim(1, at(0), us()).unwrap();
    assert!(delivery.due().is_none(), "the queue message carries it");
    assert_eq!(delivery.claimable(1, at(24)), Err(Refusal::Busy(at(25).wall)));
    assert!(!delivery.settle(at(24), &pace()));
    assert_eq!(delivery.claimable(1, at(25)), Err(Refusal::Interrupted));
    assert!(delivery.settle(at(25), &pace()));
    assert_eq!(delivery.attempts[0].end, AttemptEnd::Unknown);
    assert_eq!(delivery.next_attempt_at(), Some(at(30).schedule));
    assert_eq!(delivery.claimable(1, at(60)), Err(Refusal::Superseded));
}

#[test]
fn a_crash_is_late_and_never_early() {
    let mut delivery = delivery();
    delivery.claim(1, at(0), us()).unwrap();
    delivery.settle(at(5000), &pace());
    assert_eq!(delivery.next_attempt_at(), Some(at(5000).schedule));
}

#[test]
fn an_arrival_that_is_known_late_ends_the_delivery() {
    let mut delivery = delivery();
    delivery.claim(1, at(0), us()).unwrap();
    delivery.settle(at(25), &pace());
    delivery.record_late(1, answer(200), at(26).schedule);
    assert_eq!(delivery.status(), DeliveryStatus::Delivered);
    assert!(delivery.due().is_none());
}

#[test]
fn an_arrival_that_is_known_late_ends_the_attempt_that_followed_it() {
    let mut delivery = delivery();
    delivery.claim(1, at(0), us()).unwrap();
    delivery.settle(at(25), &pace());
    delivery.claim(2, at(30), us()).unwrap();
    delivery.record_late(1, answer(200), at(31).schedule);
    assert_eq!(delivery.status(), DeliveryStatus::Waiting);
    delivery.record(answer(500).into(), at(32).schedule, &pace());
    assert_eq!(delivery.status(), DeliveryStatus::Delivered);
}

#[test]
fn a_failure_that_is_known_late_changes_only_the_log() {
    let mut delivery = delivery();
    delivery.claim(1, at(0), us()).unwrap();
    delivery.settle(at(25), &pace());
    let state = delivery.state.clone();
    delivery.record_late(1, answer(500), at(26).schedule);
    assert_eq!(delivery.state, state);
    assert_eq!(delivery.attempts[0].end, answer(500));
    delivery.record_late(1, answer(200), at(27).schedule);
    assert_eq!(delivery.attempts[0].end, answer(500), "what is known is not changed");
}

#[test]
fn a_retry_by_hand_takes_the_place_of_the_waiting_attempt() {
    let mut delivery = delivery();
    tried(&mut delivery, 0, answer(500));
    delivery.retry(at(5), &pace()).unwrap();
    assert_eq!(delivery.next_attempt_at(), Some(at(5).schedule));
    tried(&mut delivery, 5, answer(200));
    assert_eq!(delivery.attempts[1].trigger, Trigger::Manual);
    assert_eq!(delivery.status(), DeliveryStatus::Delivered);
    assert_eq!(delivery.claimable(2, at(30)), Err(Refusal::Superseded), "the waiting one is gone");
}

#[test]
fn a_failed_retry_by_hand_leaves_the_schedule_as_it_was() {
    let mut delivery = delivery();
    tried(&mut delivery, 0, answer(500));
    delivery.retry(at(5), &pace()).unwrap();
    delivery.retry(at(6), &pace()).unwrap();
    tried(&mut delivery, 6, answer(500));
    assert_eq!(delivery.next_attempt_at(), Some(at(30).schedule));
    tried(&mut delivery, 30, answer(500));
    assert_eq!(delivery.next_attempt_at(), Some(at(90).schedule), "the wait of the second attempt");
}

#[test]
fn a_failed_delivery_is_retried_by_hand_and_stays_failed_since_when_it_was() {
    let mut delivery = delivery();
    let end = exhausted(&mut delivery);
    delivery.retry(at(end + 100), &pace()).unwrap();
    assert!(delivery.due().is_some(), "the sweep knows of it");
    tried(&mut delivery, end + 100, answer(500));
    assert_eq!(delivery.failed().unwrap().at, at(end).schedule);
    delivery.retry(at(end + 200), &pace()).unwrap();
    tried(&mut delivery, end + 200, answer(200));
    assert_eq!(delivery.status(), DeliveryStatus::Delivered);
    assert!(delivery.failed().is_none());
}

#[test]
fn a_retry_by_hand_waits_for_a_running_attempt_and_takes_over_a_dead_one() {
    let mut delivery = delivery();
    assert_eq!(delivery.retry(at(0), &pace()), Err(RetryRefusal::Busy));
    delivery.claim(1, at(0), us()).unwrap();
    assert_eq!(delivery.retry(at(10), &pace()), Err(RetryRefusal::Busy));
    delivery.retry(at(25), &pace()).unwrap();
    assert_eq!(delivery.attempts[0].end, AttemptEnd::Unknown);
    assert_eq!(delivery.claimable(2, at(25)).map(|_| ()), Ok(()));
}

#[test]
fn a_delivery_whose_endpoint_is_gone_is_aborted() {
    let mut delivery = delivery();
    tried(&mut delivery, 0, answer(500));
    delivery.give_up(2, at(30), AbortReason::EndpointDeleted).unwrap();
    assert_eq!(delivery.status(), DeliveryStatus::Aborted);
    assert_eq!(delivery.claimable(2, at(30)), Err(Refusal::Superseded));
    assert_eq!(delivery.retry(at(31), &pace()), Err(RetryRefusal::Aborted));
}

#[test]
fn retries_by_hand_end_before_the_row_is_full() {
    let mut delivery = delivery();
    let end = exhausted(&mut delivery);
    while delivery.retry(at(end), &pace()).is_ok() {
        tried(&mut delivery, end, answer(500));
    }
    assert_eq!(delivery.attempts.len(), ATTEMPTS_MAX);
    assert_eq!(delivery.retry(at(end), &pace()), Err(RetryRefusal::TooMany));
}

#[test]
fn a_full_delivery_fits_its_row() {
    let mut delivery = delivery();
    let end = AttemptEnd::Answered(crate::post::fullest());
    let refused = AttemptEnd::Unanswered {
        class: FailureClass::BlockedAddress,
        message: "the host is at an address that requests may not go to".to_owned(),
        latency_ms: 999,
    };
    let at = at(0).schedule;
    let mut push = |trigger, end: &AttemptEnd| {
        let number = delivery.next_number();
        delivery.attempts.push(Attempt { number, trigger, at, end: end.clone() });
    };
    // All by hand at first, and then the automatic ones that are never refused; each of them with a
    // connection that broke before.
    for _ in 0..ATTEMPTS_MAX {
        push(Trigger::Manual, &end);
    }
    for _ in 0..OWN_WAITS_MAX {
        push(Trigger::Automatic, &refused);
        push(Trigger::Reconnect, &end);
    }
    let length = serde_json::to_string(&delivery).unwrap().len();
    assert!(length < 350_000, "{length} bytes of an item's 400 KB");
}
