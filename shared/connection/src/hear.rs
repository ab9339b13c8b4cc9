//! What a call to a system says of the connection's health.

use std::time::Duration;

use millwright_connector::{System, SystemError, SystemErrorClass};

use crate::{Connection, ConnectionContext, Health, Observation, Trigger, observe};

/// Takes note of a failed call: an outage and a refusal of the credentials count once the probe
/// agrees. What the account may not do says nothing of the connection.
pub async fn note_failure(
    context: &ConnectionContext,
    connection: &Connection,
    system: &System,
    error: &SystemError,
) {
    if counts(error)
        && let Err(second) = system.probe().await
    {
        note_second(context, connection, second).await;
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
    if counts(error)
        && !within.is_zero()
        && let Ok(Err(second)) = tokio::time::timeout(within, system.probe()).await
    {
        note_second(context, connection, second).await;
    }
}

/// Whether a failure may be one of the connection's.
fn counts(error: &SystemError) -> bool {
    matches!(error.class, SystemErrorClass::Unreachable | SystemErrorClass::Reauthorize)
}

/// Takes note of what the probe says.
async fn note_second(context: &ConnectionContext, connection: &Connection, second: SystemError) {
    let observation = match second.class {
        SystemErrorClass::Unreachable => Observation::Unreachable(second.message),
        SystemErrorClass::Reauthorize => Observation::Refused(second.message),
        _ => return,
    };
    note(context, connection, &observation).await;
}

/// Takes note that the system answers, where it was thought not to.
pub async fn note_answer(context: &ConnectionContext, connection: &Connection) {
    if connection.facts.health != Health::Ok {
        note(context, connection, &Observation::Answered).await;
    }
}

async fn note(context: &ConnectionContext, connection: &Connection, observation: &Observation) {
    let (workspace, id) = (&connection.workspace, &connection.id);
    if let Err(error) = observe(context, workspace, id, observation, Trigger::Call).await {
        tracing::warn!(connection = %id, %error, "health not noted");
    }
}
