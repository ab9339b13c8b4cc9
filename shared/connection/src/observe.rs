//! What calls, syncs and checks learn about a system's health.

use std::time::Duration;

use millwright_core::{ConnectionId, ErrorCode, Result, ScheduleTime, WorkspaceId};

use crate::{
    Connection, ConnectionContext, Health, HealthTiming, Load, Now, Occasion, Trigger, change,
    outage_backoff,
};

/// While nothing changes, a success is written at most this often: health costs no write per call.
const SUCCESS_NOTED_EVERY: Duration = Duration::from_secs(60);
/// Credentials that were refused are tried again so seldom: some systems lock an account that is
/// refused again and again.
const REFUSED_CHECK_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Something learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The system answered well.
    Answered,
    /// It cannot be reached: a second try agreed.
    Unreachable(String),
    /// It refuses the credentials: the probe agreed.
    Refused(String),
    /// The first load of an entity ended, well or not.
    Loaded(String),
}

/// Who learnt it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// How.
    pub by: Trigger,
    /// How often the present work has been sent on (`queue::MAX_HOPS`).
    pub hop: u8,
}

impl From<Trigger> for Noticed {
    fn from(by: Trigger) -> Self {
        Self { by, hop: 0 }
    }
}

/// Takes note of an observation ([`change`]). Nothing happens when there is no such connection, or it
/// says nothing new.
///
/// # Errors
/// When the table fails.
pub async fn observe(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    observation: &Observation,
    noticed: impl Into<Noticed>,
) -> Result<()> {
    note_if(context, (workspace, connection), observation, noticed.into(), |_| true).await
}

/// As [`observe`], for what was found out about a connection as it was known: a failure says nothing of
/// one that has been given new settings or credentials meanwhile.
///
/// # Errors
/// When the table fails.
pub async fn observe_known(
    context: &ConnectionContext,
    known: &Connection,
    observation: &Observation,
    noticed: impl Into<Noticed>,
) -> Result<()> {
    let failed = matches!(observation, Observation::Unreachable(_) | Observation::Refused(_));
    let counts = |own: &Connection| !failed || own.renewed == known.renewed;
    let connection = (&known.workspace, &known.id);
    note_if(context, connection, observation, noticed.into(), counts).await
}

