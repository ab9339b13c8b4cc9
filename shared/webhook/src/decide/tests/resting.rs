//! Held, put off, offered, given up; own schedules; what a receiver asks for.

use super::*;

/// A delivery whose message's time is up after so many seconds.
fn expiring(seconds: u64) -> Delivery {
    Delivery { abort_at: Some(at(seconds).schedule), ..delivery() }
}

fn slow_down(status: u16, seconds: u64) -> AttemptEnd {
    wishing(status, Wish::SlowDown { pause: Duration::from_secs(seconds) })
}

#[test]
fn a_held_first_attempt_is_made_when_it_is_released_and_not_before() {
    let mut delivery = delivery();
    delivery.hold(1, at(0)).unwrap();
    assert_eq!(delivery.status(), DeliveryStatus::Held);
    assert_eq!(delivery.held_since(), Some(at(0).schedule));
    assert_eq!(delivery.claimable(1, at(9)), Err(Refusal::Held));
    assert_eq!(delivery.retry(at(9), &pace()), Err(RetryRefusal::Held));
    assert!(delivery.due().is_none(), "only its endpoint wakes it");
    assert!(delivery.failed().unwrap().of.ends_with("#held"), "and finds it");
    assert!(delivery.release(at(500).schedule));
    assert_eq!(delivery.status(), DeliveryStatus::Pending);
    assert_eq!(delivery.next_attempt_at(), Some(at(500).schedule), "at once");
    assert!(delivery.due().is_some() && delivery.failed().is_none());
    tried(&mut delivery, 500, answer(200));
    assert_eq!(delivery.status(), DeliveryStatus::Delivered);
}

#[test]
fn a_held_retry_keeps_its_place_in_the_schedule() {
    let mut delivery = delivery();
    tried(&mut delivery, 0, answer(500));
    assert_eq!(
        delivery.hold(2, at(10)),
        Err(Refusal::Early(at(30).schedule)),
        "it waits till then"
    );
    delivery.hold(2, at(30)).unwrap();
    assert!(delivery.release(at(1000).schedule));
    assert!(!delivery.release(at(1000).schedule), "once");
    tried(&mut delivery, 1000, answer(500));
    assert_eq!(
        delivery.next_attempt_at(),
        Some(at(1060).schedule),
        "the wait of the second attempt"
    );
}

#[test]
fn a_held_retry_by_hand_falls_back_to_having_failed() {
    let mut delivery = delivery();
    let end = exhausted(&mut delivery);
    delivery.retry(at(end + 10), &pace()).unwrap();
    delivery.hold(14, at(end + 10)).unwrap();
    delivery.release(at(end + 99).schedule);
    tried(&mut delivery, end + 99, answer(500));
    assert_eq!(delivery.attempts[13].trigger, Trigger::Manual);
    assert_eq!(delivery.state, State::Failed { at: at(end).schedule });
}

#[test]
fn what_is_put_off_uses_up_no_attempt_and_is_never_early() {
    let mut delivery = delivery();
    delivery.park(1, at(0), at(100).schedule).unwrap();
    assert_eq!(delivery.status(), DeliveryStatus::Pending);
    assert_eq!(delivery.claimable(1, at(99)), Err(Refusal::Early(at(100).schedule)));
    delivery.park(1, at(100), at(210).schedule).unwrap();
    tried(&mut delivery, 210, answer(500));
    assert_eq!(delivery.next_attempt_at(), Some(at(240).schedule), "the wait of the first attempt");
}

#[test]
fn an_offered_delivery_is_never_sent() {
    let mut delivery = delivery();
    delivery.offer(at(0).schedule);
    assert_eq!(delivery.claimable(1, at(1)), Err(Refusal::Superseded));
    assert_eq!(delivery.retry(at(1), &pace()), Err(RetryRefusal::Offered));
}

#[test]
fn a_delivery_that_nobody_attempts_can_be_given_up() {
    let mut waiting = delivery();
    tried(&mut waiting, 0, answer(500));
    let mut held = delivery();
    held.hold(1, at(0)).unwrap();
    let mut offered = delivery();
    offered.offer(at(0).schedule);
    for mut delivery in [delivery(), waiting, held, offered] {
        delivery.abort(AbortReason::ByHand, at(5).schedule).unwrap();
        assert_eq!(delivery.status(), DeliveryStatus::Aborted);
        assert_eq!(delivery.abort_reason(), Some(AbortReason::ByHand));
        assert!(delivery.due().is_none() && delivery.failed().is_none());
        let next = delivery.next_number();
        assert_eq!(delivery.claimable(next, at(99_999)), Err(Refusal::Superseded));
        delivery.fetch(at(6).schedule);
        assert!(!delivery.release(at(6).schedule));
        assert_eq!(delivery.status(), DeliveryStatus::Aborted);
        let again = delivery.abort(AbortReason::MessageAborted, at(6).schedule);
        assert_eq!(again, Err(AbortRefusal::Ended));
    }
}

#[test]
fn what_is_being_attempted_or_has_ended_is_not_given_up() {
    let mut delivery = delivery();
    delivery.claim(1, at(0), us()).unwrap();
    let abort = |delivery: &mut Delivery, seconds| {
        delivery.settle(at(seconds), &pace());
        delivery.abort(AbortReason::ByHand, at(seconds).schedule)
    };
    assert_eq!(abort(&mut delivery, 1), Err(AbortRefusal::Busy));
    delivery.record(answer(200).into(), at(2).schedule, &pace());
    assert_eq!(abort(&mut delivery, 3), Err(AbortRefusal::Ended));
    let mut interrupted = super::delivery();
    interrupted.claim(1, at(0), us()).unwrap();
    abort(&mut interrupted, 25).unwrap();
    assert_eq!(interrupted.attempts[0].end, AttemptEnd::Unknown, "what was begun is not forgotten");
}

