//! Random histories of a delivery beside a model of what was promised about it.

use super::*;

/// Things that happen to a delivery.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// Time passes.
    Pass(u32),
    /// A task comes, for the next attempt or, as a copy, for an earlier one.
    Task { behind: u32 },
    /// The running attempt is answered.
    End(u16, Wish),
    /// Its connection breaks at once, and a second one is answered.
    Reconnect(u16),
    /// Whoever runs the attempt dies.
    Crash,
    /// The answer to the latest attempt that reads `unknown` comes after all.
    Late(u16),
    /// Somebody asks for a retry.
    Retry,
    /// The endpoint is switched on or off; what was held is released when it is switched on.
    Switch(bool),
    /// Attempts are put off for so long.
    Park(u32),
    /// Somebody gives the delivery up.
    Abort,
    /// The endpoint's schedule is changed.
    Schedule(usize),
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        8 => Just(Wish::None),
        2 => (1_u64..=3600).prop_map(|s| Wish::SlowDown { pause: Duration::from_secs(s) }),
        1 => Just(Wish::Disable),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let status = prop_oneof![12 => Just(500_u16), 1 => Just(200_u16)];
    prop_oneof![
        6 => (0_u32..40_000).prop_map(Event::Pass),
        10 => (0_u32..3).prop_map(|behind| Event::Task { behind }),
        8 => (status.clone(), wish()).prop_map(|(status, wish)| Event::End(status, wish)),
        2 => status.clone().prop_map(Event::Reconnect),
        2 => Just(Event::Crash),
        2 => status.prop_map(Event::Late),
        2 => Just(Event::Retry),
        2 => any::<bool>().prop_map(Event::Switch),
        1 => (1_u32..3600).prop_map(Event::Park),
        1 => (0_usize..3).prop_map(Event::Schedule),
        1 => prop_oneof![9 => Just(Event::Pass(1)), 1 => Just(Event::Abort)],
    ]
}

fn schedules() -> [RetrySchedule; 3] {
    [RetrySchedule::Promised, RetrySchedule::Own(vec![60; 13]), RetrySchedule::Own(vec![10, 20])]
}

/// A delivery in a world where a process may hold a claim.
struct World {
    delivery: Delivery,
    seconds: u64,
    pace: Pace,
    enabled: bool,
    /// When the process that holds the claim began, while it lives.
    claimed: Option<u64>,
    /// Before this time nothing may be begun by itself.
    quiet_until: u64,
}

impl World {
    fn new(jitter: Jitter, expires: Option<u64>) -> Self {
        let abort_at = expires.map(|seconds| at(seconds).schedule);
        let delivery = Delivery { abort_at, ..delivery() };
        let pace = Pace { jitter, ..pace() };
        Self { delivery, seconds: 0, pace, enabled: true, claimed: None, quiet_until: 0 }
    }

    fn now(&self) -> Now {
        at(self.seconds)
    }

    fn happens(&mut self, event: Event) {
        let before = self.delivery.clone();
        match event {
            Event::Pass(seconds) => self.seconds += u64::from(seconds),
            Event::Task { behind } => self.task(behind),
            Event::End(status, wish) => self.end(wishing(status, wish).into()),
            Event::Reconnect(status) => {
                let again = Some(Again { at: self.now().schedule, end: answer(status) });
                self.end(Tried { first: no_answer(), again });
            }
            Event::Crash => self.claimed = None,
            Event::Late(status) => self.late(status),
            Event::Retry => self.retry(),
            Event::Switch(enabled) => self.switch(enabled),
            Event::Park(seconds) => self.park(u64::from(seconds)),
            Event::Abort => {
                let _ = self.delivery.abort(AbortReason::ByHand, self.now().schedule);
            }
            Event::Schedule(index) => self.pace.schedule = schedules()[index].clone(),
        }
        self.nothing_follows_an_end(&before, event);
        self.check();
    }

    fn task(&mut self, behind: u32) {
        let number = self.delivery.next_number().saturating_sub(behind);
        if !self.enabled && self.delivery.hold(number, self.now()).is_ok() {
            assert_eq!(behind, 0, "a copy of an older task held something");
            return;
        }
        let now = self.now();
        match self.delivery.claim(number, now, us()) {
            Ok(()) => {
                assert_eq!(behind, 0, "a copy of an older task began an attempt");
                assert!(self.enabled, "an attempt to an endpoint that is switched off");
                assert!(self.claimed.is_none_or(|began| began + 25 <= self.seconds), "two at once");
                assert!(self.quiet_until <= self.seconds, "a wait was shortened");
                assert!(!self.delivery.has_expired(now.schedule), "its time was up");
                self.claimed = Some(self.seconds);
            }
            Err(Refusal::Interrupted) => self.settle(),
            Err(Refusal::Expired) => {
                self.delivery.give_up(number, now, AbortReason::Expired).unwrap();
            }
            Err(_) => {}
        }
    }

    /// The claim is dead: it reads unknown, and the next wait counts from its start.
    fn settle(&mut self) {
        let State::Attempting(claim) = self.delivery.state.clone() else { panic!("no claim") };
        assert!(self.delivery.settle(self.now(), &self.pace));
        let began = claim.started_at.since(at(0).schedule).as_secs();
        self.waits_as_promised(claim.plan, began, Wish::None);
        self.claimed = None;
    }

    fn end(&mut self, tried: Tried) {
        let (true, State::Attempting(claim)) =
            (self.claimed.is_some(), self.delivery.state.clone())
        else {
            return;
        };
        let wish = tried.end().wish();
        self.delivery.record(tried, self.now().schedule, &self.pace);
        self.waits_as_promised(claim.plan, self.seconds, wish);
        self.claimed = None;
    }

