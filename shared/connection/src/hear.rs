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
    if let Some(observation) = second_opinion(system, error).await {
        note(context, connection, &observation).await;
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
    if within.is_zero() {
        return;
    }
    let opinion = tokio::time::timeout(within, second_opinion(system, error)).await;
    if let Ok(Some(observation)) = opinion {
        note(context, connection, &observation).await;
    }
}

/// What a failed call and the probe say together; nothing when the probe is well, or neither says
/// anything of the connection's health.
async fn second_opinion(system: &System, error: &SystemError) -> Option<Observation> {
    if !may_be_health(error) {
        return None;
    }
    let second = system.probe().await.err()?;
    match agree(error, &second) {
        Agreed::On(observation) => Some(observation),
        Agreed::AskAgain => {
            let third = system.probe().await.err()?;
            match agree(&second, &third) {
                Agreed::On(observation) => Some(observation),
                Agreed::AskAgain | Agreed::OnNothing => None,
            }
        }
        Agreed::OnNothing => None,
    }
}

/// What two failures in a row say, the second of them the probe's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// The connection's health is this.
    On(Observation),
    /// The first time the system could not be reached, now it refuses the credentials: one refusal is
    /// none, so its probe is asked once more.
    AskAgain,
    /// They say nothing of the connection's health.
    OnNothing,
}

/// What a failure and the probe's failure after it say together: a refusal takes two, of which one is
/// the probe's; anything else that keeps an answer away is an outage.
#[must_use]
pub fn agree(first: &SystemError, second: &SystemError) -> Agreed {
    match probe_verdict(second) {
        Some(Observation::Refused(_)) if first.class != SystemErrorClass::Reauthorize => {
            Agreed::AskAgain
        }
        Some(observation) => Agreed::On(observation),
        None => Agreed::OnNothing,
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
    fn one_refusal_is_none_and_is_asked_about_once_more() {
        use SystemErrorClass::*;
        let agreed = |first, second| {
            agree(&SystemError::new(first, "first"), &SystemError::new(second, "second"))
        };
        let refused = Agreed::On(Observation::Refused("second".to_owned()));
        let unreachable = Agreed::On(Observation::Unreachable("second".to_owned()));
        assert_eq!(agreed(Reauthorize, Reauthorize), refused);
        assert_eq!(agreed(Unreachable, Reauthorize), Agreed::AskAgain);
        for first in [Reauthorize, Unreachable, Malformed] {
            assert_eq!(agreed(first, Unreachable), unreachable);
            assert_eq!(agreed(first, RateLimited), Agreed::OnNothing);
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
