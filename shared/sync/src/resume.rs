//! Resuming a connection that was paused or short of credits, and checking one because somebody asks.

use millwright_connection::{
    Admin, Connection, ConnectionContext, Now, Observation, Occasion, Trigger, find_connection,
    look, take_note,
};
use millwright_core::{ConnectionId, Result, WorkspaceId};

use crate::wake::{Sleepers, revise_and_wake};

/// Resumes a connection: its system is asked first, and it is in the state that the answer says; its
/// syncs go on. One that was short of credits takes them. One that is neither paused nor short of
/// credits is left as it is.
///
/// # Errors
/// `NOT_FOUND`; `CONNECTION_PENDING`; `CONNECTION_DISCONNECTED`; `CREDITS_EXHAUSTED`.
pub async fn resume(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Connection> {
    let known = find_connection(&context.store, workspace, id).await?.doc;
    if !rests(&known)? {
        return Ok(known);
    }
    let observation = look(context, &known).await?;
    let decide = |own: &mut Connection, now: Now| {
        if !rests(own)? {
            return Ok(None);
        }
        own.facts.admin = Admin::Enabled;
        if let Some(observation) = &observation {
            take_note(context, own, observation, now);
        }
        let occasion = Occasion::new(Trigger::Workspace, "resumed by the workspace");
        Ok(Some((occasion, Vec::new())))
    };
    revise_and_wake(context, workspace, id, decide, Sleepers::None).await
}

/// Whether it can be resumed; not when it is at work.
fn rests(connection: &Connection) -> Result<bool> {
    match connection.facts.admin {
        Admin::Enabled => Ok(false),
        Admin::Pending | Admin::Removed => connection.status().allow_information().map(|()| false),
        Admin::Paused | Admin::NoCredits => Ok(true),
    }
}

/// Asks a connection's system whether it is well, now. What it says counts, a bad answer when a second
/// one is the same; when it is well again its syncs go on.
///
/// # Errors
/// `NOT_FOUND`; `CONNECTION_PENDING`, `CONNECTION_INACTIVE` and `CONNECTION_DISCONNECTED` for one whose
/// system may not be called.
pub async fn check(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
) -> Result<Connection> {
    let known = find_connection(&context.store, workspace, id).await?.doc;
    known.require_enabled()?;
    let Some(observation) = look(context, &known).await? else { return Ok(known) };
    let decide = |own: &mut Connection, now: Now| {
        own.require_enabled()?;
        let reason = take_note(context, own, &observation, now);
        Ok(reason.map(|reason| (Occasion::new(Trigger::Check, reason), Vec::new())))
    };
    let well = observation == Observation::Answered;
    let sleepers = if well { Sleepers::Failed } else { Sleepers::None };
    revise_and_wake(context, workspace, id, decide, sleepers).await
}
