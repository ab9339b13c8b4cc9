//! Being let through to an endpoint: what its row says, whether somebody else tries its circuit, its rate
//! limit, and how many attempts this process has under way there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use millwright_core::{EndpointId, Result, ScheduleTime};
use tokio::sync::Notify;

use crate::{
    Webhooks,
    endpoint::Endpoint,
    gate::Gate,
    keys::endpoint_key,
    pulse::{Beat, Pulse, Room},
    rate::{Purse, Token, draw, quota, rate_key},
    schedule::Jitter,
};

/// How long an attempt waits for others to the same endpoint to end, before its delivery is parked. The
/// first may wait before its message has a row, and a message is to be readable within a second.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(500);
/// The same where nobody knows yet whether the endpoint answers at all: whoever waits holds up an
/// invocation, and an endpoint that hangs would hold up all of them.
const WAIT_FOR_UNKNOWN: Duration = Duration::from_millis(200);
/// How long a delivery is parked that waited for such a one in vain, and over how long they come back.
const UNKNOWN_AGAIN: Duration = Duration::from_secs(1);
/// How long a delivery is parked that found no lane: by then some of those under way have ended.
const ROOM_AGAIN: Duration = Duration::from_secs(5);
/// Over how long those come back.
const ROOM_SPREAD: Duration = Duration::from_secs(10);
/// What a trial has beyond the exchange itself.
const TRIAL_MARGIN: Duration = Duration::from_secs(15);
/// Over how long those parked by a circuit come back, for each time that it has opened.
const SPREAD: Duration = Duration::from_secs(30);
/// Over how long they come back at most.
const SPREAD_MAX: Duration = Duration::from_secs(600);
/// From so many endpoints on, those about which nothing is known are forgotten.
const KNOWN_MAX: usize = 4_096;

/// Whether an attempt may be made now.
#[derive(Debug)]
pub enum Admission {
    /// It may. The pass is kept until it is over.
    Go(Pass),
    /// The endpoint is paused or disabled: the delivery is to be held.
    Hold,
    /// Not before this time: the delivery waits until then with the plan it has. That is no attempt.
    Park {
        /// When to ask again.
        until: ScheduleTime,
    },
}

/// The right to make one attempt. It counts as under way until this is dropped.
#[derive(Debug)]
pub struct Pass {
    one: Arc<Known>,
    number: u64,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.one.pulse().end(self.number);
        self.one.room.notify_one();
    }
}

/// What this process knows of the endpoints it sends to. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Care(Arc<Mutex<HashMap<EndpointId, Arc<Known>>>>);

/// What it knows of one.
#[derive(Debug, Default)]
struct Known {
    pulse: Mutex<Pulse>,
    purse: tokio::sync::Mutex<Purse>,
    room: Notify,
}

impl Known {
    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Care {
    fn of(&self, endpoint: &EndpointId, now: ScheduleTime) -> Arc<Known> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KNOWN_MAX && !all.contains_key(endpoint) {
            all.retain(|_, one| Arc::strong_count(one) > 1 || !one.pulse().is_idle(now));
        }
        Arc::clone(all.entry(endpoint.clone()).or_default())
    }
}

