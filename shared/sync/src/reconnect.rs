//! Reconnecting: new credentials for the same system. Id, keys, tokens and history stay.

use millwright_connection::{
    Admin, Connection, ConnectionContext, Now, Observation, Occasion, Trigger, credits_of,
    find_connection, spend_reconnect, take_note, try_again,
};
use millwright_connector::Credentials;
use millwright_core::{ConnectionId, Error, ErrorCode, Result, WorkspaceId};
use serde_json::{Map, Value};

use crate::wake::{Sleepers, revise_and_wake};

/// Gives a connection new credentials, and new settings where they are given, once they have been tried
/// and lead to the same instance. Its address for logging in again is dead then, and its syncs that
/// wait because of the failure go on at once. One that was disconnected is connected again and takes
/// its credits; one that is paused or short of credits stays so.
///
/// # Errors
/// `NOT_FOUND`; `CONNECTION_PENDING`; `CONNECTION_DISCONNECTED` for one whose user never finished, or that
/// is being erased; the faulty fields of the forms; `CREDENTIALS_REFUSED` and
/// `SYSTEM_UNREACHABLE` for what the system says; `DIFFERENT_SYSTEM` for another instance;
/// `CREDITS_EXHAUSTED`; `STATE_CONFLICT` when others change its settings meanwhile. Nothing has changed
/// then.
pub async fn reconnect(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    settings: Option<Map<String, Value>>,
    credentials: Credentials,
) -> Result<Connection> {
    let known = find_connection(&context.store, workspace, id).await?.doc;
    known.require_connected()?;
    let settings = settings.unwrap_or_else(|| known.settings.clone());
    let secret = try_again(context, &known, &settings, credentials).await?;
    let manifest = context.engine.catalog().get(known.connector()?);
    let credits = manifest.map_or(known.credits, |manifest| credits_of(manifest, &settings));
    let decide = |own: &mut Connection, now: Now| {
        unchanged(&known, own)?;
        must_not_be_removed_since(&known, own)?;
        own.settings.clone_from(&settings);
        own.credits = credits;
        own.renewed += 1;
        if own.facts.admin == Admin::Removed {
            own.facts.admin = Admin::Enabled;
        }
        take_note(context, own, &Observation::Answered, now);
        let mut writes = vec![secret.clone()];
        writes.extend(spend_reconnect(own, now.wall)?);
        Ok(Some((Occasion::new(Trigger::Workspace, "reconnected"), writes)))
    };
    revise_and_wake(context, workspace, id, decide, Sleepers::Failed).await
}

/// A disconnect that was answered while the system was asked stands; so does one that erases.
fn must_not_be_removed_since(known: &Connection, now: &Connection) -> Result<()> {
    let removed = |own: &Connection| own.facts.admin == Admin::Removed;
    if removed(now) && (now.erasing || !removed(known)) {
        return now.status().allow_information();
    }
    Ok(())
}

/// What was tried is what holds still.
pub(crate) fn unchanged(known: &Connection, now: &Connection) -> Result<()> {
    if (&known.settings, &known.instance) == (&now.settings, &now.instance) {
        return Ok(());
    }
    let message = "others changed the connection's settings at the same time; try again";
    Err(Error::new(ErrorCode::StateConflict, message))
}