#[test]
fn an_arrival_that_is_known_late_counts_even_when_the_delivery_was_held_or_given_up() {
    let mut interrupted = delivery();
    interrupted.claim(1, at(0), us()).unwrap();
    interrupted.settle(at(25), &pace());
    let mut held = interrupted.clone();
    held.hold(2, at(30)).unwrap();
    let mut aborted = interrupted;
    aborted.abort(AbortReason::ByHand, at(26).schedule).unwrap();
    for mut delivery in [held, aborted] {
        delivery.record_late(1, answer(200), at(40).schedule);
        assert_eq!(delivery.status(), DeliveryStatus::Delivered);
    }
}

#[test]
fn a_message_whose_time_is_up_is_not_tried_any_more() {
    let mut delivery = expiring(20);
    assert_eq!(delivery.claimable(1, at(19)), Ok(Plan::Automatic));
    assert_eq!(delivery.claimable(1, at(20)), Err(Refusal::Expired));
    delivery.give_up(1, at(20), AbortReason::Expired).unwrap();
    assert_eq!(delivery.abort_reason(), Some(AbortReason::Expired));
}

#[test]
fn a_wait_beyond_the_messages_time_is_not_begun() {
    let mut delivery = expiring(100);
    tried(&mut delivery, 0, answer(500));
    tried(&mut delivery, 30, answer(500));
    assert_eq!(delivery.next_attempt_at(), Some(at(90).schedule), "this one is within it");
    tried(&mut delivery, 90, answer(500));
    assert_eq!(delivery.abort_reason(), Some(AbortReason::Expired), "the next one is not");
    let mut edge = expiring(30);
    tried(&mut edge, 0, answer(500));
    assert_eq!(edge.abort_reason(), Some(AbortReason::Expired), "its end is not within it");
}

#[test]
fn time_passes_for_a_held_message_too() {
    let mut delivery = expiring(100);
    delivery.hold(1, at(0)).unwrap();
    assert!(delivery.release(at(100).schedule));
    assert_eq!(delivery.abort_reason(), Some(AbortReason::Expired));
    let mut failed = expiring(100_000);
    exhausted(&mut failed);
    assert_eq!(failed.retry(at(100_000), &pace()), Err(RetryRefusal::Expired));
}

#[test]
fn a_receiver_can_refuse_one_message_for_good() {
    let mut delivery = delivery();
    tried(&mut delivery, 0, wishing(422, Wish::AbortMessage));
    assert_eq!(delivery.abort_reason(), Some(AbortReason::Refused));
    let mut taken = super::delivery();
    tried(&mut taken, 0, wishing(200, Wish::AbortMessage));
    assert_eq!(taken.status(), DeliveryStatus::Delivered, "it has arrived all the same");
}

#[test]
fn a_receiver_that_wants_nothing_more_leaves_the_delivery_waiting_for_its_endpoint() {
    let mut delivery = delivery();
    tried(&mut delivery, 0, wishing(410, Wish::Disable));
    assert_eq!(delivery.status(), DeliveryStatus::Waiting);
    delivery.hold(2, at(30)).unwrap();
    assert_eq!(delivery.status(), DeliveryStatus::Held);
}

#[test]
fn a_receiver_that_asks_for_time_gets_it_and_never_less_than_promised() {
    for (asked, expected) in [(1, 30), (29, 30), (30, 31), (3600, 3601)] {
        let mut delivery = delivery();
        tried(&mut delivery, 0, slow_down(429, asked));
        assert_eq!(delivery.next_attempt_at(), Some(at(expected).schedule), "{asked} s");
    }
    let mut others = delivery();
    others.claim(1, at(0), us()).unwrap();
    let slow = Pace { slow_until: Some(at(45).schedule), ..pace() };
    others.record(answer(500).into(), at(0).schedule, &slow);
    assert_eq!(
        others.next_attempt_at(),
        Some(at(45).schedule),
        "the endpoint is slowed, not one message"
    );
}

#[test]
fn a_connection_that_broke_at_once_is_logged_twice_and_counted_once() {
    let mut delivery = delivery();
    for (number, seconds) in [(1, 0), (3, 30)] {
        delivery.claim(number, at(seconds), us()).unwrap();
        let again = Some(Again { at: at(seconds).schedule, end: answer(500) });
        let tried = Tried { first: no_answer(), again };
        delivery.record(tried, at(seconds).schedule, &pace());
    }
    let triggers: Vec<Trigger> = delivery.attempts.iter().map(|attempt| attempt.trigger).collect();
    let pair = [Trigger::Automatic, Trigger::Reconnect];
    assert_eq!(triggers, [pair, pair].concat());
    assert_eq!(delivery.next_attempt_at(), Some(at(90).schedule), "after two of the 13");
}

#[test]
fn an_own_schedule_is_kept_as_it_is_when_an_attempt_fails() {
    let mut delivery = delivery();
    let mut fails = |seconds: u64, pace: Pace| {
        delivery.claim(delivery.next_number(), at(seconds), us()).unwrap();
        delivery.record(answer(500).into(), at(seconds).schedule, &pace);
        delivery.next_attempt_at().map(|next| next.since(at(0).schedule).as_secs())
    };
    assert_eq!(fails(0, own(&[5, 7])), Some(5));
    assert_eq!(fails(5, own(&[5, 100])), Some(105), "it was changed in between");
    assert_eq!(fails(105, own(&[5, 100])), None);
    assert_eq!(delivery.state, State::Failed { at: at(105).schedule });
}
