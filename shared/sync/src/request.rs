//! Syncs by hand.

use millwright_connection::{Connection, ConnectionContext};
use millwright_core::{Error, ErrorCode, FieldError, Result};

use crate::{Mode, NextRun, SyncState, connect::send, sync_key, sync_states};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct RequestedSync {
    /// These entities; all when nothing.
    pub entities: Option<Vec<String>>,
    /// What to read.
    pub mode: Mode,
}

/// Asks for syncs; answers with the states of the entities that will run.
///
/// # Errors
/// `SYNC_IN_PROGRESS` when a chosen entity is being pulled just now; when none was named, only if all
/// of them are. `VALIDATION_FAILED` for an entity this connection does not have.
pub async fn request_sync(
    context: &ConnectionContext,
    connection: &Connection,
    request: &RequestedSync,
) -> Result<Vec<SyncState>> {
    let states = sync_states(&context.store, &connection.workspace, &connection.id).await?;
    let chosen = choose(&states, request.entities.as_deref())?;
    let mut started = Vec::new();
    for state in chosen {
        match start(context, state, request.mode).await {
            Ok(state) => started.push(state),
            Err(error) if request.entities.is_some() => return Err(error),
            Err(error) if error.code == ErrorCode::SyncInProgress => {}
            Err(error) => return Err(error),
        }
    }
    if started.is_empty() {
        return Err(in_progress("every entity"));
    }
    Ok(started)
}

fn choose<'a>(states: &'a [SyncState], entities: Option<&[String]>) -> Result<Vec<&'a SyncState>> {
    let Some(entities) = entities else { return Ok(states.iter().collect()) };
    let mut chosen = Vec::new();
    let mut faults = Vec::new();
    for (i, entity) in entities.iter().enumerate() {
        match states.iter().find(|state| state.entity == *entity) {
            Some(state) => chosen.push(state),
            None => faults.push(FieldError::new(
                format!("entities[{i}]"),
                ErrorCode::ValidationFailed,
                "this connection has no such entity",
            )),
        }
    }
    Error::from_fields(faults).map_or(Ok(chosen), Err)
}

async fn start(context: &ConnectionContext, state: &SyncState, mode: Mode) -> Result<SyncState> {
    let key = sync_key(&state.workspace, &state.connection, &state.entity);
    let (wall, now) = (context.store.clock().wall(), context.store.clock().schedule());
    let asked = context
        .store
        .modify(&key, |state: &mut SyncState| {
            if state.lease.until.is_some_and(|until| until > wall) {
                return Err(in_progress(&state.entity));
            }
            state.requested = Some(mode);
            state.run = Some(NextRun::at(now, now));
            Ok(())
        })
        .await?;
    let (row, ()) = asked.ok_or_else(|| Error::not_found("connection"))?;
    send(context, &row.doc).await;
    Ok(row.doc)
}

fn in_progress(what: &str) -> Error {
    Error::new(ErrorCode::SyncInProgress, format!("a sync of {what} is running"))
}