impl Webhooks {
    /// Asks to make an attempt now. To be asked before every attempt, first ones and later ones, and
    /// before the delivery is claimed. For an endpoint that is well and has no rate limit it writes
    /// nothing.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn admit(&self, endpoint: &Endpoint) -> Result<Admission> {
        let now = self.clock().schedule();
        let trial = match endpoint.gate(now) {
            Gate::Open => false,
            Gate::Trial => true,
            Gate::Hold => return Ok(Admission::Hold),
            Gate::Park { until } => return Ok(self.parked(endpoint, until)),
        };
        let pass = match self.room(endpoint).await {
            Ok(pass) => pass,
            Err(wait) => return Ok(Admission::Park { until: now + self.scheduled(wait) }),
        };
        if let Some(until) = self.rate_limited(endpoint).await? {
            return Ok(Admission::Park { until });
        }
        match if trial { self.try_circuit(endpoint).await? } else { Ok(()) } {
            Ok(()) => Ok(Admission::Go(pass)),
            Err(until) => Ok(self.parked(endpoint, until)),
        }
    }

    /// Whether the first attempt may be made where the message is fanned out. Not to an endpoint that
    /// has been failing, so that no fan-out waits for it: those begin on the delivery queue.
    pub(crate) fn may_begin_here(&self, endpoint: &Endpoint) -> bool {
        let clock = self.clock();
        endpoint.seems_well(clock.schedule())
            && self.care.of(&endpoint.id, clock.schedule()).pulse().seems_well(clock.wall())
    }

    /// Notes what came of an attempt; answers whether the circuit is to open.
    pub(crate) fn beat(&self, endpoint: &EndpointId, beat: Beat, now: ScheduleTime) -> bool {
        let one = self.care.of(endpoint, now);
        let opens = one.pulse().beat(beat, now);
        // There may be a lane more.
        one.room.notify_one();
        opens
    }

    /// Whether something arrived there a short while ago, as far as this process knows.
    pub(crate) fn arrived_lately(&self, endpoint: &EndpointId, now: ScheduleTime) -> bool {
        self.care.of(endpoint, now).pulse().arrived_lately(now)
    }

    /// A lane of this process, after a moment if need be; or how long to leave the delivery alone.
    async fn room(&self, endpoint: &Endpoint) -> Result<Pass, Duration> {
        let schedule = self.clock().schedule();
        let one = self.care.of(&endpoint.id, schedule);
        let answers = one.pulse().arrived_lately(schedule);
        let patience = if answers { WAIT_FOR_ROOM } else { WAIT_FOR_UNKNOWN };
        let enough = self.clock().wall() + patience;
        loop {
            let mut freed = std::pin::pin!(one.room.notified());
            freed.as_mut().enable();
            let now = self.clock().wall();
            {
                let mut pulse = one.pulse();
                match pulse.room(now) {
                    Room::Yes => {
                        let number = pulse.begin(now);
                        drop(pulse);
                        return Ok(Pass { one: Arc::clone(&one), number });
                    }
                    Room::Soon if now < enough => {}
                    room => {
                        // Whoever else waits would have been woken for nothing, too.
                        one.room.notify_one();
                        let soon = room == Room::Soon && !answers;
                        let (again, spread) = match soon {
                            true => (UNKNOWN_AGAIN, UNKNOWN_AGAIN),
                            false => (ROOM_AGAIN, ROOM_SPREAD),
                        };
                        return Err(again + Jitter::by_chance().part_of(spread));
                    }
                }
            }
            let _ = tokio::time::timeout(enough.since(now), freed).await;
        }
    }

    /// Spends a token of the endpoint's rate limit; the turn of this attempt when there is none.
    async fn rate_limited(&self, endpoint: &Endpoint) -> Result<Option<ScheduleTime>> {
        let Some(per_second) = endpoint.rate_limit_per_second else { return Ok(None) };
        let quota = quota(per_second.max(1));
        let clock = self.clock();
        let one = self.care.of(&endpoint.id, clock.schedule());
        let mut purse = one.purse.lock().await;
        let mut token = purse.spend(quota, clock.wall());
        if token == Token::Ask {
            let key = rate_key(&endpoint.workspace, &endpoint.id);
            let draw = |allowance: &mut millwright_store::Allowance, now| {
                draw(allowance.budget(quota), quota, now)
            };
            purse.fill(self.store.allow(&key, draw).await?);
            token = purse.spend(quota, clock.wall());
        }
        Ok(match token {
            Token::Spent => None,
            Token::Turn(at) => Some(clock.schedule() + self.scheduled(at.since(clock.wall()))),
            // The block ended before it could be spent.
            Token::Ask => Some(clock.schedule() + self.scheduled(quota.window)),
        })
    }

    /// Takes the circuit's one trial; until when to wait when somebody else has it.
    async fn try_circuit(&self, endpoint: &Endpoint) -> Result<Result<(), ScheduleTime>> {
        let (now, wall) = (self.clock().schedule(), self.clock().wall());
        let term = endpoint.timeout() + TRIAL_MARGIN;
        let decide = |row: &mut Endpoint| Ok(row.health.try_circuit(now, wall, term));
        let key = endpoint_key(&endpoint.workspace, &endpoint.id);
        let taken = self.store.modify(&key, decide).await?;
        let taken = taken.map_or(Ok(()), |(_, taken)| taken);
        Ok(taken.map_err(|wait| now + self.scheduled(wait)))
    }

    fn parked(&self, endpoint: &Endpoint, until: ScheduleTime) -> Admission {
        Admission::Park { until: self.spread(endpoint, until) }
    }

    /// A time or somewhat later, so that those who wait do not come back all at once.
    pub(crate) fn spread(&self, endpoint: &Endpoint, until: ScheduleTime) -> ScheduleTime {
        let times = endpoint.health.circuit.as_ref().map_or(1, |circuit| circuit.times);
        let spread = (SPREAD * times.min(60)).min(SPREAD_MAX);
        until + Jitter::by_chance().part_of(spread)
    }

    /// A stretch of the wall clock on the schedule clock.
    fn scheduled(&self, wait: Duration) -> Duration {
        wait.mul_f64(self.clock().speed())
    }
}
