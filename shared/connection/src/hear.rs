//! What a call to a system says of the connection's health.

use millwright_connector::{System, SystemError, SystemErrorClass};

use crate::{Connection, ConnectionContext, Health, Observation, observe};

/// Takes note of a failed call: an outage and a refusal of the credentials count once the probe
/// agrees. What the account may not do says nothing of the connection.
pub async fn note_failure(
    context: &ConnectionContext,
    connection: &Connection,
    system: &System,
    error: &SystemError,
) {
    if !matches!(error.class, SystemErrorClass::Unreachable | SystemErrorClass::Reauthorize) {
        return;
    }
    let Err(second) = system.probe().await else { return };
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
    if let Err(error) = observe(context, workspace, id, observation).await {
        tracing::warn!(connection = %id, %error, "health not noted");
    }
}
