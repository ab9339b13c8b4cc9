//! Syncs by hand.

use millwright_connection::{Connection, ConnectionContext};
use millwright_core::{Error, ErrorCode, FieldError, Result, WallTime};

use crate::{Mode, NextRun, SyncState, connect::send, sync_key, sync_states};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct RequestedSync {
    /// These entities; all when nothing.
    pub entities: Option<Vec<String>>,
    /// What to read.
    pub mode: Mode,
    /// Whether deletions that are held may be made: as many as had vanished.
    pub confirm_deletions: bool,
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
    let now = context.store.clock().wall();
    let chosen = choose(&states, request.entities.as_deref(), now)?;
    let mut started = Vec::new();
    for state in chosen {
        match start(context, state, request).await {
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

/// The states of what is named, each once; all when nothing is. Nothing has been started yet, so what
/// runs already is refused here, and the rest is left alone.
fn choose<'a>(
    states: &'a [SyncState],
    entities: Option<&[String]>,
    now: WallTime,
) -> Result<Vec<&'a SyncState>> {
    let Some(entities) = entities else {
        // What is off runs only for who names it.
        return Ok(states.iter().filter(|state| state.settings.is_on()).collect());
    };
    let mut chosen: Vec<&SyncState> = Vec::new();
    let mut faults = Vec::new();
    for (i, entity) in entities.iter().enumerate() {
        match states.iter().find(|state| state.entity == *entity) {
            Some(state) if chosen.iter().any(|own| own.entity == state.entity) => {}
            Some(state) => chosen.push(state),
            None => faults.push(FieldError::new(
                format!("entities[{i}]"),
                ErrorCode::ValidationFailed,
                "this connection has no such entity",
            )),
        }
    }
    Error::from_fields(faults).map_or(Ok(()), Err)?;
    match chosen.iter().find(|state| is_held(state, now)) {
        Some(running) => Err(in_progress(&running.entity)),
        None => Ok(chosen),
    }
}

fn is_held(state: &SyncState, now: WallTime) -> bool {
    state.lease.until.is_some_and(|until| until > now)
}

async fn start(
    context: &ConnectionContext,
    state: &SyncState,
    request: &RequestedSync,
) -> Result<SyncState> {
    let key = sync_key(&state.workspace, &state.connection, &state.entity);
    let (wall, now) = (context.store.clock().wall(), context.store.clock().schedule());
    let asked = context
        .store
        .modify(&key, |state: &mut SyncState| {
            if is_held(state, wall) {
                return Err(in_progress(&state.entity));
            }
            state.requested = Some(request.mode);
            if request.confirm_deletions {
                state.confirmed = state.held.map(|held| held.missing);
            }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use millwright_core::{ConnectionId, ScheduleTime, WorkspaceId};

    use super::*;

    const NOW: WallTime = WallTime::from_millis(1_800_000_000_000);

    fn states() -> Vec<SyncState> {
        let (workspace, connection) = (WorkspaceId::new_at(1), ConnectionId::new_at(1));
        let state = |entity: &&str| {
            SyncState::new(&workspace, &connection, entity, ScheduleTime::from_millis(1))
        };
        ["materials", "vendors"].iter().map(state).collect()
    }

    fn chosen(states: &[SyncState], entities: &[&str]) -> Result<Vec<String>> {
        let named: Vec<String> = entities.iter().map(|own| (*own).to_owned()).collect();
        let chosen = choose(states, Some(&named), NOW)?;
        Ok(chosen.into_iter().map(|state| state.entity.clone()).collect())
    }

    #[test]
    fn an_entity_that_is_named_twice_is_chosen_once() {
        let named = ["vendors", "materials", "vendors"];
        assert_eq!(chosen(&states(), &named).unwrap(), ["vendors", "materials"]);
    }

    #[test]
    fn nothing_is_chosen_while_one_of_the_named_runs() {
        let mut states = states();
        states[1].lease.until = Some(NOW + Duration::from_secs(1));
        let refused = chosen(&states, &["materials", "vendors"]).unwrap_err();
        assert_eq!(refused.code, ErrorCode::SyncInProgress);
        assert_eq!(chosen(&states, &["materials"]).unwrap(), ["materials"]);
        states[1].lease.until = Some(NOW);
        assert_eq!(chosen(&states, &["materials", "vendors"]).unwrap().len(), 2);
    }

    #[test]
    fn what_is_named_without_being_there_is_told_by_its_place() {
        let refused = chosen(&states(), &["vendors", "unicorns"]).unwrap_err();
        assert_eq!(refused.fields[0].path, "entities[1]");
    }
}