    /// After an automatic attempt that failed the next one is not before its wait is over.
    fn waits_as_promised(&mut self, plan: Plan, from: u64, wish: Wish) {
        if let Wish::SlowDown { pause } = wish {
            self.quiet_until = self.quiet_until.max(self.seconds + pause.as_secs());
        }
        if plan == Plan::Automatic {
            let made = u32::try_from(automatic(&self.delivery)).unwrap();
            let wait = match &self.pace.schedule {
                RetrySchedule::Promised => (made < 12).then(|| 30 << (made - 1)),
                RetrySchedule::Own(waits) => {
                    waits.get(usize::try_from(made).unwrap() - 1).map(|wait| u64::from(*wait))
                }
            };
            self.quiet_until = self.quiet_until.max(from + wait.unwrap_or(0));
        }
        if let Some(next) = self.delivery.next_attempt_at() {
            assert!(next >= at(self.quiet_until).schedule, "{next:?} is too early");
            let latest = self.quiet_until.max(self.seconds) + 24 * 3600;
            assert!(next <= at(latest).schedule, "{next:?} is too late");
        }
    }

    fn late(&mut self, status: u16) {
        let attempts = &self.delivery.attempts;
        let unknown = attempts.iter().rfind(|attempt| attempt.end == AttemptEnd::Unknown);
        if let Some(number) = unknown.map(|attempt| attempt.number) {
            self.delivery.record_late(number, answer(status), self.now().schedule);
        }
    }

    fn retry(&mut self) {
        let dead = matches!(
            self.delivery.claimable(self.delivery.next_number(), self.now()),
            Err(Refusal::Interrupted)
        );
        if dead {
            self.settle();
        }
        if self.enabled && self.delivery.retry(self.now(), &self.pace).is_ok() {
            // A person may be earlier than the schedule, which is kept for afterwards.
            self.quiet_until = self.quiet_until.min(self.seconds);
        }
    }

    fn switch(&mut self, enabled: bool) {
        self.enabled = enabled;
        if enabled {
            self.delivery.release(self.now().schedule);
        }
    }

    fn park(&mut self, seconds: u64) {
        let until = at(self.seconds + seconds).schedule;
        let number = self.delivery.next_number();
        if self.delivery.park(number, self.now(), until).is_ok() {
            self.quiet_until = self.seconds + seconds;
        }
    }

    fn nothing_follows_an_end(&self, before: &Delivery, event: Event) {
        let after = &self.delivery;
        let late = matches!(event, Event::Late(_));
        match before.state {
            State::Delivered { .. } => assert_eq!(before.state, after.state),
            State::Aborted { .. } if !late => assert_eq!(before, after),
            State::Failed { .. } if !late && !matches!(event, Event::Retry) => {
                assert_eq!(before, after);
            }
            _ => {}
        }
        let finished = matches!(before.state, State::Delivered { .. } | State::Aborted { .. });
        assert!(!finished || before.attempts.len() == after.attempts.len(), "sent after the end");
    }

    fn check(&self) {
        let delivery = &self.delivery;
        let numbers = delivery.attempts.iter().map(|attempt| attempt.number);
        assert!(numbers.eq(1..delivery.next_number()), "numbers without gaps");
        assert!(automatic(delivery) <= 14, "no schedule has more");
        assert_ne!(delivery.attempts.first().map(|a| a.trigger), Some(Trigger::Reconnect));
        let waits = matches!(delivery.state, State::Waiting(_));
        assert_eq!(delivery.due().is_some(), waits, "a wait and only a wait is due");
        assert_eq!(delivery.next_attempt_at().is_some(), waits);
        let listed = matches!(delivery.state, State::Failed { .. } | State::Held(_));
        assert_eq!(delivery.failed().is_some(), listed);
        let attempting = matches!(delivery.state, State::Attempting(_));
        if delivery.has_arrived() && !attempting {
            assert_eq!(delivery.status(), DeliveryStatus::Delivered);
        }
    }
}

fn automatic(delivery: &Delivery) -> usize {
    delivery.attempts.iter().filter(|attempt| attempt.trigger == Trigger::Automatic).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_happens_a_delivery_keeps_its_promises_and_ends(
        events in prop::collection::vec(event(), 0..120),
        share in 0.0_f64..=1.0,
        expires in prop_oneof![3 => Just(None), 1 => (0_u64..200_000).prop_map(Some)],
    ) {
        let mut world = World::new(Jitter::new(share), expires);
        for event in events {
            world.happens(event);
        }
        // From here on everything fails, and every task comes in time.
        world.happens(Event::Switch(true));
        for _ in 0..60 {
            let due = world.delivery.next_attempt_at().unwrap_or(world.now().schedule);
            world.seconds += due.since(world.now().schedule).as_secs() + 30;
            world.happens(Event::Task { behind: 0 });
            world.happens(Event::End(500, Wish::None));
        }
        match world.delivery.status() {
            DeliveryStatus::Delivered => {}
            DeliveryStatus::Failed => {
                let attempts = usize::try_from(world.pace.schedule.attempts()).unwrap();
                prop_assert!(automatic(&world.delivery) >= attempts.min(3));
            }
            DeliveryStatus::Aborted => {
                let expired = world.delivery.abort_reason() == Some(AbortReason::Expired);
                prop_assert_eq!(expired && expires.is_none(), false);
            }
            other => prop_assert!(false, "stuck as {:?}", other),
        }
    }
}