async fn note_if(
    context: &ConnectionContext,
    (workspace, connection): (&WorkspaceId, &ConnectionId),
    observation: &Observation,
    Noticed { by, hop }: Noticed,
    counts: impl Fn(&Connection) -> bool + Send + Sync,
) -> Result<()> {
    let (chance, timing) = (rand::random(), context.timing);
    let noted = change(context, workspace, connection, &[], |own, now| {
        if !counts(own) {
            return Ok(None);
        }
        Ok(apply(own, observation, now, timing, chance)
            .map(|reason| Occasion::new(by, reason).at_hop(hop)))
    });
    match noted.await {
        Ok(_) => Ok(()),
        Err(error) if error.code == ErrorCode::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes into a connection what was found out because somebody asked, also where it was known: for
/// [`crate::revise`]. What there is to say of it. A failure leaves the next check where it is: who asks by
/// hand does not make the waits of an outage longer.
pub fn take_note(
    context: &ConnectionContext,
    connection: &mut Connection,
    observation: &Observation,
    now: Now,
) -> Option<String> {
    if *observation == Observation::Answered {
        connection.next_check_at = None;
    }
    apply(connection, observation, now, context.timing, rand::random())
}

/// Ends a check: takes note of what it has found, if anything, and gives the right to ask back.
///
/// # Errors
/// When the table fails.
pub async fn conclude_check(
    context: &ConnectionContext,
    checked: &Connection,
    observation: Option<Observation>,
    hop: u8,
) -> Result<()> {
    let (chance, timing) = (rand::random(), context.timing);
    let noted = change(context, &checked.workspace, &checked.id, &[], |own, now| {
        if own.watch.lease.fence == checked.watch.lease.fence {
            own.watch.lease.release();
        }
        let others = own.renewed != checked.renewed;
        let reason = match &observation {
            _ if others => None,
            Some(observation) => apply(own, observation, now, timing, chance),
            None => inconclusive(own, now, timing, chance),
        };
        let reason = reason.unwrap_or_else(|| "checked".to_owned());
        Ok(Some(Occasion::new(Trigger::Check, reason).at_hop(hop)))
    });
    match noted.await {
        Ok(_) => Ok(()),
        Err(error) if error.code == ErrorCode::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The system was asked and its answer says nothing of its health, which stays as it was known.
fn inconclusive(
    connection: &mut Connection,
    now: Now,
    timing: HealthTiming,
    chance: f64,
) -> Option<String> {
    match (connection.facts.health, connection.watch.health_reason.clone()) {
        (Health::Ok, _) => {
            connection.last_checked_at = Some(now.wall);
            connection.next_check_at = Some(now.schedule + timing.check_interval);
            None
        }
        (health, reason) => failed(connection, health, &reason.unwrap_or_default(), now, chance),
    }
}

/// The connection after an observation: what there is to say of it, if anything is new.
pub(crate) fn apply(
    connection: &mut Connection,
    observation: &Observation,
    now: Now,
    timing: HealthTiming,
    chance: f64,
) -> Option<String> {
    match observation {
        Observation::Answered => answered(connection, now, timing),
        Observation::Unreachable(reason) => {
            failed(connection, Health::Unreachable, reason, now, chance)
        }
        Observation::Refused(reason) => failed(connection, Health::Refused, reason, now, chance),
        Observation::Loaded(entity) => loaded(connection, entity),
    }
}

fn answered(connection: &mut Connection, now: Now, timing: HealthTiming) -> Option<String> {
    let well = connection.facts.health == Health::Ok;
    if well && is_fresh(connection.next_check_at, now.schedule, timing) {
        return None;
    }
    connection.facts.health = Health::Ok;
    connection.last_success_at = Some(now.wall);
    connection.last_checked_at = Some(now.wall);
    connection.next_check_at = Some(now.schedule + timing.check_interval);
    Some(if well { "the system answers" } else { "the system answers again" }.to_owned())
}

/// Whether the last answer was noted only just now: the next check is then as far away as can be.
pub(crate) fn is_fresh(
    next_check_at: Option<ScheduleTime>,
    now: ScheduleTime,
    timing: HealthTiming,
) -> bool {
    let noted_every = SUCCESS_NOTED_EVERY.min(timing.check_interval / 3);
    next_check_at.is_some_and(|at| at + noted_every > now + timing.check_interval)
}

fn failed(
    connection: &mut Connection,
    health: Health,
    reason: &str,
    now: Now,
    chance: f64,
) -> Option<String> {
    let new = connection.facts.health != health;
    let check_is_due = connection.next_check_at.is_none_or(|at| at <= now.schedule);
    connection.facts.health = health;
    connection.last_checked_at = Some(now.wall);
    connection.watch.health_reason = Some(reason.to_owned());
    if new {
        connection.watch.failures = 0;
    }
    // Many syncs and calls may find the same outage: only a check whose time has come moves the next.
    if new || check_is_due {
        connection.watch.failures = connection.watch.failures.saturating_add(1);
        let wait = match health {
            Health::Refused => REFUSED_CHECK_EVERY.mul_f64(1.0 + 0.1 * chance.clamp(0.0, 1.0)),
            _ => outage_backoff(connection.watch.failures, chance),
        };
        connection.next_check_at = Some(now.schedule + wait);
    }
    Some(reason.to_owned())
}

fn loaded(connection: &mut Connection, entity: &str) -> Option<String> {
    let place = connection.loading.iter().position(|loading| loading == entity)?;
    connection.loading.remove(place);
    if connection.loading.is_empty() {
        connection.facts.load = Load::Done;
        return Some("the first load has ended".to_owned());
    }
    Some(format!("the first load of {entity} has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Status,
        change::settle,
        testing::{NOW, WALL, connection},
    };

    const TIMING: HealthTiming = HealthTiming {
        check_interval: Duration::from_secs(900),
        quiet: Duration::from_secs(300),
        stale: Duration::from_secs(86_400),
    };

    /// Lets a connection learn something so many seconds on; answers from which status that is told.
    fn learns(own: &mut Connection, observation: &Observation, seconds: u64) -> Option<Status> {
        let later = Duration::from_secs(seconds);
        let now = Now { wall: WALL + later, schedule: NOW + later };
        let before = own.clone();
        let reason = apply(own, observation, now, TIMING, 0.0)?;
        settle(&before, own, &Occasion::new(Trigger::Call, reason), now, TIMING)
    }

    fn unreachable() -> Observation {
        Observation::Unreachable("no route".to_owned())
    }

    fn refused() -> Observation {
        Observation::Refused("wrong password".to_owned())
    }

    #[test]
    fn the_first_load_ends_with_its_last_entity() {
        let mut own = connection();
        learns(&mut own, &Observation::Loaded("vendors".to_owned()), 1);
        assert_eq!(own.status(), Status::Synchronizing);
        let told = learns(&mut own, &Observation::Loaded("materials".to_owned()), 2);
        assert_eq!(told, Some(Status::Synchronizing));
        assert_eq!((own.status(), own.status_since), (Status::Active, WALL + 2 * SECOND));
        assert_eq!(learns(&mut own, &Observation::Loaded("vendors".to_owned()), 3), None);
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_outage_keeps_its_reason_until_the_system_answers() {
        let mut own = connection();
        learns(&mut own, &unreachable(), 1);
        assert_eq!(own.status(), Status::Unavailable);
        assert_eq!(own.status_reason.as_deref(), Some("no route"));
        learns(&mut own, &Observation::Answered, 2);
        assert_eq!((own.status(), own.status_reason), (Status::Synchronizing, None));
        assert_eq!(own.watch.wake, Some(2), "its syncs are to be woken");
    }

    #[test]
    fn an_answer_pushes_the_next_check_away_and_is_written_once_a_minute() {
        let mut own = connection();
        learns(&mut own, &Observation::Answered, 0);
        assert_eq!(own.next_check_at, Some(NOW + TIMING.check_interval));
        let noted = own.clone();
        learns(&mut own, &Observation::Answered, 59);
        assert_eq!(own, noted);
        learns(&mut own, &Observation::Answered, 60);
        assert_eq!(own.next_check_at, Some(NOW + TIMING.check_interval + 60 * SECOND));
    }

    #[test]
    fn an_outage_is_looked_at_after_30_seconds_and_then_after_twice_as_long_each_time() {
        let mut own = connection();
        let mut at = 0;
        for wait in [30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360, 21_600, 21_600] {
            learns(&mut own, &unreachable(), at);
            assert_eq!(own.next_check_at, Some(NOW + Duration::from_secs(at + wait)));
            // Another that finds the same in between moves nothing.
            learns(&mut own, &unreachable(), at + 1);
            assert_eq!(own.next_check_at, Some(NOW + Duration::from_secs(at + wait)));
            at += wait;
        }
        learns(&mut own, &Observation::Answered, at);
        assert_eq!(own.next_check_at, Some(NOW + Duration::from_secs(at + 900)));
        learns(&mut own, &unreachable(), at + 1);
        assert_eq!(own.next_check_at, Some(NOW + Duration::from_secs(at + 31)), "from the start");
    }

    #[test]
    fn refused_credentials_are_tried_again_once_a_day_at_most() {
        let mut own = connection();
        learns(&mut own, &refused(), 0);
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(own.next_check_at, Some(NOW + day));
        learns(&mut own, &refused(), 3600);
        assert_eq!(own.next_check_at, Some(NOW + day));
        learns(&mut own, &refused(), 24 * 3600);
        assert_eq!(own.next_check_at, Some(NOW + 2 * day));
    }

    #[test]
    fn an_outage_that_turns_into_a_refusal_is_a_change_with_its_own_reason() {
        let mut own = connection();
        learns(&mut own, &unreachable(), 0);
        learns(&mut own, &refused(), 400);
        assert_eq!(own.status(), Status::ReauthorizationRequired);
        assert_eq!(own.status_reason.as_deref(), Some("wrong password"));
        assert_eq!(own.watch.changes, 2);
    }
}
