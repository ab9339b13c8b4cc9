//! What a call to a system says of the connection's health.

use std::time::Duration;

use millwright_connector::{System, SystemError, SystemErrorClass};

use crate::{
    Admin, Connection, ConnectionContext, Health, Observation, Trigger, observe::is_fresh,
    observe_known,
};

/// Takes note of a failed call: it counts once the probe agrees, and the probe decides what it is. What
/// the account may not do says nothing of the connection.
pub async fn note_failure(
    context: &ConnectionContext,
    connection: &Connection,
    system: &System,
    error: &SystemError,
) {
    if may_be_health(error)
        && let Err(second) = system.probe().await
    {
        note_second(context, connection, &second).await;
    }
}

/// As [`note_failure`], for a caller who waits: a probe that takes longer than `within` is given up, and
/// the connection's health left to those who have more time.
pub async fn note_failure_within(
    context: &ConnectionContext,
    connection: &Connection,
    system: &System,
    error: &SystemError,
    within: Duration,
) {
    if may_be_health(error)
        && !within.is_zero()
        && let Ok(Err(second)) = tokio::time::timeout(within, system.probe()).await
    {
        note_second(context, connection, &second).await;
    }
}

/// Whether a failure may be one of the connection's, so that its probe is to be asked.
#[must_use]
pub const fn may_be_health(error: &SystemError) -> bool {
    use SystemErrorClass::{Malformed, Reauthorize, Unreachable};
    matches!(error.class, Unreachable | Reauthorize | Malformed)
}

/// What a failed probe says of the connection's health; nothing where it says nothing about that. A
/// system whose simplest answer cannot be used is as good as not there: what answers in its place may be
/// a page for people.
#[must_use]
pub fn probe_verdict(error: &SystemError) -> Option<Observation> {
    match error.class {
        SystemErrorClass::Unreachable | SystemErrorClass::Malformed => {
            Some(Observation::Unreachable(error.message.clone()))
        }
        SystemErrorClass::Reauthorize => Some(Observation::Refused(error.message.clone())),
        _ => None,
    }
}

/// Takes note of what the probe says.
async fn note_second(context: &ConnectionContext, connection: &Connection, second: &SystemError) {
    if let Some(observation) = probe_verdict(second) {
        note(context, connection, &observation).await;
    }
}

/// Takes note that the system answers: at once where it was thought not to, else so often that an idle
/// connection can be told from one in use, and no more.
pub async fn note_answer(context: &ConnectionContext, connection: &Connection) {
    let now = context.store.clock().schedule();
    let fresh = is_fresh(connection.next_check_at, now, context.timing);
    let wanted = connection.facts.admin == Admin::Enabled;
    if wanted && (connection.facts.health != Health::Ok || !fresh) {
        note(context, connection, &Observation::Answered).await;
    }
}

async fn note(context: &ConnectionContext, connection: &Connection, observation: &Observation) {
    if let Err(error) = observe_known(context, connection, observation, Trigger::Call).await {
        tracing::warn!(connection = %connection.id, %error, "health not noted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_decides_between_unreachable_and_refused_and_knows_no_other_failure() {
        use SystemErrorClass::*;
        let verdict = |class| probe_verdict(&SystemError::new(class, "no"));
        for class in [Unreachable, Malformed] {
            assert_eq!(verdict(class), Some(Observation::Unreachable("no".to_owned())));
        }
        assert_eq!(verdict(Reauthorize), Some(Observation::Refused("no".to_owned())));
        for class in [RateLimited, Permission, NotFound, Validation, Conflict, Unsupported] {
            assert_eq!(verdict(class), None, "{class:?}");
        }
    }

    #[test]
    fn what_the_account_may_not_do_is_not_even_asked_about() {
        use SystemErrorClass::*;
        let asked = |class| may_be_health(&SystemError::new(class, "no"));
        assert!([Unreachable, Malformed, Reauthorize].into_iter().all(asked));
        assert!(![Permission, RateLimited, NotFound, Validation].into_iter().any(asked));
    }
}
